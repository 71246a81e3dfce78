"""Losses made of the intersection over union alone: nothing to follow where boxes do not overlap."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from bboxbench.losses.base import BoxLoss, check_number
from bboxbench.losses.geometry import Tensor, overlap_areas, to_corners
from bboxbench.losses.registry import register

__all__ = ["IoULoss", "UnguardedIoULoss", "iou_loss", "unguarded_iou_loss"]


def iou_loss(y_true: Tensor, y_pred: Tensor, *, eps: float = 1e-7, bounding_box_format: str = "xyxy") -> Tensor:
    """Negative logarithm of the intersection over union, ``-ln(max(I / max(U, eps), eps))``.

    **No gradient without overlap**: there the value is ``-ln(eps)``, about 16.1, and the gradient exactly 0, so a box
    that starts beside its target, inverted or without area stays where it is. It is finite for all finite boxes.

    Source: the IoU loss of UnitBox, arXiv:1608.01471.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        eps: 0 < eps < 1. The smallest union, in squared units of the coordinates, and the smallest IoU.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), in [0, -ln(eps)], no unit: the same in pixels and in coordinates in [0, 1], except for boxes whose
        union is smaller than ``eps``.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import iou_loss
    >>> print(f"{float(iou_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])):.4f}")  # half the box: ln 2
    0.6931
    >>> print(f"{float(iou_loss([0.0, 0.0, 4.0, 4.0], [5.0, 0.0, 9.0, 4.0])):.4f}")  # beside it: -ln(1e-7)
    16.1181
    """
    intersection, union = overlap_areas(*to_corners(y_true, y_pred, bounding_box_format))
    # Subtracted from 0, not negated: a perfect match then reads 0.0 and not -0.0.
    return 0.0 - ops.log(ops.maximum(intersection / ops.maximum(union, eps), eps))


def unguarded_iou_loss(y_true: Tensor, y_pred: Tensor, *, bounding_box_format: str = "xyxy") -> Tensor:
    """Negative logarithm of the intersection over union as people first write it, ``-ln(I / U)``.

    **It breaks**, on purpose: it is here to show what the bare logarithm does to a training run. Use `iou_loss` or
    `giou_loss` to train. Where boxes overlap it is `iou_loss`. A box beside its target, or without area, gives an
    infinite value and NaN gradients, which destroy every weight of a network in one step. An inverted box gives an
    infinite value and a gradient of 0.

    Source: the IoU loss of UnitBox, arXiv:1608.01471, without its precautions.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), in [0, inf], no unit: the same in pixels and in coordinates in [0, 1].

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import unguarded_iou_loss
    >>> print(float(unguarded_iou_loss([0.0, 0.0, 4.0, 4.0], [5.0, 0.0, 9.0, 4.0])))
    inf
    """
    intersection, union = overlap_areas(*to_corners(y_true, y_pred, bounding_box_format))
    return 0.0 - ops.log(ops.divide_no_nan(intersection, union))


@register("iou")
@keras.saving.register_keras_serializable(package="bboxbench")
class IoULoss(BoxLoss):
    """Negative logarithm of the intersection over union, see `iou_loss`. No gradient without overlap.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, -ln(eps)].

    Args:
        eps: 0 < eps < 1. The smallest union, in squared units of the coordinates, and the smallest IoU.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction: as in `BoxLoss`.
        name: the name of the instance.
        dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range.

    >>> from bboxbench.losses import IoULoss
    >>> print(f"{float(IoULoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])):.4f}")
    0.6931
    """

    def __init__(
        self,
        *,
        eps: float = 1e-7,
        bounding_box_format: str = "xyxy",
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "iou_loss",
        dtype: object = None,
    ) -> None:
        super().__init__(bounding_box_format=bounding_box_format, reduction=reduction, name=name, dtype=dtype)
        self.eps = check_number("eps", eps, above=0, below=1)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """One value a box, shape (..., 4) to (...)."""
        return iou_loss(y_true, y_pred, eps=self.eps, bounding_box_format=self.bounding_box_format)

    def get_config(self) -> dict[str, Any]:
        """Every parameter of the constructor."""
        return {**super().get_config(), "eps": self.eps}


@register("iou_unguarded")
@keras.saving.register_keras_serializable(package="bboxbench")
class UnguardedIoULoss(BoxLoss):
    """Negative logarithm of the intersection over union without a guard, see `unguarded_iou_loss`: it breaks.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, inf]; NaN gradients without overlap.

    Args:
        bounding_box_format: one of `BOX_FORMATS`.
        reduction: as in `BoxLoss`.
        name: the name of the instance.
        dtype: as in `BoxLoss`.

    >>> from bboxbench.losses import UnguardedIoULoss
    >>> print(float(UnguardedIoULoss()([[0.0, 0.0, 4.0, 4.0]], [[4.0, 4.0, 0.0, 0.0]])))  # inverted
    inf
    """

    def __init__(
        self,
        *,
        bounding_box_format: str = "xyxy",
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "unguarded_iou_loss",
        dtype: object = None,
    ) -> None:
        super().__init__(bounding_box_format=bounding_box_format, reduction=reduction, name=name, dtype=dtype)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """One value a box, shape (..., 4) to (...)."""
        return unguarded_iou_loss(y_true, y_pred, bounding_box_format=self.bounding_box_format)
