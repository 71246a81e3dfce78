"""Coordinate losses with a bend: squared or steeper near the true corner, straight far from it."""

from __future__ import annotations

import math
from typing import Unpack

import keras
from keras import ops

from bboxbench.losses.base import check_number
from bboxbench.losses.catalogue import CatalogueLoss, LossCard, LossOptions
from bboxbench.losses.coordinate import corner_mean
from bboxbench.losses.numerics import Tensor, magnitude
from bboxbench.losses.registry import register

__all__ = [
    "BalancedL1Loss",
    "HuberLoss",
    "SmoothL1Loss",
    "balanced_l1_loss",
    "huber_loss",
    "smooth_l1_loss",
]


def smooth_l1_loss(y_true: Tensor, y_pred: Tensor, *, beta: float = 1.0, bounding_box_format: str = "xyxy") -> Tensor:
    """Mean over the four corners of ``d^2 / (2 beta)`` where ``|d| < beta``, else ``|d| - beta / 2``.

    The slope is at most 1 a corner whatever ``beta`` is: `huber_loss` divided by ``beta``. Inverted boxes, boxes
    without area and boxes that do not overlap are nothing special.

    Source: Fast R-CNN, arXiv:1504.08083, with beta 1.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        beta: at least 1e-6. Where the bend is, in units of the coordinates: 1 pixel by default. On coordinates in [0,
            1] the default never bends, and is half of MSE.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), at least 0, in units of the coordinates.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import smooth_l1_loss
    >>> print(float(smooth_l1_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.5, 4.0, 4.0])))  # (1.5 + 0.125) / 4
    0.40625
    """

    def bent(difference: Tensor) -> Tensor:
        distance = magnitude(difference)
        return ops.where(ops.less(distance, beta), ops.square(distance) / (2 * beta), distance - beta / 2)

    return corner_mean(bent, y_true, y_pred, bounding_box_format)


def huber_loss(y_true: Tensor, y_pred: Tensor, *, delta: float = 1.0, bounding_box_format: str = "xyxy") -> Tensor:
    """Mean over the four corners of ``d^2 / 2`` where ``|d| <= delta``, else ``delta (|d| - delta / 2)``.

    The curvature at the true corner is 1 whatever ``delta`` is, so a small ``delta`` makes the loss small everywhere.
    Inverted boxes, boxes without area and boxes that do not overlap are nothing special.

    Source: P. J. Huber, Robust Estimation of a Location Parameter, 1964.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        delta: above 0. Where the bend is, in units of the coordinates: 1 pixel by default. On coordinates in [0, 1] the
            default never bends, and is half of MSE.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), at least 0, in squared units of the coordinates.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import huber_loss
    >>> print(float(huber_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.5, 4.0, 4.0])))  # (1.5 + 0.125) / 4
    0.40625
    """

    def bent(difference: Tensor) -> Tensor:
        distance = magnitude(difference)
        straight = delta * (distance - delta / 2)
        return ops.where(ops.less_equal(distance, delta), ops.square(distance) / 2, straight)

    return corner_mean(bent, y_true, y_pred, bounding_box_format)


def balanced_l1_loss(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    alpha: float = 0.5,
    gamma: float = 1.5,
    beta: float = 1.0,
    bounding_box_format: str = "xyxy",
) -> Tensor:
    """Mean over the four corners of a smooth L1 whose slope near the true corner is larger.

    Where ``|d| < beta``: ``alpha / b (b |d| / beta + 1) ln(b |d| / beta + 1) - alpha |d| / beta``, else ``gamma |d| /
    beta + gamma / b - alpha``, with ``b = exp(gamma / alpha) - 1``. Inverted boxes, boxes without area and boxes that
    do not overlap are nothing special.

    Source: Libra R-CNN, arXiv:1904.02701, which has beta 1; other values scale the distance, so that the slope does not
    jump.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        alpha: 1e-3 to 100, how much the small distances count: the smaller, the more.
        gamma: above 0, the slope far from the true corner; at most 80 times ``alpha``.
        beta: at least 1e-6. Where the parts meet, in units of the coordinates: 1 pixel by default.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), at least 0; its unit depends on that of the coordinates.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import balanced_l1_loss
    >>> print(f"{float(balanced_l1_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])):.4f}")
    0.6446
    """
    b = math.expm1(gamma / alpha)

    def bent(difference: Tensor) -> Tensor:
        distance = magnitude(difference) / beta
        near = ops.less(distance, 1)
        steep = b * ops.where(near, distance, ops.zeros_like(distance))
        curve = alpha / b * (steep + 1) * ops.log1p(steep) - alpha * distance
        return ops.where(near, curve, gamma * distance + gamma / b - alpha)

    return corner_mean(bent, y_true, y_pred, bounding_box_format)


@register("smooth_l1")
@keras.saving.register_keras_serializable(package="bboxbench")
class SmoothL1Loss(CatalogueLoss):
    """Squared within ``beta`` of the true corner, straight with slope 1 beyond, see `smooth_l1_loss`.

    Boxes of shape (..., 4), values of shape (...) in units of the coordinates, at least 0.

    Args:
        beta: at least 1e-6. Where the bend is, in units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`; boxes are compared by their corners whatever it is.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import SmoothL1Loss
    >>> print(float(SmoothL1Loss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.5, 4.0, 4.0]])))
    0.40625
    """

    function = staticmethod(smooth_l1_loss)
    card = LossCard(
        family="Coordinates",
        formula="mean of d^2 / (2 beta) where |d| < beta, else |d| - beta / 2; beta 1",
        source="arXiv:1504.08083",
        purpose="The usual choice of two-stage detectors: settles like MSE, and one far label cannot take over.",
        zero_iff_equal=True,
        upper_bound=None,
        monotone=True,
        disjoint="yes",
        scale_invariant=False,
        symmetric=True,
        inverted="turns",
        point="grows",
        units="pixels: it bends at beta = 1; for boxes in [0, 1] give beta, as in beta=0.1",
        unit_parameters=("beta",),
        wrong_elsewhere=("Called the same as Huber: Huber is beta times this, equal at 1 only.",),
    )

    def __init__(self, *, beta: float = 1.0, **options: Unpack[LossOptions]) -> None:
        super().__init__(beta=check_number("beta", beta, at_least=1e-6), **options)


@register("huber")
@keras.saving.register_keras_serializable(package="bboxbench")
class HuberLoss(CatalogueLoss):
    """Squared within ``delta`` of the true corner, straight with slope ``delta`` beyond, see `huber_loss`.

    Boxes of shape (..., 4), values of shape (...) in squared units of the coordinates, at least 0.

    Args:
        delta: above 0. Where the bend is, in units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`; boxes are compared by their corners whatever it is.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import HuberLoss
    >>> print(float(HuberLoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.5, 4.0, 4.0]])))
    0.40625
    """

    function = staticmethod(huber_loss)
    card = LossCard(
        family="Coordinates",
        formula="mean of d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2); delta 1",
        source="Huber 1964",
        purpose="MSE that one far label cannot take over. Its size shrinks with delta, so the learning rate has to "
        "follow.",
        zero_iff_equal=True,
        upper_bound=None,
        monotone=True,
        disjoint="yes",
        scale_invariant=False,
        symmetric=True,
        inverted="turns",
        point="grows",
        units="pixels: it bends at delta = 1; for boxes in [0, 1] give delta, as in delta=0.1",
        unit_parameters=("delta",),
        wrong_elsewhere=(
            "`keras.losses.Huber` 3.15.1 leaves `delta` out of `get_config`: a loaded model has delta 1.",
        ),
    )

    def __init__(self, *, delta: float = 1.0, **options: Unpack[LossOptions]) -> None:
        super().__init__(delta=check_number("delta", delta, above=0), **options)


@register("balanced_l1")
@keras.saving.register_keras_serializable(package="bboxbench")
class BalancedL1Loss(CatalogueLoss):
    """A smooth L1 with a larger slope near the true corner, see `balanced_l1_loss`.

    Boxes of shape (..., 4), values of shape (...), at least 0; the unit of the coordinates decides where it bends.

    Args:
        alpha: 1e-3 to 100, how much the small distances count: the smaller, the more.
        gamma: above 0, the slope far from the true corner; at most 80 times ``alpha``.
        beta: at least 1e-6. Where the parts meet, in units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`; boxes are compared by their corners whatever it is.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import BalancedL1Loss
    >>> print(f"{float(BalancedL1Loss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])):.4f}")
    0.6446
    """

    function = staticmethod(balanced_l1_loss)
    card = LossCard(
        family="Coordinates",
        formula="mean of alpha/b (b |d| + 1) ln(b |d| + 1) - alpha |d| where |d| < 1, else gamma |d| + gamma/b - "
        "alpha; "
        "b = exp(gamma/alpha) - 1, alpha 0.5, gamma 1.5",
        source="arXiv:1904.02701",
        purpose="Smooth L1 that lets boxes which are nearly right count for more.",
        zero_iff_equal=True,
        upper_bound=None,
        monotone=True,
        disjoint="yes",
        scale_invariant=False,
        symmetric=True,
        inverted="turns",
        point="grows",
        units="pixels: it bends at beta = 1; for boxes in [0, 1] give beta, as in beta=0.1",
        unit_parameters=("beta",),
        wrong_elsewhere=("In MMDetection the slope jumps where the parts meet, if beta is not 1.",),
    )

    def __init__(
        self, *, alpha: float = 0.5, gamma: float = 1.5, beta: float = 1.0, **options: Unpack[LossOptions]
    ) -> None:
        alpha = check_number("alpha", alpha, at_least=1e-3, at_most=100)
        # exp(gamma / alpha) has to be a number of float32.
        gamma = check_number("gamma", gamma, above=0, at_most=80 * alpha)
        super().__init__(alpha=alpha, gamma=gamma, beta=check_number("beta", beta, at_least=1e-6), **options)
