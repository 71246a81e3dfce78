"""Figures with a row a loss and a column an initializer: box accuracy, outcomes, and how steady the last epochs are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from bboxbench.experiments.figures.cells import draw_distribution, outcome_handles, states
from bboxbench.experiments.figures.files import save
from bboxbench.experiments.figures.layout import Words, cells_of, loss_order, note, rows_grid
from bboxbench.experiments.figures.style import (
    GRID,
    INK,
    MUTED,
    ON_COLOUR,
    OUTCOME_STYLE,
    PAPER,
    SYMPTOM_STYLE,
    in_style,
)
from bboxbench.experiments.outcomes import CONVERGED_ACCURACY
from bboxbench.experiments.tables import OUTCOME_RATES, conditions

__all__ = ["box_accuracy", "box_accuracy_figure", "last_epochs", "last_epochs_table", "outcomes"]

NO_RUNS = "no run is finished yet"
LAST = 3
"""Epochs that `last_epochs` looks at."""


@in_style
def box_accuracy(runs: pd.DataFrame) -> Figure:
    """Losses down, initializers across: every run's box accuracy as a dot, the cell's box plot behind.

    Args:
        runs: runs.csv. Failed runs stand at 0.
    """
    if not len(runs):
        return note(NO_RUNS)
    labels, losses, groups = cells_of(runs)
    seeds = np.unique(runs["seed"])
    words = Words(
        f"box accuracy (share of test boxes with IoU ≥ {threshold_of(runs):g})",
        handles=[
            *outcome_handles(states(runs)),
            Line2D([], [], linestyle="", color=INK, marker="|", markersize=9, markeredgewidth=1.5, label="median"),
            Patch(facecolor=GRID, edgecolor=MUTED, linewidth=0.6, label="middle half"),
        ],
    )
    grid = rows_grid(losses, groups, words, row=_row_height(len(losses), len(seeds)))
    for group, axis in zip(groups, grid.axes.flat, strict=False):
        axis.set_xlim(0, 1)
        axis.set_xticks([0, 0.5, CONVERGED_ACCURACY, 1], ["0", "0.5", f"{CONVERGED_ACCURACY:g}", "1"])
        for y, loss in enumerate(losses):
            mine = runs[(labels["group"] == group) & (labels["loss"] == loss)]
            draw_distribution(axis, mine, y=y, seeds=seeds, size=4.5 if len(losses) <= 8 else 4.0)
    return grid.figure


def box_accuracy_figure(runs: pd.DataFrame, path: Path) -> None:
    """Write `box_accuracy` of ``runs`` to a PNG or SVG.

    Raises:
        CannotWrite: disk full, no permission.
    """
    save(box_accuracy(runs), path)


@in_style
def outcomes(distribution: pd.DataFrame) -> Figure:
    """What became of the runs of each cell, and below it what they look like.

    The upper bar counts outcomes, the lower one symptoms; the line between is the 95 % interval of the share that
    converges.

    Args:
        distribution: distribution.csv.
    """
    if not len(distribution):
        return note(NO_RUNS)
    labels = conditions(distribution)
    losses = loss_order(labels, distribution["converged_rate"], distribution["box_accuracy_median"])
    groups = list(dict.fromkeys(labels["group"]))
    words = Words(
        "share of the runs in %; the numbers count runs",
        handles=[
            *(
                Patch(facecolor=OUTCOME_STYLE[name][0], label=name)
                for name in OUTCOME_STYLE
                if distribution[name].sum()
            ),
            *(_symptom_patch(name) for name in SYMPTOM_STYLE if distribution[name].sum()),
            Line2D([], [], color=INK, marker="|", markersize=5, label="converged: 95 % interval"),
        ],
    )
    grid = rows_grid(losses, groups, words, row=0.5 if len(losses) <= 8 else 0.42)
    for group, axis in zip(groups, grid.axes.flat, strict=False):
        axis.set_xlim(0, 1)
        axis.set_xticks([0, 0.5, 1], ["0", "50", "100"])
        for y, loss in enumerate(losses):
            for _, cell in distribution[(labels["group"] == group) & (labels["loss"] == loss)].iterrows():
                _draw_outcomes(axis, cell, y)
    return grid.figure


def _draw_outcomes(axis: Axes, cell: pd.Series, y: float) -> None:
    n, begin = int(cell["runs"]), 0.0
    for name, (colour, _) in OUTCOME_STYLE.items():
        share = cell[name] / n
        if not share:
            continue
        axis.add_patch(Rectangle((begin, y - 0.38), share, 0.4, facecolor=colour, edgecolor=PAPER, linewidth=0.8))
        on = PAPER if name == "failed" else ON_COLOUR
        axis.text(begin + share / 2, y - 0.185, str(int(cell[name])), ha="center", va="center", fontsize=7, color=on)
        begin += share
    column = OUTCOME_RATES["converged"]
    low, rate, high = cell[f"{column}_low"], cell[column], cell[f"{column}_high"]
    axis.plot([low, high], [y + 0.12, y + 0.12], color=INK, linewidth=1, marker="|", markersize=4, clip_on=False)
    axis.plot([rate], [y + 0.12], color=INK, marker="o", markersize=3, clip_on=False)
    begin = 0.0
    for name in SYMPTOM_STYLE:
        share = cell[name] / n
        if share:
            patch = _symptom_patch(name)
            axis.add_patch(
                Rectangle(
                    (begin, y + 0.22),
                    share,
                    0.17,
                    facecolor=patch.get_facecolor(),
                    hatch=SYMPTOM_STYLE[name][1],
                    edgecolor=PAPER,
                    linewidth=0.5,
                )
            )
        begin += share


def _symptom_patch(name: str) -> Patch:
    colour, hatch = SYMPTOM_STYLE[name]
    return Patch(facecolor=colour, hatch=hatch, edgecolor=PAPER, linewidth=0.5, label=name)


def last_epochs_table(epochs: pd.DataFrame) -> pd.DataFrame:
    """How much the last three epochs of each run differ.

    Args:
        epochs: epochs.csv.

    Returns:
        Indexed by ``run_id``: ``last``, ``low`` and ``high`` of val_box_accuracy over the last three epochs, in [0, 1];
        runs of fewer epochs, and those without validation, are left out.
    """
    known = epochs.assign(value=epochs["val_box_accuracy"].astype(float)).dropna(subset="value")
    known = known.sort_values(["run_id", "epoch"], kind="stable")
    tail = known.groupby("run_id", sort=False).tail(LAST).groupby("run_id", sort=False)["value"]
    table = pd.DataFrame({"last": tail.last(), "low": tail.min(), "high": tail.max()})
    return table[tail.size() == LAST]


@in_style
def last_epochs(epochs: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    """How far each run's validation box accuracy wanders over its last three epochs: a line, its last epoch a marker.

    Args:
        epochs: epochs.csv.
        runs: runs.csv.
    """
    table = last_epochs_table(epochs).reindex(runs["run_id"]) if len(runs) else pd.DataFrame(columns=["last"])
    if not table["last"].notna().any():
        return note("no run has three epochs with validation" if len(runs) else NO_RUNS)
    labels, losses, groups = cells_of(runs)
    seeds = np.unique(runs["seed"])
    rows = {loss: y for y, loss in enumerate(losses)}
    heights = (np.searchsorted(seeds, runs["seed"]) + 0.5) / len(seeds) * 0.72 - 0.36 + labels["loss"].map(rows)
    state = states(runs)
    words = Words(
        f"validation box accuracy (IoU ≥ {threshold_of(runs):g})\n"
        f"marker: last epoch; line: range over the last {LAST}; number: median range",
        handles=outcome_handles(state[table["last"].notna().to_numpy()]),
    )
    grid = rows_grid(losses, groups, words, row=_row_height(len(losses), len(seeds)), gap=0.55, right=0.45)
    for group, axis in zip(groups, grid.axes.flat, strict=False):
        axis.set_xlim(0, 1)
        axis.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        for name, (colour, marker) in OUTCOME_STYLE.items():
            mine = np.asarray((labels["group"] == group) & (state == name))
            y = heights[mine].to_numpy()
            axis.hlines(y, table["low"][mine], table["high"][mine], color=colour, linewidth=1.6, alpha=0.7)
            axis.plot(table["last"][mine], y, marker=marker, linestyle="", color=colour, markersize=3.5, clip_on=False)
        for loss, y in rows.items():
            mine = np.asarray((labels["group"] == group) & (labels["loss"] == loss))
            span = (table["high"] - table["low"])[mine].dropna()
            if len(span):
                axis.text(1.03, y, f"{span.median():.2f}", va="center", ha="left", fontsize=7, color=MUTED)
            elif mine.any():
                axis.text(0.5, y, _why_none(state[mine]), va="center", ha="center", fontsize=7, color=MUTED)
    return grid.figure


def _why_none(state: pd.Series) -> str:
    """Why no run of a cell has epochs to look at."""
    if state.isin(["diverged", "failed"]).all():
        return f"{' or '.join(dict.fromkeys(state))} before"
    return f"fewer than {LAST} epochs"


def threshold_of(runs: pd.DataFrame) -> float:
    """The IoU from which a box counted as right, the same for all runs of a sweep."""
    known = runs["iou_threshold"].dropna()
    return float(known.iloc[0]) if len(known) else 0.5


def _row_height(losses: int, seeds: int) -> float:
    """In inches: many seeds need room for their dots, many losses must fit on a page."""
    return min(0.6 if losses <= 8 else 0.4, 0.36 + 0.02 * seeds)
