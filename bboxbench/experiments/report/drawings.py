"""The page's pictures of numbers: one small figure a cell, laid out by the page so that a phone can stack them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bboxbench.experiments.cells import CELL, conditions
from bboxbench.experiments.figures.cells import draw_curves, draw_distribution, draw_iou_histogram, draw_sides
from bboxbench.experiments.figures.curves import epoch_limits, rows_by_run, rows_of
from bboxbench.experiments.figures.files import svg_text
from bboxbench.experiments.figures.profiles import performance_profiles
from bboxbench.experiments.figures.style import style
from bboxbench.experiments.figures.trap import accuracy_trap
from bboxbench.experiments.recorded import RecordedSweep
from bboxbench.experiments.report.cells import Cell
from bboxbench.experiments.report.words import count, listed, number, percent

__all__ = ["curves", "histograms", "profiles", "sides", "strips", "trap"]


class Shape(NamedTuple):
    """Size of a figure and its margins, in inches: set by hand, since finding them takes as long as drawing."""

    width: float
    height: float
    left: float
    bottom: float
    right: float = 0.12
    top: float = 0.07

    def axes(self, figure: Figure) -> Axes:
        """The figure's one axis inside the margins."""
        wide, high = self.width - self.left - self.right, self.height - self.bottom - self.top
        return figure.add_axes(
            (self.left / self.width, self.bottom / self.height, wide / self.width, high / self.height)
        )


STRIP, WIDE_STRIP = Shape(2.7, 0.82, 0.12, 0.23), Shape(4.5, 0.86, 0.12, 0.25)
PANEL, SIDES = Shape(2.7, 1.55, 0.42, 0.37), Shape(4.2, 4.0, 0.55, 0.37)
FEW_SEEDS = 6
"""With so many seeds, or fewer, dots have room to be large."""
TRAP = 3.0
"""Side of the trap's square in inches: its words can be read where it fills a phone."""
FEW_GROUPS = 2
"""With so many columns, or fewer, the grid has room for wide strips."""


def _draw(draw: Callable[[Axes], None], shape: Shape, label: str, prefix: str) -> str:
    with style():
        figure = Figure(figsize=(shape.width, shape.height))
        draw(shape.axes(figure))
        return svg_text(figure, label=label, prefix=prefix)


def _states(cell: Cell) -> str:
    return listed(f"{many} {name}" for name, many in cell.states.items())


def strips(cells: Sequence[Cell]) -> list[str]:
    """Each cell's distribution of box accuracy, as SVG."""
    seeds = sorted({int(seed) for cell in cells for seed in cell.runs["seed"]})
    wide = len({cell.group for cell in cells}) <= FEW_GROUPS
    size = (4.8 if wide else 4.2) + (1.6 if len(seeds) <= FEW_SEEDS else 0.0)

    def one(cell: Cell) -> str:
        def draw(axis: Axes) -> None:
            draw_distribution(axis, cell.runs, seeds=seeds, size=size)
            axis.set(xlim=(0, 1), ylim=(0.5, -0.5), yticks=[], xticks=[0, 0.5, 1], xticklabels=["0", "0.5", "1"])
            axis.tick_params(labelsize=8.5 if wide else 7.5, length=2.5, pad=2)
            axis.spines["left"].set_visible(False)

        row = cell.row
        label = (
            f"Box accuracy of {count(cell.n, 'run')} of {cell.loss}, {cell.group}: from "
            f"{number(row['box_accuracy_min'])} to {number(row['box_accuracy_max'])}, median "
            f"{number(row['box_accuracy_median'])}"
        )
        return _draw(draw, WIDE_STRIP if wide else STRIP, label, f"strip{cell.number}")

    return [one(cell) for cell in cells]


def curves(cells: Sequence[Cell], epochs: pd.DataFrame) -> list[str]:
    """Each cell's validation box accuracy over the epochs, a line a seed, as SVG."""
    last = int(epochs["epoch"].max()) if len(epochs) else 1
    by_run, limits = rows_by_run(epochs), epoch_limits(epochs)

    def one(cell: Cell) -> str:
        def draw(axis: Axes) -> None:
            draw_curves(axis, rows_of(by_run, cell.runs, epochs), cell.runs)
            axis.set(xlim=limits, ylim=(0, 1), yticks=[0, 0.5, 1], yticklabels=["0", "0.5", "1"])
            axis.set_xticks(_whole_ticks(last))
            axis.tick_params(labelsize=7.5, length=2.5, pad=2)
            axis.set_xlabel("epoch", fontsize=7.5, labelpad=1)
            axis.grid(axis="y")

        label = f"Learning curves of {cell.loss}, {cell.group}: {_states(cell)}"
        return _draw(draw, PANEL, label, f"curve{cell.number}")

    return [one(cell) for cell in cells]


def _whole_ticks(last: int) -> list[int]:
    step = max(1, -(-last // 8))
    return [1, *range(1 + step, last + 1, step)] if last > 1 else [1]


def histograms(cells: Sequence[Cell], histogram: pd.DataFrame) -> list[str]:
    """Each cell's distribution of the IoU over the test pictures, as SVG."""
    by_run = rows_by_run(histogram)

    def one(cell: Cell) -> str:
        def draw(axis: Axes) -> None:
            draw_iou_histogram(axis, rows_of(by_run, cell.runs, histogram), cell.runs)
            axis.set(xlim=(0, 1), xticks=[0, 0.5, 1], xticklabels=["0", "0.5", "1"])
            axis.set(yticks=[0, 0.15, 0.3], yticklabels=["0", "15 %", "30 %"])
            axis.tick_params(labelsize=7.5, length=2.5, pad=2)
            axis.set_xlabel("IoU", fontsize=7.5, labelpad=1)

        median = number(cell.row["mean_iou_median"])
        label = f"Distribution of the IoU of {cell.loss}, {cell.group}: mean IoU of the median run {median}"
        return _draw(draw, PANEL, label, f"iou{cell.number}")

    return [one(cell) for cell in cells]


def sides(sweep: RecordedSweep, cells: Sequence[Cell], table: pd.DataFrame) -> dict[int, str]:
    """Where predicted and true sides lie, as SVG by the cell's number; cells without a finite box have none.

    Args:
        sweep: the cells'.
        cells: of which to draw.
        table: of `bboxbench.experiments.recorded.sides_table`.
    """
    known = dict(tuple(table.groupby(list(CELL), sort=False))) if len(table) else {}
    found = {}
    for cell in cells:
        mine = known.get(tuple(cell.row[name] for name in CELL))
        if mine is None:
            continue

        def draw(axis: Axes, mine: pd.DataFrame = mine) -> None:
            draw_sides(axis, mine)
            axis.set(xticks=[0, 0.5, 1], xticklabels=["0", "0.5", "1"])
            axis.tick_params(labelsize=7.5, length=2.5, pad=2)
            axis.set_xlabel("place across or down the picture", fontsize=7.5, labelpad=1)

        label = f"Where the sides of the boxes of {cell.loss}, {cell.group} lie: {_pinned(cell)}"
        found[cell.number] = _draw(draw, SIDES, label, f"sides{cell.number}")
    return found


def _pinned(cell: Cell) -> str:
    """The share of boxes with each side at the border, in the mean over the runs."""
    means = {side: cell.runs[f"pinned_{side}"].astype(float).mean() for side in ("left", "top", "right", "bottom")}
    said = [f"{percent(share)} {side}" for side, share in means.items() if share >= 0.01]
    return f"pinned to the border in the mean over the runs: {listed(said)}" if said else "none pinned to the border"


def trap(sweep: RecordedSweep) -> str:
    """Keras's accuracy against box accuracy of every run, as SVG."""
    ok = sweep.runs["status"] == "ok"
    label = f"Keras's accuracy against box accuracy of {count(int(ok.sum()), 'run')}; the widest gaps are in the table"
    return svg_text(accuracy_trap(sweep.runs, sweep.baselines, side=TRAP), label=label, prefix="trap")


def profiles(sweep: RecordedSweep) -> list[tuple[str, str]]:
    """The performance profiles of all losses under each condition: its words and the figure as SVG."""
    if sweep.iou_histogram.empty:
        return []
    labels = conditions(sweep.runs)
    found = []
    for place, group in enumerate(dict.fromkeys(labels["group"])):
        runs = sweep.runs[labels["group"] == group]
        mine = sweep.iou_histogram[sweep.iou_histogram["run_id"].isin(runs["run_id"])]
        label = f"Share of the test boxes that reach each IoU under {group}; the numbers are in the table below"
        figure = performance_profiles(mine, runs)
        for axis in figure.axes:
            axis.set_title("", loc="left")  # the page says it in text
        found.append((str(group), svg_text(figure, label=label, prefix=f"profile{place}")))
    return found
