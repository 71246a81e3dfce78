"""The accuracy trap: what Keras's ``accuracy`` reads, against how many boxes are right."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bboxbench.experiments.figures.cells import outcome_handles, states
from bboxbench.experiments.figures.distributions import NO_RUNS, threshold_of
from bboxbench.experiments.figures.layout import Words, grid, note
from bboxbench.experiments.figures.style import INK, MUTED, OUTCOME_STYLE, PAPER, in_style

__all__ = ["accuracy_trap"]

SIDE = 4.4
"""Of its square, in inches."""


@in_style
def accuracy_trap(runs: pd.DataFrame, baselines: pd.DataFrame | None = None, *, side: float = SIDE) -> Figure:
    """Every run once: across, the share of boxes that are right; up, what Keras's ``accuracy`` reads on the same boxes.

    Where Keras's number meant boxes, all runs would lie on the diagonal. The run farthest above it is named.

    Args:
        runs: runs.csv. Failed runs have neither number and are left out.
        baselines: baselines.csv, whose boxes are the same for every picture; None draws none.
        side: of its square in inches: a small one can still be read on a phone.
    """
    there = runs[runs["status"] == "ok"]
    if not len(there):
        return note(NO_RUNS if not len(runs) else "every run failed")
    state = states(there)
    across, up = there["box_accuracy"].to_numpy(float), there["keras_accuracy"].to_numpy(float)
    handles = outcome_handles(state)
    if baselines is not None and len(baselines):
        handles.append(_baseline([], [], label="same box for every picture (baseline)"))
    words = Words(
        f"box accuracy (share of test boxes with IoU ≥ {threshold_of(runs):g})",
        "what Keras shows for metrics=['accuracy']",
        handles,
    )
    made = grid((1, 1), (side, side), words, left=0.75, right=0.3, least=0.0)
    axis = made.axes[0, 0]
    axis.set(xlim=(0, 1), ylim=(0, 1), xticks=np.linspace(0, 1, 6), yticks=np.linspace(0, 1, 6))
    axis.grid()
    axis.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0.5)
    axis.text(
        0.6,
        0.585,
        "if it counted right boxes",
        rotation=45,
        rotation_mode="anchor",
        color=MUTED,
        fontsize=7.5,
        va="top",
    )
    for name, (colour, marker) in OUTCOME_STYLE.items():
        mine = np.asarray(state == name)
        axis.plot(
            across[mine],
            up[mine],
            linestyle="",
            marker=marker,
            color=colour,
            markersize=5.5,
            alpha=0.75,
            clip_on=False,
            markeredgewidth=0,
        )
    if baselines is not None and len(baselines):
        axis.add_line(_baseline(baselines["box_accuracy"].to_numpy(float), baselines["keras_accuracy"].to_numpy(float)))
    _name_worst(axis, across, up)
    return made.figure


def _baseline(x: npt.ArrayLike, y: npt.ArrayLike, label: str = "_baseline") -> Line2D:
    return Line2D(
        x,
        y,
        linestyle="",
        marker="*",
        markersize=10,
        color=INK,
        markeredgecolor=PAPER,
        markeredgewidth=0.8,
        label=label,
        zorder=3,
        clip_on=False,
    )


def _name_worst(axis: Axes, across: np.ndarray, up: np.ndarray) -> None:
    """Say both numbers of the run that the trap deceives most, beside it."""
    worst = int(np.nanargmax(up - across)) if np.isfinite(up - across).any() else -1
    if worst < 0 or up[worst] <= across[worst]:
        return
    x, y = float(across[worst]), float(up[worst])
    left = x < 0.5
    gap = " " if left else "\n"  # between the run and the left edge there is less room
    axis.annotate(
        f"Keras reads {y:.2f},\n{100 * x:.0f} % of the{gap}boxes are right",
        (x, y),
        (x + (0.12 if left else -0.12), max(0.06, y - 0.06)),
        arrowprops={"arrowstyle": "-", "color": INK, "linewidth": 0.8, "shrinkB": 4},
        va="center",
        ha="left" if left else "right",
        fontsize=8.5,
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.5, "alpha": 0.85},
    )
