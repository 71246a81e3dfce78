"""One network trained while one looks on: a film of fixed pictures, a table of epochs, and the model at the end.

With ``overfit`` it learns a few pictures by heart, which is the first check of any network. See docs/training.md.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bboxbench.boxes import to_pixels
from bboxbench.data_gen import Dataset
from bboxbench.data_gen.colours import luma_of_images
from bboxbench.errors import BboxbenchError, FolderConflict, InputError, read_errors
from bboxbench.experiments.columns import EPOCHS
from bboxbench.experiments.fit import FitEngine, predict
from bboxbench.experiments.models.by_heart import ByHeart, learned_by_heart
from bboxbench.experiments.models.film import Film, Frame, Scene, choose_scenes
from bboxbench.experiments.models.saving import save_model, trained_network
from bboxbench.experiments.onlooker import Onlooker
from bboxbench.experiments.outcomes import measure
from bboxbench.experiments.own_network import own_network
from bboxbench.experiments.pictures import dataset_of
from bboxbench.experiments.plan import Block, Run, plan
from bboxbench.experiments.runtime import start_tensorflow
from bboxbench.experiments.spec import AXES, NETWORK, SweepSpec
from bboxbench.experiments.training import Split, TrainedRun, TrainingData, load_data
from bboxbench.files import LOCK_NAME, claim_folder, make_folder, write_atomically

__all__ = ["EPOCHS_BY_HEART", "SingleTraining", "single_spec", "train_single"]

EPOCHS_BY_HEART = 300
"""How often a network may see a few pictures until it knows them by heart; most take less than half."""
REDRAW_SECONDS = 5.0
"""How often the strip on disk is renewed while training goes on."""
SLOW_ADADELTA = 0.1
"""A rate below is not the paper's 1.0; Keras's own is 0.001."""
RECORD = "train.json"
"""The file by which a folder is known as one of `train_single`."""
FILES = (RECORD, "epochs.csv", "strip.png", "film.gif", "model.keras")


@dataclass(frozen=True)
class SingleTraining:
    """What a finished training leaves."""

    folder: Path
    run: Run
    row: dict[str, Any]
    """Measures of the test pictures, or of those learned by heart, by column name as in runs.csv; ``status`` and
    ``error``."""
    epochs: list[dict[str, Any]]
    by_heart: ByHeart | None
    """With ``overfit`` alone."""
    written: tuple[Path, ...]

    @property
    def failed(self) -> bool:
        """Whether training raised."""
        return bool(self.row["error"])


def single_spec(preset: str, overfit: int = 0, **given: Any) -> SweepSpec:
    """The spec of one network: of each axis that is not given, the first of the preset's.

    Args:
        preset: where to start from.
        overfit: how many pictures to learn by heart; 0 for a common training. Dropout and early stopping are then off
            where they are not given, and the epochs many.
        given: fields of `SweepSpec`; an axis as a tuple of one.

    Raises:
        InputError: a name or a value that does not fit, or one that means nothing to learning by heart.
    """
    asked_for = set(given)
    if overfit:
        for name in ("patience", "validation"):
            if given.get(name):
                raise InputError(
                    "Expected neither patience nor validation with overfit, which looks at the pictures that it learns "
                    f"until it knows them all. Received: {name} {given[name]}. Leave out one of the two."
                )
        given = {"epochs": EPOCHS_BY_HEART, "dropout": 0.0, **given, "patience": 0}
    whole = SweepSpec.from_preset(preset, **{**given, "engine": "fit"})
    firsts: dict[str, Any] = {name: getattr(whole, name)[:1] for name in AXES if name not in given}
    spec = dataclasses.replace(whole, **firsts)
    if overfit:
        size = min(spec.batch_sizes[0], overfit)
        spec = dataclasses.replace(spec, batch_sizes=(size,), validation=overfit)
    if spec.network != NETWORK and "dropout" not in asked_for:
        start_tensorflow(spec.threads)
        if "dropout" not in own_network(spec.network).takes:
            spec = dataclasses.replace(spec, dropout=SweepSpec.dropout)
    return spec


def train_single(
    spec: SweepSpec, folder: Path | None = None, onlooker: Onlooker | None = None, *, overfit: int = 0
) -> SingleTraining:
    """Train the one network of ``spec`` with plain Keras, and write what was seen into a folder.

    The folder gets ``strip.png``, ``film.gif``, ``epochs.csv``, ``model.keras`` and ``train.json``. A folder of the
    same training is written anew. If it is interrupted, strip, film and epochs so far stay.

    Args:
        spec: of one cell and one seed, as `single_spec` gives it.
        folder: by default ``results/train-<run_id>``.
        onlooker: told of progress.
        overfit: learn this many training pictures by heart, and stop when they are; 0: a common training.

    Raises:
        InputError: more than one cell or seed, a name or a data set that cannot be used.
        FolderConflict: the folder holds something else.
        CannotWrite: disk full, no permission.
    """
    onlooker = onlooker or Onlooker()
    start_tensorflow(spec.threads)
    if len(runs := plan(spec, "")) != 1:
        raise InputError(f"Expected one loss, one initializer, one seed and so on. Received: {len(runs)} networks.")
    size = spec.dataset_spec()
    if spec.network != NETWORK:
        own_network(spec.network).try_out(spec, size.width, size.height)
    dataset = dataset_of(spec, onlooker.drawing)
    if overfit > (most := len(dataset.split("train"))):
        raise InputError(f"Expected at most the {most:,} training pictures to learn by heart. Received: {overfit}.")
    (run,) = plan(spec, dataset.sha256)
    what = f"overfit{overfit}" if overfit else "train"
    folder = folder or Path("results") / f"{what}-{run.run_id}"
    with _claimed(folder, f"{what} {run.run_id}"):
        data = _first(dataset, overfit) if overfit else load_data(dataset, spec.validation)
        scenes = choose_scenes(dataset, "train" if overfit else "validation", overfit or None)
        onlooker.planned(run, spec, data, folder)
        studio = _Studio(run, spec, data, scenes, folder, onlooker, overfit)
        engine = FitEngine(spec, keep_weights=True, watch=studio.watch)
        try:
            (trained,) = engine.train(Block(run.seed, (run,)), data, lambda _run, epoch: onlooker.under_way(epoch))
        finally:
            studio.develop()
        return _concluded(trained, spec, data, folder, overfit)


class _Studio:
    """Watches one network: keeps frames and rows, and renews what lies on disk."""

    def __init__(
        self,
        run: Run,
        spec: SweepSpec,
        data: TrainingData,
        scenes: list[Scene],
        folder: Path,
        onlooker: Onlooker,
        overfit: int,
    ) -> None:
        self._run, self._data, self._scenes, self._folder = run, data, scenes, folder
        self._onlooker, self._overfit = onlooker, overfit
        cell = run.cell
        told = f"{overfit} pictures by heart" if overfit else f"{len(data.train.grey):,} pictures"
        title = f"{cell.loss}, {cell.initializer}, {cell.optimizer} {cell.learning_rate:g}, seed {run.seed}: {told}"
        self._film = Film(title, scenes, spec.epochs)
        self._rows: list[dict[str, Any]] = []
        self._drawn = time.monotonic()

    def watch(self, model: Any, row: dict[str, Any]) -> bool:
        """As `bboxbench.experiments.fit.Watcher`: stops when all is known by heart."""
        boxes = predict(model, np.stack([scene.grey for scene in self._scenes]))
        self._film.add(Frame(row["epoch"], to_pixels(boxes, self._data.width, self._data.height), _notes(row)))
        if row["epoch"]:
            self._rows.append({"run_id": self._run.run_id, **row})
        self._onlooker.epoch(row)
        if time.monotonic() - self._drawn > REDRAW_SECONDS:
            self._write_strip()
            self._drawn = time.monotonic()
        return not (self._overfit and row["val_box_accuracy"] == 1.0)

    def develop(self) -> None:
        """Write all that was seen; nothing where training ended before anything was."""
        if self._film.frames:
            self._write_strip()
            write_atomically(self._folder / "film.gif", self._film.animation())

    def _write_strip(self) -> None:
        write_atomically(self._folder / "strip.png", self._film.strip())
        table = pd.DataFrame(self._rows, columns=list(EPOCHS))
        write_atomically(self._folder / "epochs.csv", table.to_csv(index=False, lineterminator="\n"))


def _notes(row: dict[str, Any]) -> tuple[str, ...]:
    """What stands beside the pictures of an epoch."""
    shown = (("mean IoU", row["val_mean_iou"], ".2f"), ("box accuracy", row["val_box_accuracy"], ".2f"))
    notes = [f"{name} {value:{form}}" for name, value, form in shown if value is not None]
    if "train_loss" in row:
        notes.append(f"loss {row['train_loss']:.4g}")
    return tuple(notes)


def _concluded(trained: TrainedRun, spec: SweepSpec, data: TrainingData, folder: Path, overfit: int) -> SingleTraining:
    """Measure, write the model and the record."""
    run = trained.run
    row: dict[str, Any] = {"run_id": run.run_id, "seed": run.seed, **run.cell.row()}
    row |= {"status": "failed" if trained.error else "ok", "error": trained.error}
    by_heart = None
    if trained.predictions is not None:
        boxes = to_pixels(trained.predictions, data.width, data.height)
        size, threshold = (data.width, data.height), spec.iou_threshold
        row |= measure(data.test.boxes, boxes, *size, iou_threshold=threshold, finite=trained.finite).row()
        if overfit:
            by_heart = learned_by_heart(
                data.test.boxes,
                boxes,
                *size,
                trained.epochs,
                iou_threshold=threshold,
                finite=trained.finite,
                known=_known_causes(run, spec),
            )
    if trained.weights is not None:
        model = trained_network(run, spec, data.width, data.height, trained.weights)
        save_model(model, folder / "model.keras")
    record = {
        "training": _name(run, overfit),
        "spec": spec.to_dict(),
        "dataset_sha256": data.sha256,
        "overfit": overfit,
        "learned_by_heart": None if by_heart is None else by_heart.learned,
        "row": row,
    }
    write_atomically(folder / RECORD, json.dumps(record, indent=2) + "\n")
    written = tuple(folder / name for name in FILES if (folder / name).exists())
    return SingleTraining(folder, run, row, trained.epochs, by_heart, written)


def _known_causes(run: Run, spec: SweepSpec) -> list[str]:
    """Names of advice that a setting asks for by itself, whatever its boxes look like."""
    cell, causes = run.cell, []
    if cell.optimizer.partition("(")[0] == "adadelta" and cell.learning_rate < SLOW_ADADELTA:
        causes.append("adadelta")
    if spec.network == NETWORK and (cell.head, cell.start) == ("corners", "zeros"):
        causes.append("wide start")
    return causes


def _name(run: Run, overfit: int) -> str:
    return f"{f'overfit{overfit}' if overfit else 'train'} {run.run_id}"


def _first(dataset: Dataset, count: int) -> TrainingData:
    """The first ``count`` training pictures, to be learned, looked at and tested with alike."""
    start = dataset.split("train").start
    samples = list(dataset.samples(range(start, start + count)))
    grey = luma_of_images(np.stack([sample.image for sample in samples]))
    few = Split(grey, np.stack([sample.box for sample in samples]))
    spec = dataset.spec
    return TrainingData(few, few, few, spec.width, spec.height, dataset.sha256, spec.one_colour)


@contextmanager
def _claimed(folder: Path, training: str) -> Iterator[None]:
    """Hold ``folder``, new or of this very training.

    Raises:
        FolderConflict: it holds something else.
        CannotWrite: no permission, disk full.
    """
    make_folder(folder)
    with claim_folder(folder):
        names = {path.name for path in folder.iterdir()} - {LOCK_NAME}
        if RECORD in names:
            there = _read_record(folder / RECORD).get("training")
            if there != training:
                raise FolderConflict(f"{folder} holds '{there}', not '{training}'. Choose another folder with --out.")
        elif names:
            raise FolderConflict(
                f"Expected an empty folder or one of the same training. {folder} holds {sorted(names)[0]}; "
                "choose another folder with --out."
            )
        # Says from the first moment on whose folder this is, so that an interrupted training can be begun anew.
        write_atomically(folder / RECORD, json.dumps({"training": training}) + "\n")
        yield


def _read_record(path: Path) -> dict[str, Any]:
    try:
        with read_errors(path):
            return dict(json.loads(path.read_text(encoding="utf-8")))
    except BboxbenchError:
        raise
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} is damaged. Remove it, or choose another folder with --out.") from error
