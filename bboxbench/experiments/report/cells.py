"""A sweep's cells as the report looks at them: their runs, their row of distribution.csv, and the run in the middle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bboxbench.experiments.cells import CELL, STRENGTH, conditions, enough_runs, without_initializer
from bboxbench.experiments.outcomes import OUTCOMES, SYMPTOMS
from bboxbench.experiments.recorded import RecordedSweep

__all__ = ["STATES", "Cell", "cells_of", "strongest_first"]

STATES = (*OUTCOMES, "failed")
"""What can become of a run: its outcome, or that its training raised."""


@dataclass(frozen=True)
class Cell:
    """All runs that differ in the seed alone."""

    number: int
    """From 0, in the order of the journal: names the cell within the page."""
    loss: str
    group: str
    """The rest of the cell in words, as in "glorot_uniform"."""
    but_initializer: str
    """All of the cell but its initializer in words, as in "giou"."""
    runs: pd.DataFrame
    """Its rows of runs.csv, by seed."""
    row: Mapping[Any, Any]
    """Its row of distribution.csv."""

    @property
    def n(self) -> int:
        """Number of runs, failed and diverged ones included."""
        return len(self.runs)

    @property
    def states(self) -> dict[str, int]:
        """Number of runs in each of `STATES` that occurs."""
        return {name: count for name in STATES if (count := int(self.row[name]))}

    @property
    def symptoms(self) -> dict[str, int]:
        """Number of runs with each symptom that occurs."""
        return {name: count for name in SYMPTOMS if (count := int(self.row[name]))}

    @property
    def middle(self) -> pd.Series[Any]:
        """The median run: by box accuracy, then mean IoU, then seed; of an even number the lower one.

        A failed run gave no box, so it stands below all others.
        """
        ok = self.runs["status"] == "ok"
        ranked = self.runs.assign(
            _ok=ok, _a=self.runs["box_accuracy"].astype(float), _m=self.runs["mean_iou"].astype(float)
        ).sort_values(["_ok", "_a", "_m", "seed"], na_position="first", kind="stable")
        middle: pd.Series[Any] = self.runs.loc[ranked.index[(self.n - 1) // 2]]
        return middle

    @property
    def fails(self) -> bool:
        """Whether the median run did not converge."""
        middle = self.middle
        return not (middle["status"] == "ok" and middle["outcome"] == "converged")

    @property
    def strength(self) -> tuple[float, ...]:
        """What cells are ranked by: lower end of the converged rate, then median box accuracy, then median mean IoU."""
        return tuple(float(self.row[name]) for name in STRENGTH)


def strongest_first(cells: Iterable[Cell]) -> list[Cell]:
    """The cells by `Cell.strength`; those without `enough_runs` beside the others stand behind them."""
    mine = list(cells)
    most = max((cell.n for cell in mine), default=0)
    return sorted(mine, key=lambda cell: (enough_runs(cell.n, most), cell.strength), reverse=True)


def cells_of(sweep: RecordedSweep) -> list[Cell]:
    """The cells of a sweep that have a run, losses in the order of the journal and within each its groups."""
    runs = sweep.latest
    labels = conditions(runs)
    others = without_initializer(runs)["group"]
    distribution = {tuple(row[name] for name in CELL): row for row in sweep.distribution.to_dict("records")}
    losses, groups = list(dict.fromkeys(labels["loss"])), list(dict.fromkeys(labels["group"]))
    found: list[Cell] = []
    for loss in losses:
        for group in groups:
            mine = runs[(labels["loss"] == loss) & (labels["group"] == group)]
            if mine.empty:
                continue
            key = tuple(mine.iloc[0][name] for name in CELL)
            rest = str(others.loc[mine.index[0]])
            found.append(Cell(len(found), loss, group, rest, mine.sort_values("seed"), distribution[key]))
    return found
