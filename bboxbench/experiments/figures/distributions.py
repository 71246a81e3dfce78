"""Figures of a sweep, from its tables alone: one style, colours that colour-blind eyes tell apart, and markers."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bboxbench.experiments.figures.style import OUTCOME_STYLE, STYLE
from bboxbench.experiments.outcomes import CONVERGED_ACCURACY
from bboxbench.experiments.tables import CELL
from bboxbench.files import write_atomically

__all__ = ["box_accuracy_figure"]


def box_accuracy_figure(runs: pd.DataFrame, path: Path) -> None:
    """Every run's box accuracy as a dot, a row a cell, cells of one initializer side by side; the tick is the median.

    Args:
        runs: a row a run, with the columns of runs.csv.
        path: of the PNG; replaced whole.

    Raises:
        CannotWrite: disk full, no permission.
    """
    labels = _cell_labels(runs)
    state = runs["outcome"].where(runs["status"] == "ok", "failed")
    accuracy = runs["box_accuracy"].astype(float).where(runs["status"] == "ok", 0.0)
    groups = list(dict.fromkeys(labels["group"]))
    rows = list(dict.fromkeys(labels["loss"]))
    # Seeds are spread within the row in their order: the same seed lies at the same height everywhere.
    seeds = np.unique(runs["seed"])
    heights = pd.Series((np.searchsorted(seeds, runs["seed"]) + 0.5) / len(seeds) * 0.6 - 0.3, index=runs.index)
    columns = min(2, len(groups))
    deep = -(-len(groups) // columns)
    size = (1.6 + 4.2 * columns, 0.9 + deep * (0.55 + 0.36 * len(rows)))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(deep, columns, squeeze=False, sharex=True, sharey=True)
        for axis in axes.flat[len(groups) :]:
            axis.set_axis_off()
        for group, axis in zip(groups, axes.flat, strict=False):
            axis.set_title(group, fontsize=9, loc="left")
            axis.axvline(CONVERGED_ACCURACY, color="#bbbbbb", linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
            axis.annotate(
                "converged",
                (CONVERGED_ACCURACY, 1),
                xycoords=("data", "axes fraction"),
                ha="center",
                va="bottom",
                fontsize=7.5,
                color="#767676",
            )
            for y, loss in enumerate(rows):
                mine = (labels["group"] == group) & (labels["loss"] == loss)
                if not mine.any():
                    continue
                axis.plot([0, 1], [y, y], color="#eeeeee", linewidth=0.8, zorder=0)
                for x, dy, outcome in zip(accuracy[mine], heights[mine], state[mine], strict=True):
                    colour, marker = OUTCOME_STYLE[str(outcome)]
                    axis.plot(x, y + dy, marker, color=colour, markersize=4.5, alpha=0.85, clip_on=False)
                median = float(accuracy[mine].median())
                axis.plot([median, median], [y - 0.38, y + 0.38], color="#222222", linewidth=1.4, zorder=3)
            axis.set_yticks(range(len(rows)), rows)
            axis.set_ylim(len(rows) - 0.5, -0.5)
            axis.set_xlim(0, 1)
            axis.tick_params(left=False)
            axis.spines["left"].set_visible(False)
        thresholds = [*runs["iou_threshold"].dropna(), 0.5]
        for axis in axes[-1]:
            axis.set_xlabel(f"box accuracy (share of boxes with IoU ≥ {thresholds[0]:g})")
        present = [name for name in OUTCOME_STYLE if (state == name).any()]
        handles = [
            Line2D([], [], linestyle="", color=OUTCOME_STYLE[name][0], marker=OUTCOME_STYLE[name][1], label=name)
            for name in present
        ]
        handles.append(Line2D([], [], linestyle="", color="#222222", marker="|", markersize=10, label="median"))
        figure.legend(
            handles=handles,
            loc="outside upper left",
            ncols=len(handles),
            frameon=False,
            columnspacing=1.0,
            handletextpad=0.3,
        )
        content = io.BytesIO()
        figure.savefig(content, format="png")
    write_atomically(path, content.getvalue())


def _cell_labels(runs: pd.DataFrame) -> pd.DataFrame:
    """Each run's loss, and the rest of its cell in words: the initializer and whatever else differs between runs."""
    others = [name for name in CELL if name not in ("loss", "initializer") and runs[name].nunique() > 1]
    group = runs["initializer"].astype(str)
    for name in others:
        group = group + ", " + name.replace("_", " ") + " " + runs[name].astype(str)
    return pd.DataFrame({"loss": runs["loss"].astype(str), "group": group})
