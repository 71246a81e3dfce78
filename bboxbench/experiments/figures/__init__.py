"""Figures of a sweep, drawn from its tables alone: one style, labels with units."""

from __future__ import annotations

from bboxbench.experiments.figures.cells import (
    accuracies,
    draw_curves,
    draw_distribution,
    draw_iou_histogram,
    draw_sides,
    outcome_handles,
    states,
)
from bboxbench.experiments.figures.distributions import box_accuracy_figure
from bboxbench.experiments.figures.files import save, svg_text
from bboxbench.experiments.figures.style import GRID, INK, MUTED, OUTCOME_STYLE, PAPER, STYLE, SYMPTOM_STYLE, style

__all__ = [
    "GRID",
    "INK",
    "MUTED",
    "OUTCOME_STYLE",
    "PAPER",
    "STYLE",
    "SYMPTOM_STYLE",
    "accuracies",
    "box_accuracy_figure",
    "draw_curves",
    "draw_distribution",
    "draw_iou_histogram",
    "draw_sides",
    "outcome_handles",
    "save",
    "states",
    "style",
    "svg_text",
]
