"""Losses that compare coordinates one by one and never ask whether the boxes overlap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Unpack

import keras
from keras import ops

from bboxbench.losses.catalogue import CatalogueLoss, LossCard, LossOptions
from bboxbench.losses.geometry import to_corners
from bboxbench.losses.numerics import Tensor, magnitude
from bboxbench.losses.registry import register

__all__ = ["L1Loss", "LogCoshLoss", "MSELoss", "corner_mean", "l1_loss", "log_cosh_loss", "mse_loss"]


def corner_mean(
    of_difference: Callable[[Tensor], Tensor], y_true: Tensor, y_pred: Tensor, bounding_box_format: str
) -> Tensor:
    """The mean of a function of the four corner differences (predicted - true), shape (..., 4) to (...)."""
    true, pred = to_corners(y_true, y_pred, bounding_box_format)
    a, b, c, d = (of_difference(p - t) for t, p in zip(true, pred, strict=True))
    return (a + b + c + d) / 4


def mse_loss(y_true: Tensor, y_pred: Tensor, *, bounding_box_format: str = "xyxy") -> Tensor:
    """Mean squared error of the four corner coordinates, ``mean(d^2)``.

    Boxes of any format are compared by their corners. Inverted boxes, boxes without area and boxes that do not overlap
    are nothing special: the gradient always points from the true corner to the predicted one.

    Source: least squares, as everywhere.

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
    return corner_mean(ops.square, y_true, y_pred, bounding_box_format)


def l1_loss(y_true: Tensor, y_pred: Tensor, *, bounding_box_format: str = "xyxy") -> Tensor:
    """Mean absolute error of the four corner coordinates, ``mean(|d|)``.

    The gradient of a corner is 1/4 wherever it lies, and 0 only on the true corner: a step as long for an edge off by a
    pixel as for one off by fifty. Inverted boxes, boxes without area and boxes that do not overlap are nothing special.

    Source: least absolute deviations, as everywhere.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), at least 0, in units of the coordinates.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import l1_loss
    >>> print(float(l1_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])))
    0.5
    """
    return corner_mean(magnitude, y_true, y_pred, bounding_box_format)


def log_cosh_loss(y_true: Tensor, y_pred: Tensor, *, bounding_box_format: str = "xyxy") -> Tensor:
    """Mean of ``ln(cosh(d))`` over the four corner coordinates: ``d^2 / 2`` for small d, ``|d| - ln 2`` for large.

    Computed so that nothing overflows, however far the box. The bend lies at 1 unit of the coordinates: in [0, 1] it is
    half of MSE, in pixels it is close to L1. Inverted boxes, boxes without area and boxes that do not overlap are
    nothing special.

    Source: `keras.losses.LogCosh`.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), at least 0; its unit depends on that of the coordinates.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import log_cosh_loss
    >>> print(f"{float(log_cosh_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])):.4f}")  # ln(cosh(2)) / 4
    0.3313
    """
    return corner_mean(_log_cosh, y_true, y_pred, bounding_box_format)


def _log_cosh(difference: Tensor) -> Tensor:
    # ln(cosh(d)) = |d| + ln(1 + expm1(-2|d|) / 2), in which no exponential overflows and small d keeps its digits;
    # below a thousandth even that rounds, and d^2 / 2 is exact to the last bits.
    distance = magnitude(difference)
    near = ops.less(distance, 1e-3)
    far = ops.where(near, ops.ones_like(distance), distance)
    bent = far + ops.log1p(ops.expm1(-2 * far) / 2)
    small = ops.square(ops.where(near, distance, ops.zeros_like(distance)))
    return ops.where(near, small / 2 - ops.square(small) / 12, bent)


@register("mse")
@keras.saving.register_keras_serializable(package="bboxbench")
class MSELoss(CatalogueLoss):
    """Mean squared error of the four corner coordinates, ``mean(d^2)``, see `mse_loss`.

    Boxes of shape (..., 4), values of shape (...) in squared units of the coordinates, at least 0.

    Args:
        bounding_box_format: one of `BOX_FORMATS`; boxes are compared by their corners whatever it is.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if the format is unknown.

    >>> from bboxbench.losses import MSELoss
    >>> print(float(MSELoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])))
    1.0
    """

    function = staticmethod(mse_loss)
    card = LossCard(
        family="Coordinates",
        formula="mean(d^2) over the four corners",
        source="least squares",
        purpose="The plain choice for one box a picture: a gradient wherever the box is, weakest near the end, and the "
        "same for a large and a small box.",
        zero_iff_equal=True,
        upper_bound=None,
        monotone=True,
        disjoint="yes",
        scale_invariant=False,
        symmetric=True,
        inverted="turns",
        point="grows",
    )

    def __init__(self, **options: Unpack[LossOptions]) -> None:
        super().__init__(**options)


@register("l1")
@keras.saving.register_keras_serializable(package="bboxbench")
class L1Loss(CatalogueLoss):
    """Mean absolute error of the four corner coordinates, ``mean(|d|)``, see `l1_loss`.

    Boxes of shape (..., 4), values of shape (...) in units of the coordinates, at least 0.

    Args:
        bounding_box_format: one of `BOX_FORMATS`; boxes are compared by their corners whatever it is.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if the format is unknown.

    >>> from bboxbench.losses import L1Loss
    >>> print(float(L1Loss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])))
    0.5
    """

    function = staticmethod(l1_loss)
    card = LossCard(
        family="Coordinates",
        formula="mean(|d|) over the four corners",
        source="least absolute deviations",
        purpose="Bears labels that are far off now and then; its steps do not shrink near the end, so the learning "
        "rate "
        "has to.",
        zero_iff_equal=True,
        upper_bound=None,
        monotone=True,
        disjoint="yes",
        scale_invariant=False,
        symmetric=True,
        inverted="turns",
        point="grows",
    )

    def __init__(self, **options: Unpack[LossOptions]) -> None:
        super().__init__(**options)


@register("log_cosh")
@keras.saving.register_keras_serializable(package="bboxbench")
class LogCoshLoss(CatalogueLoss):
    """Mean of ``ln(cosh(d))`` over the four corner coordinates, see `log_cosh_loss`.

    Boxes of shape (..., 4), values of shape (...), at least 0; the unit of the coordinates decides where it bends.

    Args:
        bounding_box_format: one of `BOX_FORMATS`; boxes are compared by their corners whatever it is.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if the format is unknown.

    >>> from bboxbench.losses import LogCoshLoss
    >>> print(f"{float(LogCoshLoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])):.4f}")
    0.3313
    """

    function = staticmethod(log_cosh_loss)
    card = LossCard(
        family="Coordinates",
        formula="mean(ln(cosh(d))) over the four corners",
        source="keras.losses.LogCosh",
        purpose="Smooth everywhere: MSE near the true corner, L1 far from it.",
        zero_iff_equal=True,
        upper_bound=None,
        monotone=True,
        disjoint="yes",
        scale_invariant=False,
        symmetric=True,
        inverted="turns",
        point="grows",
        units="pixels: it bends at 1; for boxes in [0, 1] it is half of MSE, as good as",
        wrong_elsewhere=("ln(cosh(d)) as it stands overflows in float32 from |d| = 90 on.",),
    )

    def __init__(self, **options: Unpack[LossOptions]) -> None:
        super().__init__(**options)
