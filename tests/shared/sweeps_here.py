"""Sweeps that train in the test's own process, where isolation is not what is tested: no second TensorFlow to load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bboxbench.experiments.execution.executor import Execution
from bboxbench.experiments.listener import Listener
from bboxbench.experiments.spec import SweepSpec
from bboxbench.experiments.sweep import SweepResult, run_sweep

__all__ = ["sweep_here"]


def sweep_here(
    spec: SweepSpec, folder: Path | None = None, listener: Listener | None = None, **options: Any
) -> SweepResult:
    """`run_sweep` without isolation, unless ``execution`` says otherwise."""
    options.setdefault("execution", Execution(isolation="none"))
    return run_sweep(spec, folder, listener, **options)
