"""Figures of a simulation, from its tables alone: the error over the steps, and where on the disc it remains."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from bboxbench.experiments.figures.lines import loss_styles
from bboxbench.experiments.figures.style import STYLE
from bboxbench.experiments.simulation_cases import CENTRE, RADIUS, RATES, RATIOS
from bboxbench.files import write_atomically

__all__ = ["curves_figure", "surface_figure"]

GREY, NO_MEAN = "#767676", "#bbbbbb"
COLOUR_MAP = "viridis"
SHOWN_RATIOS = (RATIOS[0], 1.0, RATIOS[-1])
"""Of the targets that are drawn: all seven would cover what lies behind them."""
CLOSE = 200
"""Points from which the disc is coloured between them, too."""


def curves_figure(curves: pd.DataFrame, path: Path) -> None:
    """Mean error over the steps on a logarithmic scale, a line a loss, named at its end.

    Args:
        curves: rows of curves.csv.
        path: of the PNG; replaced whole.

    Raises:
        CannotWrite: disk full, no permission.
    """
    names = list(dict.fromkeys(curves["loss"]))
    steps = int(curves["step"].max())
    height = max(3.6, 1.0 + 0.19 * len(names))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, height), layout="constrained")
        axis = figure.add_subplot()
        axis.set_yscale("log")
        axis.set_xlim(0, steps)
        ends = {}
        for k, (name, style) in enumerate(loss_styles(names).items()):
            mine = curves[curves["loss"] == name]
            drawn = mine[mine["mean_error"] > 0]
            # Markers stand at different steps, so that lines which coincide can still be told apart.
            every = max(1, steps // 8)
            marks = np.flatnonzero(drawn["step"] % every == every * (k + 1) // (len(names) + 1))
            axis.plot(drawn["step"], drawn["mean_error"], **style, linewidth=1.5, markersize=4.5, markevery=list(marks))
            if len(drawn):
                ends[name] = float(drawn["mean_error"].iloc[-1])
        _mark_rates(axis, steps)
        axis.set_xlabel("step")
        axis.set_ylabel("mean error  |dx| + |dy| + |dw| + |dh|")
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        low, high = axis.get_ylim()
        if high / low < 20:
            axis.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.grid(axis="y", color="#eeeeee", linewidth=0.8)
        axis.set_axisbelow(True)
        _name_ends(axis, ends, curves[curves["step"] == steps].set_index("loss")["non_finite"], height)
        _save(figure, path)


def _mark_rates(axis: Axes, steps: int) -> None:
    """The learning rates above their steps, and lines where they fall, which bends every curve at once."""
    begin = 0.0
    for tenths, rate in RATES:
        end = steps * tenths / 10
        axis.annotate(
            f"{rate:g}" if begin else f"learning rate {rate:g}",
            ((begin + end) / 2, 1),
            xycoords=("data", "axes fraction"),
            ha="center",
            va="bottom",
            fontsize=7.5,
            color=GREY,
        )
        if end < steps:
            axis.axvline(end, color=NO_MEAN, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
        begin = end


def _name_ends(axis: Axes, ends: dict[str, float], non_finite: pd.Series, height: float) -> None:
    """Each loss's name right of its line's end, moved apart where ends lie close, with a thin line between."""
    to_axis = axis.transScale + axis.transLimits
    order = sorted(ends, key=lambda name: ends[name])
    wanted = np.array([float(to_axis.transform((0, ends[name]))[1]) for name in order])
    styles = loss_styles(list(non_finite.index))
    for name, there, y in zip(order, wanted, _apart(wanted, 0.17 / (height - 0.7)), strict=True):
        lost = float(non_finite[name])
        said = f"{name} ({max(lost, 0.001):.1%} not finite)" if lost > 0 else name
        line = {"transform": axis.transAxes, "clip_on": False, "color": styles[name]["color"]}
        axis.plot([1.005, 1.03, 1.05], [there, y, y], linewidth=0.7, **line)
        axis.plot([1.05], [y], marker=styles[name]["marker"], markersize=4.5, **line)
        axis.annotate(
            said, (1.05, y), (6, 0), xycoords="axes fraction", textcoords="offset points", va="center", fontsize=8.5
        )


def _apart(wanted: npt.NDArray[np.float64], gap: float) -> npt.NDArray[np.float64]:
    """Ascending heights at least ``gap`` apart, as near to ``wanted`` as a common shift of each crowd allows."""
    crowds = [[y] for y in wanted]
    k = 0

    def middle(crowd: list[float]) -> float:
        return sum(crowd) / len(crowd)

    while k + 1 < len(crowds):
        reach = gap * (len(crowds[k]) + len(crowds[k + 1])) / 2
        if middle(crowds[k + 1]) - middle(crowds[k]) < reach:
            crowds[k] += crowds.pop(k + 1)
            k = max(0, k - 1)
        else:
            k += 1
    return np.array([middle(crowd) + gap * (i - (len(crowd) - 1) / 2) for crowd in crowds for i in range(len(crowd))])


def surface_figure(surface: pd.DataFrame, path: Path) -> None:
    """The disc of each loss, every point in the colour of its mean final error, one logarithmic scale for all.

    Args:
        surface: rows of surface.csv.
        path: of the PNG; replaced whole.

    Raises:
        CannotWrite: disk full, no permission.
    """
    names = list(dict.fromkeys(surface["loss"]))
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    known = surface["mean_error"][surface["mean_error"] > 0]
    # The few best points would stretch the scale over orders of magnitude that nobody can see on the page.
    low, high = (float(known.quantile(0.01)), float(known.max())) if len(known) else (0.1, 1.0)
    norm = LogNorm(low, high if high > 1.05 * low else 1.05 * low, clip=True)
    panel, said = 2.35, "white: the targets 1:4, 1:1 and 4:1, to scale"
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(1.3 + panel * columns, 0.5 + (panel + 0.4) * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for axis in axes.flat:
            axis.set_axis_off()
        for name, axis in zip(names, axes.flat, strict=False):
            mine = surface[surface["loss"] == name]
            dots = _draw_disc(axis, mine, norm, panel)
            axis.set_title(_disc_title(name, mine), fontsize=9, loc="center", pad=3)
        if np.isnan(surface["mean_error"]).any():
            said += "; grey points have no finite case"
        figure.supxlabel(said, fontsize=7.5, color=GREY)
        bar = figure.colorbar(dots, ax=axes, shrink=0.95, aspect=18 * rows, extend="min")
        bar.set_label("mean final error of a point")
        bar.ax.yaxis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0) if high / low < 50 else (1.0,)))
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        bar.ax.yaxis.set_minor_formatter(NullFormatter())
        bar.outline.set_visible(False)
        _save(figure, path)


def _disc_title(name: str, points: pd.DataFrame) -> str:
    """Name, mean error of the finite cases, and how many are not."""
    finite = 1 - points["non_finite"]
    if not finite.any():
        return f"{name}\nno finite case"
    mean, lost = (points["mean_error"].fillna(0) * finite).sum() / finite.sum(), float(1 - finite.mean())
    return f"{name}\nmean {mean:#.3g}" + (f"; {max(lost, 0.001):.1%} not finite" if lost > 0 else "")


def _draw_disc(axis: Axes, points: pd.DataFrame, norm: LogNorm, inches: float) -> Any:
    """One panel; gives what a colour bar can be made of."""
    view = RADIUS + 0.15
    # Dots as large as a point's share of the disc: many make a surface, few stand apart.
    share = np.pi * RADIUS**2 / len(points)
    size = min(120.0, 1.6 * share * (72 * inches / (2 * view)) ** 2)
    none = points["mean_error"].isna()
    x, y, shown = points["x"][~none], points["y"][~none], points["mean_error"][~none].clip(lower=norm.vmin)
    if len(shown) >= CLOSE and not none.any():
        # What lies between close points would be white gaps: random points leave some whatever the dots' size.
        axis.tripcolor(x, y, shown, shading="gouraud", cmap=COLOUR_MAP, norm=norm, rasterized=True)
    lost = axis.scatter(points["x"][none], points["y"][none], s=size, color=NO_MEAN, linewidths=0)
    dots = axis.scatter(x, y, c=shown, s=size, cmap=COLOUR_MAP, norm=norm, linewidths=0)
    disc = axis.add_patch(Circle((CENTRE, CENTRE), RADIUS, fill=False, color=GREY, linewidth=0.6))
    for drawn in (lost, dots):
        drawn.set_clip_path(disc)
    for ratio in SHOWN_RATIOS:
        w, h = ratio**0.5, ratio**-0.5
        corner = (CENTRE - w / 2, CENTRE - h / 2)
        for colour, width in (("#222222", 2.0), ("white", 1.0)):
            axis.add_patch(Rectangle(corner, w, h, fill=False, color=colour, linewidth=width))
    axis.set_xlim(CENTRE - view, CENTRE + view)
    # The picture's y grows downwards, as everywhere here.
    axis.set_ylim(CENTRE + view, CENTRE - view)
    axis.set_aspect("equal")
    return dots


def _save(figure: Figure, path: Path) -> None:
    content = io.BytesIO()
    figure.savefig(content, format="png")
    write_atomically(path, content.getvalue())
