"""Losses that add the distance of the centres over the diagonal of the enclosing box."""

from __future__ import annotations

import math
from typing import Unpack

import keras
from keras import ops

from bboxbench.losses.base import check_number
from bboxbench.losses.catalogue import LossCard, LossOptions
from bboxbench.losses.composition import ComposableLoss, Terms, shortfall
from bboxbench.losses.geometry import Corners, centre_offset, clamped_size, enclosing_squared_diagonal, to_corners
from bboxbench.losses.numerics import Tensor, at_least
from bboxbench.losses.registry import register

__all__ = ["CIoULoss", "DIoULoss", "centre_penalty", "ciou_loss", "diou_loss"]


def centre_penalty(true: Corners, pred: Corners, eps: float) -> Tensor:
    """Squared distance of the centres over the squared diagonal of the enclosing box, shape (...), no unit."""
    dx, dy = centre_offset(true, pred)
    return (ops.square(dx) + ops.square(dy)) / at_least(enclosing_squared_diagonal(true, pred), eps)


def diou_terms(true: Corners, pred: Corners, *, eps: float) -> Terms:
    """The parts of `diou_loss`: the shortfall and the distance of the centres."""
    return Terms(shortfall(true, pred, eps), (centre_penalty(true, pred, eps),))


def diou_loss(y_true: Tensor, y_pred: Tensor, *, eps: float = 1e-7, bounding_box_format: str = "xyxy") -> Tensor:
    """Distance-IoU, ``1 - I/U + rho^2/c^2``: rho is the distance of the centres, c the enclosing box's diagonal.

    Without overlap it moves the box straight to its target, where GIoU first lets it grow. An inverted box or a point
    is pulled to the target's centre and keeps its size. Finite for all finite boxes.

    Source: arXiv:1911.08287.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        eps: 1e-10 <= eps < 1. The smallest area or squared length divided by, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), in [0, 2], no unit: the same in pixels and in coordinates in [0, 1], except for boxes whose area is
        smaller than ``eps``.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import diou_loss
    >>> print(float(diou_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])))  # 1/2, and 1^2 / (4^2 + 4^2)
    0.53125
    """
    return diou_terms(*to_corners(y_true, y_pred, bounding_box_format), eps=eps).total()


def ciou_terms(true: Corners, pred: Corners, *, eps: float) -> Terms:
    """The parts of `ciou_loss`: the shortfall, the distance of the centres, and the aspect ratios weighted."""
    missing = shortfall(true, pred, eps)
    angle = _aspect_angle(true, eps) - _aspect_angle(pred, eps)
    v = ops.square(angle) * (4 / math.pi**2)
    alpha = ops.stop_gradient(v / at_least(missing + v, eps))
    return Terms(missing, (centre_penalty(true, pred, eps), alpha * v))


def _aspect_angle(corners: Corners, eps: float) -> Tensor:
    # Not arctan2: its gradient divides by w^2 + h^2, which rounds to 0 for specks. A point has no aspect ratio, and the
    # gradient of one that is nearly 0 / 0 would not fit into the float16 of a network that begins with points.
    width, height = clamped_size(corners)
    point = ops.logical_and(ops.less_equal(width, eps), ops.less_equal(height, eps))
    return ops.arctan(ops.where(point, ops.zeros_like(width), width) / at_least(height, eps))


def ciou_loss(y_true: Tensor, y_pred: Tensor, *, eps: float = 1e-7, bounding_box_format: str = "xyxy") -> Tensor:
    """Complete-IoU, ``1 - I/U + rho^2/c^2 + alpha v``: distance-IoU that compares aspect ratios as well.

    ``v = 4/pi^2 (atan(w_t/h_t) - atan(w/h))^2`` and ``alpha = v / (1 - I/U + v)``, which is held constant: no gradient
    goes through it. The gradient of v is the exact one, with the factor ``1 / (w^2 + h^2)`` that some code leaves out.
    An inverted box or a point is pulled to the target's centre. Finite for all finite boxes. On JAX Keras's arctan, and
    so the third term, is exact to float32 only.

    Source: arXiv:1911.08287 and arXiv:2005.03572.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        eps: 1e-10 <= eps < 1. The smallest length, squared length or area divided by, in units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), in [0, 3], no unit: the same in pixels and in coordinates in [0, 1], except for boxes smaller than
        ``eps``.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import ciou_loss
    >>> print(f"{float(ciou_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])):.5f}")
    0.53450
    """
    return ciou_terms(*to_corners(y_true, y_pred, bounding_box_format), eps=eps).total()


@register("diou")
@keras.saving.register_keras_serializable(package="bboxbench")
class DIoULoss(ComposableLoss):
    """Distance-IoU, ``1 - I/U + rho^2/c^2``, see `diou_loss`.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, 2].

    Args:
        eps: 1e-10 <= eps < 1. The smallest area or squared length divided by, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import DIoULoss
    >>> print(float(DIoULoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])))
    0.53125
    """

    function = staticmethod(diou_loss)
    terms_of = staticmethod(diou_terms)
    card = LossCard(
        family="Enclosing box and distance",
        formula="1 - I/U + rho^2/c^2",
        source="arXiv:1911.08287",
        purpose="Brings boxes without overlap to their targets in a straight line.",
        zero_iff_equal=True,
        upper_bound=2.0,
        monotone=True,
        disjoint="yes",
        scale_invariant=True,
        symmetric=True,
        inverted="moves",
        point="moves",
        wrong_elsewhere=("In versions with sqrt(rho^2) the gradient of concentric boxes is NaN.",),
    )

    def __init__(self, *, eps: float = 1e-7, **options: Unpack[LossOptions]) -> None:
        super().__init__(eps=check_number("eps", eps, at_least=1e-10, below=1), **options)


@register("ciou")
@keras.saving.register_keras_serializable(package="bboxbench")
class CIoULoss(ComposableLoss):
    """Complete-IoU, ``1 - I/U + rho^2/c^2 + alpha v``, see `ciou_loss`.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, 3].

    Args:
        eps: 1e-10 <= eps < 1. The smallest length, squared length or area divided by, in units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import CIoULoss
    >>> print(f"{float(CIoULoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])):.5f}")
    0.53450
    """

    function = staticmethod(ciou_loss)
    terms_of = staticmethod(ciou_terms)
    card = LossCard(
        family="Enclosing box and distance",
        formula="1 - I/U + rho^2/c^2 + alpha v; v = 4/pi^2 (atan(w_t/h_t) - atan(w/h))^2, alpha = v / (1 - I/U + v), "
        "no gradient through alpha",
        source="arXiv:1911.08287, arXiv:2005.03572",
        purpose="DIoU that also learns the aspect ratio.",
        zero_iff_equal=True,
        upper_bound=3.0,
        monotone=True,
        disjoint="yes",
        scale_invariant=True,
        symmetric=True,
        inverted="moves",
        point="moves",
        wrong_elsewhere=(
            "MMDetection's CIoULoss and YOLOv5 (issue 2376): 0/0 at a perfect match.",
            "KerasCV multiplies v by (4/pi^2)^2.",
            "Keras's compute_ciou lets the gradient through alpha, as did MMDetection once.",
            "KerasCV's CIoULoss leaves parameters out of `get_config`.",
            "Ultralytics' bbox_iou adds eps to the heights only.",
        ),
    )

    def __init__(self, *, eps: float = 1e-7, **options: Unpack[LossOptions]) -> None:
        super().__init__(eps=check_number("eps", eps, at_least=1e-10, below=1), **options)
