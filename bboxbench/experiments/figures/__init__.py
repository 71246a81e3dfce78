"""Figures of a sweep, drawn from its tables alone: one style, labels with units."""

from __future__ import annotations

from bboxbench.experiments.figures.distributions import box_accuracy_figure
from bboxbench.experiments.figures.style import GRID, INK, MUTED, OUTCOME_STYLE, PAPER, STYLE, SYMPTOM_STYLE, style

__all__ = [
    "GRID",
    "INK",
    "MUTED",
    "OUTCOME_STYLE",
    "PAPER",
    "STYLE",
    "SYMPTOM_STYLE",
    "box_accuracy_figure",
    "style",
]
