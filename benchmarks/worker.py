"""One row of `training.py` as a process of its own: builds what it shall time, then times as it is told.

    python benchmarks/worker.py '{"kind": "fit"}' pictures.npz

Says one line of JSON when it is ready, then takes {"steps": 3} on stdin and answers with the seconds of each step,
until its input ends. A row of PyTorch needs NumPy and PyTorch alone, so that it can run in an environment of its own.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

BATCH = 100
"""Pictures a step."""
MATRIX = 2048
"""Side of the square matrices whose product is the machine's own rate."""
LOSSES = ("mse", "iou", "giou", "centre_point(size_weight=1)")
"""What the networks of a lockstep row train under, in turn; everything else trains under the first."""

Timed = Callable[[int], list[float]]
"""Takes so many steps and gives the seconds of each."""


@dataclass(frozen=True)
class Work:
    """What a row times.

    Args:
        kind: "matrix", "fit", "torch" or "lockstep".
        networks: that train at once.
        window: whether lockstep makes use of plain backgrounds.
        precision: "float32" or "bfloat16".
        jit: whether Keras compiles its step with XLA.
        evaluate: predict, without dropout, instead of training.
    """

    kind: str
    networks: int = 1
    window: bool = False
    precision: str = "float32"
    jit: bool = False
    evaluate: bool = False


@dataclass(frozen=True)
class Pictures:
    """Training pictures, and what is true of the whole data set they come from."""

    grey: Any
    """(n, height, width) uint8."""
    boxes: Any
    """(n, 4) xyxy in pixels."""
    relative: Any
    """(n, 4) float32, divided by width and height."""
    levels: Any
    """(256,) float32: the network's input of each grey level."""
    everything: Any
    """(N, 4) the boxes of the whole data set, which lockstep sizes its window by."""

    def rows(self, step: int) -> Any:
        """Which pictures this step takes."""
        return np.arange(step * BATCH, (step + 1) * BATCH) % len(self.grey)


def _one_by_one(step: Callable[[], Any]) -> Timed:
    def timed(steps: int) -> list[float]:
        seconds = []
        for _ in range(steps):
            start = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - start)
        return seconds

    return timed


def matrix(work: Work, pictures: Pictures) -> Timed:
    """A product of two square float32 matrices."""
    import tensorflow as tf

    left, right = (tf.random.stateless_uniform((MATRIX, MATRIX), seed=(0, side)) for side in (0, 1))
    # Reading a number waits for the product, on a GPU too.
    return _one_by_one(lambda: float(tf.matmul(left, right)[0, 0]))


def fit(work: Work, pictures: Pictures) -> Timed:
    """The engine fit: the model as it compiles it, fed as it feeds it."""
    import keras

    from bboxbench.experiments.fit import FitEngine, OrderedBatches
    from bboxbench.experiments.training import Split

    spec, (run,) = _spec_and_runs(work)
    height, width = pictures.grey.shape[1:]
    model = FitEngine(spec).compiled(run, width, height)
    if work.jit:
        model.compile(optimizer=run.cell.make_optimizer(), loss=run.cell.make_loss(), jit_compile=True)
    split = Split(pictures.grey, pictures.boxes)

    class Clock(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
        def on_train_begin(self, logs: Any = None) -> None:
            self.ends: list[float] = []

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.ends.append(time.perf_counter())

    def timed(steps: int) -> list[float]:
        clock = Clock()
        # One step more than is timed: an epoch's first also starts the pipeline, which an epoch of 120 hardly notices.
        order = np.concatenate([pictures.rows(step) for step in range(steps + 1)])
        batches = OrderedBatches(split, width, height, BATCH, order)
        model.fit(batches, shuffle=False, verbose=0, callbacks=[clock])
        return [end - start for start, end in zip(clock.ends, clock.ends[1:], strict=False)]

    return timed


def lockstep(work: Work, pictures: Pictures) -> Timed:
    """The engine lockstep's training step, or its prediction."""
    from bboxbench.experiments.lockstep import LockstepTrainer, glyph_window

    spec, runs = _spec_and_runs(work)
    height, width = pictures.grey.shape[1:]
    window = glyph_window(pictures.everything, height, width) if work.window else None
    if work.window and window is None:
        raise ValueError("The glyphs are so large that a window saves nothing.")
    networks = LockstepTrainer.of(spec, runs, height, width, window)
    steps = count()

    def step() -> Any:
        number = next(steps)
        rows = pictures.rows(number)
        grey, boxes = pictures.grey[rows], pictures.boxes[rows].astype(np.int32)
        if work.evaluate:
            return np.asarray(networks.predict(grey, boxes))
        return np.asarray(networks.train(grey, boxes, pictures.relative[rows], number))

    return _one_by_one(step)


def _spec_and_runs(work: Work) -> tuple[Any, Any]:
    """The default sweep's settings, and as many of its runs of one seed as the row trains at once."""
    from bboxbench.experiments.plan import plan
    from bboxbench.experiments.spec import SweepSpec

    spec = SweepSpec.from_preset(
        "default",
        losses=LOSSES,
        initializers=("glorot_uniform",),
        seeds=(0,),
        batch_sizes=(BATCH,),
        precision=work.precision,
        engine=work.kind,
    )
    return spec, tuple(islice(cycle(plan(spec, "")), work.networks))


def pytorch(work: Work, pictures: Pictures) -> Timed:
    """The same network in eager PyTorch, channels last."""
    import torch  # type: ignore[import-not-found, unused-ignore]  # in most environments it is not
    from torch import nn

    torch.set_num_threads(_cores())
    height, width = pictures.grey.shape[1:]
    features = ((height - 18) // 2 + 1) * ((width - 18) // 2 + 1) * 4
    model = nn.Sequential(
        *(nn.Conv2d(1, 4, 16), nn.LeakyReLU(0.2), nn.MaxPool2d(3, 2), nn.Dropout(0.2), nn.Flatten()),
        *(nn.Linear(features, 200), nn.LeakyReLU(0.2), nn.Linear(200, 64), nn.LeakyReLU(0.2)),
        *(nn.Linear(64, 4), nn.Sigmoid()),
    ).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.0005)
    steps = count()

    def step() -> float:
        rows = pictures.rows(next(steps))
        batch = torch.from_numpy(pictures.levels[pictures.grey[rows]][:, None])
        optimizer.zero_grad()
        drawn = model(batch.contiguous(memory_format=torch.channels_last))
        loss = nn.functional.mse_loss(drawn, torch.from_numpy(pictures.relative[rows]))
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return _one_by_one(step)


KINDS: dict[str, Callable[[Work, Pictures], Timed]] = {
    "matrix": matrix,
    "fit": fit,
    "torch": pytorch,
    "lockstep": lockstep,
}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _peak_bytes() -> int:
    """Most memory of the host that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _ready(work: Work) -> dict[str, Any]:
    """What ran: TensorFlow's environment, or PyTorch's version."""
    if work.kind == "torch":
        return {"torch": importlib.metadata.version("torch")}
    from bboxbench.experiments.environment import environment

    # Not its flags: they may name folders of this machine, and the report is for everyone.
    found = environment()
    return {"environment": {name: found[name] for name in ("python", "device", "cores", "packages")}}


def serve(work: Work, path: Path) -> None:
    """Build, take one step outside any clock, then time until the input ends."""
    # What a library prints must not come between the answers.
    answers, sys.stdout = sys.stdout, sys.stderr

    def answer(values: dict[str, Any]) -> None:
        print(json.dumps(values), file=answers, flush=True)

    if work.kind == "torch":
        if importlib.util.find_spec("torch") is None:
            answer({"absent": "not installed"})
            return
    else:
        from bboxbench.experiments.runtime import start_tensorflow

        start_tensorflow()
    timed = KINDS[work.kind](work, Pictures(**np.load(path)))
    timed(1)
    answer(_ready(work))
    for line in sys.stdin:
        # The caches are another process's by now: one step first that does not count.
        timed(1)
        answer({"seconds": timed(json.loads(line)["steps"]), "peak_bytes": _peak_bytes()})


if __name__ == "__main__":
    serve(Work(**json.loads(sys.argv[1])), Path(sys.argv[2]))
