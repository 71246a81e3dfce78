"""Modules of the folders scripts and benchmarks, which are no packages."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

__all__ = ["loaded"]

ROOT = Path(__file__).parents[2]


def loaded(place: str) -> Any:
    """The module at ``place``, as in "scripts/losses_page.py"; anew each time."""
    path = ROOT / place
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks its own module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
