"""Loss x initializer x seed: spec -> plan -> training -> journal -> outcomes and tables -> figures and report.

Light parts are here; `run_sweep`, `load_model` and `BoxDiagnosis`, which import TensorFlow, come when they are asked
for, as does `diagnose`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bboxbench.experiments.execution.executor import Execution
from bboxbench.experiments.outcomes import Measures, measure
from bboxbench.experiments.spec import PRESETS, SweepSpec

if TYPE_CHECKING:
    from bboxbench.experiments.diagnosis import BoxDiagnosis, Diagnosis, diagnose
    from bboxbench.experiments.models.saving import load_model
    from bboxbench.experiments.sweep import run_sweep

__all__ = [
    "PRESETS",
    "BoxDiagnosis",
    "Diagnosis",
    "Execution",
    "Measures",
    "SweepSpec",
    "diagnose",
    "load_model",
    "measure",
    "run_sweep",
]


def __getattr__(name: str) -> Any:
    if name == "run_sweep":
        from bboxbench.experiments.sweep import run_sweep

        return run_sweep
    if name == "load_model":
        from bboxbench.experiments.models.saving import load_model

        return load_model
    if name in ("BoxDiagnosis", "Diagnosis", "diagnose"):
        from bboxbench.experiments import diagnosis

        return getattr(diagnosis, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
