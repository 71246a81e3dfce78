"""The engine ``fit``: plain Keras, one run at a time. The reference that every faster engine is held to."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from bboxbench.boxes import relative_boxes
from bboxbench.data_gen import normalise
from bboxbench.errors import one_line
from bboxbench.experiments.early_stopping import EarlyStopping
from bboxbench.experiments.execution.pulse import Pulse
from bboxbench.experiments.network import build_network
from bboxbench.experiments.own_network import own_network
from bboxbench.experiments.plan import Block, Run
from bboxbench.experiments.recipe import Recipe
from bboxbench.experiments.seeds import sample_order
from bboxbench.experiments.spec import NETWORK, SweepSpec
from bboxbench.experiments.training import EpochListener, Pictures, Split, TrainedRun, TrainingData
from bboxbench.experiments.validation import validate

__all__ = ["FitEngine", "OrderedBatches", "Watcher", "predict", "untrained"]

Watcher = Callable[[Any, dict[str, Any]], bool]
"""Called with a model and the row of its epoch, of epoch 0 before training; gives whether to train on."""

PREDICT_BATCH = 250
"""Pictures a prediction step: memory stays small, and larger steps are no faster."""


class OrderedBatches(keras.utils.PyDataset):  # type: ignore[misc]  # Keras ships no types
    """One epoch of training pictures, batch by batch, in a given order.

    Batches are (batch, height, width, 1) grey in [-1, 1] and (batch, 4) relative boxes; the last may be smaller.
    """

    def __init__(self, split: Split, width: int, height: int, batch_size: int, order: npt.NDArray[np.int64]) -> None:
        super().__init__()
        self._grey, self._boxes = split.grey, relative_boxes(split.boxes, width, height)
        self._batch_size, self._order = batch_size, order

    def __len__(self) -> int:
        return -(-len(self._order) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        return normalise(self._grey[rows]), self._boxes[rows]


class _Steps(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """A sign of life behind every batch of an epoch."""

    def __init__(self, run: Run, epoch: int, steps: int, pulse: Pulse) -> None:
        super().__init__()
        self._run, self._epoch, self._steps, self._pulse = run, epoch, steps, pulse

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        # The looking counts as one more step: an epoch is finished when that is done.
        self._pulse.beat([self._run], self._epoch + (batch + 1) / (self._steps + 1))


def predict(model: Any, grey: Pictures, on_batch: Callable[[], None] = lambda: None) -> npt.NDArray[np.float32]:
    """Boxes of grey pictures (n, height, width): xyxy relative, shape (n, 4).

    `Model.predict` would want all pictures as float32 at once, four times the memory, or a second input pipeline.
    """
    parts = []
    for start in range(0, len(grey), PREDICT_BATCH):
        pictures = normalise(grey[start : start + PREDICT_BATCH])
        parts.append(np.asarray(model.predict_on_batch(pictures), np.float32))
        on_batch()
    return np.concatenate(parts) if parts else np.empty((0, 4), np.float32)


def untrained(run: Run, spec: SweepSpec, width: int, height: int) -> Any:
    """The network of a run as it starts, not compiled: our own, or the user's.

    Raises:
        InputError: the user's cannot be built.
    """
    build = build_network if spec.network == NETWORK else own_network(spec.network).build
    return build(
        Recipe.parse(run.cell.initializer, "initializer"),
        spec.seed_of("init", run.seed),
        dropout_seed=spec.seed_of("dropout", run.seed),
        head=run.cell.head,
        start=run.cell.start,
        width=width,
        height=height,
        dropout=spec.dropout,
        precision=spec.precision,
    )


class FitEngine:
    """Trains each run of a block with `keras.Model.fit`, one after the other.

    Args:
        spec: of the sweep.
        keep_weights: whether runs come back with their weights.
        watch: looks at every network before its first epoch and after each.
    """

    def __init__(self, spec: SweepSpec, *, keep_weights: bool = False, watch: Watcher | None = None) -> None:
        self._spec, self._keep_weights, self._watch = spec, keep_weights, watch

    def train(self, block: Block, data: TrainingData, on_epoch: EpochListener) -> Iterator[TrainedRun]:
        """Train every run of ``block`` on ``data``; a run that raises comes back with its ``error``."""
        for run in block.runs:
            result = TrainedRun(run)
            start = time.perf_counter()
            try:
                self._train_run(result, data, on_epoch)
            except Exception as error:
                result.error, result.traceback = one_line(error), traceback.format_exc()
            finally:
                # Keras keeps every graph of a process alive otherwise: memory would grow from run to run.
                keras.backend.clear_session(free_memory=True)
            result.seconds = time.perf_counter() - start
            yield result

    def _train_run(self, result: TrainedRun, data: TrainingData, on_epoch: EpochListener) -> None:
        """Train, look at the validation pictures after every epoch, and predict the test pictures at the end."""
        run = result.run
        model = self.compiled(run, data.width, data.height)
        pulse = Pulse(on_epoch)
        stopping = EarlyStopping(self._spec.patience)
        best: list[npt.NDArray[np.float32]] = []
        if self._watch is not None:
            self._watch(model, {"epoch": 0, **self._measured(model, data)})
        for epoch in range(self._spec.epochs):
            start = time.perf_counter()
            order = sample_order(self._spec.seed_of("order", run.seed), epoch, len(data.train.grey))
            batches = OrderedBatches(data.train, data.width, data.height, run.cell.batch_size, order)
            # One call an epoch: Keras begins its first epoch twice to learn the shapes, so a data set that counted
            # epochs by itself would train them out of order.
            told = _Steps(run, epoch, len(batches), pulse)
            history = model.fit(
                batches, initial_epoch=epoch, epochs=epoch + 1, shuffle=False, verbose=0, callbacks=[told]
            ).history
            loss = float(history["loss"][0])
            looking = epoch + len(batches) / (len(batches) + 1)
            measures = self._measured(model, data, partial(pulse.beat, [run], looking))
            row = {"epoch": epoch + 1, "train_loss": loss, **measures}
            result.epochs.append({**row, "seconds": round(time.perf_counter() - start, 3)})
            # After one NaN all later weights are NaN: further epochs would cost time and change nothing.
            result.finite = bool(np.isfinite(loss)) and all(np.isfinite(w).all() for w in model.get_weights())
            if not result.finite or stopping.keeps(measures["val_mean_iou"]):
                result.kept_epoch = epoch + 1
                best = model.get_weights() if self._spec.patience else []
            on_epoch(run, epoch + 1)
            if self._watch is not None and not self._watch(model, result.epochs[-1]):
                break
            if not result.finite or stopping.is_over:
                break
        if best:
            model.set_weights(best)
        result.predictions = predict(model, data.test.grey, partial(pulse.beat, [run], len(result.epochs)))
        if self._keep_weights:
            result.weights = [np.asarray(each, np.float32) for each in model.get_weights()]

    def _measured(
        self, model: Any, data: TrainingData, on_batch: Callable[[], None] = lambda: None
    ) -> dict[str, float | None]:
        """What the validation pictures say of a network."""
        seen = data.validation
        drawn = predict(model, seen.grey, on_batch)[np.newaxis]
        return validate(seen.boxes, drawn, data.width, data.height, self._spec.iou_threshold)[0]

    def compiled(self, run: Run, width: int, height: int) -> Any:
        """The run's network, compiled with its loss and optimizer, untrained."""
        model = untrained(run, self._spec, width, height)
        model.compile(optimizer=run.cell.make_optimizer(), loss=run.cell.make_loss())
        return model
