"""Losses that compare coordinates one by one and never ask whether the boxes overlap."""

from __future__ import annotations

import keras
from keras import ops

from bboxbench.losses.base import BoxLoss
from bboxbench.losses.geometry import Tensor, to_corners
from bboxbench.losses.registry import register

__all__ = ["MSELoss", "mse_loss"]


def mse_loss(y_true: Tensor, y_pred: Tensor, *, bounding_box_format: str = "xyxy") -> Tensor:
    """Mean squared error of the four corner coordinates.

    Boxes of any format are compared by their corners. Inverted boxes, boxes without area and boxes that do not overlap
    are nothing special: the gradient always points from the predicted corner to the true one.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), at least 0, in squared units of the coordinates: divide by 40,000 when going from pixels of a
        200 x 200 picture to coordinates in [0, 1].

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import mse_loss
    >>> print(float(mse_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])))
    1.0
    """
    true, pred = to_corners(y_true, y_pred, bounding_box_format)
    squares = [ops.square(p - t) for t, p in zip(true, pred, strict=True)]
    return (squares[0] + squares[1] + squares[2] + squares[3]) / 4


@register("mse")
@keras.saving.register_keras_serializable(package="bboxbench")
class MSELoss(BoxLoss):
    """Mean squared error of the four corner coordinates, see `mse_loss`.

    Boxes of shape (..., 4), values of shape (...) in squared units of the coordinates.

    Args:
        bounding_box_format: one of `BOX_FORMATS`; boxes are compared by their corners whatever it is.
        reduction: as in `BoxLoss`.
        name: the name of the instance.
        dtype: as in `BoxLoss`.

    >>> from bboxbench.losses import MSELoss
    >>> print(float(MSELoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])))
    1.0
    """

    def __init__(
        self,
        *,
        bounding_box_format: str = "xyxy",
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mse_loss",
        dtype: object = None,
    ) -> None:
        super().__init__(bounding_box_format=bounding_box_format, reduction=reduction, name=name, dtype=dtype)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """One value a box, shape (..., 4) to (...)."""
        return mse_loss(y_true, y_pred, bounding_box_format=self.bounding_box_format)
