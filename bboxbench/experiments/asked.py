"""What a sweep is asked for, as its sweep.json keeps it: the run_id of every run by a name of its cell and seed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from bboxbench.experiments.cells import CELL

if TYPE_CHECKING:
    from bboxbench.experiments.plan import Run

__all__ = ["asked_for", "cell_of"]


def asked_for(runs: Iterable[Run]) -> dict[str, str]:
    """The run_id of every run by the values of its cell and its seed, as in "mse he_normal adam 0.001 ... 3"."""
    return {f"{' '.join(map(str, run.cell.row().values()))} {run.seed}": run.run_id for run in runs}


def cell_of(name: str) -> dict[str, Any] | None:
    """The cell of a name that `asked_for` gave, by the columns `CELL`; None where it has other columns."""
    words = name.split(" ")[:-1]
    return dict(zip(CELL, map(_value, words), strict=True)) if len(words) == len(CELL) else None


def _value(word: str) -> Any:
    try:
        value = json.loads(word)
    except ValueError:
        return word
    return value if isinstance(value, (int, float)) else word
