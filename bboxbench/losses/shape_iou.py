"""Shape-IoU: distance and shape, weighted by the shape of the true box."""

from __future__ import annotations

from typing import Unpack

import keras
from keras import ops

from bboxbench.losses.base import check_number
from bboxbench.losses.catalogue import LossCard, LossOptions
from bboxbench.losses.composition import ComposableLoss, Terms, shortfall
from bboxbench.losses.geometry import Corners, centre_offset, clamped_size, enclosing_squared_diagonal, to_corners
from bboxbench.losses.numerics import Tensor, at_least
from bboxbench.losses.registry import register
from bboxbench.losses.siou import shape_cost

__all__ = ["ShapeIoULoss", "shape_iou_loss"]


def shape_iou_terms(true: Corners, pred: Corners, *, scale: float, theta: float, eps: float) -> Terms:
    """The parts of `shape_iou_loss`: the shortfall, the weighted distance, and half of the weighted shape cost."""
    width, height = (ops.log(at_least(side, eps)) for side in clamped_size(true))
    # 2 w^s / (w^s + h^s), without a power that could overflow.
    a_w = 2 * ops.sigmoid(scale * (width - height))
    a_h = 2 - a_w
    dx, dy = centre_offset(true, pred)
    diagonal = at_least(enclosing_squared_diagonal(true, pred), eps)
    distance = (a_h * ops.square(dx) + a_w * ops.square(dy)) / diagonal
    return Terms(shortfall(true, pred, eps), (distance, shape_cost(true, pred, (a_h, a_w), theta, eps) / 2))


def shape_iou_loss(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    scale: float = 0.0,
    theta: float = 4.0,
    eps: float = 1e-7,
    bounding_box_format: str = "xyxy",
) -> Tensor:
    """Shape-IoU, ``1 - I/U + (a_h dx^2 + a_w dy^2)/c^2 + Omega/2``, weighted by the shape of the true box.

    ``a_w = 2 w_t^s / (w_t^s + h_t^s)`` and ``a_h = 2 h_t^s / (w_t^s + h_t^s)``, where s is ``scale``: across a long box
    an offset counts more than along it. ``Omega = sum of (1 - exp(-k |w - w_t| / max(w, w_t)))^theta`` with k = a_h for
    the width and a_w for the height. Differences of sizes keep their sign: an inverted box is turned round, a point
    grows. Finite for all finite boxes.

    Source: arXiv:2312.17663.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        scale: 0 to 100, how much the true box's shape counts, as the data's scale of objects asks; at 0, the authors'
            default, all weights are 1.
        theta: 1 to 100, the exponent: the larger, the less a small difference of sizes counts.
        eps: 1e-10 <= eps < 1. The smallest length or area divided by, in units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), in [0, 4], no unit: the same in pixels and in coordinates in [0, 1], except for boxes smaller than
        ``eps``.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import shape_iou_loss
    >>> print(f"{float(shape_iou_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])):.4f}")
    0.5432
    """
    corners = to_corners(y_true, y_pred, bounding_box_format)
    return shape_iou_terms(*corners, scale=scale, theta=theta, eps=eps).total()


@register("shape_iou")
@keras.saving.register_keras_serializable(package="bboxbench")
class ShapeIoULoss(ComposableLoss):
    """Distance and shape weighted by the shape of the true box, see `shape_iou_loss`.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, 4].

    Args:
        scale: 0 to 100, how much the true box's shape counts; at 0 all weights are 1.
        theta: 1 to 100, the exponent: the larger, the less a small difference of sizes counts.
        eps: 1e-10 <= eps < 1. The smallest length or area divided by, in units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import ShapeIoULoss
    >>> print(f"{float(ShapeIoULoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])):.4f}")
    0.5432
    """

    function = staticmethod(shape_iou_loss)
    terms_of = staticmethod(shape_iou_terms)
    card = LossCard(
        family="Reweighted",
        formula="1 - I/U + (a_h dx^2 + a_w dy^2)/c^2 + Omega/2; a_w = 2 w_t^s/(w_t^s + h_t^s), a_h = 2 - a_w, Omega = "
        "(1 - exp(-a_h |w - w_t|/max(w, w_t)))^theta, plus the same with a_w, h; s = scale 0, theta 4",
        source="arXiv:2312.17663",
        purpose="For long objects: an offset across the box counts more than one along it (with scale above 0).",
        zero_iff_equal=True,
        upper_bound=3.0,
        monotone=True,
        disjoint="yes",
        scale_invariant=True,
        symmetric=True,
        inverted="turns",
        point="grows",
    )

    def __init__(
        self, *, scale: float = 0.0, theta: float = 4.0, eps: float = 1e-7, **options: Unpack[LossOptions]
    ) -> None:
        super().__init__(
            scale=check_number("scale", scale, at_least=0, at_most=100),
            theta=check_number("theta", theta, at_least=1, at_most=100),
            eps=check_number("eps", eps, at_least=1e-10, below=1),
            **options,
        )
