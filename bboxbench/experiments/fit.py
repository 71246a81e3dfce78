"""The engine ``fit``: plain Keras, one run at a time. The reference that every faster engine is held to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from bboxbench.boxes import iou, relative_boxes, to_pixels
from bboxbench.data_gen import normalise
from bboxbench.experiments.network import build_network
from bboxbench.experiments.outcomes import keras_accuracy
from bboxbench.experiments.plan import Block, Run
from bboxbench.experiments.recipe import Recipe
from bboxbench.experiments.seeds import sample_order
from bboxbench.experiments.spec import SweepSpec
from bboxbench.experiments.training import EpochListener, Split, TrainedRun, TrainingData

__all__ = ["FitEngine", "OrderedBatches", "predict"]

PREDICT_BATCH = 250
"""Pictures a prediction step: memory stays small, and larger steps are no faster."""


class OrderedBatches(keras.utils.PyDataset):  # type: ignore[misc]  # Keras ships no types
    """The training pictures, batch by batch, in the order that the run's seed gives to each epoch.

    Batches are (batch, height, width, 1) grey in [-1, 1] and (batch, 4) relative boxes; the last may be smaller.
    """

    def __init__(self, split: Split, width: int, height: int, batch_size: int, seed: int) -> None:
        super().__init__()
        self._grey, self._boxes = split.grey, relative_boxes(split.boxes, width, height)
        self._batch_size, self._seed = batch_size, seed
        self._epoch = 0
        self._order = sample_order(seed, 0, len(self._grey))

    def __len__(self) -> int:
        return -(-len(self._grey) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        return normalise(self._grey[rows]), self._boxes[rows]

    def on_epoch_end(self) -> None:
        """Take the order of the next epoch."""
        self._epoch += 1
        self._order = sample_order(self._seed, self._epoch, len(self._grey))


class _Watch(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Notes each epoch, looks at the validation pictures, and ends training once a loss or weight is not finite."""

    def __init__(self, result: TrainedRun, data: TrainingData, threshold: float, on_epoch: EpochListener) -> None:
        super().__init__()
        self._result, self._data, self._threshold, self._on_epoch = result, data, threshold, on_epoch
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        loss = float((logs or {})["loss"])
        trained = time.perf_counter() - self._start
        row: dict[str, Any] = {"epoch": epoch + 1, "train_loss": loss, **self._validate(), "seconds": trained}
        self._result.epochs.append(row)
        # After one NaN all later weights are NaN: further epochs would cost time and change nothing.
        if not np.isfinite(loss) or not all(np.isfinite(w).all() for w in self.model.get_weights()):
            self._result.finite = False
            self.model.stop_training = True
        self._on_epoch(self._result.run, epoch + 1)
        self._start = time.perf_counter()

    def _validate(self) -> dict[str, float | None]:
        split = self._data.validation
        if not len(split.grey):
            return dict.fromkeys(("val_box_accuracy", "val_mean_iou", "val_keras_accuracy"))
        boxes = predict(self.model, split.grey)
        overlap = iou(split.boxes, to_pixels(boxes, self._data.width, self._data.height))
        return {
            "val_box_accuracy": float(np.mean(overlap >= self._threshold)),
            "val_mean_iou": float(overlap.mean()),
            "val_keras_accuracy": keras_accuracy(
                relative_boxes(split.boxes, self._data.width, self._data.height), boxes
            ),
        }


def predict(model: Any, grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Boxes of grey pictures (n, height, width): xyxy relative, shape (n, 4).

    `Model.predict` would want all pictures as float32 at once, four times the memory, or a second input pipeline.
    """
    parts = [
        np.asarray(model.predict_on_batch(normalise(grey[start : start + PREDICT_BATCH])), np.float32)
        for start in range(0, len(grey), PREDICT_BATCH)
    ]
    return np.concatenate(parts) if parts else np.empty((0, 4), np.float32)


class FitEngine:
    """Trains each run of a block with `keras.Model.fit`, one after the other."""

    def __init__(self, spec: SweepSpec) -> None:
        self._spec = spec

    def train(self, block: Block, data: TrainingData, on_epoch: EpochListener) -> Iterator[TrainedRun]:
        """Train every run of ``block`` on ``data``; a run that raises comes back with its ``error``."""
        for run in block.runs:
            yield self._train_run(run, data, on_epoch)

    def _train_run(self, run: Run, data: TrainingData, on_epoch: EpochListener) -> TrainedRun:
        result = TrainedRun(run)
        start = time.perf_counter()
        try:
            model = self.compiled(run, data.width, data.height)
            batches = OrderedBatches(data.train, data.width, data.height, self._spec.batch_size, run.seed)
            watch = _Watch(result, data, self._spec.iou_threshold, on_epoch)
            # The data set gives its own order; Keras must not shuffle the batches on top of it.
            model.fit(batches, epochs=self._spec.epochs, shuffle=False, verbose=0, callbacks=[watch])
            result.predictions = predict(model, data.test.grey)
        except Exception as error:
            result.error = " ".join(f"{type(error).__name__}: {error}".split())
        finally:
            # Keras keeps every graph of a process alive otherwise: memory would grow from run to run.
            keras.backend.clear_session(free_memory=True)
        result.seconds = time.perf_counter() - start
        return result

    def compiled(self, run: Run, width: int, height: int) -> Any:
        """The run's network, compiled with its loss and optimizer, untrained."""
        cell = run.cell
        model = build_network(
            Recipe.parse(cell.initializer, "initializer"),
            run.seed,
            head=cell.head,
            start=cell.start,
            width=width,
            height=height,
            dropout=self._spec.dropout,
        )
        model.compile(optimizer=cell.make_optimizer(), loss=cell.make_loss())
        return model
