"""SIoU: distance and shape, with the angle between the centres."""

from __future__ import annotations

from typing import Any, Unpack

import keras
from keras import ops

from bboxbench.losses.base import check_number
from bboxbench.losses.catalogue import LossCard, LossOptions
from bboxbench.losses.composition import ComposableLoss, Terms, shortfall
from bboxbench.losses.geometry import Corners, centre_offset, clamped_size, enclosing_size, size, to_corners
from bboxbench.losses.numerics import Tensor, at_least, larger, magnitude, saturating
from bboxbench.losses.registry import register

__all__ = ["SIoULoss", "shape_cost", "siou_loss"]

TINY = 1e-15
"""Smallest distance of two centres whose angle is looked at, in units of the coordinates."""


def shape_cost(true: Corners, pred: Corners, weights: tuple[Any, Any], theta: float, eps: float) -> Tensor:
    """``sum of (1 - exp(-k |w - w_t| / max(w, w_t)))^theta`` over width and height, shape (...), in [0, 2], no unit.

    Args:
        true: corners of the true boxes, each of shape (...).
        pred: corners of the predicted boxes, each of shape (...).
        weights: the factors k of width and height, numbers or of shape (...).
        theta: the power, at least 1.
        eps: the smallest size divided by.
    """
    sides = zip(size(true), size(pred), clamped_size(true), clamped_size(pred), weights, strict=True)
    # The difference keeps its sign, so that an inverted box has a gradient that turns it round.
    omegas = (k * magnitude(p - t) / at_least(larger(t_size, p_size), eps) for t, p, t_size, p_size, k in sides)
    width, height = (saturating(omega) ** theta for omega in omegas)
    return width + height


def siou_terms(true: Corners, pred: Corners, *, theta: float, eps: float) -> Terms:
    """The parts of `siou_loss`: the shortfall, and half of distance and shape cost together."""
    dx, dy = centre_offset(true, pred)
    # sin(2 arcsin(|dy| / sigma)) of the paper is 2 |dx| |dy| / sigma^2. It does not depend on the distance, so that
    # both can be divided by a constant first, and no square leaves float32.
    longest = ops.stop_gradient(at_least(larger(magnitude(dx), magnitude(dy)), TINY))
    x, y = magnitude(dx) / longest, magnitude(dy) / longest
    gamma = 2 - 2 * x * y / at_least(ops.square(x) + ops.square(y), 1)
    width, height = enclosing_size(true, pred)
    rho_x, rho_y = (ops.square(d / at_least(side, eps)) for d, side in ((dx, width), (dy, height)))
    distance = saturating(gamma * rho_x) + saturating(gamma * rho_y)
    return Terms(shortfall(true, pred, eps), ((distance + shape_cost(true, pred, (1.0, 1.0), theta, eps)) / 2,))


def siou_loss(
    y_true: Tensor, y_pred: Tensor, *, theta: float = 4.0, eps: float = 1e-7, bounding_box_format: str = "xyxy"
) -> Tensor:
    """SCYLLA-IoU, ``1 - I/U + (Delta + Omega) / 2``: overlap, distance with angle, and shape.

    ``Delta = sum over x, y of 1 - exp(-gamma (d/C)^2)`` with d the offset of the centres and C the side of the
    enclosing box; ``gamma = 2 - Lambda``, where ``Lambda = sin(2 arcsin(|dy| / sigma))`` is 1 on the diagonal and 0
    along an axis. ``Omega = sum over w, h of (1 - exp(-|w - w_t| / max(w, w_t)))^theta``. Differences of sizes keep
    their sign: an inverted box is turned round, a point grows. Finite for all finite boxes.

    Source: arXiv:2205.12740.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        theta: 1 to 100, the exponent: the larger, the less a small difference of sizes counts; the paper takes 2 to 6,
            here 4.
        eps: 1e-10 <= eps < 1. The smallest length or area divided by, in units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), in [0, 3], no unit: the same in pixels and in coordinates in [0, 1], except for boxes smaller than
        ``eps``.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import siou_loss
    >>> print(f"{float(siou_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])):.4f}")
    0.5707
    """
    return siou_terms(*to_corners(y_true, y_pred, bounding_box_format), theta=theta, eps=eps).total()


@register("siou")
@keras.saving.register_keras_serializable(package="bboxbench")
class SIoULoss(ComposableLoss):
    """SCYLLA-IoU: overlap, distance with angle, and shape, see `siou_loss`.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, 3].

    Args:
        theta: 1 to 100, the exponent: the larger, the less a small difference of sizes counts.
        eps: 1e-10 <= eps < 1. The smallest length or area divided by, in units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import SIoULoss
    >>> print(f"{float(SIoULoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])):.4f}")
    0.5707
    """

    function = staticmethod(siou_loss)
    terms_of = staticmethod(siou_terms)
    card = LossCard(
        family="Enclosing box and distance",
        formula="1 - I/U + (Delta + Omega)/2; Delta = 1 - exp(-(2 - Lambda) (dx/C_w)^2), plus the same with dy, C_h; "
        "Omega = (1 - exp(-|w - w_t|/max(w, w_t)))^theta, plus the same with h; Lambda = sin(2 arcsin(|dy|/sigma)), "
        "theta 4",
        source="arXiv:2205.12740",
        purpose="Draws a box onto the nearer axis of its target first, then along it.",
        zero_iff_equal=True,
        upper_bound=3.0,
        monotone=True,
        disjoint="yes",
        scale_invariant=True,
        symmetric=True,
        inverted="turns",
        point="grows",
        wrong_elsewhere=(
            "MMDetection's SIoULoss by default has the exponent's sign wrong: it falls as the box moves away.",
        ),
    )

    def __init__(self, *, theta: float = 4.0, eps: float = 1e-7, **options: Unpack[LossOptions]) -> None:
        super().__init__(
            theta=check_number("theta", theta, at_least=1, at_most=100),
            eps=check_number("eps", eps, at_least=1e-10, below=1),
            **options,
        )
