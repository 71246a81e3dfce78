"""Wise-IoU: the overlap weighted by the distance of the centres, and by how poor the box is among its like."""

from __future__ import annotations

import math
from typing import Any, Unpack

import keras
from keras import ops

from bboxbench.losses.base import check_number
from bboxbench.losses.catalogue import CatalogueLoss, LossCard, LossOptions
from bboxbench.losses.composition import shortfall
from bboxbench.losses.geometry import Corners, centre_offset, enclosing_squared_diagonal, to_corners
from bboxbench.losses.numerics import Tensor, at_least
from bboxbench.losses.registry import register

__all__ = ["WIoUv1Loss", "WIoUv2Loss", "WIoUv3Loss", "wiou_v1_loss", "wiou_v2_loss", "wiou_v3_loss"]


def _parts(true: Corners, pred: Corners, eps: float) -> tuple[Tensor, Tensor]:
    """The value of v1 and the shortfall, each of shape (...)."""
    missing = shortfall(true, pred, eps)
    dx, dy = centre_offset(true, pred)
    diagonal = ops.stop_gradient(at_least(enclosing_squared_diagonal(true, pred), eps))
    return ops.exp((ops.square(dx) + ops.square(dy)) / diagonal) * missing, missing


def wiou_v1_loss(y_true: Tensor, y_pred: Tensor, *, eps: float = 1e-7, bounding_box_format: str = "xyxy") -> Tensor:
    """Wise-IoU v1, ``exp(rho^2/c^2) (1 - I/U)``, with the enclosing box's diagonal c held constant.

    rho is the distance of the centres. The factor lies between 1 and e. Since no gradient goes through c, nothing is
    gained from a larger enclosing box. An inverted box or a point is pulled to the target's centre and keeps its size.
    Finite for all finite boxes.

    Source: arXiv:2301.10051.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        eps: 1e-10 <= eps < 1. The smallest area or squared length divided by, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), in [0, e], no unit: the same in pixels and in coordinates in [0, 1], except for boxes whose area is
        smaller than ``eps``.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import wiou_v1_loss
    >>> print(f"{float(wiou_v1_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])):.4f}")  # exp(1/32) / 2
    0.5159
    """
    return _parts(*to_corners(y_true, y_pred, bounding_box_format), eps)[0]


def wiou_v2_loss(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    iou_mean: Any = 0.5,
    gamma: float = 0.5,
    eps: float = 1e-7,
    bounding_box_format: str = "xyxy",
) -> Tensor:
    """Wise-IoU v2, v1 times ``beta^gamma``, with ``beta = (1 - I/U) / iou_mean`` held constant.

    Boxes that are poor among their like count more, and all count less as the mean falls. See `wiou_v1_loss`.

    Source: arXiv:2301.10051.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        iou_mean: 1e-3 to 1, the running mean of ``1 - I/U`` over the boxes trained on, a number or a tensor of
            shape (). Keeping it is the caller's work: `bboxbench.losses.WIoUMean` does it for the class.
        gamma: 0 to 4, how much the quality counts.
        eps: 1e-10 <= eps < 1. The smallest area or squared length divided by, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), in [0, e / iou_mean^gamma], no unit: the same in pixels and in coordinates in [0, 1], except for
        boxes whose area is smaller than ``eps``.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import wiou_v2_loss
    >>> print(f"{float(wiou_v2_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0], iou_mean=0.125)):.4f}")  # v1 * 2
    1.0317
    """
    value, missing = _parts(*to_corners(y_true, y_pred, bounding_box_format), eps)
    return ops.stop_gradient((missing / ops.cast(iou_mean, missing.dtype)) ** gamma) * value


def wiou_v3_loss(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    iou_mean: Any = 0.5,
    alpha: float = 1.7,
    delta: float = 2.7,
    eps: float = 1e-7,
    bounding_box_format: str = "xyxy",
) -> Tensor:
    """Wise-IoU v3, v1 times ``beta / (delta alpha^(beta - delta))``, ``beta = (1 - I/U) / iou_mean`` held constant.

    Boxes of middling quality count most: very good ones, and outliers, count less. See `wiou_v1_loss`.

    Source: arXiv:2301.10051; 1.7 and 2.7 are the defaults of the authors' code, the paper also takes 1.9 and 3.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        iou_mean: 1e-3 to 1, the running mean of ``1 - I/U`` over the boxes trained on, a number or a tensor of
            shape (). Keeping it is the caller's work: `bboxbench.losses.WIoUMean` does it for the class.
        alpha: above 1 and at most 10, how fast outliers lose weight.
        delta: above 0 and at most 10, the ``beta`` whose weight is 1.
        eps: 1e-10 <= eps < 1. The smallest area or squared length divided by, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), at least 0, no unit: the same in pixels and in coordinates in [0, 1], except for boxes whose area
        is smaller than ``eps``.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import wiou_v3_loss
    >>> print(f"{float(wiou_v3_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])):.4f}")  # beta = 1
    0.4709
    """
    value, missing = _parts(*to_corners(y_true, y_pred, bounding_box_format), eps)
    beta = missing / ops.cast(iou_mean, missing.dtype)
    # The power in the numerator: where it is too large for float32 the weight is 0, and not 1 / infinity.
    return ops.stop_gradient(beta / delta * ops.exp((delta - beta) * math.log(alpha))) * value


_WRONG = (
    "Batch statistics kept in a variable inside the loss are lost on saving, and evaluating changes them: `WIoUMean` "
    "keeps a number.",
)


@register("wiou_v1")
@keras.saving.register_keras_serializable(package="bboxbench")
class WIoUv1Loss(CatalogueLoss):
    """Wise-IoU v1, ``exp(rho^2/c^2) (1 - I/U)`` with c held constant, see `wiou_v1_loss`.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, e].

    Args:
        eps: 1e-10 <= eps < 1. The smallest area or squared length divided by, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import WIoUv1Loss
    >>> print(f"{float(WIoUv1Loss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])):.4f}")
    0.5159
    """

    function = staticmethod(wiou_v1_loss)
    card = LossCard(
        family="Reweighted",
        formula="exp(rho^2/c^2) (1 - I/U), no gradient through c",
        source="arXiv:2301.10051",
        purpose="DIoU as a factor: no penalty is left to weigh against the overlap once it is good.",
        zero_iff_equal=True,
        upper_bound=2.7182819,
        monotone=True,
        disjoint="yes",
        scale_invariant=True,
        symmetric=True,
        inverted="moves",
        point="moves",
    )

    def __init__(self, *, eps: float = 1e-7, **options: Unpack[LossOptions]) -> None:
        super().__init__(eps=check_number("eps", eps, at_least=1e-10, below=1), **options)


@register("wiou_v2")
@keras.saving.register_keras_serializable(package="bboxbench")
class WIoUv2Loss(CatalogueLoss):
    """Wise-IoU v2: v1, where boxes that are poor among their like count more, see `wiou_v2_loss`.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, e / iou_mean^gamma].

    Args:
        iou_mean: 1e-3 to 1, the mean of ``1 - I/U`` over the boxes trained on. A plain number, kept in
            `get_config`; the callback `bboxbench.losses.WIoUMean` renews it after every epoch.
        gamma: 0 to 4, how much the quality counts.
        eps: 1e-10 <= eps < 1. The smallest area or squared length divided by, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import WIoUv2Loss
    >>> print(f"{float(WIoUv2Loss(iou_mean=0.125)([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])):.4f}")
    1.0317
    """

    iou_mean: float
    function = staticmethod(wiou_v2_loss)
    card = LossCard(
        family="Reweighted",
        formula="beta^gamma L_v1; beta = (1 - I/U)/iou_mean, no gradient through it; gamma 0.5, iou_mean 0.5",
        source="arXiv:2301.10051",
        purpose="Lets poor boxes count more. The mean is a number that the callback `WIoUMean` renews.",
        zero_iff_equal=True,
        upper_bound=3.8442310,
        monotone=True,
        disjoint="yes",
        scale_invariant=True,
        symmetric=True,
        inverted="moves",
        point="moves",
        wrong_elsewhere=_WRONG,
    )

    def __init__(
        self, *, iou_mean: float = 0.5, gamma: float = 0.5, eps: float = 1e-7, **options: Unpack[LossOptions]
    ) -> None:
        super().__init__(
            iou_mean=check_number("iou_mean", iou_mean, at_least=1e-3, at_most=1),
            gamma=check_number("gamma", gamma, at_least=0, at_most=4),
            eps=check_number("eps", eps, at_least=1e-10, below=1),
            **options,
        )


@register("wiou_v3")
@keras.saving.register_keras_serializable(package="bboxbench")
class WIoUv3Loss(CatalogueLoss):
    """Wise-IoU v3: v1, where boxes of middling quality count most, see `wiou_v3_loss`.

    Boxes of shape (..., 4), values of shape (...) without unit, at least 0.

    Args:
        iou_mean: 1e-3 to 1, the mean of ``1 - I/U`` over the boxes trained on. A plain number, kept in
            `get_config`; the callback `bboxbench.losses.WIoUMean` renews it after every epoch.
        alpha: above 1 and at most 10, how fast outliers lose weight.
        delta: above 0 and at most 10, the ``beta`` whose weight is 1.
        eps: 1e-10 <= eps < 1. The smallest area or squared length divided by, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import WIoUv3Loss
    >>> print(f"{float(WIoUv3Loss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])):.4f}")
    0.4709
    """

    iou_mean: float
    function = staticmethod(wiou_v3_loss)
    card = LossCard(
        family="Reweighted",
        formula="beta/(delta alpha^(beta - delta)) L_v1; beta = (1 - I/U)/iou_mean, no gradient through it; alpha 1.7, "
        "delta 2.7, iou_mean 0.5",
        source="arXiv:2301.10051",
        purpose="Lets boxes of middling quality count most. The mean is a number that the callback `WIoUMean` renews.",
        zero_iff_equal=True,
        upper_bound=2.919275,
        monotone=True,
        disjoint="yes",
        scale_invariant=True,
        symmetric=True,
        inverted="moves",
        point="moves",
        wrong_elsewhere=_WRONG,
    )

    def __init__(
        self,
        *,
        iou_mean: float = 0.5,
        alpha: float = 1.7,
        delta: float = 2.7,
        eps: float = 1e-7,
        **options: Unpack[LossOptions],
    ) -> None:
        super().__init__(
            iou_mean=check_number("iou_mean", iou_mean, at_least=1e-3, at_most=1),
            alpha=check_number("alpha", alpha, above=1, at_most=10),
            delta=check_number("delta", delta, above=0, at_most=10),
            eps=check_number("eps", eps, at_least=1e-10, below=1),
            **options,
        )
