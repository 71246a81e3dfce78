"""A Keras callback that says after every epoch what becomes of the network's boxes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from bboxbench.boxes import Array
from bboxbench.errors import InputError
from bboxbench.experiments.diagnosis.advice import TRAP_GAP
from bboxbench.experiments.diagnosis.diagnosis import Diagnosis, diagnose
from bboxbench.experiments.diagnosis.words import brief, cited

__all__ = ["BoxDiagnosis"]


class BoxDiagnosis(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Diagnose the boxes of a network on some validation pictures after every epoch, in one or two lines.

    ::

        model.fit(x, y, epochs=8, callbacks=[BoxDiagnosis((x_validation, y_validation))])

    The last diagnosis, all of it, is `diagnosis`; print it. At the end of training what to try is said once.

    An epoch's text comes as the next one begins, or training ends: Keras draws its progress bar until then.

    Args:
        validation_data: pictures and true boxes as two arrays, or batches of them (a `tf.data.Dataset`, a
            `keras.utils.PyDataset`, any iterable of tuples), of which the first are kept. The network must give boxes
            of shape (n, 4), in the same format.
        bounding_box_format: of the boxes, as in `diagnose`; guessed by default.
        width: of the pictures in pixels; by default as the pictures are, (n, height, width, channels).
        height: the same.
        iou_threshold: in (0, 1]; a box with at least this IoU counts for box accuracy.
        pictures: at most so many are looked at.
        every: epochs between two diagnoses.
        say: takes each text.

    Attributes:
        diagnosis: of the last epoch that was looked at; None before.
        history: all of them.

    Raises:
        InputError: no pictures, boxes that are none, or a number out of range.
    """

    def __init__(
        self,
        validation_data: Any,
        *,
        bounding_box_format: str | None = None,
        width: float | None = None,
        height: float | None = None,
        iou_threshold: float = 0.5,
        pictures: int = 500,
        every: int = 1,
        say: Callable[[str], object] = print,
    ) -> None:
        super().__init__()
        if pictures < 1 or every < 1:
            raise InputError(f"Expected pictures and every to be 1 or more. Received: {pictures} and {every}.")
        self._x, self._y = _collect(validation_data, pictures)
        shape = np.shape(self._x)
        if len(shape) == 4:
            width, height = width or shape[2], height or shape[1]
        self._options: dict[str, Any] = {
            "bounding_box_format": bounding_box_format,
            "width": width,
            "height": height,
            "iou_threshold": iou_threshold,
        }
        # What is wrong with the true boxes is said before an epoch is spent.
        diagnose(self._y, self._y, **self._options)
        self._every, self._say = every, say
        self._before: Array | None = None
        self._broken = ""
        self._waiting: list[str] = []
        self.history: list[Diagnosis] = []

    @property
    def diagnosis(self) -> Diagnosis | None:
        """The last one."""
        return self.history[-1] if self.history else None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Forget what an earlier training left."""
        self.history, self._before, self._broken, self._waiting = [], None, "", []

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Say what is known of the epoch before."""
        while self._waiting:
            self._say(self._waiting.pop(0))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Predict, diagnose, put it into words."""
        logs = logs or {}
        if not self._broken:
            self._broken = self._not_finite(epoch, logs)
        if (epoch + 1) % self._every:
            return
        predicted = np.asarray(self.model.predict(self._x, verbose=0), np.float64)
        found = diagnose(self._y, predicted, finite=not self._broken, **self._options)
        self.history.append(found)
        said = f"Epoch {epoch + 1}: {self._broken}{brief(found)}"
        if self._before is not None and np.isfinite(found.predicted).all():
            moved = float(np.abs(found.predicted - self._before).mean())
            said += f" Edges moved by {moved:.2g} px since the last look."
        shown = logs.get("accuracy", logs.get("acc"))
        if shown is not None and float(shown) - found.network.measures.box_accuracy >= TRAP_GAP:
            said += f' Keras\'s "accuracy" of {float(shown):.2f} is none of boxes.'
        self._before = found.predicted
        self._waiting.append(said)

    def _not_finite(self, epoch: int, logs: dict[str, Any]) -> str:
        """What of the training is no longer finite, with a space behind; empty where all is."""
        if not all(math.isfinite(value) for name, value in logs.items() if name.endswith("loss")):
            return f"the loss is not finite since epoch {epoch + 1}; "
        weights = (np.asarray(weight, np.float32) for weight in self.model.get_weights())
        return "" if all(np.isfinite(w).all() for w in weights) else f"a weight is not finite since epoch {epoch + 1}; "

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """The last epoch, and what to try, once."""
        self.on_epoch_begin(0)
        if self.history and self.history[-1].advice:
            lines = [
                f"{k}. {advice.do} [{cited(advice.source)}]"
                for k, advice in enumerate(self.history[-1].advice, start=1)
            ]
            self._say("\n".join(["What to try, by the last diagnosis:", *lines]))


def _collect(data: Any, most: int) -> tuple[Any, Array]:
    """At most ``most`` pictures and their boxes, as two arrays."""
    if isinstance(data, (tuple, list)) and len(data) in (2, 3) and hasattr(data[0], "shape"):
        x, y = np.asarray(data[0][:most]), np.asarray(data[1][:most])
    else:
        pictures: list[Any] = []
        boxes: list[Any] = []
        count = 0
        try:
            # A PyDataset has a length and no end; what has no length is asked until it ends.
            batches = (data[k] for k in range(len(data))) if hasattr(data, "__getitem__") else iter(data)
            for batch in batches:
                pictures.append(np.asarray(batch[0]))
                boxes.append(np.asarray(batch[1]))
                if boxes[-1].ndim == 1:
                    raise InputError(
                        "Expected batches of pictures and boxes. Received single ones: data.batch(32) does."
                    )
                count += len(boxes[-1])
                if count >= most:
                    break
        except (TypeError, IndexError, KeyError) as error:
            raise InputError(
                f"Expected validation_data as (pictures, boxes) or batches of both. Received: {type(data).__name__}."
            ) from error
        if not boxes:
            raise InputError("Expected validation_data with pictures. Received none.")
        x, y = np.concatenate(pictures)[:most], np.concatenate(boxes)[:most]
    if len(x) != len(y) or not len(x):
        raise InputError(f"Expected as many pictures as boxes, at least one. Received: {len(x)} and {len(y)}.")
    return x, y
