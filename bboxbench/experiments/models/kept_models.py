"""Which trained networks a sweep keeps beside its tables: none, the best of each cell, or all.

The best is the one with the highest mean IoU on the validation pictures, never on those it is tested with.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from bboxbench.errors import InputError, write_errors
from bboxbench.experiments.models.best_of_cells import BestOfCells, cell_values, model_file, superseded
from bboxbench.experiments.models.saving import model_bytes, trained_network, why_not_loadable
from bboxbench.experiments.spec import NETWORK
from bboxbench.files import make_folder, write_atomically

if TYPE_CHECKING:
    from bboxbench.experiments.plan import Run
    from bboxbench.experiments.spec import SweepSpec
    from bboxbench.experiments.training import TrainedRun

__all__ = ["KeptModels", "check_savable"]

NAMED = 3
"""So many runs are named in a warning, not more."""


def check_savable(run: Run, spec: SweepSpec, which: str, width: int, height: int) -> None:
    """Find out before anything is trained whether models can be kept as ``which`` says.

    Args:
        run: any of the sweep.
        spec: of it.
        which: "none", "best" or "all".
        width: of the pictures, in pixels.
        height: the same.

    Raises:
        InputError: there are no validation pictures to tell the best by, or the user's network could not be loaded.
    """
    if which == "best" and not spec.validation:
        raise InputError("Expected validation pictures to tell the best run by. Received: --validation 0.")
    if which != "none" and spec.network != NETWORK:
        from bboxbench.experiments.fit import untrained

        if reason := why_not_loadable(untrained(run, spec, width, height)):
            raise InputError(
                f"Expected a network whose models can be loaded again. Received {spec.network}: {reason} "
                "Or leave out --save-models."
            )


class KeptModels:
    """The models of one results folder, written by the one who writes the folder.

    Args:
        folder: of the results, claimed.
        which: "none", "best" or "all".
        spec: of the sweep.
        size: width and height of the pictures, in pixels.
        records: of the folder's journal.
        warn: told in one line of what is not there as asked for.
    """

    def __init__(
        self,
        folder: Path,
        which: str,
        spec: SweepSpec,
        size: tuple[int, int],
        records: Sequence[dict[str, Any]],
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._folder, self._which, self._spec, self._size, self._warn = folder, which, spec, size, warn
        self._best = BestOfCells()
        self._as_best: dict[tuple[Any, ...], set[str]] = defaultdict(set)
        """By cell, the runs whose model lies there because it was the best."""
        if which == "none":
            return
        make_folder(folder / "models")
        if which == "best":
            self._best = BestOfCells(records)
            # One that was overtaken just before the driver died.
            overtaken = set(superseded(folder, records))
            for run_id in overtaken:
                self._remove(run_id)
            for record in records:
                if record.get("model_kept") == "best" and record["run_id"] not in overtaken:
                    self._as_best[cell_values(record)].add(record["run_id"])
        self._warn_of_missing(records)

    def write(self, trained: TrainedRun, record: dict[str, Any]) -> None:
        """Write the run's model, if it is to be kept, and put its hash into ``record``: before the journal's line.

        Raises:
            CannotWrite: disk full, no permission.
        """
        if self._which == "none":
            return
        run_id = record["run_id"]
        is_best = self._which == "best" and self._best.add(record) == run_id
        if trained.weights is None or not (self._which == "all" or is_best):
            self._remove(run_id)  # of a driver that died before it wrote the journal's line
            return
        try:
            content = model_bytes(trained_network(trained.run, self._spec, *self._size, trained.weights))
        except InputError as error:
            self._warn(f"The model of {run_id} is not kept: {error}")
            return
        finally:
            keras.backend.clear_session()  # else every network that was built is remembered
        record["model_sha256"] = hashlib.sha256(content).hexdigest()
        record["model_kept"] = self._which
        write_atomically(model_file(self._folder, run_id), content)

    def settle(self, record: dict[str, Any]) -> None:
        """Remove the model that the one of ``record`` overtook: behind the journal's line, so that one is always there.

        Raises:
            CannotWrite: no permission.
        """
        if record.get("model_kept") != "best":
            return
        same_cell = self._as_best[cell_values(record)]
        for run_id in same_cell - {record["run_id"]}:
            self._remove(run_id)
        same_cell.clear()
        same_cell.add(record["run_id"])

    def _remove(self, run_id: str) -> None:
        path = model_file(self._folder, run_id)
        with write_errors(path):
            path.unlink(missing_ok=True)

    def _warn_of_missing(self, records: Sequence[dict[str, Any]]) -> None:
        wanted = self._best.run_ids if self._which == "best" else None
        missing = [
            record["run_id"]
            for record in records
            if record["row"]["status"] == "ok"
            and (wanted is None or record["run_id"] in wanted)
            and not model_file(self._folder, record["run_id"]).exists()
        ]
        if missing:
            more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
            what = "best runs of their cells" if self._which == "best" else "finished runs"
            self._warn(
                f"Of {len(missing)} {what} there is no model, since they were trained without --save-models or it was "
                f"removed: {', '.join(missing[:NAMED])}{more}."
            )
