"""A sweep's cells while it runs, as lines of text that fit a terminal: done, outcomes, best and median so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from bboxbench.cli.table import STYLES

if TYPE_CHECKING:
    from bboxbench.experiments.tally import CellTally, Tally

__all__ = ["CellsTable", "counts"]

SHORT = {"converged": "conv", "learning": "learn", "blind": "blind", "diverged": "div", "failed": "fail"}
"""Headings where there is little room."""
GAP = 2
INDENT = "  "


def counts(states: dict[str, int]) -> str:
    """As in "12 converged, 3 blind"; empty where there are none."""
    from bboxbench.experiments.tally import STATES

    return ", ".join(f"{states[state]:,} {state}" for state in STATES if states[state])


class _Column(NamedTuple):
    heading: str
    short: str
    values: list[str]
    style: str = ""

    def width(self, short: bool) -> int:
        return max(map(cell_len, (self.short if short else self.heading, *self.values)))


class CellsTable:
    """Draws a tally; remembers what its cells are called, for that takes a table library a moment."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._named = 0
        self._labels: list[tuple[str, str]] = []

    def lines(self, width: int, most: int | None = None) -> list[Text]:
        """The table in lines of at most ``width`` characters, and at most ``most`` of them.

        Cells that have no room are counted together in the last line. A name too long to stand beside its figures has
        a line of its own.
        """
        cells = self._tally.cells
        if not cells:
            return []
        # A cell takes a line at the least, so no more than these are looked at.
        shown = cells[:most]
        labels = self._names(cells)[: len(shown)]
        columns = _columns(shown)
        # With full headings only where every name has room beside them.
        longest = max(cell_len(INDENT + name) for _, name in labels)
        short = longest + sum(GAP + column.width(short=False) for column in columns) > width
        widths = [column.width(short) for column in columns]
        name_width = min(longest, max(0, width - sum(widths) - GAP * len(widths)))
        head = Text(" " * name_width, style="dim")
        for column, each in zip(columns, widths, strict=True):
            head.append(" " * GAP + (column.short if short else column.heading).rjust(each))
        lines = [_cut(head, width)]
        groups = {group: rank for rank, group in enumerate(dict.fromkeys(group for group, _ in labels))}
        order = sorted(range(len(shown)), key=lambda k: groups[labels[k][0]])
        told, group = 0, None
        for k in order:
            new = _cell_lines(labels[k][1], [(c, c.values[k]) for c in columns], widths, name_width, width)
            if labels[k][0] != group:
                group = labels[k][0]
                new.insert(0, _cut(Text(group, style="bold"), width))
            left = len(cells) - told - 1
            if most is not None and len(lines) + len(new) + (1 if left else 0) > most:
                break
            lines += new
            told += 1
        if told < len(cells):
            lines = [
                *lines[: most - 1 if most is not None else None],
                self._rest([shown[k] for k in order[:told]], width),
            ]
        return lines

    def _names(self, cells: Sequence[CellTally]) -> list[tuple[str, str]]:
        """Each cell's group and name within it: conditions and loss, or where there is one loss the other way round."""
        if len(cells) != self._named:
            import pandas as pd

            from bboxbench.experiments.cells import conditions

            labels = conditions(pd.DataFrame([cell.values for cell in cells]))
            order = ["group", "loss"] if labels["loss"].nunique() > 1 else ["loss", "group"]
            self._labels = list(labels[order].itertuples(index=False, name=None))
            self._named = len(cells)
        return self._labels

    def _rest(self, shown: Sequence[CellTally], width: int) -> Text:
        states, done, planned = dict(self._tally.states), self._tally.done, self._tally.planned
        for cell in shown:
            done, planned = done - cell.done, planned - cell.planned
            for state, count in cell.states.items():
                states[state] -= count
        more = len(self._tally.cells) - len(shown)
        said = counts({**dict.fromkeys(SHORT, 0), **states})
        words = f"and {more:,} more {'cell' if more == 1 else 'cells'}: {done:,}/{planned:,}"
        return _cut(Text(f"{words}, {said}" if said else words, style="dim"), width)


def _columns(cells: Sequence[CellTally]) -> list[_Column]:
    """Only what has become of some run has a column; converged always has."""

    def share(value: float | None) -> str:
        return "" if value is None else f"{value:.3f}"

    seen = [name for name in SHORT if name == "converged" or any(cell.states[name] for cell in cells)]
    return [
        _Column("done", "done", [f"{cell.done:,}/{cell.planned:,}" for cell in cells]),
        *(_Column(n, SHORT[n], [f"{c.states[n]:,}" if c.states[n] else "" for c in cells], STYLES[n]) for n in seen),
        _Column("best", "best", [share(cell.best) for cell in cells]),
        _Column("median", "median", [share(cell.median) for cell in cells]),
    ]


def _cell_lines(
    name: str, values: list[tuple[_Column, str]], widths: Sequence[int], name_width: int, width: int
) -> list[Text]:
    name = INDENT + name
    own_line = cell_len(name) > name_width
    figures = Text(" " * name_width if own_line else set_cell_size(name, name_width))
    for (column, value), each in zip(values, widths, strict=True):
        figures.append(" " * GAP + value.rjust(each), style=column.style)
    figures = _cut(figures, width)
    return [_cut(Text(name), width), figures] if own_line else [figures]


def _cut(text: Text, width: int) -> Text:
    text.truncate(width, overflow="ellipsis")
    text.no_wrap = True
    return text
