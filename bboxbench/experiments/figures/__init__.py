"""Figures of a sweep, drawn from its tables alone: one style, labels with units, files and parts of pages.

Functions named like a figure take the data frames of the CSVs and give a `matplotlib.figure.Figure`; `save` writes it.
Functions that begin with ``draw_`` draw one cell on an axis of the caller's. `FIGURES` has every figure by its name.
"""

from __future__ import annotations

from bboxbench.experiments.figures.catalogue import FIGURES, FigureEntry, figure_of, telling_figures, write_figures
from bboxbench.experiments.figures.cells import (
    draw_curves,
    draw_distribution,
    draw_iou_histogram,
    draw_sides,
    outcome_handles,
    states,
)
from bboxbench.experiments.figures.comparisons import comparisons
from bboxbench.experiments.figures.curves import iou_histograms, learning_curves, pinned_sides
from bboxbench.experiments.figures.distributions import (
    box_accuracy,
    box_accuracy_figure,
    last_epochs,
    last_epochs_table,
    outcomes,
)
from bboxbench.experiments.figures.files import FORMATS, save, svg_text
from bboxbench.experiments.figures.profiles import performance_profiles
from bboxbench.experiments.figures.style import GRID, INK, MUTED, OUTCOME_STYLE, PAPER, STYLE, SYMPTOM_STYLE, style
from bboxbench.experiments.figures.trap import accuracy_trap

__all__ = [
    "FIGURES",
    "FORMATS",
    "GRID",
    "INK",
    "MUTED",
    "OUTCOME_STYLE",
    "PAPER",
    "STYLE",
    "SYMPTOM_STYLE",
    "FigureEntry",
    "accuracy_trap",
    "box_accuracy",
    "box_accuracy_figure",
    "comparisons",
    "draw_curves",
    "draw_distribution",
    "draw_iou_histogram",
    "draw_sides",
    "figure_of",
    "iou_histograms",
    "last_epochs",
    "last_epochs_table",
    "learning_curves",
    "outcome_handles",
    "outcomes",
    "performance_profiles",
    "pinned_sides",
    "save",
    "states",
    "style",
    "svg_text",
    "telling_figures",
    "write_figures",
]
