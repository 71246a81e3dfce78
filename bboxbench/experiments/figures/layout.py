"""How cells are laid out on a figure: losses down, initializers (and what else differs) across."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bboxbench.experiments.cells import box_accuracies, conditions
from bboxbench.experiments.figures.cells import states
from bboxbench.experiments.figures.style import MUTED
from bboxbench.experiments.names import short

__all__ = ["Cell", "Grid", "Words", "cells_of", "grid", "loss_order", "note", "panels", "rows_grid", "wrapped"]

RANKED = 8
"""With more losses than these, the best stand first: an order of one's own helps with few, a rank with many."""
MATRIX_COLUMNS = 6
"""More groups than these are laid out one cell after another."""
CHARACTER, LINE = 0.076, 0.15
"""Width and height of a character of 9 points, in inches."""
LABEL_WIDTH, TITLE_WIDTH = 20, 24
"""Characters after which names are broken, beside a row and above a panel."""
LEAST_WIDTH = 5.2
"""Of a figure in inches: a legend must fit."""


@dataclass(frozen=True)
class Cell:
    """One cell and where it is drawn."""

    loss: str
    group: str
    axis: Axes
    runs: pd.DataFrame


@dataclass(frozen=True)
class Words:
    """What stands around the axes: entries of a legend above, what x and y are below and at the left."""

    x: str
    y: str = ""
    handles: Sequence[Any] = ()


@dataclass(frozen=True)
class Grid:
    """Axes on a figure whose margins are in inches, so that they stay where they are whatever is drawn."""

    figure: Figure
    axes: Any
    """Shape (rows, columns)."""


def loss_order(labels: pd.DataFrame, converged: pd.Series, accuracy: pd.Series) -> list[str]:
    """The losses in the order of the sweep; of more than eight, those that converged most often stand first.

    Args:
        labels: of runs or cells, as `conditions` gives them.
        converged: whether, or which share, of each row converged.
        accuracy: its box accuracy, by whose median losses of one rate are ordered.
    """
    names = list(dict.fromkeys(labels["loss"]))
    if len(names) <= RANKED:
        return names
    rank = pd.DataFrame({"loss": labels["loss"], "converged": converged, "accuracy": accuracy})
    best = rank.groupby("loss").agg({"converged": ["mean"], "accuracy": ["median", "mean"]})
    return sorted(names, key=lambda name: tuple(-best.loc[name]))


def cells_of(runs: pd.DataFrame) -> tuple[pd.DataFrame, list[str], list[str]]:
    """The labels of runs, the losses in `loss_order`, and the groups in the order of the sweep."""
    labels = conditions(runs)
    losses = loss_order(labels, states(runs) == "converged", box_accuracies(runs))
    return labels, losses, list(dict.fromkeys(labels["group"]))


def wrapped(name: str, width: int) -> str:
    """A name, short, on lines of about ``width`` characters, broken behind commas and before brackets."""
    parts: list[str] = []
    word = ""
    for character in short(name):
        if character == "(" and word:
            parts.append(word)
            word = ""
        word += character
        if character in ", ":
            parts.append(word)
            word = ""
    lines = [""]
    for part in [*parts, word]:
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.rstrip() for line in lines)


def note(text: str) -> Figure:
    """A figure that says why there is nothing to draw."""
    figure = Figure(figsize=(LEAST_WIDTH, 1.2))
    figure.text(0.5, 0.5, text, ha="center", va="center", color=MUTED)
    return figure


def grid(
    shape: tuple[int, int],
    size: tuple[float, float],
    words: Words,
    *,
    left: float,
    titles: float = 0.0,
    right: float = 0.25,
    gaps: tuple[float, float] = (0.2, 0.2),
    share: bool = True,
    least: float = LEAST_WIDTH,
) -> Grid:
    """Axes in rows and columns; all lengths in inches.

    Args:
        shape: rows and columns.
        size: width and height of one.
        words: around the axes; the margins above and below have room for them.
        left: margin, as all the others.
        titles: room for titles above the first row.
        right: margin.
        gaps: between columns and between rows.
        share: whether all have the same limits.
        least: width of the figure; narrower axes are widened to it.
    """
    rows, columns = shape
    across = max(size[0], (least - left - right - gaps[0] * (columns - 1)) / columns)
    width = left + columns * across + (columns - 1) * gaps[0] + right
    entries, deep = _legend_shape([str(each.get_label()) for each in words.handles], width)
    top = 0.12 + (0.08 + 0.17 * deep if deep else 0.0) + titles
    below = "\n".join(textwrap.fill(line, int((width - 0.2) / CHARACTER)) for line in words.x.split("\n"))
    bottom = 0.36 + LINE * (below.count("\n") + 1)
    height = top + rows * size[1] + (rows - 1) * gaps[1] + bottom
    figure = Figure(figsize=(width, height))
    places = {
        "left": left / width,
        "right": 1 - right / width,
        "top": 1 - top / height,
        "bottom": bottom / height,
        "wspace": gaps[0] / across,
        "hspace": gaps[1] / size[1],
    }
    axes = figure.subplots(rows, columns, squeeze=False, sharex=share, sharey=share, gridspec_kw=places)
    # Words longer than the axes are wide stand in the middle of the figure.
    fits = CHARACTER * _longest([below]) < columns * across
    middle = (left + (width - left - right) / 2) / width if fits else 0.5
    figure.text(middle, 0.07 / height, below, ha="center", va="bottom", linespacing=1.25)
    if words.y:
        figure.text(
            (left - 0.4) / width,
            0.5 * (1 + (bottom - top) / height),
            words.y,
            ha="right",
            va="center",
            rotation=90,
            multialignment="center",
        )
    if deep:
        corner = (0.08 / width, 1 - 0.03 / height)
        figure.legend(
            handles=words.handles,
            loc="upper left",
            bbox_to_anchor=corner,
            ncols=entries,
            borderaxespad=0,
            borderpad=0.2,
        )
    return Grid(figure, axes)


def _legend_shape(labels: Sequence[str], width: float) -> tuple[int, int]:
    """The most columns that fit into ``width`` inches, and the rows that makes; matplotlib fills column by column."""
    for columns in range(len(labels), 0, -1):
        rows = -(-len(labels) // columns)
        widths = [max(map(len, labels[k : k + rows])) for k in range(0, len(labels), rows)]
        if columns == 1 or sum(0.5 + CHARACTER * each for each in widths) <= width - 0.15:
            return len(widths), rows
    return 1, 0


def rows_grid(
    losses: Sequence[str],
    groups: Sequence[str],
    words: Words,
    *,
    row: float,
    label_width: int = LABEL_WIDTH,
    gap: float = 0.3,
    right: float = 0.25,
) -> Grid:
    """An axis a group, with a row of height 1 for each loss, the first at the top; at most four side by side.

    Args:
        losses: names of the rows.
        groups: titles of the axes, which stand in the order of ``grid.axes.flat``; axes left over are switched off.
        words: around the axes.
        row: height of a row in inches; more where a name needs it.
        label_width: characters after which names are broken.
        gap: between axes, in inches.
        right: margin, in inches.
    """
    names = [wrapped(loss, label_width) for loss in losses]
    titles = [wrapped(group, TITLE_WIDTH) for group in groups]
    row = max(row, 0.06 + LINE * max(name.count("\n") + 1 for name in names))
    deep = -(-len(groups) // 4)
    columns = -(-len(groups) // deep)
    lines = max(title.count("\n") + 1 for title in titles)
    made = grid(
        (deep, columns),
        (4.2 if columns == 1 else 2.9 if columns == 2 else 1.95, row * len(losses)),
        words,
        left=0.25 + CHARACTER * _longest(names),
        titles=0.1 + LINE * lines,
        gaps=(gap, 0.45 + LINE * lines),
        right=right,
    )
    for axis in made.axes.flat[len(groups) :]:
        axis.set_axis_off()
    for title, axis in zip(titles, made.axes.flat, strict=False):
        axis.set_title(title, pad=5)
        axis.set_yticks(range(len(losses)), names)
        axis.set_ylim(len(losses) - 0.5, -0.5)
        axis.tick_params(axis="y", left=False)
        axis.spines["left"].set_visible(False)
        for y in np.arange(0.5, len(losses) - 1):
            axis.axhline(y, color=MUTED, linewidth=0.3, alpha=0.4, zorder=0.1)
    # A column that ends above an axis that was switched off keeps its own numbers.
    for axis in made.axes.flat[max(0, len(groups) - columns) : len(groups)]:
        axis.tick_params(labelbottom=True)
    return made


def panels(
    runs: pd.DataFrame, size: tuple[float, float], words: Words, *, left: float = 0.6
) -> tuple[Grid, list[Cell]]:
    """An axis a cell: losses down and groups across; where one of both is alone, or groups are many, in reading order.

    The limits and ticks of every axis of the grid are the caller's to set: numbers stand at the outer ones alone.

    Args:
        runs: all rows of runs.csv.
        size: width and height of an axis in inches.
        words: around the axes.
        left: room for the ticks and the label of y, in inches.
    """
    labels, losses, groups = cells_of(runs)
    cells = list(_cells(runs, labels, losses, groups))
    if len(losses) > 1 and 1 < len(groups) <= MATRIX_COLUMNS:
        return _matrix(cells, losses, groups, size, words, left)
    titles = [
        wrapped(group if len(losses) == 1 else loss if len(groups) == 1 else f"{loss}, {group}", TITLE_WIDTH)
        for loss, group, _ in cells
    ]
    deep = -(-len(cells) // (4 if len(cells) <= 16 else 5 if len(cells) <= 25 else 6))
    columns = -(-len(cells) // deep)
    lines = max(title.count("\n") + 1 for title in titles)
    made = grid(
        (deep, columns),
        size,
        words,
        left=left,
        titles=0.08 + LINE * lines,
        gaps=(0.22, 0.22 + LINE * lines),
        share=False,
    )
    _number_the_outer(made)
    for axis in made.axes.flat[len(cells) :]:
        axis.set_axis_off()
    for axis in made.axes.flat[max(0, len(cells) - columns) : len(cells)]:
        axis.tick_params(labelbottom=True)
    placed = []
    for (loss, group, mine), title, axis in zip(cells, titles, made.axes.flat, strict=False):
        axis.set_title(title, pad=4)
        placed.append(Cell(loss, group, axis, mine))
    return made, placed


def _matrix(
    cells: list[tuple[str, str, pd.DataFrame]],
    losses: list[str],
    groups: list[str],
    size: tuple[float, float],
    words: Words,
    left: float,
) -> tuple[Grid, list[Cell]]:
    names = [wrapped(loss, LABEL_WIDTH) for loss in losses]
    titles = [wrapped(group, TITLE_WIDTH) for group in groups]
    lines = max(title.count("\n") + 1 for title in titles)
    made = grid(
        (len(losses), len(groups)),
        size,
        words,
        left=left + 0.1 + CHARACTER * _longest(names),
        titles=0.1 + LINE * lines,
        gaps=(0.2, 0.22),
        share=False,
    )
    _number_the_outer(made)
    width, _ = made.figure.get_size_inches()
    for name, axis in zip(names, made.axes[:, 0], strict=True):
        place = axis.get_position()
        made.figure.text(0.1 / width, (place.y0 + place.y1) / 2, name, ha="left", va="center")
    for title, axis in zip(titles, made.axes[0], strict=True):
        axis.set_title(title, pad=5)
    there = {(loss, group): mine for loss, group, mine in cells}
    placed = []
    for loss, row in zip(losses, made.axes, strict=True):
        for group, axis in zip(groups, row, strict=True):
            if (loss, group) in there:
                placed.append(Cell(loss, group, axis, there[loss, group]))
            else:
                axis.set_axis_off()
    return made, placed


def _number_the_outer(made: Grid) -> None:
    """Numbers along the lowest and the leftmost axes only. Axes that matplotlib couples take minutes from 150 on."""
    for axis in made.axes[:-1].flat:
        axis.tick_params(labelbottom=False)
    for axis in made.axes[:, 1:].flat:
        axis.tick_params(labelleft=False)


def _cells(
    runs: pd.DataFrame, labels: pd.DataFrame, losses: list[str], groups: list[str]
) -> Iterator[tuple[str, str, pd.DataFrame]]:
    for loss in losses:
        for group in groups:
            mine = runs[(labels["loss"] == loss) & (labels["group"] == group)]
            if len(mine):
                yield loss, group, mine


def _longest(names: Sequence[str]) -> int:
    return max(len(line) for name in names for line in name.split("\n"))
