"""The tables of the page: every number that a figure shows, as text beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from bboxbench.experiments.columns import PROFILE, RUNS
from bboxbench.experiments.figures import states
from bboxbench.experiments.figures.distributions import last_epochs_table
from bboxbench.experiments.recorded import RecordedSweep
from bboxbench.experiments.report.cells import Cell
from bboxbench.experiments.report.words import SURE, interval, number

__all__ = [
    "Column",
    "Table",
    "Value",
    "distribution_rows",
    "last_epochs_rows",
    "pair_rows",
    "profile_rows",
    "run_columns",
    "run_rows",
    "trap_rows",
    "value",
]


class Column(NamedTuple):
    """A column's head."""

    name: str
    number: bool = True
    """Whether its values are numbers: set to the right, sorted by size."""
    title: str = ""
    """More about it."""


class Value(NamedTuple):
    """A number as it is read and as it is sorted."""

    text: str
    sort: str


@dataclass(frozen=True)
class Table:
    """A table of the page; the first column heads its rows."""

    caption: str
    columns: tuple[Column, ...]
    rows: list[list[Any]]
    summary: str = "The same in numbers"
    """What is said where the table is folded away."""


def value(x: Any, digits: int = 2) -> Value:
    """A number for reading and sorting; one that is missing sorts below all."""
    if x is None or pd.isna(x):
        return Value(number(None), "")
    if math.isinf(x):
        return Value(number(x), "1e999" if x > 0 else "-1e999")
    return Value(number(x, digits), repr(round(float(x), 6)))


def _count(n: Any) -> Value:
    return Value(f"{int(n):,}", str(int(n)))


def _between(row: Any, name: str) -> Value:
    return Value(interval(row, name), repr(round(float(row[f"{name}_low"]), 6)))


LEAST_GAP = 0.05
"""Runs whose two numbers are nearer than this are no example of the trap."""
LOSS, WHERE = Column("loss", False), Column("start and settings", False)


def distribution_rows(cells: Sequence[Cell]) -> Table:
    """Box accuracy of each cell, with intervals."""
    rows = []
    for cell in cells:
        row = cell.row
        rows.append(
            [
                cell.loss,
                cell.group,
                _count(cell.n),
                _count(row["converged"]),
                value(row["converged_rate"]),
                _between(row, "converged_rate"),
                value(row["expected_restarts"], 1),
                value(row["box_accuracy_median"]),
                _between(row, "box_accuracy_median"),
                value(row["box_accuracy_iqm"]),
                _between(row, "box_accuracy_iqm"),
                value(row["box_accuracy_min"]),
                value(row["box_accuracy_max"]),
                value(row["keras_accuracy_median"]),
                value(row["learning_rate"], 6)._replace(text=f"{row['learning_rate']:g}"),
            ]
        )
    columns = (
        LOSS,
        WHERE,
        Column("runs", title="finished, failed and diverged ones included"),
        Column("converged"),
        Column("rate"),
        Column(f"{SURE} interval", title="Wilson's, of the rate of converged runs"),
        Column("starts until one converges", title="expected number of runs, the one that converges included"),
        Column("median", title="of box accuracy over the runs; a failed run counts 0"),
        Column(f"{SURE} interval", title="of the median, by percentile bootstrap"),
        Column("interquartile mean", title="mean of the middle half of the runs"),
        Column(f"{SURE} interval", title="of the interquartile mean, by percentile bootstrap"),
        Column("min"),
        Column("max"),
        Column("Keras accuracy", title='median over the runs of what metrics=["accuracy"] shows: not one of boxes'),
        Column("learning rate"),
    )
    return Table(f"Box accuracy and outcomes of each combination, with {SURE} intervals", columns, rows)


def trap_rows(runs: pd.DataFrame, labels: pd.DataFrame, most: int = 8) -> Table:
    """The runs in which Keras's accuracy is furthest above box accuracy; of each cell the widest."""
    ok = runs[runs["status"] == "ok"]
    gap = (ok["keras_accuracy"].astype(float) - ok["box_accuracy"].astype(float)).sort_values(ascending=False)
    rows: list[list[Any]] = []
    seen: set[tuple[str, str]] = set()
    for index in gap.index:
        place = (str(labels.loc[index, "loss"]), str(labels.loc[index, "group"]))
        if gap[index] < LEAST_GAP or len(rows) == most:
            break
        if place in seen:
            continue
        seen.add(place)
        run = runs.loc[index]
        rows.append([", ".join(place), _count(run["seed"]), value(run["keras_accuracy"]), value(run["box_accuracy"])])
    columns = (Column("combination", False), Column("seed"), Column("Keras accuracy"), Column("box accuracy"))
    return Table("The widest gaps, one run of each combination", columns, rows)


def last_epochs_rows(cells: Sequence[Cell], epochs: pd.DataFrame) -> Table:
    """How much the last three epochs of the runs of each cell differ."""
    table = last_epochs_table(epochs)
    span = table["high"] - table["low"]
    rows = []
    for cell in cells:
        mine = span[span.index.isin(cell.runs["run_id"])]
        last = table["last"][table.index.isin(cell.runs["run_id"])]
        rows.append(
            [
                cell.loss,
                cell.group,
                _count(len(mine)),
                value(last.median() if len(last) else None),
                value(mine.median() if len(mine) else None),
                value(mine.max() if len(mine) else None),
            ]
        )
    columns = (
        LOSS,
        WHERE,
        Column("runs", title="with three epochs that were looked at"),
        Column("after the last epoch", title="median of validation box accuracy"),
        Column("range, median", title="greatest less least validation box accuracy of the last three epochs"),
        Column("range, widest"),
    )
    caption = "How much validation box accuracy moves over the last three epochs of a run"
    return Table(caption, columns, rows, "How much the last three epochs differ")


def profile_rows(cells: Sequence[Cell]) -> Table:
    """The share of boxes of each cell that reach some IoU thresholds."""
    shown = {name: at for name, at in PROFILE.items() if at in (0.1, 0.25, 0.5, 0.75, 0.9, 0.95)}
    columns = (LOSS, WHERE, *(Column(f"IoU ≥ {at:g}") for at in shown.values()))
    rows = [[cell.loss, cell.group, *(value(cell.row[name]) for name in shown)] for cell in cells]
    return Table("Share of the test boxes that reach an IoU, in the mean over the runs", columns, rows)


def pair_rows(comparisons: pd.DataFrame) -> list[dict[str, Any]]:
    """The pairs, with where their intervals lie on a line from 0 to 1 in per cent."""
    rows = []
    for pair in comparisons.to_dict("records"):
        better, low, high = (float(pair[f"probability_of_improvement{end}"]) for end in ("", "_low", "_high"))
        p = value(pair["p_value_holm"], 3)
        difference, power = value(pair["median_difference"]), value(pair["power"])
        rows.append(
            {
                "where": pair["where"],
                "a": pair["a"],
                "b": pair["b"],
                "a_wins": int(pair["a_wins"]),
                "record": " : ".join(str(int(pair[name])) for name in ("a_wins", "ties", "b_wins")),
                "left": round(100 * low, 2),
                "right": round(100 - 100 * high, 2),
                "at": round(100 * better, 2),
                "value": number(better),
                "sort": better,
                "low": low,
                "interval": interval(pair, "probability_of_improvement"),
                "difference": difference.text,
                "difference_sort": difference.sort,
                "p": "<0.001" if p.sort and float(p.sort) < 0.001 else p.text,
                "p_sort": p.sort,
                "power": power.text,
                "power_sort": power.sort,
            }
        )
    return rows


SHOWN = {
    "box_accuracy": ("box accuracy", 3),
    "box_accuracy_75": ("at 0.75", 3),
    "mean_iou": ("mean IoU", 3),
    "keras_accuracy": ("Keras accuracy", 3),
    "correlation": ("correlation", 2),
    "spread": ("spread", 2),
    "edge_error_px": ("edge error", 1),
    "seconds": ("seconds", 0),
}
"""Columns of runs.csv in the table of runs: head, and digits behind the point."""


def run_columns(group_word: str, any_error: bool) -> list[Column]:
    """Heads of the table of runs."""
    columns = [LOSS, Column(group_word, False), Column("seed"), Column("outcome", False), Column("symptom", False)]
    columns += [Column(name, title=RUNS[key]) for key, (name, _) in SHOWN.items()]
    return [*columns, Column("error", False)] if any_error else columns


def run_rows(sweep: RecordedSweep, labels: pd.DataFrame) -> list[dict[str, Any]]:
    """Every run, in the order of the journal."""
    runs = sweep.runs
    state = states(runs)
    return [
        {
            "loss": str(labels.loc[index, "loss"]),
            "group": str(labels.loc[index, "group"]),
            "seed": int(run["seed"]),
            "state": str(state[index]),
            "symptom": run["symptom"] if isinstance(run["symptom"], str) else "",
            "measures": [value(run[key], digits) for key, (_, digits) in SHOWN.items()],
            "error": run["error"] if isinstance(run["error"], str) else "",
        }
        for index, run in zip(runs.index, runs.to_dict("records"), strict=True)
    ]
