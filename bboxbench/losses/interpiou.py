"""InterpIoU: the overlap of a box on the way to its target as well, so that far boxes have something to follow."""

from __future__ import annotations

from typing import Any, Unpack

import keras
from keras import ops

from bboxbench.losses.base import check_number
from bboxbench.losses.catalogue import LossCard, LossOptions
from bboxbench.losses.composition import ComposableLoss, Terms, shortfall
from bboxbench.losses.geometry import Corners, to_corners
from bboxbench.losses.numerics import Tensor, at_least, at_most
from bboxbench.losses.registry import register

__all__ = ["DynamicInterpIoULoss", "InterpIoULoss", "dynamic_interpiou_loss", "interpiou_loss"]


def _on_the_way(true: Corners, pred: Corners, a: Any) -> Corners:
    """The boxes that have gone a share ``a`` of the way from ``pred`` to ``true``."""
    # t + (1 - a)(p - t), not a t + (1 - a) p: exact where the boxes are equal.
    return Corners(*(t + (1 - a) * (p - t) for t, p in zip(true, pred, strict=True)))


def interpiou_terms(true: Corners, pred: Corners, *, a: float, eps: float) -> Terms:
    """The parts of `interpiou_loss`: the shortfall, and that of the box on the way."""
    return Terms(shortfall(true, pred, eps), (shortfall(true, _on_the_way(true, pred, a), eps),))


def interpiou_loss(
    y_true: Tensor, y_pred: Tensor, *, a: float = 0.98, eps: float = 1e-7, bounding_box_format: str = "xyxy"
) -> Tensor:
    """Interpolated IoU, ``(1 - IoU(pred)) + (1 - IoU((1 - a) pred + a true))``.

    The second box lies a share ``a`` of the way to the target and overlaps it up to 1 / (1 - a) sizes away, 50 by
    default: there the gradient is small but leads home. Further away the value is 2 and the gradient 0. An inverted box
    is turned round, a point grows. Finite for all finite boxes.

    Source: arXiv:2507.12420.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        a: 0 < a < 1, the share of the way.
        eps: 1e-10 <= eps < 1. The smallest union, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), in [0, 2], no unit: the same in pixels and in coordinates in [0, 1], except for boxes whose union
        is smaller than ``eps``.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import interpiou_loss
    >>> print(f"{float(interpiou_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])):.2f}")  # 1/2 + 1/100
    0.51
    """
    return interpiou_terms(*to_corners(y_true, y_pred, bounding_box_format), a=a, eps=eps).total()


def dynamic_interpiou_terms(true: Corners, pred: Corners, *, low: float, high: float, eps: float) -> Terms:
    """The parts of `dynamic_interpiou_loss`: the shortfall, and that of the box on the way."""
    missing = shortfall(true, pred, eps)
    a = ops.stop_gradient(at_most(at_least(missing, low), high))
    return Terms(missing, (shortfall(true, _on_the_way(true, pred, a), eps),))


def dynamic_interpiou_loss(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    low: float = 0.6,
    high: float = 0.99,
    eps: float = 1e-7,
    bounding_box_format: str = "xyxy",
) -> Tensor:
    """Interpolated IoU whose share of the way follows the overlap, ``a = clip(1 - IoU, low, high)``, held constant.

    See `interpiou_loss`. A box without overlap is taken ``high`` of the way, so its gradient reaches 1 / (1 - high)
    sizes, 100 by default; one that nearly matches only ``low``, so that the second term counts for more. No gradient
    goes through ``a``. Finite for all finite boxes.

    Source: arXiv:2507.12420, Dynamic InterpIoU.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        low: 0 < low < high, the smallest share of the way.
        high: low < high < 1, the largest share of the way.
        eps: 1e-10 <= eps < 1. The smallest union, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), in [0, 2], no unit: the same in pixels and in coordinates in [0, 1], except for boxes whose union
        is smaller than ``eps``.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import dynamic_interpiou_loss
    >>> print(f"{float(dynamic_interpiou_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])):.2f}")  # a = 0.6
    0.70
    """
    return dynamic_interpiou_terms(
        *to_corners(y_true, y_pred, bounding_box_format), low=low, high=high, eps=eps
    ).total()


@register("interpiou")
@keras.saving.register_keras_serializable(package="bboxbench")
class InterpIoULoss(ComposableLoss):
    """Overlap, and overlap of a box on the way to its target, see `interpiou_loss`.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, 2].

    Args:
        a: 0 < a < 1, the share of the way.
        eps: 1e-10 <= eps < 1. The smallest union, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import InterpIoULoss
    >>> print(f"{float(InterpIoULoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])):.2f}")
    0.51
    """

    function = staticmethod(interpiou_loss)
    terms_of = staticmethod(interpiou_terms)
    card = LossCard(
        family="Reweighted",
        formula="(1 - IoU(pred)) + (1 - IoU((1 - a) pred + a true)); a 0.98",
        source="arXiv:2507.12420",
        purpose="A pull without overlap that is made of overlap alone, with no geometric penalty to weigh against it.",
        zero_iff_equal=True,
        upper_bound=2.0,
        monotone=True,
        disjoint="yes",
        scale_invariant=True,
        symmetric=False,
        inverted="turns",
        point="grows",
    )

    def __init__(self, *, a: float = 0.98, eps: float = 1e-7, **options: Unpack[LossOptions]) -> None:
        super().__init__(
            a=check_number("a", a, above=0, below=1), eps=check_number("eps", eps, at_least=1e-10, below=1), **options
        )


@register("dynamic_interpiou")
@keras.saving.register_keras_serializable(package="bboxbench")
class DynamicInterpIoULoss(ComposableLoss):
    """Interpolated IoU whose share of the way follows the overlap, see `dynamic_interpiou_loss`.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, 2].

    Args:
        low: 0 < low < high, the smallest share of the way.
        high: low < high < 1, the largest share of the way.
        eps: 1e-10 <= eps < 1. The smallest union, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import DynamicInterpIoULoss
    >>> print(f"{float(DynamicInterpIoULoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])):.2f}")
    0.70
    """

    function = staticmethod(dynamic_interpiou_loss)
    terms_of = staticmethod(dynamic_interpiou_terms)
    card = LossCard(
        family="Reweighted",
        formula="(1 - IoU(pred)) + (1 - IoU((1 - a) pred + a true)); a = clip(1 - IoU, 0.6, 0.99), no gradient "
        "through a",
        source="arXiv:2507.12420",
        purpose="InterpIoU that follows the overlap: far boxes are taken nearly home, near ones a part of the way.",
        zero_iff_equal=True,
        upper_bound=2.0,
        monotone=False,
        disjoint="yes",
        scale_invariant=True,
        symmetric=False,
        inverted="turns",
        point="grows",
    )

    def __init__(
        self, *, low: float = 0.6, high: float = 0.99, eps: float = 1e-7, **options: Unpack[LossOptions]
    ) -> None:
        high = check_number("high", high, above=0, below=1)
        super().__init__(
            low=check_number("low", low, above=0, below=high),
            high=high,
            eps=check_number("eps", eps, at_least=1e-10, below=1),
            **options,
        )
