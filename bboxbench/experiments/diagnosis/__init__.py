"""What is wrong with somebody's own network, from its predictions: outcome, symptom, evidence, slips, what to try.

    true, predicted -> truth, evidence -> mistakes, order -> advice -> words, page

Light: NumPy alone, matplotlib for the page; `BoxDiagnosis`, which imports Keras, comes when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bboxbench.experiments.diagnosis.advice import Advice
from bboxbench.experiments.diagnosis.diagnosis import Diagnosis, diagnose
from bboxbench.experiments.diagnosis.evidence import Evidence, Side
from bboxbench.experiments.diagnosis.mistakes import Mistake

if TYPE_CHECKING:
    from bboxbench.experiments.diagnosis.callback import BoxDiagnosis

__all__ = ["Advice", "BoxDiagnosis", "Diagnosis", "Evidence", "Mistake", "Side", "diagnose"]


def __getattr__(name: str) -> Any:
    if name == "BoxDiagnosis":
        from bboxbench.experiments.diagnosis.callback import BoxDiagnosis

        return BoxDiagnosis
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
