"""The results folder: who may write it, what it holds already, and how a finished run gets into it."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bboxbench.errors import FolderConflict, InputError
from bboxbench.experiments.journal import Journal
from bboxbench.experiments.spec import SweepSpec
from bboxbench.files import claim_folder, make_folder, write_atomically

__all__ = ["SCHEMA", "ResultsFolder", "open_results", "read_predictions"]

SCHEMA = 1
"""Version of the folder's layout; a newer one is refused."""


class ResultsFolder:
    """One sweep's folder, claimed by this process. `open_results` makes it."""

    def __init__(self, path: Path, journal: Journal) -> None:
        self.path, self.journal = path, journal

    def add(self, record: dict[str, Any], predictions: npt.NDArray[np.float32] | None) -> None:
        """Keep a finished run: its predictions first, synced, then its journal line with their hash.

        Args:
            record: with ``run_id``, ``row``, ``epochs`` and ``histogram``.
            predictions: relative xyxy boxes (n_test, 4), kept as float16; None for a failed run.

        Raises:
            CannotWrite: disk full, no permission. The journal is then as it was.
        """
        if predictions is not None:
            content = io.BytesIO()
            with np.errstate(over="ignore"):  # a diverged run's boxes may be past float16: they become infinite
                np.savez_compressed(content, boxes=predictions.astype(np.float16))
            record["predictions_sha256"] = hashlib.sha256(content.getvalue()).hexdigest()
            write_atomically(self.path / "predictions" / f"{record['run_id']}.npz", content.getvalue())
        self.journal.append(record)


@contextmanager
def open_results(
    path: Path,
    spec: SweepSpec,
    dataset_sha256: str,
    environment: dict[str, Any],
    warn: Callable[[str], None] = lambda _: None,
) -> Iterator[ResultsFolder]:
    """Claim a new folder, or one that holds runs of the same settings on the same data.

    Args:
        path: of the folder; made if need be.
        spec: of the sweep; its axes may differ from those of the runs that are there.
        dataset_sha256: identity of the data set.
        environment: recorded in sweep.json.
        warn: told of a torn journal tail.

    Raises:
        FolderConflict: other settings, another data set, something that is no sweep, or a live process writing it.
        InputError: ``path`` is a file, or its journal or sweep.json is damaged.
        CannotWrite: no permission, disk full.
    """
    make_folder(path)
    manifest = path / "sweep.json"
    if not manifest.exists() and (foreign := sorted(each.name for each in path.iterdir() if each.name != ".lock")):
        raise FolderConflict(
            f"Expected an empty folder or a sweep's. {path} holds {foreign[0]} and no sweep.json; "
            "choose another folder with --out."
        )
    with claim_folder(path):
        settings = {**spec.settings(), "dataset_sha256": dataset_sha256}
        if manifest.exists():
            _refuse_other(manifest, settings)
        make_folder(path / "predictions")
        make_folder(path / "report")
        journal = Journal(path / "journal.jsonl", warn)
        content = {
            "schema": SCHEMA,
            "spec": spec.to_dict(),
            "settings": settings,
            "spec_sha256": spec.sha256(),
            "environment": environment,
        }
        write_atomically(manifest, json.dumps(content, indent=2) + "\n")
        yield ResultsFolder(path, journal)


def _refuse_other(manifest: Path, settings: dict[str, Any]) -> None:
    """Raise unless the folder's settings are these."""
    try:
        found = json.loads(manifest.read_text(encoding="utf-8"))
        schema, there = found["schema"], found["settings"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{manifest} is damaged. Restore it, or choose another folder with --out.") from error
    if schema != SCHEMA:
        raise FolderConflict(f"{manifest} has schema {schema}, this version reads {SCHEMA}. Update bboxbench.")
    # Where the pictures lie is no difference as long as they are the same pictures.
    names = sorted({*there, *settings} - {"data", "n", "data_seed"})
    differing = [name for name in names if there.get(name) != settings.get(name)]
    if "dataset_sha256" in differing:
        differing += [name for name in ("data", "n", "data_seed") if there.get(name) != settings.get(name)]
    if differing:
        changes = ", ".join(
            f"{name} {_short(there.get(name))} (now {_short(settings.get(name))})" for name in differing
        )
        raise FolderConflict(
            f"{manifest.parent} holds a sweep with {changes}. Use the same settings, or another folder with --out."
        )


def _short(value: Any) -> str:
    return f"{value[:12]}..." if isinstance(value, str) and len(value) == 64 else str(value)


def read_predictions(folder: Path, run_id: str) -> npt.NDArray[np.float32]:
    """The predicted boxes of a finished run, relative xyxy, shape (n_test, 4), in the order of the test split.

    Raises:
        InputError: the run has none.
    """
    path = folder / "predictions" / f"{run_id}.npz"
    if not path.exists():
        raise InputError(f"Expected predictions of a finished run. There is no {path}.")
    with np.load(path, allow_pickle=False) as content:
        return np.asarray(content["boxes"], np.float32)
