"""The results folder: who may write it, what it holds already, and how a finished run gets into it."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bboxbench.errors import FolderConflict, InputError, write_errors
from bboxbench.experiments.journal import Journal, each_record
from bboxbench.experiments.known_folder import read_known
from bboxbench.experiments.rules import RULES
from bboxbench.experiments.spec import AXES, SweepSpec
from bboxbench.files import claim_folder, file_sha256, make_folder, remove_unfinished, write_atomically

__all__ = [
    "SCHEMA",
    "ResultsFolder",
    "check_folder",
    "claim_results",
    "differences",
    "finished_runs",
    "is_kept",
    "joined_axes",
    "load_predictions",
    "open_results",
    "predictions_file",
    "read_predictions",
]

SCHEMA = 1
"""Version of the folder's layout; a newer one is refused."""

MANIFEST, JOURNAL, LOGS = "sweep.json", "journal.jsonl", "logs"
PROGRESS = "progress.json"
"""How far a running sweep is, renewed every few seconds: see `bboxbench.experiments.progress`."""


class ResultsFolder:
    """One sweep's folder, claimed by this process. `open_results` makes it."""

    def __init__(self, path: Path, journal: Journal) -> None:
        self.path, self.journal = path, journal

    def add(self, record: dict[str, Any], predictions: npt.NDArray[np.float32] | None, log: str = "") -> None:
        """Keep a finished run: its predictions and log first, synced, then its journal line with their hash and place.

        Args:
            record: with ``run_id``, ``row``, ``epochs`` and ``histogram``.
            predictions: relative xyxy boxes (n_test, 4), kept as float16; None for a failed run.
            log: what is written beside a failed run. One of the same run from before is removed where it is empty.

        Raises:
            CannotWrite: disk full, no permission. The journal is then as it was.
        """
        if predictions is not None:
            content = io.BytesIO()
            with np.errstate(over="ignore"):  # a diverged run's boxes may be past float16: they become infinite
                np.savez_compressed(content, boxes=predictions.astype(np.float16))
            record["predictions_sha256"] = hashlib.sha256(content.getvalue()).hexdigest()
            write_atomically(predictions_file(self.path, record["run_id"]), content.getvalue())
        place = self.path / LOGS / f"{record['run_id']}.log"
        record["row"]["log"] = place.relative_to(self.path).as_posix() if log else ""
        if log:
            make_folder(place.parent)
            write_atomically(place, log)
        self.journal.append(record)
        if not log:
            with write_errors(place):
                place.unlink(missing_ok=True)


@contextmanager
def open_results(
    path: Path,
    spec: SweepSpec,
    dataset_sha256: str,
    environment: dict[str, Any],
    warn: Callable[[str], None] = lambda _: None,
    planned: Mapping[str, str] | None = None,
) -> Iterator[ResultsFolder]:
    """Claim a new folder, or one that holds runs of the same settings on the same data.

    Args:
        path: of the folder; made if need be.
        spec: of the sweep; its axes may differ from those of the runs that are there.
        dataset_sha256: identity of the data set.
        environment: recorded in sweep.json.
        warn: told of a torn journal tail.
        planned: the run_id of every run that is asked for, by a name of its cell and seed. Kept in sweep.json beside
            those that were asked for before; of two under one name, as after a loss was edited, the newer.

    Raises:
        FolderConflict: other settings, another data set, something that is no sweep, or a live process writing it.
        InputError: ``path`` is a file, or its journal or sweep.json is damaged.
        CannotWrite: no permission, disk full.
    """
    manifest = {
        "schema": SCHEMA,
        "spec": spec.to_dict(),
        "settings": _settings(spec, dataset_sha256),
        "spec_sha256": spec.sha256(),
        "environment": environment,
        "runs": dict(planned or {}),
    }
    with claim_results(path, manifest, warn) as results:
        yield results


@contextmanager
def claim_results(
    path: Path, manifest: dict[str, Any], warn: Callable[[str], None] = lambda _: None
) -> Iterator[ResultsFolder]:
    """The same for one who has the content of a sweep.json and no spec: what is there already is added to.

    Args:
        path: of the folder; made if need be.
        manifest: as `open_results` writes it.
        warn: told of a torn journal tail.

    Raises:
        FolderConflict: other settings, another data set, something that is no sweep, or a live process writing it.
        InputError: ``path`` is a file, or its journal or sweep.json is damaged.
        CannotWrite: no permission, disk full.
    """
    _found(path, manifest["settings"])
    make_folder(path)
    with claim_folder(path):
        found = _found(path, manifest["settings"]) or {}
        remove_unfinished(path)
        # In the order of this plan, so that the tables are those of one that was never stopped nor grown.
        asked = {**manifest["runs"], **found.get("runs", {}), **manifest["runs"]}
        content = {
            **found,
            **manifest,
            "spec": joined_axes(found.get("spec", {}), manifest["spec"]),
            "runs": asked,
        }
        # The first thing that is written says whose folder this is: whatever happens next, it can be gone on with.
        write_atomically(path / MANIFEST, json.dumps(content, indent=2) + "\n")
        make_folder(path / "predictions")
        make_folder(path / "report")
        yield ResultsFolder(path, Journal(path / JOURNAL, warn, asked.values()))


def check_folder(path: Path, spec: SweepSpec) -> None:
    """Refuse a folder that holds something else, before its pictures are drawn: no prediction is read.

    Raises:
        FolderConflict: as `open_results` says.
        InputError: its sweep.json is damaged.
    """
    _found(path, _settings(spec, ""))


def finished_runs(path: Path, spec: SweepSpec, dataset_sha256: str) -> dict[str, str]:
    """The runs in the folder ``path`` whose predictions are there as they were written: run_id to status.

    Nothing is written, so that a plan can be made before a folder is touched. A failed run has no predictions.

    Raises:
        FolderConflict: the folder holds something else, as `open_results` says.
        InputError: its journal or sweep.json is damaged.
    """
    if not _found(path, _settings(spec, dataset_sha256)):
        return {}
    return {
        record["run_id"]: record["row"]["status"]
        for record in each_record(path / JOURNAL)
        if record["row"]["status"] != "ok" or is_kept(path, record)
    }


def is_kept(path: Path, record: dict[str, Any]) -> bool:
    """Whether the predictions of a journal's ``record`` are in the folder ``path`` as they were written."""
    file = predictions_file(path, record["run_id"])
    return file.exists() and file_sha256(file) == record.get("predictions_sha256")


def predictions_file(folder: Path, run_id: str) -> Path:
    """Where the predicted boxes of a run are kept."""
    return folder / "predictions" / f"{run_id}.npz"


def joined_axes(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The spec ``new`` with the axes of ``old``, too: what a folder holds after both. Either is of a sweep.json.

    Rules stay where both have the same: no rule says which cells either of two different ones leaves.
    """
    axes = {name: [*old.get(name, []), *(v for v in new[name] if v not in old.get(name, []))] for name in AXES}
    rules = {name: new[name] if not old or old.get(name) == new[name] else [] for name in RULES}
    return {**new, **axes, **rules}


def _settings(spec: SweepSpec, dataset_sha256: str) -> dict[str, Any]:
    return {**spec.settings(), "dataset_sha256": dataset_sha256}


def _found(path: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    """The content of the folder's sweep.json, None where there is no sweep yet; raises unless it has these settings.

    Settings without the data set's hash are of one that is not drawn yet.
    """
    found = read_known(
        path, MANIFEST, "a sweep's", SCHEMA, lambda content: (dict(content["spec"]), dict(content.get("runs", {})))
    )
    if found is None:
        return None
    there = dict(found["settings"])
    here = {**settings, "dataset_sha256": settings["dataset_sha256"] or there.get("dataset_sha256")}
    if changes := differences(there, here):
        raise FolderConflict(
            f"{path} holds a sweep with {changes}. Use the same settings, or another folder with --out."
        )
    return found


def differences(there: dict[str, Any], here: dict[str, Any], word: str = "now") -> str:
    """In what two sweeps' settings differ, as in "epochs 2 (now 3), dropout 0.2 (now 0.3)"; empty where in nothing.

    Args:
        there: the settings that are named first.
        here: those in brackets.
        word: what these are.
    """
    here, there = ({**values, **values.get("pictures", {}), "pictures": None} for values in (here, there))
    differing = [name for name in sorted({*there, *here}) if there.get(name) != here.get(name)]
    return ", ".join(f"{name} {_short(there.get(name))} ({word} {_short(here.get(name))})" for name in differing)


def _short(value: Any) -> str:
    return f"{value[:12]}..." if isinstance(value, str) and len(value) == 64 else str(value)


def read_predictions(folder: Path, run_id: str) -> npt.NDArray[np.float32]:
    """The predicted boxes of a finished run, relative xyxy, shape (n_test, 4), in the order of the test split.

    Raises:
        InputError: the run has none, or the file is not the one that was written.
    """
    record = next((each for each in each_record(folder / JOURNAL) if each["run_id"] == run_id), None)
    return load_predictions(folder, run_id, record)


def load_predictions(folder: Path, run_id: str, record: dict[str, Any] | None) -> npt.NDArray[np.float32]:
    """The same for one who has read the journal: ``record`` is the run's line, None where it has none.

    Raises:
        InputError: the run has no predictions, or the file is not the one that was written.
    """
    if record is None or not is_kept(folder, record):
        raise InputError(f"Expected the predictions of a finished run. Those of {run_id} in {folder} are not whole.")
    with np.load(predictions_file(folder, run_id), allow_pickle=False) as content:
        return np.asarray(content["boxes"], np.float32)
