"""How long a sweep will take, and how much memory: a short calibration of this machine, times what is to be done."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from bboxbench.boxes import relative_boxes
from bboxbench.data_gen import draw_sample, normalise, open_dataset
from bboxbench.data_gen.colours import luma_of_images
from bboxbench.experiments.engines import by_engine
from bboxbench.experiments.fit import FitEngine, predict
from bboxbench.experiments.lockstep import LockstepTrainer, glyph_window, memory_need, parts, predict_all
from bboxbench.experiments.memory import available_bytes
from bboxbench.experiments.plan import Block, Run, blocks
from bboxbench.experiments.spec import SweepSpec
from bboxbench.experiments.training import Split, TrainingData

__all__ = ["Calibration", "Estimate", "estimate", "estimate_on"]

STEPS = 5
"""Training steps that are timed; their median is taken."""
GLYPHS = 1000
"""Samples looked at to see how large glyphs become."""


@dataclass(frozen=True)
class Calibration:
    """Seconds that one network costs on this machine: its share, where several train together."""

    networks: int
    """How many trained together."""
    start: float
    """To build, compile and trace."""
    step: float
    """A training step of one full batch."""
    picture: float
    """A prediction, per picture."""
    memory: int = 0
    """Bytes that all of them take together; 0 where they train one by one."""
    batch_size: int = 100
    """Pictures a step."""

    def run_seconds(self, spec: SweepSpec, n_train: int, n_validation: int, n_test: int) -> float:
        """Estimated seconds of one run of ``spec`` that does not diverge."""
        steps = -(-n_train // self.batch_size)
        return self.start + spec.epochs * (steps * self.step + n_validation * self.picture) + n_test * self.picture


@dataclass(frozen=True)
class Estimate:
    """What the runs that are left will take."""

    seconds: float
    engines: dict[str, Calibration]
    """By name, of those that have runs to train; where batches differ in size, an engine once for each size."""
    runs: dict[str, float] = field(default_factory=dict)
    """Seconds of each run, by its run_id."""


def estimate(
    spec: SweepSpec, pending: list[Run], sizes: tuple[int, int, int], memory: int, data: TrainingData | None = None
) -> Estimate:
    """Train the first runs of each engine and batch size for a few steps on pictures as it has them; takes seconds.

    A step takes hardly longer with one loss than with another: all are timed with mse, so that a loss that cannot be
    computed fails in its own run and not here.

    Args:
        spec: of the sweep.
        pending: its runs that are left.
        sizes: pictures of training, validation and test.
        memory: bytes that networks which train together may take.
        data: its pictures, where they are read already; by default the first of the folder ``spec.data``, or letters
            drawn anew.

    Raises:
        InputError: the pictures in ``spec.data`` cannot be read.
    """
    alike: dict[tuple[str, int], list[Block]] = {}
    for block in blocks([replace(run, cell=replace(run.cell, loss="mse")) for run in pending]):
        for name, part in by_engine(spec, block):
            alike.setdefault((name, part.batch_size), []).append(part)
    costs: dict[str, Calibration] = {}
    runs: dict[str, float] = {}
    several = len({size for _, size in alike}) > 1
    for (name, size), found in alike.items():
        rows = min(size, sizes[0])
        samples = _first_samples(spec, rows) if data is None else _samples_of(data, rows)
        # The largest block stands for most: one that was nearly finished before would not.
        largest = max(found, key=lambda part: len(part.runs))
        cost = _time_fit(spec, largest, samples) if name == "fit" else _time_lockstep(spec, largest, samples, memory)
        cost = replace(cost, batch_size=size)
        keras.backend.clear_session(free_memory=True)
        costs[f"{name}, batch {size}" if several else name] = cost
        each = cost.run_seconds(spec, *sizes)
        runs |= {run.run_id: each for part in found for run in part.runs}
    return Estimate(sum(runs.values()), costs, runs)


def estimate_on(data: TrainingData, spec: SweepSpec, pending: list[Run]) -> Estimate:
    """`estimate` where the pictures are read already, with the memory that is left here."""
    return estimate(spec, pending, data.sizes, available_bytes(), data)


@dataclass(frozen=True)
class _Samples:
    """A batch to train on, and how large the objects of a data set become."""

    batch: Split
    all_boxes: npt.NDArray[np.int16]
    width: int
    height: int
    plain: bool


def _samples_of(data: TrainingData, rows: int) -> _Samples:
    boxes = np.concatenate([split.boxes for split in (data.train, data.validation, data.test)])
    batch = Split(data.train.grey[:rows], data.train.boxes[:rows])
    return _Samples(batch, boxes, data.width, data.height, data.plain)


def _first_samples(spec: SweepSpec, rows: int) -> _Samples:
    """The first of a folder, or drawn anew: a plan must not wait for, or write, a whole data set."""
    pictures = spec.dataset_spec()
    indices = range(min(pictures.n, max(rows, GLYPHS)))
    if spec.data:
        first = list(open_dataset(spec.data).samples(indices))
    else:
        first = [draw_sample(spec.letters(), index) for index in indices]
    boxes = np.array([sample.box for sample in first], np.int16)
    grey = luma_of_images(np.stack([sample.image for sample in first[:rows]]))
    return _Samples(Split(grey, boxes[:rows]), boxes, pictures.width, pictures.height, pictures.one_colour)


def _time_lockstep(spec: SweepSpec, block: Block, samples: _Samples, memory: int) -> Calibration:
    """The first runs that will train together: their number decides what a step costs."""
    batch, height, width = samples.batch, samples.height, samples.width
    window = glyph_window(samples.all_boxes, height, width) if samples.plain else None
    runs = max(parts(spec, block.runs, height, width, window, memory), key=len)
    clock = time.perf_counter()
    networks = LockstepTrainer.of(spec, runs, height, width, window)
    given = (batch.grey, batch.boxes.astype(np.int32), relative_boxes(batch.boxes, width, height))
    np.asarray(networks.train(*given, 0))
    predict_all(networks, batch)
    start = time.perf_counter() - clock
    step = _median_seconds(lambda: np.asarray(networks.train(*given, 0)))
    picture = _median_seconds(lambda: predict_all(networks, batch)) / len(batch.grey)
    need = memory_need(spec, runs[0], height, width, window).total(len(runs))
    return Calibration(len(runs), start / len(runs), step / len(runs), picture / len(runs), need)


def _time_fit(spec: SweepSpec, block: Block, samples: _Samples) -> Calibration:
    """One run, on its own."""
    batch, size = samples.batch, (samples.width, samples.height)
    grey, boxes = normalise(batch.grey[:]), relative_boxes(batch.boxes, *size)
    clock = time.perf_counter()
    model = FitEngine(spec).compiled(block.runs[0], *size)
    model.train_on_batch(grey, boxes)
    start = time.perf_counter() - clock
    step = _median_seconds(lambda: model.train_on_batch(grey, boxes))
    predict(model, batch.grey)
    picture = _median_seconds(lambda: predict(model, batch.grey)) / len(batch.grey)
    return Calibration(1, start, step, picture)


def _median_seconds(work: Callable[[], Any]) -> float:
    seconds = []
    for _ in range(STEPS):
        clock = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - clock)
    return statistics.median(seconds)
