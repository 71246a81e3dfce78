"""Figures with a small picture a cell: learning curves, histograms of the IoU, and where the sides lie."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from bboxbench.experiments.cells import CELL
from bboxbench.experiments.figures.cells import (
    FULL_HEIGHT,
    PREDICTED,
    SIDES,
    TOP,
    TRUE,
    draw_curves,
    draw_iou_histogram,
    draw_sides,
    outcome_handles,
    states,
)
from bboxbench.experiments.figures.distributions import NO_RUNS, threshold_of
from bboxbench.experiments.figures.layout import Words, note, panels
from bboxbench.experiments.figures.style import GRID, INK, in_style

__all__ = ["epoch_limits", "iou_histograms", "learning_curves", "pinned_sides", "rows_by_run", "rows_of"]


def rows_by_run(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each run of epochs.csv or iou_histogram.csv: looked up once, not once a cell."""
    return {str(run_id): rows for run_id, rows in table.groupby("run_id", sort=False)}


def rows_of(by_run: dict[str, pd.DataFrame], runs: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Those of some runs together; none of ``table`` where they have none."""
    mine = [by_run[run_id] for run_id in runs["run_id"] if run_id in by_run]
    return pd.concat(mine) if mine else table.iloc[:0]


def epoch_limits(epochs: pd.DataFrame) -> tuple[float, float]:
    """From the first to the last epoch; around the one where there is no other."""
    last = int(epochs["epoch"].max()) if len(epochs) else 1
    return (1, last) if last > 1 else (0.5, 1.5)


@in_style
def learning_curves(epochs: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    """Validation box accuracy over the epochs, a panel a cell and a line a seed.

    Args:
        epochs: epochs.csv.
        runs: runs.csv.
    """
    if not len(runs):
        return note(NO_RUNS)
    words = Words("epoch", f"validation box accuracy\n(IoU ≥ {threshold_of(runs):g})", outcome_handles(states(runs)))
    grid, cells = panels(runs, (1.75, 1.05), words, left=0.75)
    by_run = rows_by_run(epochs)
    for cell in cells:
        draw_curves(cell.axis, rows_of(by_run, cell.runs, epochs), cell.runs)
    limits = epoch_limits(epochs)
    for axis in grid.axes.flat:
        axis.set(xlim=limits, ylim=(0, 1), yticks=[0, 0.5, 1])
        axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axis.grid(axis="y")
    return grid.figure


@in_style
def iou_histograms(histogram: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    """How the IoU of the test boxes is spread, a panel a cell: the mean over its runs, and every run as a thin line.

    Args:
        histogram: iou_histogram.csv.
        runs: runs.csv.
    """
    if not len(runs):
        return note(NO_RUNS)
    words = Words(
        f"IoU of a test box with the true one; dashed: {threshold_of(runs):g}, from which it counts as right; "
        f"bars beyond {100 * TOP:.0f} % are cut off, the number says what they hold",
        "share of the test boxes",
        [
            *outcome_handles(set(states(runs)) - {"failed"}, lines=True),
            Patch(facecolor=GRID, edgecolor=INK, label="mean of the runs"),
        ],
    )
    grid, cells = panels(runs, (1.75, 1.05), words, left=0.7)
    by_run = rows_by_run(histogram)
    for cell in cells:
        draw_iou_histogram(cell.axis, rows_of(by_run, cell.runs, histogram), cell.runs)
    for axis in grid.axes.flat:
        axis.set(ylim=(0, TOP), yticks=[0, TOP / 2, TOP])
        axis.set(xlim=(0, 1), xticks=[0, 0.5, 1], xticklabels=["0", "0.5", "1"])
    return grid.figure


@in_style
def pinned_sides(sides: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    """Where the sides of predicted and true boxes lie across the picture, a panel a cell and a row a side.

    Args:
        sides: as `bboxbench.experiments.recorded.sides_table` gives it.
        runs: runs.csv.
    """
    if not len(runs):
        return note(NO_RUNS)
    known = bool(len(sides)) and bool(sides["true"].notna().all())
    words = Words(
        "place of a side across the picture: 0 is its left or top edge, 1 its right or bottom one; all runs of a cell "
        f"together; bars beyond {100 * FULL_HEIGHT:.0f} % are cut off, the number says what they hold",
        "",
        [
            Patch(facecolor=PREDICTED, label="predicted (above the line)"),
            Patch(facecolor=TRUE, label="true (below it)" if known else "true (pictures not found)"),
        ],
    )
    grid, cells = panels(runs, (1.75, 2.8), words)
    by_cell = dict(tuple(sides.groupby(list(CELL), sort=False))) if len(sides) else {}
    for cell in cells:
        draw_sides(cell.axis, by_cell.get(tuple(cell.runs.iloc[0][list(CELL)]), sides.iloc[:0]))
    for axis in grid.axes.flat:
        axis.set(xlim=(0, 1), xticks=[0, 0.5, 1], xticklabels=["0", "0.5", "1"])
        axis.set(ylim=(len(SIDES) - 0.5, -0.5), yticks=range(len(SIDES)), yticklabels=SIDES)
        axis.tick_params(axis="y", left=False)
        axis.spines["left"].set_visible(False)
    return grid.figure
