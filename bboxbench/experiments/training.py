"""The seam between a sweep and whatever trains its runs: what an engine is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bboxbench.data_gen import Dataset
from bboxbench.errors import InputError
from bboxbench.experiments.plan import Block, Run

__all__ = ["Engine", "EpochListener", "Split", "TrainedRun", "TrainingData", "load_data"]

EpochListener = Callable[[Run, float], None]
"""Called with a run and the number of epochs it has finished; between two whole numbers one is under way."""


@dataclass(frozen=True)
class Split:
    """Pictures and boxes of one split."""

    grey: npt.NDArray[np.uint8]
    """Luminance, shape (n, height, width)."""
    boxes: npt.NDArray[np.int16]
    """xyxy in pixels, shape (n, 4)."""


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
    seconds: float = 0.0
    """Wall time; of runs that train together, each has an equal share."""
    error: str = ""
    """Why training raised, on one line; empty where it did not."""


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
    if not all(len(dataset.split(name)) for name in ("train", "validation", "test")):
        raise InputError(f"Expected a data set with pictures in every split. Received {dataset.n} in {dataset.folder}.")
    splits = {name: Split(dataset.grey(name), dataset.boxes(name)) for name in ("train", "validation", "test")}
    seen = splits["validation"]
    splits["validation"] = Split(seen.grey[:validation], seen.boxes[:validation])
    spec = dataset.spec
    plain = spec.one_colour
    return TrainingData(**splits, width=spec.width, height=spec.height, sha256=dataset.sha256, plain=plain)
