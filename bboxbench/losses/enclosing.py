"""Losses that add the enclosing box, so that boxes without overlap still have something to follow."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from bboxbench.losses.base import BoxLoss, check_number
from bboxbench.losses.geometry import Tensor, enclosing_area, overlap_areas, to_corners
from bboxbench.losses.registry import register

__all__ = ["GIoULoss", "giou_loss"]


def giou_loss(y_true: Tensor, y_pred: Tensor, *, eps: float = 1e-7, bounding_box_format: str = "xyxy") -> Tensor:
    """Generalised intersection over union as a loss, ``1 - I/U + (C - U)/C``, where C is the enclosing box's area.

    Computed as ``(U - I) / max(U, eps) + (C - U) / max(C, eps)``, the same wherever areas exceed ``eps``, and 0 for
    two identical boxes without area. Without overlap the second term still pulls the boxes together. Inside its target,
    an inverted box or a single point scores exactly 1 and has no gradient: a network can settle there. Finite for all
    finite boxes.

    Source: arXiv:1902.09630.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        eps: 0 < eps < 1. The smallest area divided by, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), in [0, 2], no unit: the same in pixels and in coordinates in [0, 1], except for boxes whose area is
        smaller than ``eps``.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import giou_loss
    >>> print(float(giou_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])))  # half the box
    0.5
    >>> print(float(giou_loss([0.0, 0.0, 4.0, 4.0], [4.0, 0.0, 8.0, 4.0])))  # side by side, no gap
    1.0
    """
    true, pred = to_corners(y_true, y_pred, bounding_box_format)
    intersection, union = overlap_areas(true, pred)
    enclosing = enclosing_area(true, pred)
    return (union - intersection) / ops.maximum(union, eps) + (enclosing - union) / ops.maximum(enclosing, eps)


@register("giou")
@keras.saving.register_keras_serializable(package="bboxbench")
class GIoULoss(BoxLoss):
    """Generalised intersection over union as a loss, see `giou_loss`.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, 2].

    Args:
        eps: 0 < eps < 1. The smallest area divided by, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction: as in `BoxLoss`.
        name: the name of the instance.
        dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range.

    >>> from bboxbench.losses import GIoULoss
    >>> print(float(GIoULoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])))
    0.5
    """

    def __init__(
        self,
        *,
        eps: float = 1e-7,
        bounding_box_format: str = "xyxy",
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "giou_loss",
        dtype: object = None,
    ) -> None:
        super().__init__(bounding_box_format=bounding_box_format, reduction=reduction, name=name, dtype=dtype)
        self.eps = check_number("eps", eps, above=0, below=1)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """One value a box, shape (..., 4) to (...)."""
        return giou_loss(y_true, y_pred, eps=self.eps, bounding_box_format=self.bounding_box_format)

    def get_config(self) -> dict[str, Any]:
        """Every parameter of the constructor."""
        return {**super().get_config(), "eps": self.eps}
