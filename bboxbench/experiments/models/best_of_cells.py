"""Which run of each cell is the best by its validation pictures: whose network ``--save-models best`` keeps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bboxbench.experiments.cells import CELL

__all__ = ["MODEL_SUFFIX", "BestOfCells", "cell_values", "model_file", "superseded"]

MODEL_SUFFIX = ".keras"
"""How the name of a model's file ends: Keras goes by it."""


def model_file(folder: Path, run_id: str) -> Path:
    """Where the model of a run lies in the results folder ``folder``."""
    return folder / "models" / f"{run_id}{MODEL_SUFFIX}"


def cell_values(record: dict[str, Any]) -> tuple[Any, ...]:
    """The cell of a journal's line, by the values of its columns."""
    return tuple(record["row"].get(name) for name in CELL)


def validated(record: dict[str, Any]) -> float | None:
    """Mean IoU on the validation pictures of the network that a run ended with; None where there is no such network.

    Args:
        record: a journal's line.
    """
    epochs, row = record["epochs"], record["row"]
    if row["status"] != "ok" or row.get("outcome") == "diverged" or not epochs:
        return None
    value = epochs[(row.get("kept_epoch") or len(epochs)) - 1].get("val_mean_iou")
    return None if value is None else float(value)


class BestOfCells:
    """The best run of each cell among those seen so far, in whatever order they come.

    Of two that are equal it is the one with the lower seed; of one cell and seed the later counts, as after a loss of
    one's own was edited.
    """

    def __init__(self, records: Iterable[dict[str, Any]] = ()) -> None:
        self._cells: dict[tuple[Any, ...], dict[int, tuple[float, str]]] = defaultdict(dict)
        for record in records:
            self.add(record)

    def add(self, record: dict[str, Any]) -> str | None:
        """See one more run; gives the run_id of the best of its cell, None where there is none yet."""
        row = record["row"]
        runs = self._cells[cell_values(record)]
        score = validated(record)
        if score is None:
            runs.pop(row["seed"], None)
        else:
            runs[row["seed"]] = (score, record["run_id"])
        return self._best(runs)

    @property
    def run_ids(self) -> set[str]:
        """Of the best of every cell."""
        return {best for runs in self._cells.values() if (best := self._best(runs)) is not None}

    @staticmethod
    def _best(runs: dict[int, tuple[float, str]]) -> str | None:
        return max(((score, -seed, run_id) for seed, (score, run_id) in runs.items()), default=(0, 0, None))[2]


def superseded(folder: Path, records: Sequence[dict[str, Any]]) -> list[str]:
    """The runs whose model was kept as the best of its cell, and is no more, as after sweeps were merged.

    Only a run whose own model lies there takes the place of another: the best network that a cell has stays.

    Args:
        folder: of the results.
        records: of its journal.
    """
    if not any(record.get("model_kept") == "best" for record in records):
        return []
    # Of one cell and seed the later counts, whether it has a model or not.
    valid = {(cell_values(record), record["row"]["seed"]): record for record in records}.values()
    there = [r for r in valid if r.get("model_sha256") and model_file(folder, r["run_id"]).is_file()]
    best = BestOfCells(there).run_ids
    settled = {cell_values(record) for record in there if record["run_id"] in best}
    return [
        record["run_id"]
        for record in records
        if record.get("model_kept") == "best" and record["run_id"] not in best and cell_values(record) in settled
    ]
