"""Keras metrics for boxes: what to put where one would write ``"accuracy"``.

On four coordinates Keras's ``"accuracy"`` compares which of the four is the largest, and so reads high while no box is
right. These two look at the boxes themselves.

>>> from bboxbench.metrics import BoxAccuracy, MeanBoxIoU
>>> truth = [[0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 4.0, 4.0]]
>>> guess = [[2.0, 0.0, 4.0, 4.0], [3.0, 0.0, 4.0, 4.0]]  # a half and a quarter of the true box
>>> print(float(BoxAccuracy()(truth, guess)), float(MeanBoxIoU()(truth, guess)))
0.5 0.375
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from bboxbench.losses.base import check_number
from bboxbench.losses.geometry import box_iou, check_box_format, computing_dtype, to_corners
from bboxbench.losses.numerics import Tensor
from bboxbench.losses.weights import box_weights

__all__ = ["BoxAccuracy", "MeanBoxIoU"]


@keras.saving.register_keras_serializable(package="bboxbench")
class MeanBoxIoU(keras.metrics.Mean):  # type: ignore[misc]  # Keras ships no types
    """Mean intersection over union of matching boxes, over all boxes seen since the last reset.

    A predicted box that is inverted, without area or not finite has IoU 0. Each box counts once, or as often as its
    weight says, whatever the batches are.

    Args:
        bounding_box_format: the order of a box's four numbers, one of `bboxbench.losses.BOX_FORMATS`; coordinates are
            used as given, in any unit.
        name: the name of the instance, and of the column in Keras's history.
        dtype: what to compute and count in, Keras's default float if None. Half precision is raised to float32, since
            float16 cannot count past 2,048.

    Call arguments:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        sample_weight: optional weights, of the shape of the boxes without their last axis, or of its first axes. A box
            of weight 0 may hold anything, NaN included.

    Returns:
        A scalar in [0, 1]; 0 before any box was seen.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.
    """

    def __init__(self, bounding_box_format: str = "xyxy", name: str | None = "mean_box_iou", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=computing_dtype(dtype))
        self.bounding_box_format = check_box_format(bounding_box_format)

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> None:
        """Count the boxes of one batch; see the class for the arguments."""
        y_true, y_pred = (ops.cast(ops.convert_to_tensor(boxes), self.dtype) for boxes in (y_true, y_pred))
        scores = self._scores(box_iou(*to_corners(y_true, y_pred, self.bounding_box_format)))
        if sample_weight is not None:
            sample_weight = ops.reshape(box_weights(sample_weight, y_pred, self.dtype), [-1])
        # Flat, so that a sample of few boxes does not count as much as one of many.
        super().update_state(ops.reshape(scores, [-1]), sample_weight)

    def _scores(self, iou: Tensor) -> Tensor:
        """What each box of shape (...) counts."""
        return iou

    def get_config(self) -> dict[str, Any]:
        """Every parameter of the constructor."""
        return {**super().get_config(), "bounding_box_format": self.bounding_box_format}


@keras.saving.register_keras_serializable(package="bboxbench")
class BoxAccuracy(MeanBoxIoU):
    """Share of predicted boxes whose IoU with the true box is at least ``threshold``.

    Boxes of shape (..., 4); inverted, empty and not finite predictions are misses. See `MeanBoxIoU` for the call
    arguments and how boxes are counted.

    Args:
        threshold: 0 < threshold <= 1. Equality counts, so 0.5 is met by a box that covers half of the true one; near
            it, rounding to ``dtype`` decides.
        bounding_box_format: one of `bboxbench.losses.BOX_FORMATS`.
        name: the name of the instance, and of the column in Keras's history.
        dtype: as in `MeanBoxIoU`.

    Raises:
        ValueError: if a parameter is out of its range, or shapes are not those of boxes.
    """

    def __init__(
        self,
        threshold: float = 0.5,
        bounding_box_format: str = "xyxy",
        name: str | None = "box_accuracy",
        dtype: Any = None,
    ) -> None:
        super().__init__(bounding_box_format=bounding_box_format, name=name, dtype=dtype)
        self.threshold = check_number("threshold", threshold, above=0, at_most=1)

    def _scores(self, iou: Tensor) -> Tensor:
        return ops.cast(ops.greater_equal(iou, self.threshold), self.dtype)

    def get_config(self) -> dict[str, Any]:
        """Every parameter of the constructor."""
        return {**super().get_config(), "threshold": self.threshold}
