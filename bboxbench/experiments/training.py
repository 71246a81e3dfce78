"""The seam between a sweep and whatever trains its runs: what an engine is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bboxbench.data_gen import Dataset
from bboxbench.data_gen.splits import LEAST
from bboxbench.errors import InputError
from bboxbench.experiments.plan import Block, Run

__all__ = ["Engine", "EpochListener", "Split", "TrainedRun", "TrainingData", "load_boxes", "load_data"]

EpochListener = Callable[[Run, float], None]
"""Called with a run and the number of epochs it has finished; between two whole numbers one is under way.

The same number may be told again, as a sign of life while pictures are looked at. After a block died, its runs start
anew from a lower one.
"""


class Pictures(Protocol):
    """An array of pictures, or what is as long and gives its rows like one."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> npt.NDArray[np.uint8]: ...


@dataclass(frozen=True)
class Split:
    """Pictures and boxes of one split."""

    grey: Pictures
    """Luminance, shape (n, height, width); (n, 0, 0) where pictures are not held, see `load_boxes`."""
    boxes: npt.NDArray[np.int16]
    """xyxy in pixels, shape (n, 4)."""


def _no_pictures() -> Split:
    return Split(np.empty((0, 0, 0), np.uint8), np.empty((0, 4), np.int16))


@dataclass(frozen=True)
class TrainingData:
    """What every run of a sweep reads. ``test`` is read once a run, after its last epoch."""

    train: Split
    validation: Split
    test: Split
    width: int
    height: int
    sha256: str
    plain: bool = False
    """Whether the pixels outside the box are one value a picture, as the data set's manifest says."""
    unseen: Split = field(default_factory=_no_pictures)
    """Validation pictures that nobody looks at: they have their part where pictures are dealt anew."""

    @property
    def sizes(self) -> tuple[int, int, int]:
        """How many pictures train, are looked at after each epoch, and test."""
        return len(self.train.boxes), len(self.validation.boxes), len(self.test.boxes)


@dataclass
class TrainedRun:
    """One finished run, before it is measured."""

    run: Run
    predictions: npt.NDArray[np.float32] | None = None
    """Boxes of all test pictures, xyxy relative, shape (n_test, 4); None where training raised."""
    finite: bool = True
    """Whether every loss and weight stayed finite."""
    epochs: list[dict[str, Any]] = field(default_factory=list)
    """A row an epoch: see `bboxbench.experiments.tables.EPOCHS`."""
    kept_epoch: int = 0
    """The epoch, from 1, with whose weights the run ended: the last one, or with early stopping the best."""
    seconds: float = 0.0
    """Wall time; of runs that train together, each has an equal share."""
    error: str = ""
    """Why there is no result, on one line; empty where there is one."""
    traceback: str = ""
    """Of a run that raised, as Python prints it."""
    log: str = ""
    """What the process that trained a failed run wrote to stdout and stderr meanwhile, where it is known."""
    weights: list[npt.NDArray[np.float32]] | None = None
    """As `keras.Model.get_weights` gives them; only where they were asked for and training did not raise."""
    engine: str = ""
    """Which trained it. `bboxbench.experiments.execution.block_trainer.BlockTrainer` fills in this and the next two."""
    threads: int = 0
    """Of one operation, where it was trained."""
    device: str = ""
    """Where it was trained, as in runs.csv; empty where nobody knows."""


class Engine(Protocol):
    """Trains the runs of a block, which share a seed, and gives each back as soon as it is finished.

    An exception in one run must come back as that run's ``error``, never end the others.
    """

    def train(self, block: Block, data: TrainingData, on_epoch: EpochListener) -> Iterator[TrainedRun]:
        """Train every run of ``block`` on ``data``."""
        ...


def load_data(dataset: Dataset, validation: int) -> TrainingData:
    """Read the three splits as grey pictures; ``validation`` bounds the pictures looked at after each epoch.

    Raises:
        InputError: the data set is too small for three splits, or a shard is missing, cut or altered.
    """
    return _load(dataset, validation, dataset.grey)


def load_boxes(dataset: Dataset, validation: int) -> TrainingData:
    """The same without pictures, which take 20 kB each: for who measures what others train.

    Raises:
        InputError: as `load_data`, as far as boxes are concerned.
    """
    return _load(dataset, validation, lambda name: np.empty((len(dataset.split(name)), 0, 0), np.uint8))


def check_every_split(n: int) -> None:
    """Refuse a data set that is too small to train on.

    Raises:
        InputError: it has fewer than four pictures, so that a split has none.
    """
    if n < LEAST:
        raise InputError(f"Expected a data set with pictures in every split, {LEAST} or more. Received {n}.")


def _load(dataset: Dataset, validation: int, grey: Callable[[str], npt.NDArray[np.uint8]]) -> TrainingData:
    check_every_split(dataset.n)
    splits = {name: Split(grey(name), dataset.boxes(name)) for name in ("train", "validation", "test")}
    seen = splits["validation"]
    splits["validation"] = Split(seen.grey[:validation], seen.boxes[:validation])
    splits["unseen"] = Split(seen.grey[validation:], seen.boxes[validation:])
    spec = dataset.spec
    plain = spec.one_colour
    return TrainingData(**splits, width=spec.width, height=spec.height, sha256=dataset.sha256, plain=plain)
