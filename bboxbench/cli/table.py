"""A sweep's summary for the terminal: a line a cell, or two where it is narrow, and who leads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bboxbench.cli.trimmed import Trimmed

if TYPE_CHECKING:
    from bboxbench.experiments.summary import Line, Tables

__all__ = ["strip", "summary"]

BLOCKS = "·▁▂▃▄▅▆▇█"
"""Heights of the small histogram; the dots of empty tenths let the eye count."""
BINS = 10
SCALE = "0" + " " * (BINS - 2) + "1"
GAP = 2
FEWEST_WORDS = 28
"""The column of other outcomes is not made narrower than this: a cell then gets two lines."""
NARROW: tuple[str, ...] = ("", "converged", "median", SCALE)
"""Headings of two lines a cell."""
STYLES = {"converged": "green", "learning": "cyan", "blind": "yellow", "diverged": "red", "failed": "bold red"}
"""Of the outcomes; each is also a word."""


def strip(values: Sequence[float]) -> str:
    """A histogram of values in [0, 1], one character a tenth."""
    counts = [0] * BINS
    for value in values:
        counts[min(BINS - 1, int(value * BINS))] += 1
    top = max(counts)
    return "".join(BLOCKS[-(-count * (len(BLOCKS) - 1) // top)] for count in counts)


def _style(line: Line) -> str:
    return "" if line.converged else "dim"


def _histogram(line: Line) -> Text:
    """The last tenth is where a converged run lies."""
    drawn = Text(strip(line.accuracies))
    drawn.stylize(STYLES["converged"], BINS - 1)
    drawn.highlight_words(BLOCKS[0], "default dim")
    return drawn


def _outcomes(words: str) -> Text:
    text = Text(words)
    for name, style in STYLES.items():
        text.highlight_words([name], style)
    return text


class Column(NamedTuple):
    """A column of the summary where a cell has one line."""

    heading: str
    words: Callable[[Line], Text]
    right: bool = False


COLUMNS = (
    Column("", lambda line: Text(f"  {line.name}", style=_style(line))),
    Column("converged", lambda line: Text(line.converged), right=True),
    Column("95 %", lambda line: Text(line.rate, style="dim")),
    Column("median", lambda line: Text(line.median), right=True),
    Column("95 %", lambda line: Text(line.interval, style="dim")),
    Column(SCALE, _histogram),
    Column("Keras", lambda line: Text(line.keras_accuracy), right=True),
    Column("otherwise", lambda line: _outcomes(line.otherwise)),
)


def summary(sweep: Tables, width: int, planned: int = 0) -> RenderableType:
    """Outcomes, medians with intervals and a small histogram of every cell, under headings of like conditions.

    Args:
        sweep: a finished sweep, or one read from its folder.
        width: of the terminal, in characters.
        planned: runs of the sweep; with fewer the caption says that it is not finished.
    """
    from bboxbench.experiments.summary import baseline_lines, caption, cell_lines, leaders, notes

    lines = [*cell_lines(sweep), *baseline_lines(sweep)]
    columns = [column for column in COLUMNS if any(column.words(line).plain for line in lines)] or list(COLUMNS)
    widths = [max(map(cell_len, (column.heading, *(column.words(line).plain for line in lines)))) for column in columns]
    header: Sequence[str] = [column.heading for column in columns]
    # The last column is of words, which may be broken.
    room = width - sum(widths[:-1]) - GAP * (len(widths) - 1)
    one_line = room >= min(widths[-1], FEWEST_WORDS)
    if one_line:
        widths[-1] = min(widths[-1], room)
    else:
        widths, header = _narrow_widths(lines, width), NARROW
    parts: list[RenderableType] = [Text(caption(sweep, planned), style="bold"), Text()]
    parts.append(_grid(widths, [[Text(word, style="dim") for word in header]]))
    for heading, members in groupby(lines, key=lambda line: line.group):
        parts.append(Text(heading, style="bold"))
        parts.append(
            _grid(
                widths, [_one_line(line, columns, widths) if one_line else _two_lines(line, widths) for line in members]
            )
        )
        parts.append(Text())
    if sentences := leaders(sweep):
        parts += [*map(Text, sentences), Text()]
    return Trimmed(Group(*parts, *(Text(note, style="dim") for note in notes(sweep))))


def _narrow_widths(lines: Sequence[Line], width: int) -> list[int]:
    figures = [
        max(map(cell_len, ["converged", *(line.rate for line in lines)])),
        max(map(cell_len, ["median", *(line.interval for line in lines)])),
        BINS,
    ]
    name = max(max(cell_len(line.name) + 2, cell_len(line.otherwise) + 4) for line in lines) if lines else 0
    return [min(name, width - sum(figures) - GAP * len(figures)), *figures]


def _grid(widths: Sequence[int], rows: Sequence[Sequence[RenderableType]]) -> Table:
    table = Table.grid(padding=(0, GAP, 0, 0))
    for width in widths:
        table.add_column(width=width, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _one_line(line: Line, columns: Sequence[Column], widths: Sequence[int]) -> list[RenderableType]:
    row: list[RenderableType] = []
    for column, width in zip(columns, widths, strict=True):
        words = column.words(line)
        if column is COLUMNS[-1]:
            words = _outcomes(_broken(words.plain, width))
        if column.right:
            words.align("right", width)
        row.append(words)
    return row


def _two_lines(line: Line, widths: Sequence[int]) -> list[RenderableType]:
    name: list[RenderableType] = [Padding(Text(_broken(line.name, widths[0] - 2), style=_style(line)), (0, 0, 0, 2))]
    if line.otherwise:
        name.append(Padding(_outcomes(_broken(line.otherwise, widths[0] - 4)), (0, 0, 0, 4)))
    keras = f"Keras {line.keras_accuracy}"
    return [
        Group(*name),
        Group(Text(line.converged), Text(line.rate, style="dim")),
        Group(Text(line.median), Text(line.interval, style="dim")),
        Group(_histogram(line), Text(keras, style="dim")),
    ]


def _broken(words: str, width: int) -> str:
    """Words too long for their column, broken where a reader would: before a bracket and behind a comma."""
    if cell_len(words) <= width:
        return words
    lines = [""]
    for part in words.replace(" (", " \0(").replace("(", "\0(").replace(", ", ", \0").replace(",", ",\0").split("\0"):
        if lines[-1] and cell_len((lines[-1] + part).rstrip()) > width:
            lines.append("")
        lines[-1] += part if lines[-1] else part.lstrip()
    return "\n".join(line.rstrip() for line in lines)
