"""Draws docs/images/losses, one picture a loss and an overview: python scripts/losses_pictures.py."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from losses_curves import PIXELS, Array, Curve, curve, growing, overview_samples, samples, side_of, sliding
from losses_page import built_in, by_family
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bboxbench.files import make_folder, write_atomically

IMAGES = Path(__file__).parent.parent / "docs" / "images" / "losses"
SAMPLES = "bboxbench samples"
"""The key of a picture's text chunk: some of the values that it shows, as JSON."""

# Okabe and Ito's palette: colours that colour-blind eyes tell apart.
LOSS, AWAY, NONE = "#0072B2", "#D55E00", "#E69F00"
INK, GREY, SHADE, PALE = "#222222", "#767676", "#f1f1f1", "#bbbbbb"
HOME_FILL, AWAY_FILL, INFINITE_FILL, BOX_FILL = "#9dd8c6", "#f5d3bd", "#fae6db", "#abd0e8"
STYLE: dict[Any, Any] = {
    "font.size": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "hatch.linewidth": 0.5,
}


def read_samples(path: Path) -> dict[str, Any]:
    """The values that a picture was drawn with."""
    with Image.open(path) as image:
        image.load()
        return dict(json.loads(image.text[SAMPLES]))  # type: ignore[attr-defined]


def _save(figure: Figure, path: Path, kept: dict[str, Any], dpi: int) -> None:
    """A PNG of few colours, with the values in a text chunk and nothing that depends on the day."""
    raw = io.BytesIO()
    figure.savefig(raw, format="png", dpi=dpi)
    with Image.open(raw) as image:
        few = image.convert("RGB").quantize(palette=_palette(), dither=Image.Dither.NONE)
    text = PngInfo()
    text.add_text(SAMPLES, json.dumps(kept, separators=(",", ":")), zip=True)
    content = io.BytesIO()
    few.save(content, format="png", optimize=True, pnginfo=text)
    write_atomically(path, content.getvalue())


def _palette() -> Image.Image:
    """Our colours and the steps between them, on which smooth edges lie; a palette by counting drops the rare ones."""
    grounds = ("#ffffff", SHADE, HOME_FILL, AWAY_FILL, INFINITE_FILL, BOX_FILL)
    colours = [
        tuple(round(255 * (share * a + (1 - share) * b)) for a, b in zip(to_rgb(line), to_rgb(ground), strict=True))
        for line in (INK, LOSS, AWAY, NONE, GREY, PALE)
        for ground in grounds
        for share in np.linspace(0, 1, 7).tolist()
    ]
    unique = list(dict.fromkeys(colours))
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for colour in unique for part in colour])
    return palette


# --- one loss ---------------------------------------------------------------------------------------------------------


def draw(name: str, path: Path) -> None:
    """The picture of one loss: a box slides past its target, and a box grows round its centre."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.2, 4.6))
        offsets, sides = np.linspace(-3, 3, 601), np.linspace(-1, 3, 401)
        bad = _panel(figure, 0, offsets, curve(name, *sliding(offsets)))
        bad |= _panel(figure, 1, sides, curve(name, *growing(sides)))
        _legend(figure, name, bad)
        _save(figure, path, samples(name), 140)


LIMITS = ((-3.0, 3.0), (-1.2, 3.4))
TICKS = ((-3, -2, -1, 0, 1, 2, 3), (-1, -0.5, 0, 0.5, 1, 2, 3))
LABELS = (
    "offset of the predicted box, in sides of the true box",
    "side of the predicted box, in sides of the true box",
)
SHADED: tuple[tuple[tuple[float, float, str], ...], ...] = (
    ((-3.0, -1.0, "no overlap"), (1.0, 3.0, "no overlap")),
    ((-1.2, 0.0, "inverted"),),
)
"""What the left panels and the right ones have: limits and ticks of x, its name, and the ranges shaded grey."""


def _panel(figure: Figure, column: int, x: Array, drawn: Curve) -> bool:
    """Loss, gradient and boxes over ``x``; whether some of it is not finite."""
    left, width = (0.075, 0.43) if column == 0 else (0.553, 0.435)
    top, below, strip = (figure.add_axes((left, y, width, h)) for y, h in ((0.5, 0.375), (0.255, 0.215), (0.05, 0.155)))
    match = float(column)
    values, gradient = drawn
    for axis in (top, below):
        for low, high, _ in SHADED[column]:
            axis.axvspan(low, high, color=SHADE, linewidth=0, zorder=0)
        axis.axvline(match, color=PALE, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
        axis.set_xlim(LIMITS[column])
        axis.set_xticks(TICKS[column], [f"{tick:g}".replace("-", "\u2212") for tick in TICKS[column]])
        axis.tick_params(length=2.5, pad=2)
    top.tick_params(labelbottom=False)
    top.plot(x, np.where(np.isfinite(values), values, np.nan), color=LOSS, linewidth=1.8, zorder=3)
    high = float(values[np.isfinite(values)].max())
    top.set_ylim(-0.05 * high, 1.17 * high)
    _gradient(below, x, gradient, match)
    infinite = _shade_runs(top, x, ~np.isfinite(values), "infinite")
    undefined = _shade_runs(below, x, ~np.isfinite(gradient), "NaN")
    if column == 0:
        for axis, name in ((top, "loss"), (below, "gradient, per side")):
            axis.set_ylabel(name)
            axis.yaxis.set_label_coords(-0.105, 0.5)
    for low, high, word in SHADED[column]:
        top.annotate(
            word,
            ((low + high) / 2, 0.985),
            xycoords=("data", "axes fraction"),
            ha="center",
            va="top",
            color=GREY,
            size=7.5,
            bbox={"facecolor": SHADE, "edgecolor": "none", "pad": 1.2},
            zorder=6,
        )
    strip.set_xlim(LIMITS[column])
    strip.set_axis_off()
    (_sliding_boxes if column == 0 else _growing_boxes)(strip)
    figure.text(left + width / 2, 0.012, LABELS[column], size=8, ha="center", va="bottom")
    return infinite or undefined


def _gradient(axis: Axes, x: Array, gradient: Array, match: float) -> None:
    """The gradient, filled by where a step against it leads."""
    size = np.abs(gradient[np.isfinite(gradient)])
    limit = _limit(size)
    shown = np.clip(np.where(np.isfinite(gradient), gradient, np.nan), -3 * limit, 3 * limit)
    still = np.abs(gradient) <= 1e-9 * max(size.max(), 1e-300)
    home = (shown * (x - match) > 0) & ~still
    away = (shown * (x - match) < 0) & ~still
    axis.fill_between(x, 0, shown, where=home, color=HOME_FILL, linewidth=0, zorder=2)
    axis.fill_between(
        x, 0, shown, where=away, facecolor=AWAY_FILL, edgecolor=AWAY, hatch="/////", linewidth=0, zorder=2
    )
    axis.plot(x, shown, color=INK, linewidth=1.0, solid_capstyle="butt", zorder=3)
    far = still & (np.abs(x - match) > 0.03)
    axis.plot(x, np.where(far, 0.0, np.nan), color=NONE, linewidth=3.2, solid_capstyle="butt", zorder=4)
    axis.axhline(0, color=GREY, linewidth=0.6, zorder=1)
    axis.set_ylim(-1.12 * limit, 1.12 * limit)


def _limit(size: Array) -> float:
    """How far the axis of the gradient reaches: to its largest value, unless a few are far above the rest."""
    moving = size[size > 0]
    return min(float(moving.max()), 4 * float(np.quantile(moving, 0.8))) if moving.size else 1.0


def _shade_runs(axis: Axes, x: Array, where: npt.NDArray[np.bool_], word: str) -> bool:
    """Hatch each run of ``x`` where something is not finite, and say what."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], where.astype(int), [0]])))
    for start, stop in edges.reshape(-1, 2).tolist():
        low, high = float(x[start]), float(x[stop - 1])
        low = axis.get_xlim()[0] if start == 0 else low
        if low == high:
            axis.plot(low, 0, "x", color=AWAY, markersize=6, markeredgewidth=1.8, zorder=6)
            axis.annotate(word, (low, 0), xytext=(-4, 5), textcoords="offset points", ha="right", zorder=6)
            continue
        axis.axvspan(low, high, facecolor=INFINITE_FILL, edgecolor=AWAY, hatch="xxxx", linewidth=0, zorder=1.5)
        axis.annotate(
            word,
            ((low + high) / 2, 0.5),
            xycoords=("data", "axes fraction"),
            ha="center",
            va="center",
            color=INK,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
            zorder=5,
        )
    return bool(edges.size)


def _box(axis: Axes, x: float, side: float, *, true: bool, inverted: bool = False) -> None:
    look: dict[str, Any] = {"facecolor": BOX_FILL, "edgecolor": LOSS, "linewidth": 1.0, "zorder": 2}
    if true:
        look = {"facecolor": "none", "edgecolor": INK, "linewidth": 1.6, "zorder": 3}
    elif inverted:
        look |= {"facecolor": "white", "linestyle": (0, (2, 1.5)), "hatch": "////"}
    axis.add_patch(Rectangle((x - side / 2, -side / 2), side, side, clip_on=False, **look))


def _height(axis: Axes) -> float:
    """The height of ``axis`` in the units of its x, so that squares become squares."""
    box = axis.get_position()
    figure = axis.get_figure()
    assert figure is not None
    width, height = figure.get_size_inches()
    low, high = axis.get_xlim()
    return (high - low) * box.height * height / (box.width * width)


def _sliding_boxes(axis: Axes) -> None:
    """The true box and three predicted ones, each where the axis above says that its centre is."""
    axis.set_ylim(-_height(axis) / 2, _height(axis) / 2)
    for x in (-2.0, 0.5, 2.0):
        _box(axis, x, 1, true=False)
        axis.plot(x, 0, ".", color=LOSS, markersize=4, zorder=4)
    _box(axis, 0, 1, true=True)


def _growing_boxes(axis: Axes) -> None:
    """The true box and a predicted one, small, below the sides that the axis above has."""
    axis.set_ylim(-_height(axis) / 2, _height(axis) / 2)
    unit = 0.23
    for side in TICKS[1]:
        _box(axis, side, abs(side) * unit, true=False, inverted=side < 0)
        _box(axis, side, unit, true=True)
        if side == 0:
            axis.plot(side, 0, ".", color=LOSS, markersize=5, zorder=4)


def _legend(figure: Figure, name: str, bad: bool) -> None:
    figure.text(0.012, 0.985, name, size=13, weight="bold", va="top", family="DejaVu Sans Mono")
    unit = "true box of 32 pixels" if side_of(name) == PIXELS else "true box of side 1"
    figure.text(0.988, 0.98, unit, size=7.5, va="top", ha="right", color=GREY)
    handles: list[Any] = [
        Line2D([], [], color=LOSS, linewidth=1.8, label="loss"),
        Patch(facecolor=HOME_FILL, label="pull to the target"),
        Patch(facecolor=AWAY_FILL, edgecolor=AWAY, hatch="/////", linewidth=0, label="pull away from it"),
        Line2D([], [], color=NONE, linewidth=3.2, label="no pull: gradient 0"),
        Patch(facecolor="none", edgecolor=INK, linewidth=1.6, label="true box"),
        Patch(facecolor=BOX_FILL, edgecolor=LOSS, label="predicted"),
    ]
    if bad:
        handles.append(Patch(facecolor=INFINITE_FILL, edgecolor=AWAY, hatch="xxxx", linewidth=0, label="not finite"))
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.002, 0.952),
        ncols=len(handles),
        frameon=False,
        fontsize=7.5,
        columnspacing=1.1,
        handletextpad=0.6,
        handlelength=1.6,
    )


# --- all losses -------------------------------------------------------------------------------------------------------

COLUMNS = 7


def draw_overview(path: Path) -> None:
    """The sliding curve of every loss, by family, each as a share of its largest finite value."""
    rows: list[list[tuple[str, str]]] = []
    for family, names in by_family().items():
        for start in range(0, len(names), COLUMNS):
            cells = [(family if start + i == 0 else "", name) for i, name in enumerate(names[start : start + COLUMNS])]
            if rows and len(rows[-1]) + len(cells) <= COLUMNS and start == 0:
                rows[-1] += cells
            else:
                rows.append(cells)
    x = np.linspace(-3, 3, 301)
    # In inches: the height of a curve, of its name above, and of a family's name where one begins.
    deep, title, family_title, head = 0.62, 0.2, 0.22, 0.47
    high = head + sum(deep + title + family_title * any(family for family, _ in row) for row in rows) + 0.08
    with mpl.rc_context(STYLE | {"font.size": 7.5}):
        figure = Figure(figsize=(8.2, high))
        y, width = high - head, 0.976 / COLUMNS
        for row in rows:
            y -= family_title * any(family for family, _ in row) + title + deep
            for column, (family, name) in enumerate(row):
                left = 0.012 + column * width
                _small(figure.add_axes((left, y / high, 0.9 * width, deep / high)), name, x)
                if family:
                    figure.text(left, (y + deep + title) / high, family, size=8.5, weight="bold", va="bottom")
        figure.text(0.012, 1 - 0.07 / high, "A box slides past its target: the loss over the offset", size=11, va="top")
        handles: list[Any] = [
            Line2D([], [], color=LOSS, linewidth=1.6, label="pull to the target"),
            Line2D([], [], color=AWAY, linewidth=1.6, linestyle=(0, (1, 0.8)), label="pull away from it"),
            Line2D([], [], color=NONE, linewidth=3.2, label="no pull: gradient 0"),
            Patch(facecolor=INFINITE_FILL, edgecolor=AWAY, hatch="xxxx", linewidth=0, label="infinite"),
            Patch(facecolor=SHADE, label="no overlap"),
        ]
        figure.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=(0.002, 1 - 0.24 / high),
            ncols=len(handles),
            frameon=False,
            columnspacing=1.4,
            handletextpad=0.5,
        )
        _save(figure, path, overview_samples(), 110)


def _small(axis: Axes, name: str, x: Array) -> None:
    values, gradient = curve(name, *sliding(x))
    finite = np.isfinite(values)
    values = np.where(finite, values, np.nan) / values[finite].max()
    still = np.abs(gradient) <= 1e-9 * np.abs(gradient[np.isfinite(gradient)]).max()
    still &= np.abs(x) > 0.03
    away = (gradient * x < 0) & ~still
    for low, high in ((-3, -1), (1, 3)):
        axis.axvspan(low, high, color=SHADE, linewidth=0, zorder=0)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (~finite).astype(int), [0]])))
    for start, stop in edges.reshape(-1, 2).tolist():
        axis.axvspan(
            x[start], x[stop - 1], facecolor=INFINITE_FILL, edgecolor=AWAY, hatch="xxxx", linewidth=0, zorder=1
        )
    axis.plot(x, np.where(away | still, np.nan, values), color=LOSS, linewidth=1.5, zorder=3)
    axis.plot(x, np.where(away, values, np.nan), color=AWAY, linewidth=1.6, linestyle=(0, (1, 0.8)), zorder=4)
    axis.plot(x, np.where(still, values, np.nan), color=NONE, linewidth=3.0, solid_capstyle="butt", zorder=2)
    axis.set_xlim(-3, 3)
    axis.set_ylim(-0.05, 1.1)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    axis.set_title(name, size=7, loc="left", pad=2.5, family="DejaVu Sans Mono")


def main() -> None:
    """Draw every picture, and remove those of losses that are gone."""
    make_folder(IMAGES)
    drawn: dict[str, Callable[[Path], None]] = {name: lambda path, name=name: draw(name, path) for name in built_in()}
    for name, picture in {**drawn, "overview": draw_overview}.items():
        picture(IMAGES / f"{name}.png")
    for path in IMAGES.glob("*.png"):
        if path.stem not in drawn and path.stem != "overview":
            path.unlink()


if __name__ == "__main__":
    main()
