"""Losses on a box's centre and size."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from bboxbench.losses.base import BoxLoss, check_number
from bboxbench.losses.geometry import Tensor, to_corners
from bboxbench.losses.registry import register

__all__ = ["CentrePointLoss", "centre_point_loss"]


def centre_point_loss(
    y_true: Tensor, y_pred: Tensor, *, size_weight: float = 1.0, bounding_box_format: str = "xyxy"
) -> Tensor:
    """Squared distance of the centres plus ``size_weight`` times the squared difference of the sizes.

    ``(dx^2 + dy^2) + size_weight * (dw^2 + dh^2)``, with x, y the centre and w, h the width and height.

    With ``size_weight=0`` only the centre counts and the loss cannot learn a size: any size scores the same. With 1 it
    is close to MSE in other coordinates: the four squared corner differences sum to
    ``2 (dx^2 + dy^2) + (dw^2 + dh^2) / 2``, so ``size_weight=0.25`` is exactly twice `mse_loss` and 1 asks four times
    as much of the size. Sizes keep their sign, so an inverted box has a gradient that turns it round again; boxes
    without area or overlap are nothing special.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        size_weight: at least 0.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), at least 0, in squared units of the coordinates.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import centre_point_loss
    >>> print(float(centre_point_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])))  # centre 1 off, width 2 off
    5.0
    """
    true, pred = to_corners(y_true, y_pred, bounding_box_format)
    low_x, low_y, high_x, high_y = (p - t for t, p in zip(true, pred, strict=True))
    centre = ops.square((low_x + high_x) / 2) + ops.square((low_y + high_y) / 2)
    size = ops.square(high_x - low_x) + ops.square(high_y - low_y)
    return centre + size_weight * size


@register("centre_point")
@keras.saving.register_keras_serializable(package="bboxbench")
class CentrePointLoss(BoxLoss):
    """Squared distance of the centres plus ``size_weight`` times that of the sizes, see `centre_point_loss`.

    Boxes of shape (..., 4), values of shape (...) in squared units of the coordinates. With ``size_weight=0`` it cannot
    learn a size; with 1 it is close to MSE in other coordinates.

    Args:
        size_weight: at least 0.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction: as in `BoxLoss`.
        name: the name of the instance.
        dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range.

    >>> from bboxbench.losses import CentrePointLoss
    >>> print(float(CentrePointLoss(size_weight=0)([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])))
    1.0
    """

    def __init__(
        self,
        *,
        size_weight: float = 1.0,
        bounding_box_format: str = "xyxy",
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "centre_point_loss",
        dtype: object = None,
    ) -> None:
        super().__init__(bounding_box_format=bounding_box_format, reduction=reduction, name=name, dtype=dtype)
        self.size_weight = check_number("size_weight", size_weight, at_least=0)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """One value a box, shape (..., 4) to (...)."""
        return centre_point_loss(
            y_true, y_pred, size_weight=self.size_weight, bounding_box_format=self.bounding_box_format
        )

    def get_config(self) -> dict[str, Any]:
        """Every parameter of the constructor."""
        return {**super().get_config(), "size_weight": self.size_weight}
