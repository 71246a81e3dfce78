"""What has become of each cell so far: counts and box accuracies, kept up run by run."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bboxbench.experiments.cells import CELL
from bboxbench.experiments.outcomes import OUTCOMES

__all__ = ["STATES", "CellTally", "Tally", "state_of"]

STATES = (*OUTCOMES, "failed")
"""What a run can have become."""


def state_of(row: Mapping[str, Any]) -> str:
    """The outcome of a run by its row of runs.csv, or "failed"."""
    return str(row["outcome"]) if row["status"] == "ok" else "failed"


@dataclass
class CellTally:
    """One cell so far."""

    values: dict[str, Any]
    """The cell by column name."""
    planned: int = 0
    """Runs that are asked for."""
    states: Counter[str] = field(default_factory=Counter)
    """How many runs became each of `STATES`."""
    accuracies: list[float] = field(default_factory=list)
    """Box accuracies in rising order; a failed run gave no box and counts 0."""

    @property
    def done(self) -> int:
        """Finished runs, failed ones included."""
        return self.states.total()

    @property
    def best(self) -> float | None:
        """Highest box accuracy so far."""
        return self.accuracies[-1] if self.accuracies else None

    @property
    def median(self) -> float | None:
        """Median box accuracy so far."""
        middle, count = len(self.accuracies) // 2, len(self.accuracies)
        if not count:
            return None
        return self.accuracies[middle] if count % 2 else sum(self.accuracies[middle - 1 : middle + 1]) / 2

    def to_dict(self) -> dict[str, Any]:
        """As a program reads it: the cell's columns, ``planned``, ``done``, a count a state, ``best``, ``median``."""
        counts = {state: self.states[state] for state in STATES}
        return {
            **self.values,
            "planned": self.planned,
            "done": self.done,
            **counts,
            "best": self.best,
            "median": self.median,
        }


class Tally:
    """All cells of a sweep, in the order in which they were first heard of."""

    def __init__(self) -> None:
        self._cells: dict[tuple[Any, ...], CellTally] = {}
        self.planned = 0
        """Runs of all cells that are asked for."""
        self.states: Counter[str] = Counter()
        """How many runs of all cells became each of `STATES`."""

    @property
    def cells(self) -> list[CellTally]:
        """Every cell so far."""
        return list(self._cells.values())

    @property
    def done(self) -> int:
        """Finished runs of all cells, failed ones included."""
        return self.states.total()

    def plan(self, cell: Mapping[str, Any], runs: int = 1) -> None:
        """So many more runs of a cell are asked for; ``cell`` has at least the columns `CELL`."""
        self._of(cell).planned += runs
        self.planned += runs

    def add(self, row: Mapping[str, Any]) -> None:
        """A run is finished; ``row`` has the columns of runs.csv. One that nobody asked for counts as asked for now."""
        cell = self._of(row)
        cell.states[state_of(row)] += 1
        self.states[state_of(row)] += 1
        self.plan(row, max(0, cell.done - cell.planned))
        insort(cell.accuracies, _accuracy(row))

    def take_back(self, row: Mapping[str, Any]) -> None:
        """A run that was added is trained again, or was: ``row`` no longer counts."""
        cell = self._of(row)
        cell.states[state_of(row)] -= 1
        self.states[state_of(row)] -= 1
        del cell.accuracies[bisect_left(cell.accuracies, _accuracy(row))]

    def _of(self, row: Mapping[str, Any]) -> CellTally:
        values = {name: row[name] for name in CELL}
        return self._cells.setdefault(tuple(values.values()), CellTally(values))


def _accuracy(row: Mapping[str, Any]) -> float:
    return float(row["box_accuracy"]) if row["status"] == "ok" else 0.0
