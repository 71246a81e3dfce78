"""JSON from files that are not trusted: what cannot be read as such is one line that names the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bboxbench.errors import InputError, read_errors

__all__ = ["read_json"]


def read_json(path: Path, of_pairs: Callable[[list[tuple[str, Any]]], dict[str, Any]] | None = None) -> Any:
    """The content of a JSON file, whatever it is.

    Args:
        path: the file.
        of_pairs: makes each object of its names and values, and may raise `ValueError`; by default the last of
            several values of one name counts.

    Raises:
        InputError: it cannot be read, or is no JSON.
    """
    with read_errors(path):
        text = path.read_bytes()
    try:
        return json.loads(text, object_pairs_hook=of_pairs)
    except (ValueError, RecursionError) as error:
        raise InputError(f"Expected JSON in {path}, which cannot be read as such: {error}.") from error
