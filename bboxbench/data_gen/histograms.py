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
from bboxbench.data_gen.panel_rows import GAP, LEFT, RIGHT, ROOM, WIDTH, Panel, full_rows
from bboxbench.data_gen.rounding import with_rounding
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

ROW, TITLE, BELOW, COLOUR_BAR = 1.7, 0.62, 0.68, 0.6
"""Inches, as in `bboxbench.data_gen.panel_rows`: a row's own, what is above all, below a row, and beside the map."""
PLACES = (1.0, 4.4)
"""Least and largest width of the places of boxes, which are else of the form of the pictures."""
BINS, FEW = 32, 10
"""At most so many bars a panel; fewer than so many whole numbers a bar are few."""

LETTERS_A_LINE = 78
"""Bars of one character each that stand side by side and can still be read."""
MOST_LETTERS = 5 * LETTERS_A_LINE
LETTERS_A_PANEL = 13
NAMES_A_COLUMN = 15
"""Bars with longer names, one below the other."""
NAME_COLUMNS = 3
NAME_LENGTH = 18
NAMES = 6
"""In a panel: of faces, kinds of background, and classes where they are few."""


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
    table = with_rounding(data.table(), spec)
    figure = histograms(table, spec.width, spec.height, data.classes, own_name(data), held_name(data))
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
        table: as `bboxbench.data_gen.Dataset.table` gives it, a row or more; with what
            `bboxbench.data_gen.rounding.with_rounding` adds, there is a panel of that, too.
        width: of the pictures, in pixels.
        height: of the pictures, in pixels.
        classes: all that there are, in order; by default those that occur, in the order of their names.
        title: of the figure.
        about: what the samples are of, in a few words, for the line below it.
    """
    from matplotlib.figure import Figure

    counts = class_counts(table, sorted(set(table["glyph"])) if classes is None else classes)
    panels = _panels(table)
    below = _class_panel(counts)
    if isinstance(below, Panel):
        panels.append(below)
    places = min(max(ROW * width / height, PLACES[0]), PLACES[1])
    rows = full_rows([panel.span for panel in panels], ROOM - places - COLOUR_BAR - GAP)
    tall = TITLE + len(rows) * (ROW + BELOW) + (below.height if isinstance(below, _ClassPanel) else 0)
    figure = Figure(figsize=(WIDTH, tall))
    figure.text(0.3 / WIDTH, 1 - 0.2 / tall, title, fontsize=12, fontweight="bold", va="top")
    number = f"{len(table):,} sample{'s' if len(table) > 1 else ''}"
    said = f"{number} of {about}" if about else number
    figure.text(0.3 / WIDTH, 1 - 0.42 / tall, said, color=MUTED, va="top")

    def axes(left: float, top: float, across: float, down: float) -> Axes:
        return figure.add_axes((left / WIDTH, 1 - (top + down) / tall, across / WIDTH, down / tall))

    top = TITLE + 0.28
    _places(axes(LEFT, top, places, ROW), table, width, height)
    left = LEFT + places + COLOUR_BAR + GAP
    for row in rows:
        units = sum(panels[place].span for place in row)
        unit = (WIDTH - RIGHT - left + GAP) / units
        for place in row:
            panel = panels[place]
            # A panel of two units has their gap, too, or axes on both sides of it.
            parts = panel.span if panel.parted else 1
            across = panel.span * unit / parts
            panel.draw([axes(left + part * across, top, across - GAP, ROW) for part in range(parts)])
            left += panel.span * unit
        left, top = LEFT, top + ROW + BELOW
    if isinstance(below, _ClassPanel):
        below.draw(axes, top)
    return figure


def _panels(table: pd.DataFrame) -> list[Panel]:
    """What draws each panel but the places and the classes."""
    values = {name: each.to_numpy() for name, each in measured(table).items()}
    found: list[Panel] = []
    for name, each in values.items():
        if name.startswith("box_") or each.min() < each.max():
            found.append(Panel(partial(_spread, title=MEASURES[name], values=each)))
    for column, words in (("kind", "background"), ("font", "font")):
        counts = value_counts(table, column)
        if len(counts) > 1:
            found.append(_names_panel(counts, f"{words}, samples"))
    return found


def _names_panel(counts: Mapping[str, int], title: str) -> Panel:
    """A panel of names, or one of twice the width where they are many."""
    span = 1 if len(counts) <= NAMES else 2
    return Panel(partial(_names, counts=counts, title=title), span, parted=True)


def _titled(axis: Axes, title: str) -> None:
    axis.set_title(title, fontweight="bold", pad=5)


def _spread(axes: Sequence[Axes], title: str, values: Any) -> None:
    """A histogram, its bars on whole numbers where the values are, and a line at the median."""
    from matplotlib.ticker import MaxNLocator

    (axis,) = axes
    _titled(axis, title)
    edges = _edges(values)
    counts, _ = np.histogram(values, edges)
    # One area: between bars that touch, a hairline of the background shows.
    axis.stairs(counts, edges, fill=True, color=BAR, linewidth=0)
    middle = float(np.median(values))
    axis.axvline(middle, color=INK, linewidth=1)
    axis.set_title(f"median {_minus(written(middle)[0])}", loc="right", fontsize=7.5, color=MUTED, pad=5)
    axis.set_xlim(edges[0], edges[-1])
    axis.xaxis.set_major_locator(MaxNLocator(5, integer=_whole(values), min_n_ticks=1))
    if _whole(values):
        axis.xaxis.set_major_formatter(_number)
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


def _number(value: float, place: float | None = None) -> str:
    """A tick of whole numbers as they are written everywhere, 1,200, for Matplotlib."""
    return _minus(f"{value:,.0f}")


def _minus(number: str) -> str:
    """With the sign that Matplotlib's own ticks have."""
    return number.replace("-", "\N{MINUS SIGN}")


def _count_axis(axis: Axes, most: float) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_ylim(0, max(1, most) * 1.05)
    axis.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    axis.yaxis.set_major_formatter(_number)
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
    # A narrow one has room for two numbers below it.
    axis.locator_params("x", nbins=max(2, round(2 * axis.get_position().width * WIDTH)))
    axis.locator_params("y", nbins=5)
    axis.xaxis.set_major_formatter(_number)
    axis.yaxis.set_major_formatter(_number)
    place, figure = axis.get_position(), axis.figure
    bar = figure.add_axes((place.x1 + 0.1 / WIDTH, place.y0, 0.07 / WIDTH, place.height))
    colour_bar = figure.colorbar(image, cax=bar, ticks=MaxNLocator(4, integer=True), format=_number)
    colour_bar.outline.set_visible(False)
    colour_bar.ax.tick_params(length=0, labelsize=7.5)
    colour_bar.set_label("boxes", fontsize=7.5, color=MUTED)


def _names(axes: Sequence[Axes], counts: Mapping[str, int], title: str) -> None:
    """A bar below the other for each name, which stands above it; of more names than fit the most frequent."""
    room = NAMES * len(axes)
    _titled(axes[0], title if len(counts) <= room else f"{title}: {room} of {len(counts):,}")
    shown = list(counts.items())[:room]
    labels = class_labels(name for name, _ in shown)
    each = -(-len(shown) // len(axes))
    most = max(counts.values())
    # Fewer names stand further apart, their bars are no broader for it.
    slots = max(2, each)
    thick = min(0.3, 0.12 * slots / ROW)
    for number, axis in enumerate(axes):
        for place, (name, count) in enumerate(shown[number * each : (number + 1) * each]):
            axis.barh(place, count, height=thick, color=BAR, linewidth=0)
            label = f"{shortened(labels[name], 2 * NAME_LENGTH)}  {count:,}"
            axis.text(0, place - thick / 2 - 0.07, label, ha="left", va="bottom", fontsize=7.5, parse_math=False)
        axis.set_ylim(slots - 0.7, -0.7)
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


def _class_panel(counts: Mapping[str, int]) -> Panel | _ClassPanel:
    """A panel among the others where there are few classes, else one below them all."""
    title = f"classes ({len(counts):,}), samples"
    if all(len(name) == 1 for name in counts) and len(counts) <= MOST_LETTERS:
        if len(counts) <= 2 * LETTERS_A_PANEL:
            return Panel(partial(_few_letters, counts=counts, title=title), -(-len(counts) // LETTERS_A_PANEL))
        return _letters(list(counts.items()), title)
    by_count = sorted(counts.items(), key=lambda item: -item[1])
    return _names_panel(dict(by_count), title) if len(counts) <= 2 * NAMES else _long_names(by_count, title)


def _few_letters(axes: Sequence[Axes], counts: Mapping[str, int], title: str) -> None:
    """All in one line."""
    (axis,) = axes
    _titled(axis, title)
    labels = class_labels(counts)
    names = [labels[name] for name in counts]
    # One or two bars are no broader than those of several.
    _letter_bars(axis, names, list(counts.values()), max(4, len(counts)), max(counts.values()))


def _letter_bars(axis: Axes, names: Sequence[str], heights: Sequence[int], a_line: int, most: int) -> None:
    """A bar a character, side by side, with room for ``a_line``; a name of more than one letter stands upright."""
    axis.bar(range(len(heights)), heights, 0.8, color=BAR, linewidth=0)
    axis.set_xlim(-0.6, a_line - 0.4)
    _count_axis(axis, most)
    axis.set_xticks(range(len(heights)), names, fontsize=8.5, parse_math=False)
    for tick in axis.get_xticklabels():
        if len(tick.get_text()) > 1:
            tick.set(rotation=90, fontsize=7)


def _letters(counts: Sequence[tuple[str, int]], title: str) -> _ClassPanel:
    """A bar a character, side by side, in as many lines as that takes; all to one scale."""
    labels = class_labels(name for name, _ in counts)
    names = [labels[name] for name, _ in counts]
    lines = -(-len(counts) // LETTERS_A_LINE)
    a_line = -(-len(counts) // lines)
    line, under = 0.85, 0.3 if all(len(name) == 1 for name in names) else 0.65
    most = max(count for _, count in counts)

    def draw(axes: Callable[[float, float, float, float], Axes], top: float) -> None:
        for number in range(lines):
            mine = slice(number * a_line, (number + 1) * a_line)
            axis = axes(LEFT, top + number * (line + under), ROOM, line)
            if number == 0:
                _titled(axis, title)
            _letter_bars(axis, names[mine], [count for _, count in counts[mine]], a_line, most)

    return _ClassPanel(lines * (line + under) + 0.45, draw)


def _long_names(counts: Sequence[tuple[str, int]], title: str) -> _ClassPanel:
    """A bar below the other for each class, most first; of many classes the most frequent and the rarest."""
    room = NAMES_A_COLUMN * NAME_COLUMNS
    if len(counts) > room:
        rarest = NAMES_A_COLUMN
        title += f": the {room - rarest} most frequent and, in the last column, the {rarest} rarest"
        counts = [*counts[: room - rarest], *counts[-rarest:]]
    down = -(-len(counts) // NAME_COLUMNS)
    across = (ROOM - (NAME_COLUMNS - 1) * GAP) / NAME_COLUMNS
    tall = 0.17 * down

    def draw(axes: Callable[[float, float, float, float], Axes], top: float) -> None:
        for number in range(NAME_COLUMNS):
            axis = axes(LEFT + number * (across + GAP), top, across, tall)
            if number == 0:
                _titled(axis, title)
            mine = counts[number * down : (number + 1) * down]
            _bars_across(axis, mine, max(count for _, count in counts), down)

    return _ClassPanel(tall + 0.5, draw)
