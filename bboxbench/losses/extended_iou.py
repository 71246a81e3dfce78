"""Extended-IoU, the other loss that is called EIoU."""

from __future__ import annotations

from typing import Unpack

import keras
from keras import ops

from bboxbench.losses.base import check_number
from bboxbench.losses.catalogue import CatalogueLoss, LossCard, LossOptions
from bboxbench.losses.geometry import area, enclosing, intersection, to_corners
from bboxbench.losses.numerics import Tensor, at_least, larger, smaller
from bboxbench.losses.registry import register

__all__ = ["ExtendedIoULoss", "extended_iou_loss"]


def extended_iou_loss(
    y_true: Tensor, y_pred: Tensor, *, beta: float = 0.1, eps: float = 1e-7, bounding_box_format: str = "xyxy"
) -> Tensor:
    """Extended-IoU: ``1 - I/U`` with an intersection that turns negative without overlap, made smooth near 0.

    Measured from the corner (x_0, y_0) of the enclosing box, the intersection is the sum of two products of sides minus
    two others, ``x_2 y_2 + x_< y_< - x_1 y_> - x_> y_1``, where (x_1, y_1) and (x_2, y_2) are the corners of the
    intersection, and < and > say the smaller and larger of its two. It is I where boxes overlap and falls below 0 with
    the gap where they do not. With ``L = 1 - I/U``, then up to 2, the value is ``L^2 / (2 beta)`` where ``L < beta``,
    else ``L - beta / 2``. It depends on where (x_0, y_0) lies: mirrored boxes have another loss, and some boxes without
    overlap are pushed away. Finite for all finite boxes.

    Source: Extended-IoU (2021), IEEE 9429909, as in MMDetection's ``eiou_loss``. Not Efficient-IoU, `eiou_loss`.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        beta: at least 1e-6, where the loss turns from squared to straight.
        eps: 1e-10 <= eps < 1. The smallest union, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), in [0, 2 - beta / 2] for boxes that are not inverted, no unit, except for boxes whose union
        is smaller than ``eps``.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import extended_iou_loss
    >>> print(f"{float(extended_iou_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])):.4f}")  # 1/2 - 0.1/2
    0.4500
    """
    true, pred = to_corners(y_true, y_pred, bounding_box_format)
    around, shared = enclosing(true, pred), intersection(true, pred)
    x_1, y_1 = shared.xmin - around.xmin, shared.ymin - around.ymin
    x_2, y_2 = shared.xmax - around.xmin, shared.ymax - around.ymin
    x_low, y_low, x_high, y_high = (
        smaller(x_1, x_2),
        smaller(y_1, y_2),
        larger(x_1, x_2),
        larger(y_1, y_2),
    )
    signed = x_2 * y_2 + x_low * y_low - x_1 * y_high - x_high * y_1
    union = area(true) + area(pred) - signed
    missing = (union - signed) / at_least(union, eps)
    near = ops.less(missing, beta)
    # Inverted boxes can make it negative, and its square would then reach past float32.
    small = ops.where(near, at_least(missing, 0), ops.zeros_like(missing))
    return ops.where(near, ops.square(small) / (2 * beta), missing - beta / 2)


@register("extended_iou")
@keras.saving.register_keras_serializable(package="bboxbench")
class ExtendedIoULoss(CatalogueLoss):
    """Extended-IoU: ``1 - I/U`` with an intersection that turns negative without overlap, see `extended_iou_loss`.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, 2 - beta / 2] for boxes that are not inverted.

    Args:
        beta: at least 1e-6, where the loss turns from squared to straight.
        eps: 1e-10 <= eps < 1. The smallest union, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import ExtendedIoULoss
    >>> print(f"{float(ExtendedIoULoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])):.4f}")
    0.4500
    """

    function = staticmethod(extended_iou_loss)
    card = LossCard(
        family="Enclosing box and distance",
        formula="L^2 / (2 beta) where L < beta, else L - beta / 2; L = 1 - I'/U', I' negative without overlap, beta "
        "0.1",
        source="Extended-IoU 2021, IEEE 9429909",
        purpose="The other EIoU, for comparison: what MMDetection's eiou_loss computes.",
        zero_iff_equal=True,
        upper_bound=1.95,
        monotone=False,
        disjoint="no",
        scale_invariant=True,
        symmetric=True,
        inverted="turns",
        point="grows",
    )

    def __init__(self, *, beta: float = 0.1, eps: float = 1e-7, **options: Unpack[LossOptions]) -> None:
        super().__init__(
            beta=check_number("beta", beta, at_least=1e-6),
            eps=check_number("eps", eps, at_least=1e-10, below=1),
            **options,
        )
