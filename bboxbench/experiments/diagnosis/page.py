"""One page that shows a diagnosis: verdict, four numbers, where each side sits and whether it follows, what to try."""

from __future__ import annotations

import io
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from matplotlib.transforms import Bbox

from bboxbench.boxes import Array, iou
from bboxbench.errors import CannotWrite
from bboxbench.experiments.diagnosis.diagnosis import Diagnosis
from bboxbench.experiments.diagnosis.evidence import Side
from bboxbench.experiments.diagnosis.words import cited, defined, few, headline, reading, rounded, trap, verdict
from bboxbench.experiments.figures.style import GRID, INK, MUTED, OUTCOME_STYLE, PAPER, in_style, style
from bboxbench.experiments.outcomes import CONVERGED_ACCURACY, HISTOGRAM_EDGES, sides_follow
from bboxbench.files import write_atomically

__all__ = ["draw_page", "save_page"]

WIDTH, HEIGHT = 11.0, 15.0
"""Inches."""
TRUE, PREDICTED = "#0072B2", "#D55E00"
"""Okabe and Ito's blue and vermilion: told apart by every eye, and by lightness."""
MENDED = "#009E73"
"""The same palette's green, for predictions with a slip undone."""
CARD = "#f5f5f3"
SLIP = "#CC79A7"
"""The mark of a slip, which is no outcome."""
LEFT, RIGHT = 0.06, 0.95
DOTS = 1500
"""At most so many in a scatter plot."""
SHOWN = 8
"""Pairs of boxes that are drawn."""


def save_page(d: Diagnosis, path: Path) -> None:
    """Draw the page and replace the PNG file at ``path`` by it.

    Raises:
        CannotWrite: disk full, no permission, no such folder.
    """
    figure, bottom = _draw(d)
    # Few pieces of advice leave room below them: the page ends where they do.
    page = Bbox.from_extents(0, bottom * HEIGHT, WIDTH, HEIGHT)
    content = io.BytesIO()
    with style():
        figure.savefig(content, format="png", dpi=150, facecolor=PAPER, bbox_inches=page)
    try:
        write_atomically(path, content.getvalue())
    except OSError as error:
        # The system names the temporary file beside it, if any.
        reason = error.__cause__ if isinstance(error.__cause__, OSError) else error
        raise CannotWrite(f"Cannot write {path}: {(reason.strerror or str(reason)).lower()}.") from error


def draw_page(d: Diagnosis) -> Figure:
    """The page as a figure of 11 by 15 inches."""
    return _draw(d)[0]


@in_style
def _draw(d: Diagnosis) -> tuple[Figure, float]:
    """The page, and where it ends, as a share of its height from below."""
    figure = Figure(figsize=(WIDTH, HEIGHT))
    _title(figure, d)
    _numbers(figure, d)
    _legend(figure, 0.704, d.mistake is not None and d.mistake.mended is not None)
    sides = np.array([side.edges for side in d.network.sides])
    if ((d.predicted < sides[:, 0]) | (d.predicted > sides[:, -1])).any():
        said = (
            "triangles: predictions beyond the scale"
            if None in (d.width, d.height)
            else "triangles: beyond the picture"
        )
        _text(figure, RIGHT, 0.687, said, fontsize=8.5, color=MUTED, ha="right")
    columns = figure.add_gridspec(1, 4, left=LEFT, right=RIGHT, top=0.643, bottom=0.56, wspace=0.16).subplots(
        squeeze=False
    )[0]
    scatters = figure.add_gridspec(1, 4, left=LEFT, right=RIGHT, top=0.53, bottom=0.4, wspace=0.16).subplots(
        squeeze=False
    )[0]
    for i, side in enumerate(d.network.sides):
        _histogram(columns[i], side, (d.width, d.height)[i % 2] is not None)
        _scatter(scatters[i], d, i)
    columns[0].set_ylabel("predicted | true", fontsize=8, color=MUTED)
    scatters[0].set_ylabel("predicted, px")
    _pairs(figure, d)
    _overlap(figure.add_axes((0.715, 0.232, 0.235, 0.088)), d)
    return figure, _advice(figure, d)


def _text(figure: Figure, x: float, y: float, text: str, **style: Any) -> None:
    figure.text(x, y, text, **{"va": "top", "ha": "left", "color": INK, **style})


def _title(figure: Figure, d: Diagnosis) -> None:
    colour = OUTCOME_STYLE[d.outcome][0] if defined(d) and not few(d) else MUTED
    if d.mistake is not None:
        colour = SLIP
    figure.add_artist(Rectangle((0, 0.988), 1, 0.012, transform=figure.transFigure, color=colour, linewidth=0))
    _text(figure, LEFT, 0.979, reading(d), fontsize=9.5, color=MUTED)
    _text(figure, LEFT, 0.96, headline(d).capitalize(), fontsize=30, fontweight="bold")
    said = textwrap.fill(verdict(d), 112, break_long_words=False, break_on_hyphens=False)
    _text(figure, LEFT, 0.92, said, fontsize=12.5, linespacing=1.45)
    if d.network.not_finite < 1:
        _text(figure, LEFT, 0.752, textwrap.fill(trap(d), 150), fontsize=9.5, color=MUTED, linespacing=1.35)


def _numbers(figure: Figure, d: Diagnosis) -> None:
    """Four numbers on scales from 0 to 1, each with the mean box's as a tick."""
    one, other = d.network, d.mean_box
    shown = (
        (
            "Box accuracy",
            one.measures.box_accuracy,
            other.measures.box_accuracy,
            f"IoU ≥ {one.measures.iou_threshold:g}",
        ),
        ("Mean IoU", one.measures.mean_iou, other.measures.mean_iou, "mean of all boxes"),
        ("Without overlap", one.no_overlap, other.no_overlap, "share with IoU 0"),
        ("Keras's “accuracy”", one.keras_accuracy, other.keras_accuracy, "not of boxes"),
    )
    axes = figure.add_gridspec(1, 4, left=LEFT, right=RIGHT, top=0.795, bottom=0.784, wspace=0.16).subplots(
        squeeze=False
    )
    for axis, (name, value, mean, said) in zip(axes[0], shown, strict=True):
        dim = name.startswith("Keras")
        axis.set_xlim(0, 1)
        axis.set_ylim(0, 1)
        axis.set_axis_off()
        axis.add_patch(Rectangle((0, 0.15), 1, 0.7, color=GRID, linewidth=0))
        reach = 0.0 if one.not_finite == 1 else value
        axis.add_patch(Rectangle((0, 0.15), reach, 0.7, color=MUTED if dim else PREDICTED, linewidth=0))
        axis.plot([mean, mean], [-0.35, 1.35], color=INK, linewidth=1.6, clip_on=False, solid_capstyle="butt")
        where = {"xycoords": "axes fraction", "textcoords": "offset points", "annotation_clip": False}
        axis.annotate(name, (0, 1), (0, 40), **where, fontsize=9.5, color=INK)
        axis.annotate(
            "-" if one.not_finite == 1 else f"{value:.2f}",
            (0, 1),
            (0, 9),
            **where,
            fontsize=23,
            fontweight="bold",
            color=MUTED if dim else INK,
        )
        axis.annotate(said, (1, 1), (0, 11), **where, fontsize=8, color=MUTED, ha="right")
        side = "left" if mean < 0.2 else "right" if mean > 0.8 else "center"
        place = 0.0 if side == "left" else 1.0 if side == "right" else mean
        axis.annotate(f"mean box {mean:.2f}", (place, 0), (0, -15), **where, fontsize=8, color=INK, ha=side)


def _legend(figure: Figure, y: float, mended: bool) -> None:
    _text(figure, LEFT, y, "Where each side sits, and whether it follows", fontsize=13, fontweight="bold")
    names = [(TRUE, "true"), (PREDICTED, "predicted"), *([(MENDED, "slip undone")] if mended else [])]
    for x, (colour, name) in zip((0.66, 0.73, 0.84) if mended else (0.79, 0.86), names, strict=True):
        figure.add_artist(Rectangle((x, y - 0.0105), 0.013, 0.008, transform=figure.transFigure, color=colour))
        _text(figure, x + 0.019, y - 0.001, name, fontsize=9.5)


def _histogram(axis: Axes, side: Side, known: bool) -> None:
    """True sides above the line, predicted ones below: a spike against the border cannot hide."""
    edges = np.array(side.edges)
    for counts, sign, colour in ((side.true, 1, TRUE), (side.predicted, -1, PREDICTED)):
        share = np.array(counts) / max(1, max(counts))
        axis.bar(edges[:-1], sign * share, np.diff(edges) * 0.92, align="edge", color=colour, linewidth=0)
    axis.axhline(0, color=INK, linewidth=0.8)
    for edge in edges[[0, -1]] if known else edges[:1]:
        axis.axvline(edge, color=MUTED, linewidth=0.8, linestyle=(0, (2, 2)), zorder=0)
    axis.set_xlim(edges[0] - 0.02 * edges[-1], edges[-1] * 1.02)
    axis.set_ylim(-1.08, 1.08)
    axis.set_yticks([])
    axis.spines[["left", "bottom"]].set_visible(False)
    axis.tick_params(labelbottom=False, bottom=False)
    axis.set_title(f"{side.name} side", fontsize=10.5, fontweight="bold", pad=16)
    none = np.isnan(side.predicted_mean)
    pinned = "" if side.pinned is None or none else f", {side.pinned:.0%} pinned"
    said = f"spread {'-' if none or not side.moves else rounded(side.spread)} of true{pinned}"
    axis.annotate(said, (0, 1), (0, 4), xycoords="axes fraction", textcoords="offset points", fontsize=8.5, color=MUTED)


def _scatter(axis: Axes, d: Diagnosis, i: int) -> None:
    """Predicted against true: a network that sees follows the diagonal, one that does not draws a level line."""
    side = d.network.sides[i]
    usable = np.flatnonzero(np.isfinite(d.predicted).all(axis=1))
    chosen = usable[:: max(1, -(-len(usable) // DOTS))]
    low, high = side.edges[0], side.edges[-1]
    axis.plot([low, high], [low, high], color=MUTED, linewidth=0.9, zorder=1)
    # Few dots are drawn larger and denser.
    scale = 1 / max(1.0, len(chosen)) ** 0.5
    size, alpha = float(np.clip(90 * scale, 3.2, 8.0)), float(np.clip(12 * scale, 0.35, 0.8))
    dots: dict[str, Any] = {"markersize": size, "alpha": alpha, "markeredgewidth": 0, "zorder": 2, "clip_on": False}
    for boxes, colour in _predictions(d):
        x, y = d.true[chosen, i], boxes[chosen, i]
        inside = (y >= low) & (y <= high)
        axis.plot(x[inside], y[inside], ".", color=colour, **dots)
        # What lies beyond must not look as if it clung to the edge.
        for beyond, edge, marker in ((y < low, low, "v"), (y > high, high, "^")):
            axis.plot(x[beyond], np.full(beyond.sum(), edge), marker, color=colour, **dots)
    margin = 0.02 * (high - low)
    axis.set_xlim(low - margin, high + margin)
    axis.set_ylim(low - margin, high + margin)
    axis.locator_params(nbins=5)
    axis.grid(True)
    axis.set_xlabel("true, px")
    said = f"r = {rounded(side.correlation) if side.moves and len(usable) else '-'}"
    if d.mistake is not None and d.mistake.mended is not None:
        said += f", slip undone {rounded(float(sides_follow(d.true, d.mistake.mended)[0][i]))}"
    axis.set_title(said, fontsize=10, loc="left", pad=4)


def _predictions(d: Diagnosis) -> list[tuple[Array, str]]:
    """The predictions and, if a slip can be undone, what they would be without it; with the colour of each."""
    mended = d.mistake.mended if d.mistake is not None else None
    return [(d.predicted, PREDICTED), *([] if mended is None else [(mended, MENDED)])]


def _pairs(figure: Figure, d: Diagnosis) -> None:
    """True and predicted boxes of some pictures, from the least to the best overlap."""
    _text(figure, LEFT, 0.352, "Some of the boxes, from the least to the best overlap", fontsize=13, fontweight="bold")
    usable = np.flatnonzero(np.isfinite(d.predicted).all(axis=1))
    overlap = iou(d.true, d.predicted)
    ranked = usable[np.argsort(overlap[usable], kind="stable")]
    if not len(ranked):
        _text(figure, LEFT, 0.32, "No predicted box is finite: there is none to draw.", fontsize=10, color=MUTED)
        return
    places = np.unique(np.round(np.linspace(0.02, 0.98, SHOWN) * (len(ranked) - 1)).astype(int)).tolist()
    grid = figure.add_gridspec(2, 4, left=LEFT, right=0.685, top=0.322, bottom=0.2, wspace=0.06, hspace=0.26)
    width, height = d.width or float(d.true[:, 2].max()), d.height or float(d.true[:, 3].max())
    for axis, place in zip(grid.subplots(squeeze=False).flat, [*places, *[None] * (SHOWN - len(places))], strict=True):
        if place is None:
            axis.set_axis_off()
            continue
        row = ranked[place]
        axis.set_xlim(-0.02 * width, 1.02 * width)
        axis.set_ylim(1.02 * height, -0.02 * height)
        axis.set_aspect("equal", anchor="W")
        axis.set_axis_off()
        axis.add_patch(Rectangle((0, 0), width, height, facecolor="#f4f4f4", edgecolor="#bbbbbb", linewidth=0.8))
        drawn = [(d.true[row], TRUE, "-"), *((boxes[row], colour, (0, (4, 1.5))) for boxes, colour in _predictions(d))]
        for box, colour, line in drawn:
            x0, y0, x1, y1 = np.clip(box, [-0.02 * width, -0.02 * height] * 2, [1.02 * width, 1.02 * height] * 2)
            axis.add_patch(
                Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=colour, linewidth=1.8, linestyle=line)
            )
        axis.set_title(f"IoU {overlap[row]:.2f}, row {row + 1:,}", fontsize=8.5, color=MUTED, pad=2)


def _overlap(axis: Axes, d: Diagnosis) -> None:
    """The histogram of IoU, from the threshold on in the colour of what is right."""
    m = d.network.measures
    edges = HISTOGRAM_EDGES
    share = np.array(m.histogram) / d.n
    right = edges[:-1] >= m.iou_threshold - 1e-9
    colours = [OUTCOME_STYLE["converged"][0] if ok else MUTED for ok in right]
    axis.bar(edges[:-1], share, np.diff(edges) * 0.9, align="edge", color=colours, linewidth=0)
    axis.axvline(m.iou_threshold, color=INK, linewidth=1)
    axis.set_xlim(0, 1)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    axis.set_xlabel("IoU with the true box")
    axis.set_title(f"{m.box_accuracy:.0%} right, converged from {CONVERGED_ACCURACY:.0%}", fontsize=9, pad=5)


def _advice(figure: Figure, d: Diagnosis) -> float:
    """What to try, and what limits all this, on a card; where it ends."""
    top = 0.188
    y = top - 0.01
    _text(figure, LEFT, y, "What to try", fontsize=13, fontweight="bold")
    y -= 0.022
    for number, advice in enumerate(d.advice, start=1):
        _text(figure, LEFT, y, f"{number}", fontsize=11, fontweight="bold", color=PREDICTED)
        for line in textwrap.wrap(advice.do, 125, break_on_hyphens=False):
            _text(figure, LEFT + 0.02, y, line, fontsize=10)
            y -= 0.0125
        why = "" if d.mistake and advice.why == d.mistake.text else advice.why
        together = f"{why}  [{cited(advice.source)}]".strip()
        for line in [together] if len(together) <= 155 else [why, f"[{cited(advice.source)}]"]:
            _text(figure, LEFT + 0.02, y - 0.0005, line, fontsize=8, color=MUTED)
            y -= 0.0105
        y -= 0.0045
    for note in d.notes:
        for line in textwrap.wrap(note, 150, break_on_hyphens=False):
            _text(figure, LEFT, y - 0.002, line, fontsize=8.5)
            y -= 0.011
    bottom = y - 0.003
    card = FancyBboxPatch(
        (LEFT - 0.015, bottom),
        RIGHT - LEFT + 0.03,
        top - bottom,
        boxstyle="round,pad=0,rounding_size=0.006",
        transform=figure.transFigure,
        facecolor=CARD,
        edgecolor="none",
        mutation_aspect=WIDTH / HEIGHT,
        zorder=-1,
    )
    figure.add_artist(card)
    return bottom - 0.012
