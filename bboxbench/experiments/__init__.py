"""Loss x initializer x seed: spec -> plan -> training -> journal -> outcomes and tables -> figure.

Light parts are here; `run_sweep`, which imports TensorFlow, comes when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bboxbench.experiments.outcomes import Measures, measure
from bboxbench.experiments.spec import PRESETS, SweepSpec

if TYPE_CHECKING:
    from bboxbench.experiments.sweep import run_sweep

__all__ = ["PRESETS", "Measures", "SweepSpec", "measure", "run_sweep"]


def __getattr__(name: str) -> Any:
    if name == "run_sweep":
        from bboxbench.experiments.sweep import run_sweep

        return run_sweep
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
