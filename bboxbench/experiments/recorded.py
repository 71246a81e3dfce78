"""A results folder as it is read: everything about a sweep, finished or not, without TensorFlow."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bboxbench.data_gen import Dataset, open_dataset
from bboxbench.data_gen.imported import AnySpec, spec_from_dict
from bboxbench.errors import InputError, read_errors
from bboxbench.experiments.cells import latest_runs
from bboxbench.experiments.journal import in_order, read_records
from bboxbench.experiments.results import JOURNAL, MANIFEST, SCHEMA, load_predictions
from bboxbench.experiments.spec import AXES
from bboxbench.experiments.splits import all_boxes, dealt_indices
from bboxbench.experiments.tables import (
    BASELINES,
    CELL,
    comparisons_table,
    distribution_table,
    epochs_table,
    histogram_table,
    runs_table,
)

__all__ = ["SIDES_COLUMNS", "RecordedSweep", "read_manifest", "read_sweep", "sides_table"]

SIDES_COLUMNS = {
    **CELL,
    "side": "left, top, right or bottom",
    "from": "lower edge of the bin: 0 is the left or top edge of the picture, 1 the right or bottom one",
    "to": "upper edge, excluded but for 1",
    "predicted": "share of the predicted boxes of all the cell's runs whose side lies in the bin; a side beyond the "
    "picture counts as at its edge",
    "true": "the same of the true boxes, empty where the pictures were not found",
}
"""What `sides_table` gives: a row a cell, side and bin."""

BINS = 40
"""Of `sides_table`: 5 pixels across and 2.5 down on pictures of 200 x 100."""


@dataclass(frozen=True)
class RecordedSweep:
    """Everything that a results folder holds; `read_sweep` makes it. The frames are those of the CSVs."""

    folder: Path
    manifest: dict[str, Any]
    """The content of sweep.json."""
    runs: pd.DataFrame
    """A row a finished run, as runs.csv. Empty before the first."""
    epochs: pd.DataFrame
    """As epochs.csv."""
    iou_histogram: pd.DataFrame
    """As iou_histogram.csv."""
    baselines: pd.DataFrame
    """As baselines.csv, empty where the sweep did not come so far."""
    _records: dict[str, dict[str, Any]] = field(repr=False)

    @cached_property
    def distribution(self) -> pd.DataFrame:
        """A row a cell, as distribution.csv; made when it is first asked for, since bootstrapping takes a moment."""
        return distribution_table(self.runs, self.iou_histogram, self.comparisons)

    @cached_property
    def comparisons(self) -> pd.DataFrame:
        """A row a pair of cells, as comparisons.csv; made when it is first asked for."""
        return comparisons_table(self.runs)

    @cached_property
    def latest(self) -> pd.DataFrame:
        """The rows of ``runs`` that count: of two of one cell and seed the later (`latest_runs`)."""
        return latest_runs(self.runs)

    @property
    def planned(self) -> int:
        """Runs that are finished, and those that were asked for and are not: as many as `runs` has where none lacks.

        A folder that was grown by commands with other axes was never asked for all their combinations. One that an
        older version wrote does not say what was asked for: there it is every combination of the spec's axes.
        """
        if asked := self.manifest.get("runs"):
            return len({*self._records, *asked.values()})
        return math.prod(max(1, len(self.manifest["spec"][axis])) for axis in AXES)

    @property
    def pictures(self) -> AnySpec:
        """What the pictures are: their size, letters and faces, or classes."""
        return spec_from_dict(self.manifest["settings"]["pictures"])

    @property
    def dataset_sha256(self) -> str:
        """Identity of the pictures the sweep was trained on."""
        return str(self.manifest["settings"]["dataset_sha256"])

    def predictions(self, run_id: str) -> npt.NDArray[np.float32]:
        """The predicted boxes of a run: relative xyxy, shape (n_test, 4), in the order of the test split.

        Raises:
            InputError: there is no such run, it failed, or its file is missing or not the one that was written.
        """
        return load_predictions(self.folder, run_id, self._records.get(run_id))

    def test_indices(self, run: Any) -> npt.NDArray[np.int64]:
        """Which samples of the data set a run was tested on, in the order of its predictions, shape (n_test,).

        Args:
            run: its row of `runs`.
        """
        varied = "split" in str(run["vary"]).split(",")
        return dealt_indices(self.pictures.n, int(run["seed"]) if varied else 0)["test"]

    def dataset(self, path: Path | None = None) -> Dataset | None:
        """The pictures of the sweep, or None where they are not found.

        Without ``path`` they are looked for where the spec says they were, else under ``data/`` of the current folder
        and of the one that holds the results' folder: ``results/NAME`` and ``data/NAME`` lie side by side by default.

        Args:
            path: of the data set, for one that lies elsewhere.

        Raises:
            InputError: ``path`` is given and holds no data set, or another one.
        """
        if path is not None:
            found = open_dataset(path)
            if found.sha256 != self.dataset_sha256:
                raise InputError(
                    f"Expected the pictures of this sweep, sha256 {self.dataset_sha256[:12]}... "
                    f"Received: {path} with {found.sha256[:12]}..."
                )
            return found
        for place in self._places():
            try:
                found = open_dataset(place)
            except InputError:
                continue
            if found.sha256 == self.dataset_sha256:
                return found
        return None

    def _places(self) -> Iterator[Path]:
        named = self.manifest["spec"].get("data") or Path("data") / self.pictures.folder_name
        yield Path(named)
        yield self.folder.resolve().parent.parent / named


def read_sweep(folder: Path | str) -> RecordedSweep:
    """Read a sweep's folder, while somebody writes it, too: what is finished is there.

    Raises:
        InputError: there is no sweep in ``folder``, it is damaged, or a newer bboxbench wrote it.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    records = in_order(read_records(folder / JOURNAL), manifest.get("runs", {}).values())
    return RecordedSweep(
        folder=folder,
        manifest=manifest,
        runs=runs_table(records),
        epochs=epochs_table(records),
        iou_histogram=histogram_table(records),
        baselines=_baselines(folder / "baselines.csv"),
        _records={record["run_id"]: record for record in records},
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """The content of a results folder's sweep.json.

    Raises:
        InputError: there is no sweep in ``folder``, it is damaged, or a newer bboxbench wrote it.
    """
    path = folder / MANIFEST
    with read_errors(path):
        there = path.is_file()
    if not there:
        what = f"a folder without {MANIFEST}" if folder.is_dir() else "a file" if folder.exists() else "nothing there"
        raise InputError(f"Expected the results folder of a sweep. Received: {folder}, {what}.")
    with read_errors(path):
        text = path.read_bytes()
    try:
        found = json.loads(text)
        schema = found["schema"]
        if schema == SCHEMA:
            spec_from_dict(found["settings"]["pictures"])
            dict(found["spec"]), dict(found.get("runs", {})), str(found["settings"]["dataset_sha256"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"Expected the sweep.json of a sweep. Received: {path}, which is damaged.") from error
    if schema != SCHEMA:
        raise InputError(f"Expected schema {SCHEMA} in {path}. Received: {schema!r}; update bboxbench.")
    return dict(found)


def _baselines(path: Path) -> pd.DataFrame:
    if not path.exists():
        return pd.DataFrame(columns=list(BASELINES))
    with read_errors(path):
        text = path.read_text(encoding="utf-8")
    try:
        # A symptom that is not there is an empty text, in every table.
        return pd.read_csv(StringIO(text), keep_default_na=True).fillna({"symptom": ""})[list(BASELINES)]
    except (ValueError, KeyError) as error:
        raise InputError(f"Expected the baselines of a sweep. Received: {path}, which is damaged.") from error


def sides_table(sweep: RecordedSweep, dataset: Dataset | None = None) -> pd.DataFrame:
    """Where the sides of predicted and true boxes lie, with the columns `SIDES_COLUMNS`: 40 bins a cell and side.

    Args:
        sweep: whose predictions are counted. Runs without whole predictions and boxes that are not finite are left out.
        dataset: its pictures, as `RecordedSweep.dataset` finds them; without them the true sides are empty.
    """
    edges = np.linspace(0.0, 1.0, BINS + 1)
    whole = None
    if dataset is not None:
        size = np.array([dataset.spec.width, dataset.spec.height] * 2)
        whole = np.asarray(all_boxes(dataset) / size, float)
    tables = []
    for cell, runs in sweep.latest.groupby(list(CELL), sort=False, dropna=False):
        found = {run_id: kept for run_id in runs["run_id"] if (kept := _finite_boxes(sweep, run_id)) is not None}
        if not found:
            continue
        predicted = _shares(np.concatenate(list(found.values())), edges)
        true = np.full((4, BINS), np.nan)
        if whole is not None:
            drawn = runs[runs["run_id"].isin(list(found))].drop_duplicates(["vary", "seed"])
            tested = [sweep.test_indices(run) for run in drawn.to_dict("records")]
            true = _shares(whole[np.concatenate(tested)], edges)
        for side, mine, real in zip(("left", "top", "right", "bottom"), predicted, true, strict=True):
            columns = {"side": side, "from": edges[:-1].round(6), "to": edges[1:].round(6)}
            tables.append(
                pd.DataFrame({**dict(zip(CELL, cell, strict=True)), **columns, "predicted": mine, "true": real})
            )
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(SIDES_COLUMNS))


def _finite_boxes(sweep: RecordedSweep, run_id: str) -> npt.NDArray[np.float64] | None:
    try:
        boxes = np.asarray(sweep.predictions(run_id), float)
    except InputError:
        return None
    boxes = boxes[np.isfinite(boxes).all(axis=1)]
    return boxes if len(boxes) else None


def _shares(boxes: npt.NDArray[np.float64], edges: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Shares of relative boxes (n, 4) in each bin, shape (4, bins)."""
    inside = np.clip(boxes, 0.0, 1.0)
    return np.stack([np.histogram(inside[:, k], edges)[0] / len(inside) for k in range(4)])
