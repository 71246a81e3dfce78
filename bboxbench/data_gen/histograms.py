"""How a data set's samples are spread: sizes and places of boxes, contrast, classes and effects, on one figure."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bboxbench.data_gen.dataset import Dataset, open_dataset
from bboxbench.data_gen.gallery import check_png, held_name, own_name
from bboxbench.data_gen.glyph_names import class_labels, glyph_name, shortened
from bboxbench.data_gen.summary import MEASURES, class_counts, measured, value_counts, written
from bboxbench.figure_style import INK, MUTED, in_style, style
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
LEFT, RIGHT, GAP, ROW, TITLE, BELOW = 0.55, 0.25, 0.5, 1.7, 0.62, 0.68
COLUMNS, COLOUR_BAR = 4, 0.6
BINS, FEW = 32, 10
"""At most so many bars a panel; fewer than so many whole numbers a bar are few."""

LETTERS_A_LINE = 78
"""Bars of one character each that stand side by side and can still be read."""
MOST_LETTERS = 5 * LETTERS_A_LINE
NAMES_A_COLUMN = 15
"""Bars with longer names, one below the other."""
NAME_COLUMNS = 3
NAME_LENGTH = 18
NAMES = 6
"""Of faces and kinds of background."""


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
    spec = data.spec
    figure = histograms(data.table(), spec.width, spec.height, data.classes, own_name(data), held_name(data))
    content = io.BytesIO()
    with style():
        # No version of matplotlib inside: the same figure is the same file.
        figure.savefig(content, format="png", metadata={"Software": None})
    make_folder(path.absolute().parent)
    write_atomically(path, content.getvalue())
    return path


@in_style
def histograms(
    table: pd.DataFrame,
    width: int,
    height: int,
    classes: Sequence[str] | None = None,
    title: str = "",
    about: str = "",
) -> Figure:
    """A panel for each thing that is recorded of the samples and is not the same for all, and one of all classes.

    Args:
        table: as `bboxbench.data_gen.Dataset.table` gives it, a row or more.
        width: of the pictures, in pixels.
        height: of the pictures, in pixels.
        classes: all that there are, in order; by default those that occur, in the order of their names.
        title: of the figure.
        about: what the samples are of, in a few words, for the line below it.
    """
    from matplotlib.figure import Figure

    counts = class_counts(table, sorted(set(table["glyph"])) if classes is None else classes)
    panels = _panels(table)
    column = (WIDTH - LEFT - RIGHT - (COLUMNS - 1) * GAP) / COLUMNS
    # The places of boxes take the room of two panels where pictures are wide.
    wide = 1 if ROW * width / height + COLOUR_BAR <= column + 0.2 else 2
    rows = -(-(len(panels) + wide) // COLUMNS)
    below = _class_panel(counts)
    tall = TITLE + rows * (ROW + BELOW) + below.height
    figure = Figure(figsize=(WIDTH, tall))
    figure.text(0.3 / WIDTH, 1 - 0.2 / tall, title, fontsize=12, fontweight="bold", va="top")
    number = f"{len(table):,} sample{'s' if len(table) > 1 else ''}"
    said = f"{number} of {about}" if about else number
    figure.text(0.3 / WIDTH, 1 - 0.42 / tall, said, color=MUTED, va="top")

    def axes(left: float, top: float, across: float, down: float) -> Axes:
        return figure.add_axes((left / WIDTH, 1 - (top + down) / tall, across / WIDTH, down / tall))

    first = TITLE + 0.28
    across = wide * column + (wide - 1) * GAP - COLOUR_BAR
    scale = min(across / width, ROW / height)
    _places(axes(LEFT, first, width * scale, height * scale), table, width, height)
    for place, panel in enumerate(panels, start=wide):
        row, start = divmod(place, COLUMNS)
        # The last panel may have the rest of its row.
        span = COLUMNS - start if panel.names and place == len(panels) + wide - 1 else 1
        parts = min(span, -(-panel.names // NAMES)) or 1
        part = (span * (column + GAP) - parts * GAP) / parts
        left, top = LEFT + start * (column + GAP), first + row * (ROW + BELOW)
        panel.draw([axes(left + number * (part + GAP), top, part, ROW) for number in range(parts)])
    below.draw(axes, first + rows * (ROW + BELOW))
    return figure


@dataclass(frozen=True)
class _Panel:
    """One thing of all samples.

    Attributes:
        draw: draws it side by side in as many axes as it is given.
        names: bars with a name, which can use as much room as there is; 0 where it is drawn in one of its own.
    """

    draw: Callable[[Sequence[Axes]], None]
    names: int = 0


def _panels(table: pd.DataFrame) -> list[_Panel]:
    """What draws each panel but the places and the classes."""
    values = {name: each.to_numpy() for name, each in measured(table).items()}
    found: list[_Panel] = []
    for name, each in values.items():
        if name.startswith("box_") or each.min() < each.max():
            found.append(_Panel(partial(_spread, title=MEASURES[name], values=each)))
    for column, words in (("kind", "background"), ("font", "font")):
        counts = value_counts(table, column)
        if len(counts) > 1:
            found.append(_Panel(partial(_names, counts=counts, title=f"{words}, samples"), len(counts)))
    return found


def _titled(axis: Axes, title: str) -> None:
    axis.set_title(title, fontweight="bold", pad=5)


def _spread(axes: Sequence[Axes], title: str, values: Any) -> None:
    """A histogram, its bars on whole numbers where the values are, and a line at the median."""
    from matplotlib.ticker import MaxNLocator

    (axis,) = axes
    _titled(axis, title)
    edges = _edges(values)
    counts, _ = np.histogram(values, edges)
    axis.bar(edges[:-1], counts, np.diff(edges), align="edge", color=BAR, linewidth=0)
    middle = float(np.median(values))
    axis.axvline(middle, color=INK, linewidth=1)
    axis.set_title(f"median {written(middle)}", loc="right", fontsize=7.5, color=MUTED, pad=5)
    axis.set_xlim(edges[0], edges[-1])
    axis.xaxis.set_major_locator(MaxNLocator(5, integer=_whole(values), min_n_ticks=1))
    _count_axis(axis, counts.max())


def _edges(values: Any) -> Any:
    """Borders of bars: for whole numbers a whole number of them a bar, and the values in its middle."""
    least, most = float(values.min()), float(values.max())
    if _whole(values):
        span = int(most - least) + 1
        smallest = -(-span // BINS)
        # A last bar over fewer numbers than the others looks like fewer samples, where bars are over few.
        widths = range(smallest, 2 * smallest if smallest < FEW else smallest + 1)
        step = min(widths, key=lambda step: (-span % step / step, step))
        return least - 0.5 + step * np.arange(-(-span // step) + 1)
    return np.linspace(least, most, BINS + 1)


def _whole(values: Any) -> bool:
    return bool((values == np.round(values)).all())


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
    from matplotlib.ticker import MaxNLocator

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
        counts, cmap=colours, vmin=0, extent=(0, width, height, 0), interpolation="nearest", aspect="auto", zorder=0
    )
    _titled(axis, "centres of boxes")
    for spine in axis.spines.values():
        spine.set(visible=True, color=MUTED, linewidth=0.6)
    axis.tick_params(length=2, labelsize=8)
    axis.locator_params(nbins=5)
    place, figure = axis.get_position(), axis.figure
    bar = figure.add_axes((place.x1 + 0.1 / WIDTH, place.y0, 0.07 / WIDTH, place.height))
    colour_bar = figure.colorbar(image, cax=bar, ticks=MaxNLocator(4, integer=True))
    colour_bar.outline.set_visible(False)
    colour_bar.ax.tick_params(length=0, labelsize=7.5)
    colour_bar.set_label("boxes", fontsize=7.5, color=MUTED)


def _names(axes: Sequence[Axes], counts: Mapping[str, int], title: str) -> None:
    """A bar below the other for each name, which stands above it; of more names than fit the most frequent."""
    room = NAMES * len(axes)
    _titled(axes[0], title if len(counts) <= room else f"{title}: {room} of {len(counts):,}")
    shown = list(counts.items())[:room]
    each = -(-len(shown) // len(axes))
    most = max(counts.values())
    for number, axis in enumerate(axes):
        for place, (name, count) in enumerate(shown[number * each : (number + 1) * each]):
            axis.barh(place, count, height=0.3, color=BAR, linewidth=0)
            label = f"{glyph_name(shortened(name, 2 * NAME_LENGTH))}  {count:,}"
            axis.text(0, place - 0.22, label, ha="left", va="bottom", fontsize=7.5, parse_math=False)
        axis.set_ylim(NAMES - 0.7, -0.7)
        axis.set_xlim(0, most)
        axis.set_axis_off()


def _bars_across(axis: Axes, shown: Sequence[tuple[str, int]], most: int, rows: int) -> None:
    """Bars from the left with their names before and their numbers behind them, in a panel of ``rows`` rows."""
    most = max(1, most)
    axis.barh(range(len(shown)), [count for _, count in shown], height=0.7, color=BAR, linewidth=0)
    for place, (name, count) in enumerate(shown):
        label = shortened(glyph_name(name), NAME_LENGTH)
        axis.text(-0.02 * most, place, label, ha="right", va="center", fontsize=7.5, parse_math=False)
        axis.text(count + 0.02 * most, place, f"{count:,}", ha="left", va="center", fontsize=7, color=MUTED)
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
    labels = class_labels(name for name, _ in counts)
    names = [labels[name] for name, _ in counts]
    lines = -(-len(counts) // LETTERS_A_LINE)
    a_line = -(-len(counts) // lines)
    line, under = 0.85, 0.3 if all(len(name) == 1 for name in names) else 0.65
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
            axis.set_xticks(range(len(heights)), names[mine], fontsize=8.5, parse_math=False)
            for tick in axis.get_xticklabels():
                if len(tick.get_text()) > 1:
                    tick.set(rotation=90, fontsize=7)

    return _ClassPanel(lines * (line + under) + 0.45, draw)


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

    return _ClassPanel(tall + 0.5, draw)
