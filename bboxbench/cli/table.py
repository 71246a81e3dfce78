"""The distribution of box accuracy as a table for the terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from rich import box
from rich.table import Table

if TYPE_CHECKING:
    import pandas as pd

    from bboxbench.experiments.sweep import SweepResult

__all__ = ["distribution_table", "strip"]

BLOCKS = " ▁▂▃▄▅▆▇█"
"""Heights of the small histogram."""
BINS = 10


NARROW = 100
"""Columns of a terminal below which two lines stand for a cell instead of one."""


class _Row(NamedTuple):
    """One row of the table, in words."""

    names: tuple[str, ...]
    runs: str
    outcomes: str
    median: str
    spread: str
    histogram: str
    keras_accuracy: str
    style: str = ""


def distribution_table(result: SweepResult, width: int) -> Table:
    """A row a cell: outcomes, median and range of box accuracy, and a small histogram over its runs.

    Args:
        result: of a finished sweep.
        width: of the terminal, in characters; a narrow one gets two lines a cell.
    """
    cells = result.distribution
    others = [name for name in ("optimizer", "learning_rate", "head", "start") if cells[name].nunique() > 1]
    names = ("loss", "initializer", *others)
    rows = [_cell_row(cell, names, _runs_of(result.runs, cell)) for _, cell in cells.iterrows()]
    rows += [_baseline_row(row, len(names)) for _, row in result.baselines.iterrows()]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="Box accuracy over the seeds", title_justify="left")
    scale = "0" + " " * (BINS - 2) + "1"
    if width >= NARROW:
        for name in names:
            table.add_column(name.replace("_", " "), overflow="fold")
        for name in ("runs", "outcomes", "median", "min to max", scale, "Keras 'accuracy'"):
            right = name in ("runs", "median", "Keras 'accuracy'")
            table.add_column(name, justify="right" if right else "left", no_wrap=name in ("min to max", scale))
    else:
        table.add_column("cell", overflow="fold")
        table.add_column("outcomes")
        table.add_column("median, range", no_wrap=True)
        table.add_column(scale, no_wrap=True)
    for number, row in enumerate(rows, start=1):
        if width >= NARROW:
            table.add_row(*row.names, *row[1:-1], style=row.style, end_section=number == len(cells))
        else:
            cell = "\n".join(name for name in row.names if name)
            histogram = f"{row.histogram}\nKeras {row.keras_accuracy}"
            figures = f"{row.median}\n{row.spread}"
            table.add_row(cell, row.outcomes, figures, histogram, style=row.style, end_section=True)
    return table


def _cell_row(cell: pd.Series, names: tuple[str, ...], runs: pd.DataFrame) -> _Row:
    accuracies = [float(x) if ok == "ok" else 0.0 for x, ok in zip(runs["box_accuracy"], runs["status"], strict=True)]
    return _Row(
        tuple(str(cell[name]) for name in names),
        str(cell["runs"]),
        _outcomes(cell),
        f"{cell['box_accuracy_median']:.3f}",
        f"{cell['box_accuracy_min']:.3f} to {cell['box_accuracy_max']:.3f}",
        strip(accuracies),
        # A cell of failed runs has none.
        "-" if math.isnan(cell["keras_accuracy_median"]) else f"{cell['keras_accuracy_median']:.2f}",
    )


def _baseline_row(row: pd.Series, columns: int) -> _Row:
    names = (f"{row['baseline']} box", *[""] * (columns - 1))
    accuracy = float(row["box_accuracy"])
    said = f"{row['keras_accuracy']:.2f}"
    return _Row(names, "", "ignores the picture", f"{accuracy:.3f}", "", strip([accuracy]), said, "dim")


def _runs_of(runs: pd.DataFrame, cell: pd.Series) -> pd.DataFrame:
    keys = ["loss", "initializer", "optimizer", "learning_rate", "head", "start"]
    return runs[(runs[keys] == cell[keys].to_list()).all(axis=1)]


def _outcomes(cell: pd.Series) -> str:
    """As in '3 converged, 2 blind (2 pinned)'."""
    names = ("converged", "learning", "blind", "diverged", "failed")
    said = ", ".join(f"{cell[name]} {name}" for name in names if cell[name])
    symptoms = ", ".join(f"{cell[name]} {name}" for name in ("pinned", "inverted", "constant") if cell[name])
    return f"{said} ({symptoms})" if symptoms else said


def strip(values: list[float]) -> str:
    """A histogram of values in [0, 1], one character a tenth."""
    counts = [0] * BINS
    for value in values:
        counts[min(BINS - 1, int(value * BINS))] += 1
    top = max(counts)
    return "".join(BLOCKS[-(-count * (len(BLOCKS) - 1) // top)] for count in counts)
