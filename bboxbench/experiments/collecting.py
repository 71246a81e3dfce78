"""Sweeps of the same settings that ran apart, as on several machines, put together into one folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bboxbench.errors import FolderConflict, InputError, read_errors, write_errors
from bboxbench.experiments.journal import read_records
from bboxbench.experiments.models.best_of_cells import model_file, superseded
from bboxbench.experiments.recorded import read_manifest
from bboxbench.experiments.results import (
    JOURNAL,
    LOGS,
    MANIFEST,
    ResultsFolder,
    claim_results,
    differences,
    is_kept,
    joined_axes,
    load_predictions,
    predictions_file,
)
from bboxbench.experiments.rules import RULES
from bboxbench.experiments.spec import AXES
from bboxbench.experiments.tables import write_views
from bboxbench.files import file_sha256, make_folder, write_atomically

__all__ = ["Collected", "collect"]

MODELS = "models"
BASELINES = "baselines.csv"
NAMED = 3
"""So many runs are named in a warning, not more."""


@dataclass(frozen=True)
class Collected:
    """What a folder holds after `collect`, and where it came from."""

    folder: Path
    planned: int
    """Runs that any of the sweeps was asked for."""
    runs: int
    """Runs in the folder, failed ones included."""
    failed: int
    """Of them, those that failed."""
    added: int
    """Runs that were not there before."""
    mended: int
    """Runs that were there, failed or damaged, and now have a result."""
    differing: list[str]
    """run_id of each run with two different results: the first stayed."""
    damaged: list[str]
    """run_id of each run whose predictions are missing or altered everywhere."""


def collect(
    sources: Sequence[Path],
    out: Path,
    warn: Callable[[str], None] = lambda _: None,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Collected:
    """Put every run of the sweeps in ``sources`` into the folder ``out``, each once.

    A result takes the place of a failure, and the first of two results stays. Predictions are believed by their hash.
    What ``out`` holds already comes first, so the same call again changes nothing; sweeps under way are taken as they
    are. The folder can be gone on with like any other.

    Args:
        sources: results folders; ``out`` among them is passed over. They are only read.
        out: a new folder, or a results folder of the same settings.
        warn: told in one line of what does not agree.
        on_progress: told of runs looked at and their number.

    Raises:
        FolderConflict: one of the sweeps has other settings or another data set, ``out`` holds something else, or a
            live process writes it. Nothing is written then.
        InputError: a folder is no sweep's, or is damaged. Nothing is written then.
        CannotWrite: disk full, no permission; what is collected so far is kept.
    """
    given = {folder.resolve(): folder for folder in sources if folder.resolve() != out.resolve()}
    folders = list(given.values())
    manifest = _joined([*([out] if (out / MANIFEST).exists() else []), *folders], warn)
    journals = [read_records(folder / JOURNAL) for folder in folders]
    for folder, records in zip(folders, journals, strict=True):
        _check_names(folder, records)
    total, done = sum(map(len, journals)), 0
    with claim_results(out, manifest, warn) as results:
        merge = _Merge(results)
        for folder, records in zip(folders, journals, strict=True):
            for record in records:
                merge.see(folder, record)
                done += 1
                on_progress(done, total)
        _keep_best_models(results)
        _take_baselines(folders, out)
        write_views(out, results.journal.records)
        found = merge.found(set(manifest["runs"].values()))
    if found.differing:
        warn(f"Of runs with two different results the first stays: {_named(found.differing)}.")
    if found.damaged:
        warn(f"Predictions are missing or altered, so these are trained again on resuming: {_named(found.damaged)}.")
    return found


def _joined(folders: list[Path], warn: Callable[[str], None]) -> dict[str, Any]:
    """One sweep.json for all ``folders``: the first one's, asked for what any of them was asked for."""
    manifests = [read_manifest(folder) for folder in folders]
    if not manifests:
        raise InputError("Expected the folder of another sweep than the one given with --out. Received none.")
    joined: dict[str, Any] = {**manifests[0], "runs": {}, "environments": {}}
    others: list[str] = []
    for folder, manifest in zip(folders, manifests, strict=True):
        if changes := differences(manifest["settings"], joined["settings"], "expected"):
            raise FolderConflict(
                f"{folder} holds a sweep with {changes}. Collect sweeps of the same settings as {folders[0]} has."
            )
        runs = manifest.get("runs", {})
        others += [name for name, run_id in runs.items() if joined["runs"].get(name, run_id) != run_id]
        both = joined_axes(joined["spec"], manifest["spec"])
        joined["spec"] = {**joined["spec"], **{axis: both[axis] for axis in (*AXES, *RULES)}}
        joined["runs"] = {**runs, **joined["runs"]}
        where = manifest.get("environments") or {str(folder): manifest.get("environment", {})}
        joined["environments"] = {**where, **joined["environments"]}
    if others:
        warn(
            f"Under one name two losses or networks were trained, as after an edit; the later counts: {_named(others)}."
        )
    return joined


def _check_names(folder: Path, records: list[dict[str, Any]]) -> None:
    """A run's name becomes that of files: it must lead nowhere else."""
    for record in records:
        if Path(record["run_id"]).name != record["run_id"]:
            raise InputError(f"Expected names of runs in {folder / JOURNAL}. Received: {record['run_id']!r}.")


class _Merge:
    """Takes runs into a claimed folder, one by one."""

    def __init__(self, results: ResultsFolder) -> None:
        self._results, self._out = results, results.path
        records = {record["run_id"]: record for record in results.journal.records}
        self._before = frozenset(records)
        self._whole = {i: r for i, r in records.items() if r["row"]["status"] != "ok" or is_kept(self._out, r)}
        self._taken: set[str] = set()
        # In order, each once.
        self._differing: dict[str, None] = {}
        self._damaged = dict.fromkeys(run_id for run_id in records if run_id not in self._whole)

    def see(self, folder: Path, record: dict[str, Any]) -> None:
        """Take a run of the sweep in ``folder`` if it is new or better than what is there."""
        run_id, ok = record["run_id"], record["row"]["status"] == "ok"
        mine = self._whole.get(run_id)
        if mine is None and not ok and run_id in self._before:
            return  # a damaged result says more than a failure, and is trained again on resuming
        if mine is None or (ok and mine["row"]["status"] != "ok"):
            if ok and not is_kept(folder, record):
                self._damaged[run_id] = None
                return
            _take(folder, record, self._results)
            self._taken.add(run_id)
            self._whole[run_id] = record
        elif _differs(self._out, mine, folder, record):
            self._differing[run_id] = None

    def found(self, asked: set[str]) -> Collected:
        """What came of it; ``asked`` are the run_ids that any of the sweeps was asked for."""
        there = self._before | self._taken
        records = self._results.journal.records
        return Collected(
            folder=self._out,
            planned=len(there | asked),
            runs=len(there),
            failed=sum(record["row"]["status"] != "ok" for record in records),
            added=len(self._taken - self._before),
            mended=len(self._taken & self._before),
            differing=list(self._differing),
            damaged=[run_id for run_id in self._damaged if run_id not in self._whole],
        )


def _differs(out: Path, mine: dict[str, Any], folder: Path, record: dict[str, Any]) -> bool:
    """Whether both are whole results and not the same; equal boxes may be other bytes where another zlib deflated."""
    if mine["row"]["status"] != "ok" or record["row"]["status"] != "ok":
        return False
    if mine.get("predictions_sha256") == record.get("predictions_sha256") or not is_kept(folder, record):
        return False
    first, second = (load_predictions(place, each["run_id"], each) for place, each in ((out, mine), (folder, record)))
    return not np.array_equal(first, second, equal_nan=True)


def _take(folder: Path, record: dict[str, Any], results: ResultsFolder) -> None:
    """Copy a run's files, each synced, then its line of the journal, which makes it count."""
    run_id, ok = record["run_id"], record["row"]["status"] == "ok"
    log, model = folder / LOGS / f"{run_id}.log", folder / MODELS / f"{run_id}.keras"
    files = [predictions_file(folder, run_id)] if ok else [log] if log.is_file() else []
    # Of the best of each cell alone are there models; an altered one is no model.
    if record.get("model_sha256") and model.is_file() and file_sha256(model) == record["model_sha256"]:
        files.append(model)
    for file in files:
        make_folder(results.path / file.parent.name)
        _copy(file, results.path / file.parent.name / file.name)
    results.journal.append(record)
    if ok:
        _remove(results.path / LOGS / log.name)  # of a failure that this takes the place of


def _keep_best_models(results: ResultsFolder) -> None:
    """Of the models that were the best of a cell in one sweep each, the best of all stays."""
    for run_id in superseded(results.path, results.journal.records):
        _remove(model_file(results.path, run_id))


def _copy(file: Path, place: Path) -> None:
    with read_errors(file):
        content = file.read_bytes()
    write_atomically(place, content)


def _remove(file: Path) -> None:
    with write_errors(file):
        file.unlink(missing_ok=True)


def _take_baselines(folders: list[Path], out: Path) -> None:
    """They follow from the data set alone, so anybody's will do."""
    there = next((folder / BASELINES for folder in folders if (folder / BASELINES).is_file()), None)
    if there is not None and not (out / BASELINES).exists():
        _copy(there, out / BASELINES)


def _named(names: list[str]) -> str:
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
