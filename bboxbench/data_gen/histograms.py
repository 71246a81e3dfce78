"""How a data set's samples are spread: sizes and places of boxes, contrast, classes and effects, on one figure."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bboxbench.data_gen.dataset import Dataset, open_dataset
from bboxbench.data_gen.gallery import check_png
from bboxbench.data_gen.glyph_names import glyph_name, shortened
from bboxbench.data_gen.summary import MEASURES, class_counts, measured, value_counts
from bboxbench.figure_style import GRID, INK, MUTED, in_style, style
from bboxbench.files import make_folder, write_atomically

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["histograms", "write_histograms"]

BAR = "#0072B2"
"""Of the palette of all figures (Okabe and Ito's): what is true of the data."""

WIDTH = 11.0
"""Of the figure, in inches; so are all lengths below."""
LEFT, RIGHT, GAP, ROW, TITLE, BELOW = 0.55, 0.25, 0.5, 1.45, 0.62, 0.72
COLUMNS = 4
BINS = 40
"""At most so many bars a panel."""

LETTERS_A_LINE = 78
"""Bars of one character each that stand side by side and can still be read."""
MOST_LETTERS = 5 * LETTERS_A_LINE
NAMES_A_COLUMN = 15
"""Bars with longer names, one below the other."""
NAME_COLUMNS = 3
NAME_LENGTH = 18


def write_histograms(dataset: Dataset | Path | str, path: Path | str) -> Path:
    """Write `histograms` of a data set, from its ``boxes.csv`` alone.

    Args:
        dataset: a data set or its folder.
        path: the picture to write, ``.png``; its folder is made.

    Returns:
        The path written.

    Raises:
        InputError: the path is a folder or no ``.png``, or the data set's table is missing or was changed.
        CannotWrite: no space, no permission.
    """
    path = Path(path)
    check_png(path)
    data = dataset if isinstance(dataset, Dataset) else open_dataset(dataset)
    figure = histograms(data.table(), data.spec.width, data.spec.height, data.classes, data.spec.folder_name)
    content = io.BytesIO()
    with style():
        # No version of matplotlib inside: the same figure is the same file.
        figure.savefig(content, format="png", metadata={"Software": None})
    make_folder(path.absolute().parent)
    write_atomically(path, content.getvalue())
    return path


@in_style
def histograms(
    table: pd.DataFrame, width: int, height: int, classes: Sequence[str] | None = None, title: str = ""
) -> Figure:
    """A panel for each thing that is recorded of the samples and is not the same for all, and one of all classes.

    Args:
        table: as `bboxbench.data_gen.Dataset.table` gives it, a row or more.
        width: of the pictures, in pixels.
        height: of the pictures, in pixels.
        classes: all that there are, in order; by default those that occur, in the order of their names.
        title: of the figure.
    """
    from matplotlib.figure import Figure

    counts = class_counts(table, sorted(set(table["glyph"])) if classes is None else classes)
    panels = _panels(table)
    # The places of boxes take the room of two panels in the first row.
    rows = -(-(len(panels) + 2) // COLUMNS)
    below = _class_panel(counts)
    tall = TITLE + rows * (ROW + BELOW) + below.height
    figure = Figure(figsize=(WIDTH, tall))
    figure.text(0.3 / WIDTH, 1 - 0.2 / tall, title, fontsize=12, fontweight="bold", va="top")
    figure.text(0.3 / WIDTH, 1 - 0.42 / tall, f"{len(table):,} samples", color=MUTED, va="top")

    def axes(left: float, top: float, across: float, down: float) -> Axes:
        return figure.add_axes((left / WIDTH, 1 - (top + down) / tall, across / WIDTH, down / tall))

    column = (WIDTH - LEFT - RIGHT - (COLUMNS - 1) * GAP) / COLUMNS
    first = TITLE + 0.28
    _places(axes(LEFT, first, 2 * column + GAP, ROW), table, width, height)
    for place, panel in enumerate(panels, start=2):
        row, across = divmod(place, COLUMNS)
        axis = axes(LEFT + across * (column + GAP), first + row * (ROW + BELOW), column, ROW)
        panel(axis)
    below.draw(axes, first + rows * (ROW + BELOW))
    return figure


def _panels(table: pd.DataFrame) -> list[Callable[[Axes], None]]:
    """What draws each panel but the places and the classes."""
    values = {name: each.to_numpy() for name, each in measured(table).items()}
    found: list[Callable[[Axes], None]] = []
    for name, each in values.items():
        if name.startswith("box_") or each.min() < each.max():
            found.append(lambda axis, name=name, each=each: _spread(axis, MEASURES[name], each))
    for column, words in (("kind", "background"), ("font", "font")):
        counts = value_counts(table, column)
        if len(counts) > 1:
            found.append(lambda axis, counts=counts, words=words: _names(axis, counts, f"{words}, samples"))
    return found


def _titled(axis: Axes, title: str) -> None:
    axis.set_title(title, fontweight="bold", pad=5)


def _spread(axis: Axes, title: str, values: Any) -> None:
    """A histogram, its bars on whole numbers where the values are, and a line at the median."""
    _titled(axis, title)
    edges = _edges(values)
    counts, _ = np.histogram(values, edges)
    axis.bar(edges[:-1], counts, np.diff(edges), align="edge", color=BAR, linewidth=0)
    middle = float(np.median(values))
    axis.axvline(middle, color=INK, linewidth=1)
    axis.annotate(
        f" median {middle:,.4g}",
        (middle, 1),
        xycoords=("data", "axes fraction"),
        ha="left" if middle < (edges[0] + edges[-1]) / 2 else "right",
        va="bottom",
        fontsize=7.5,
        color=MUTED,
    )
    axis.set_xlim(edges[0], edges[-1])
    axis.locator_params(axis="x", nbins=5)
    _count_axis(axis, counts.max())


def _edges(values: Any) -> Any:
    """Borders of bars: for whole numbers a whole number of them a bar, and the values in its middle."""
    least, most = float(values.min()), float(values.max())
    if np.issubdtype(values.dtype, np.integer) or (values == np.round(values)).all():
        step = max(1, math.ceil((most - least + 1) / BINS))
        return np.arange(least - 0.5, most + step, step)
    return np.linspace(least, most, BINS + 1)


def _count_axis(axis: Axes, most: float) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_ylim(0, max(1, most) * 1.05)
    axis.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    axis.grid(axis="y")
    axis.tick_params(length=0, labelsize=8)
    axis.spines["left"].set_visible(False)


def _places(axis: Axes, table: pd.DataFrame, width: int, height: int) -> None:
    """How many boxes have their centre in each square of the picture."""
    from matplotlib.colors import LinearSegmentedColormap

    across = (table["xmin"] + table["xmax"]).to_numpy() / 2
    down = (table["ymin"] + table["ymax"]).to_numpy() / 2
    # Squares so large that a few samples fall into each, as far as there are few.
    squares = min(max(len(table) / 6, 40), 3200)
    side = max(1.0, math.sqrt(width * height / squares))
    counts, _, _ = np.histogram2d(
        down, across, (max(1, round(height / side)), max(1, round(width / side))), ((0, height), (0, width))
    )
    colours = LinearSegmentedColormap.from_list("bboxbench", ["#ffffff", BAR, "#00304d"])
    image = axis.imshow(
        counts, cmap=colours, vmin=0, extent=(0, width, height, 0), interpolation="nearest", aspect="equal", zorder=0
    )
    axis.set_anchor("NW")
    _titled(axis, "centres of boxes, px")
    for spine in axis.spines.values():
        spine.set(visible=True, color=MUTED, linewidth=0.6)
    axis.tick_params(length=2, labelsize=8)
    axis.locator_params(nbins=5)
    bar = axis.inset_axes((1.03, 0.0, 0.025, 1.0))
    figure = axis.figure
    colour_bar = figure.colorbar(image, cax=bar)
    colour_bar.outline.set_visible(False)
    colour_bar.ax.tick_params(length=0, labelsize=7.5)
    colour_bar.ax.set_title("boxes", fontsize=7.5, color=MUTED, loc="left", pad=3)
    colour_bar.ax.locator_params(nbins=4, integer=True)


def _names(axis: Axes, counts: Mapping[str, int], title: str, room: int = 8) -> None:
    """A bar below the other for each name, the number behind it; of many names the most frequent."""
    _titled(axis, title if len(counts) <= room else f"{title}: {room} of {len(counts):,}")
    _bars_across(axis, list(counts.items())[:room], max(counts.values()), max(4, min(room, len(counts))))


def _bars_across(axis: Axes, shown: Sequence[tuple[str, int]], most: int, rows: int) -> None:
    """Bars from the left with their names before and their numbers behind them, in a panel of ``rows`` rows."""
    most = max(1, most)
    axis.barh(range(len(shown)), [count for _, count in shown], height=0.7, color=BAR, linewidth=0)
    for place, (name, count) in enumerate(shown):
        label = shortened(glyph_name(name), NAME_LENGTH)
        axis.text(-0.02 * most, place, label, ha="right", va="center", fontsize=7.5, parse_math=False)
        axis.text(1.02 * count, place, f"{count:,}", ha="left", va="center", fontsize=7, color=MUTED)
    axis.set_ylim(rows - 0.4, -0.6)
    # The names take two fifths of the panel's width.
    axis.set_xlim(-0.85 * most, 1.2 * most)
    axis.set_axis_off()


@dataclass(frozen=True)
class _ClassPanel:
    """The bars of all classes: how tall they are in inches, and what draws them from a height on."""

    height: float
    draw: Callable[[Callable[[float, float, float, float], Axes], float], None]


def _class_panel(counts: Mapping[str, int]) -> _ClassPanel:
    if all(len(name) == 1 for name in counts) and len(counts) <= MOST_LETTERS:
        return _letters(list(counts.items()))
    return _long_names(sorted(counts.items(), key=lambda item: -item[1]))


def _letters(counts: Sequence[tuple[str, int]]) -> _ClassPanel:
    """A bar a character, side by side, in as many lines as that takes; all to one scale."""
    names = [glyph_name(name) for name, _ in counts]
    lines = -(-len(counts) // LETTERS_A_LINE)
    a_line = -(-len(counts) // lines)
    upright = all(len(name) == 1 for name in names)
    line, under = 0.85, 0.3 if upright else 0.65
    room = WIDTH - LEFT - RIGHT
    across = min(room, a_line * room / 40)
    most = max(count for _, count in counts)

    def draw(axes: Callable[[float, float, float, float], Axes], top: float) -> None:
        for number in range(lines):
            mine = slice(number * a_line, (number + 1) * a_line)
            axis = axes(LEFT, top + number * (line + under), across, line)
            if number == 0:
                _titled(axis, f"classes ({len(counts):,}), samples")
            heights = [count for _, count in counts[mine]]
            axis.bar(range(len(heights)), heights, 0.8, color=BAR, linewidth=0)
            axis.set_xlim(-0.6, a_line - 0.4)
            _count_axis(axis, most)
            axis.set_xticks(
                range(len(heights)),
                names[mine],
                fontsize=8.5 if upright else 7,
                rotation=0 if upright else 90,
                parse_math=False,
            )

    return _ClassPanel(lines * (line + under) + 0.35, draw)


def _long_names(counts: Sequence[tuple[str, int]]) -> _ClassPanel:
    """A bar below the other for each class, most first; of many classes the most frequent and the rarest."""
    room = NAMES_A_COLUMN * NAME_COLUMNS
    title = f"classes ({len(counts):,}), samples"
    if len(counts) > room:
        rarest = NAMES_A_COLUMN
        title += f": the {room - rarest} most frequent and, in the last column, the {rarest} rarest"
        counts = [*counts[: room - rarest], *counts[-rarest:]]
    down = min(NAMES_A_COLUMN, len(counts))
    across = (WIDTH - LEFT - RIGHT - (NAME_COLUMNS - 1) * GAP) / NAME_COLUMNS
    tall = 0.17 * down

    def draw(axes: Callable[[float, float, float, float], Axes], top: float) -> None:
        for number in range(-(-len(counts) // NAMES_A_COLUMN)):
            axis = axes(LEFT + number * (across + GAP), top, across, tall)
            if number == 0:
                _titled(axis, title)
            mine = counts[number * NAMES_A_COLUMN : (number + 1) * NAMES_A_COLUMN]
            _bars_across(axis, mine, max(count for _, count in counts), down)

    return _ClassPanel(tall + 0.4, draw)
