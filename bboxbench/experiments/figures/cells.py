"""What is drawn of one cell, on an axis of the caller's: grids of files and the report's small pictures share it.

Every function takes rows of the CSVs that belong to the cell and draws nothing but the cell: titles and the labels of
axes are the caller's. Call them inside ``with style():``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from bboxbench.experiments.cells import box_accuracies
from bboxbench.experiments.figures.style import GRID, INK, MUTED, OUTCOME_STYLE, PAPER
from bboxbench.experiments.outcomes import CONVERGED_ACCURACY

__all__ = [
    "draw_curves",
    "draw_distribution",
    "draw_iou_histogram",
    "draw_sides",
    "outcome_handles",
    "say",
    "states",
]

Array = npt.NDArray[np.float64]

BAND = 0.36
"""Half the height of what stands for one cell in a row of height 1."""
BOX = 0.2
"""The same of its box plot, which must not be louder than the dots."""
STROKE = 0.3
"""The same of its median."""
SIDES = ("left", "top", "right", "bottom")
PREDICTED, TRUE = "#0072B2", MUTED
"""Colours of predicted and true sides."""
TOP = 0.3
"""Greatest share of the boxes in one bin of IoU that is drawn."""
FULL_HEIGHT = 0.1
"""Greatest share of all boxes in one bin that `draw_sides` draws; more is cut off there and said in a number."""
BAR, NUMBER = 0.34, 0.43
"""In `draw_sides`, of a row of height 1: the highest bar, and where the number of one that is cut off stands."""
APART = 0.3
"""Numbers nearer than this would lie on each other."""


def states(runs: pd.DataFrame) -> pd.Series[str]:
    """The outcome of each run, ``failed`` for one whose training raised."""
    return runs["outcome"].astype(object).where(runs["status"] == "ok", "failed")


def outcome_handles(present: Iterable[Any], *, lines: bool = False) -> list[Line2D]:
    """Entries of a legend for the outcomes in ``present``, in their usual order: markers, or lines where they are."""
    there = set(present)
    return [
        Line2D([], [], color=colour, label=name, linewidth=1.5)
        if lines
        else Line2D([], [], linestyle="", color=colour, marker=marker, markersize=5, label=name)
        for name, (colour, marker) in OUTCOME_STYLE.items()
        if name in there
    ]


def say(axis: Axes, text: str) -> None:
    """Words in the middle of an axis that has nothing to show."""
    axis.text(0.5, 0.5, text, transform=axis.transAxes, ha="center", va="center", color=MUTED, fontsize=8)


def draw_distribution(
    axis: Axes,
    runs: pd.DataFrame,
    *,
    y: float = 0.0,
    seeds: npt.ArrayLike | None = None,
    size: float = 4.5,
) -> None:
    """Box accuracy of a cell's runs along x: every seed a dot in its outcome's colour and marker, a box plot behind.

    The box reaches from the 25th to the 75th percentile, the line through it is the median, the thin line goes from
    the least to the greatest; one run alone is a dot. The faint mark is what a run needs to count as converged.

    Args:
        axis: x is box accuracy in [0, 1]; the cell takes the height from ``y`` - 0.5 to ``y`` + 0.5.
        runs: the cell's rows of runs.csv; failed runs stand at 0.
        y: where on the axis.
        seeds: all seeds of the sweep, so that one seed stands at one height in all cells; by default the runs' own.
        size: of a dot, in points.
    """
    if not len(runs):
        return
    accuracy, state = box_accuracies(runs), states(runs)
    everyone = np.unique(runs["seed"] if seeds is None else np.asarray(seeds))
    heights = y + (np.searchsorted(everyone, runs["seed"]) + 0.5) / len(everyone) * 2 * BAND - BAND
    low, first, median, third, high = np.quantile(accuracy, [0, 0.25, 0.5, 0.75, 1])
    target = [CONVERGED_ACCURACY, CONVERGED_ACCURACY]
    axis.plot(target, [y - 0.5, y + 0.5], color=MUTED, linewidth=0.6, linestyle=(0, (2, 2)), alpha=0.7, zorder=0.6)
    if len(runs) > 1:
        axis.plot([low, high], [y, y], color=MUTED, linewidth=0.8, alpha=0.7, zorder=0.8)
        box = Rectangle((first, y - BOX), third - first, 2 * BOX, facecolor=GRID, edgecolor=MUTED, linewidth=0.5)
        box.set(zorder=0.9, clip_on=False)
        axis.add_patch(box)
        # Behind the dots: of few seeds the median is one of them, and a failed run has the colour of ink.
        axis.plot([median, median], [y - STROKE, y + STROKE], color=INK, linewidth=1.5, clip_on=False, zorder=1.5)
    for name, (colour, marker) in OUTCOME_STYLE.items():
        mine = np.asarray(state == name)
        if mine.any():
            dots = {"marker": marker, "markersize": size, "linestyle": "", "color": colour}
            # A rim of paper keeps dots apart that touch each other or the stroke.
            dots |= {"markeredgewidth": 1.2} if marker == "x" else {"markeredgewidth": 0.4, "markeredgecolor": PAPER}
            axis.plot(accuracy[mine], heights[mine], clip_on=False, zorder=2, **dots)


def draw_curves(axis: Axes, epochs: pd.DataFrame, runs: pd.DataFrame, *, measure: str = "val_box_accuracy") -> None:
    """One line a seed over the epochs, in the colour of what became of the run, its marker at the last epoch.

    Args:
        axis: x is the epoch, from 1; y is ``measure``.
        epochs: rows of epochs.csv; those of other runs are passed over.
        runs: the cell's rows of runs.csv.
        measure: a column of epochs.csv. Where it is empty throughout, as without validation pictures, words say so.
    """
    there = epochs[epochs["run_id"].isin(runs["run_id"])]
    values = there[measure].astype(float)
    if not np.isfinite(values).any():
        say(axis, "no epochs" if not len(there) else "not measured")
        return
    state = dict(zip(runs["run_id"], states(runs), strict=True))
    for run_id, mine in there.assign(**{measure: values}).groupby("run_id", sort=False):
        colour, marker = OUTCOME_STYLE[state[run_id]]
        axis.plot(mine["epoch"], mine[measure], color=colour, linewidth=1.1, alpha=0.75, clip_on=False)
        known = mine[np.isfinite(mine[measure])].tail(1)
        axis.plot(known["epoch"], known[measure], marker, color=colour, markersize=4, clip_on=False)


def draw_iou_histogram(axis: Axes, histogram: pd.DataFrame, runs: pd.DataFrame, *, top: float = TOP) -> None:
    """How the IoU of the test boxes is spread: the mean over the cell's runs as an area, every run a thin line.

    Args:
        axis: x is the IoU, y the share of the test pictures in a bin.
        histogram: rows of iou_histogram.csv; those of other runs are passed over. Failed runs have none.
        runs: the cell's rows of runs.csv.
        top: the greatest share that is drawn; bins whose mean is above are cut off there, and a number says what
            neighbours hold together, and from where to where they reach.
    """
    there = histogram[histogram["run_id"].isin(runs["run_id"])]
    if not len(there):
        say(axis, "no predictions")
        return
    state = dict(zip(runs["run_id"], states(runs), strict=True))
    edges = np.array([*np.unique(there["iou_from"]), float(there["iou_to"].max())])
    shares = {run_id: np.asarray(mine["count"] / mine["count"].sum()) for run_id, mine in there.groupby("run_id")}
    mean = np.mean(list(shares.values()), axis=0)
    axis.stairs(np.minimum(mean, top), edges, fill=True, color=GRID, zorder=0.5)
    for run_id, share in shares.items():
        axis.stairs(share, edges, color=OUTCOME_STYLE[state[run_id]][0], linewidth=0.7, alpha=0.7)
    axis.stairs(mean, edges, color=INK, linewidth=1.0)
    for first, last in _neighbours(mean > top):
        low, high = edges[first], edges[last + 1]
        right = low + high < 1
        axis.annotate(
            f"{100 * mean[first : last + 1].sum():.0f} % in {low:g} to {high:g}",
            (high if right else low, top * 0.93),
            (2 if right else -2, 0),
            textcoords="offset points",
            ha="left" if right else "right",
            va="center",
            fontsize=6.5,
            color=INK,
            bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.75, "pad": 0.6},
        )
    threshold = float(runs["iou_threshold"].dropna().iloc[0])
    axis.axvline(threshold, color=MUTED, linewidth=0.6, linestyle=(0, (2, 2)), alpha=0.7, zorder=0.6)
    axis.set_ylim(0, top)


def draw_sides(axis: Axes, sides: pd.DataFrame) -> None:
    """Where the four sides of the boxes lie across the picture: predicted above each line, true below it.

    A bin that holds more than a tenth of all boxes is cut off there, and a number says what it holds, together with
    neighbours that are cut off, too: sides pinned to the border make such a spike at 0 or 1.

    Args:
        axis: x is the place, 0 the left or top edge of the picture, 1 the right or bottom one; a row a side.
        sides: the cell's rows of `bboxbench.experiments.recorded.sides_table`; where the true sides are not known,
            only the predicted ones are drawn.
    """
    if not len(sides):
        say(axis, "no finite predictions")
        return
    for row, side in enumerate(SIDES):
        mine = sides[sides["side"] == side]
        edges = np.array([*mine["from"], mine["to"].iloc[-1]], float)
        for name, up, colour in (("predicted", -1.0, PREDICTED), ("true", 1.0, TRUE)):
            share = mine[name].to_numpy(float)
            if np.isnan(share).any():
                continue
            height = np.minimum(share / FULL_HEIGHT, 1.0) * BAR
            axis.stairs(row + up * height, edges, baseline=row, fill=True, color=colour, alpha=0.85)
            _say_shares(axis, share, edges, row + up * NUMBER)
        axis.plot([0, 1], [row, row], color=MUTED, linewidth=0.5)
    axis.set(xlim=(0, 1), ylim=(len(SIDES) - 0.5, -0.5), yticks=range(len(SIDES)), yticklabels=SIDES)
    axis.tick_params(axis="y", left=False)
    axis.spines["left"].set_visible(False)


def _neighbours(cut: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last index of each stretch of neighbours that are true."""
    steps = np.flatnonzero(np.diff(np.concatenate([[False], cut, [False]]).astype(int)))
    return [(int(first), int(end) - 1) for first, end in zip(steps[::2], steps[1::2], strict=True)]


def _say_shares(axis: Axes, share: Array, edges: Array, y: float) -> None:
    """What bars that are cut off hold, beyond their ends, where nothing else is drawn; the greatest first."""
    said: list[float] = []
    stretches = [(float(share[a : b + 1].sum()), a, b) for a, b in _neighbours(share > FULL_HEIGHT)]
    for held, first, last in sorted(stretches, reverse=True):
        middle = (edges[first] + edges[last + 1]) / 2
        x, way = (0.0, "left") if middle < 0.1 else (1.0, "right") if middle > 0.9 else (middle, "center")
        if all(abs(x - other) > APART for other in said):
            said.append(x)
            axis.text(x, y, f"{100 * held:.0f} %", ha=way, va="center", fontsize=6.5, color=INK)
