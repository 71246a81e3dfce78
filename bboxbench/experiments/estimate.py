"""How long a sweep will take: a short calibration of this machine, times what is to be done."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bboxbench.data_gen import normalise
from bboxbench.experiments.fit import PREDICT_BATCH, FitEngine, predict
from bboxbench.experiments.plan import Run
from bboxbench.experiments.spec import SweepSpec

__all__ = ["Calibration", "calibrate"]

STEPS = 5
"""Training steps that are timed; their median is taken."""


@dataclass(frozen=True)
class Calibration:
    """Seconds that one network costs on this machine."""

    start: float
    """To build, compile and trace a network."""
    step: float
    """A training step of one full batch."""
    picture: float
    """A prediction, per picture."""

    def run_seconds(self, spec: SweepSpec, n_train: int, n_validation: int, n_test: int) -> float:
        """Estimated seconds of one run of ``spec`` that does not diverge."""
        steps = -(-n_train // spec.batch_size)
        return self.start + spec.epochs * (steps * self.step + n_validation * self.picture) + n_test * self.picture


def calibrate(spec: SweepSpec, run: Run, width: int, height: int, n_train: int) -> Calibration:
    """Train ``run`` for a few steps on random pictures and time it; takes some seconds.

    The time of a step does not depend on what the pictures show, and hardly on the loss: it is timed with mse, so that
    a loss that cannot be computed fails in its own run and not here.
    """
    run = replace(run, cell=replace(run.cell, loss="mse"))
    rng = np.random.default_rng(0)
    rows = min(spec.batch_size, n_train)
    grey = rng.integers(0, 256, (max(rows, PREDICT_BATCH), height, width), np.uint8)
    corners = np.sort(rng.random((rows, 2, 2), np.float32), axis=1)
    batch, boxes = normalise(grey[:rows]), corners.reshape(-1, 4)
    clock = time.perf_counter()
    model = FitEngine(spec).compiled(run, width, height)
    model.train_on_batch(batch, boxes)
    start = time.perf_counter() - clock
    step = _median_seconds(lambda: model.train_on_batch(batch, boxes))
    predict(model, grey[:PREDICT_BATCH])
    picture = _median_seconds(lambda: predict(model, grey[:PREDICT_BATCH])) / PREDICT_BATCH
    return Calibration(start, step, picture)


def _median_seconds(work: Callable[[], Any]) -> float:
    seconds = []
    for _ in range(STEPS):
        clock = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - clock)
    return statistics.median(seconds)
