"""Losses made of the intersection over union alone: nothing to follow where boxes do not overlap."""

from __future__ import annotations

from typing import Unpack

import keras
from keras import ops

from bboxbench.losses.base import check_number
from bboxbench.losses.catalogue import CatalogueLoss, LossCard, LossOptions
from bboxbench.losses.composition import ComposableLoss, Terms, shortfall
from bboxbench.losses.geometry import Corners, overlap_areas, to_corners
from bboxbench.losses.numerics import Tensor, at_least
from bboxbench.losses.registry import register

__all__ = [
    "IoULoss",
    "LinearIoULoss",
    "SquareIoULoss",
    "UnguardedIoULoss",
    "iou_loss",
    "linear_iou_loss",
    "square_iou_loss",
    "unguarded_iou_loss",
]


def iou_loss(y_true: Tensor, y_pred: Tensor, *, eps: float = 1e-7, bounding_box_format: str = "xyxy") -> Tensor:
    """Negative logarithm of the intersection over union, ``-ln(max(I / max(U, eps), eps))``.

    **No gradient without overlap**: there the value is ``-ln(eps)``, about 16.1, and the gradient exactly 0, so a box
    that starts beside its target, inverted or without area stays where it is. It is finite for all finite boxes.

    Source: the IoU loss of UnitBox, arXiv:1608.01471.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        eps: 1e-10 <= eps < 1. The smallest union, in squared units of the coordinates, and the smallest IoU.
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
    shared, union = overlap_areas(*to_corners(y_true, y_pred, bounding_box_format))
    # Subtracted from 0, not negated: a perfect match then reads 0.0 and not -0.0.
    return 0.0 - ops.log(at_least(shared / at_least(union, eps), eps))


def linear_iou_terms(true: Corners, pred: Corners, *, eps: float) -> Terms:
    """The parts of `linear_iou_loss`: the shortfall alone."""
    return Terms(shortfall(true, pred, eps))


def linear_iou_loss(y_true: Tensor, y_pred: Tensor, *, eps: float = 1e-7, bounding_box_format: str = "xyxy") -> Tensor:
    """One minus the intersection over union, ``1 - I/U``, computed as ``(U - I) / max(U, eps)``.

    **No gradient without overlap**: there the value is 1 and a box beside its target, inverted or a point, stays where
    it is. Two identical boxes without area score 0. Finite for all finite boxes.

    Source: arXiv:1608.01471 (UnitBox) in its linear form, as MMDetection's ``mode="linear"``.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        eps: 1e-10 <= eps < 1. The smallest union, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), in [0, 1], no unit: the same in pixels and in coordinates in [0, 1], except for boxes whose union
        is smaller than ``eps``.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import linear_iou_loss
    >>> print(float(linear_iou_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])))
    0.5
    """
    return linear_iou_terms(*to_corners(y_true, y_pred, bounding_box_format), eps=eps).total()


def square_iou_loss(y_true: Tensor, y_pred: Tensor, *, eps: float = 1e-7, bounding_box_format: str = "xyxy") -> Tensor:
    """One minus the squared intersection over union, ``1 - (I/U)^2``.

    Steeper than `linear_iou_loss` where boxes nearly match, and flat where they barely overlap. **No gradient without
    overlap**, as there. Two identical boxes without area score 0. Finite for all finite boxes.

    Source: arXiv:1608.01471 (UnitBox) in its squared form, as MMDetection's ``mode="square"``.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        eps: 1e-10 <= eps < 1. The smallest union, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), in [0, 1], no unit: the same in pixels and in coordinates in [0, 1], except for boxes whose union
        is smaller than ``eps``.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import square_iou_loss
    >>> print(float(square_iou_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])))
    0.75
    """
    # 1 - (1 - s)^2, without the rounding of 1 - IoU for boxes that nearly match.
    missing = shortfall(*to_corners(y_true, y_pred, bounding_box_format), eps)
    return missing * (2 - missing)


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
    shared, union = overlap_areas(*to_corners(y_true, y_pred, bounding_box_format))
    # 0 / 0 is the only guard: without it an inverted box would give NaN where people see inf.
    return 0.0 - ops.log(shared / ops.where(ops.equal(union, 0), ops.ones_like(union), union))


@register("iou")
@keras.saving.register_keras_serializable(package="bboxbench")
class IoULoss(CatalogueLoss):
    """Negative logarithm of the intersection over union, see `iou_loss`. No gradient without overlap.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, -ln(eps)].

    Args:
        eps: 1e-10 <= eps < 1. The smallest union, in squared units of the coordinates, and the smallest IoU.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import IoULoss
    >>> print(f"{float(IoULoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])):.4f}")
    0.6931
    """

    function = staticmethod(iou_loss)
    card = LossCard(
        family="IoU",
        formula="-ln(max(I / max(U, eps), eps)); eps 1e-7",
        source="arXiv:1608.01471",
        purpose="Steep for poor boxes that overlap at all; needs boxes that begin on their targets.",
        zero_iff_equal=True,
        upper_bound=16.118096,
        monotone=True,
        disjoint="no",
        scale_invariant=True,
        symmetric=True,
        inverted="stays",
        point="stays",
        wrong_elsewhere=(
            "KerasCV's log mode is the logarithm of the mean where the mean of the logarithms was meant.",
            "FCOS adds a smoothing term to I and U: boxes without overlap get a gradient that shrinks them.",
        ),
    )

    def __init__(self, *, eps: float = 1e-7, **options: Unpack[LossOptions]) -> None:
        super().__init__(eps=check_number("eps", eps, at_least=1e-10, below=1), **options)


@register("iou_linear")
@keras.saving.register_keras_serializable(package="bboxbench")
class LinearIoULoss(ComposableLoss):
    """One minus the intersection over union, see `linear_iou_loss`. No gradient without overlap.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, 1].

    Args:
        eps: 1e-10 <= eps < 1. The smallest union, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import LinearIoULoss
    >>> print(float(LinearIoULoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])))
    0.5
    """

    function = staticmethod(linear_iou_loss)
    terms_of = staticmethod(linear_iou_terms)
    card = LossCard(
        family="IoU",
        formula="1 - I/U",
        source="arXiv:1608.01471",
        purpose="The measure itself, as a loss; needs boxes that begin on their targets.",
        zero_iff_equal=True,
        upper_bound=1.0,
        monotone=True,
        disjoint="no",
        scale_invariant=True,
        symmetric=True,
        inverted="stays",
        point="stays",
        wrong_elsewhere=(
            "KerasCV's IoULoss takes the pairwise matrix and its diagonal over the wrong axes: right for B = N only.",
            "MONAI once computed integer boxes in integers: every IoU below 1 was 0.",
        ),
    )

    def __init__(self, *, eps: float = 1e-7, **options: Unpack[LossOptions]) -> None:
        super().__init__(eps=check_number("eps", eps, at_least=1e-10, below=1), **options)


@register("iou_square")
@keras.saving.register_keras_serializable(package="bboxbench")
class SquareIoULoss(CatalogueLoss):
    """One minus the squared intersection over union, see `square_iou_loss`. No gradient without overlap.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, 1].

    Args:
        eps: 1e-10 <= eps < 1. The smallest union, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import SquareIoULoss
    >>> print(float(SquareIoULoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])))
    0.75
    """

    function = staticmethod(square_iou_loss)
    card = LossCard(
        family="IoU",
        formula="1 - (I/U)^2",
        source="arXiv:1608.01471",
        purpose="Refines boxes that are nearly right; flat for poor ones.",
        zero_iff_equal=True,
        upper_bound=1.0,
        monotone=True,
        disjoint="no",
        scale_invariant=True,
        symmetric=True,
        inverted="stays",
        point="stays",
        wrong_elsewhere=("Paddle's IouLoss squares GIoU too, which may be negative: then the worst box scores best.",),
    )

    def __init__(self, *, eps: float = 1e-7, **options: Unpack[LossOptions]) -> None:
        super().__init__(eps=check_number("eps", eps, at_least=1e-10, below=1), **options)


@register("iou_unguarded")
@keras.saving.register_keras_serializable(package="bboxbench")
class UnguardedIoULoss(CatalogueLoss):
    """Negative logarithm of the intersection over union without a guard, see `unguarded_iou_loss`: it breaks.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, inf]; NaN gradients without overlap.

    Args:
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if the format is unknown.

    >>> from bboxbench.losses import UnguardedIoULoss
    >>> print(float(UnguardedIoULoss()([[0.0, 0.0, 4.0, 4.0]], [[4.0, 4.0, 0.0, 0.0]])))  # inverted
    inf
    """

    function = staticmethod(unguarded_iou_loss)
    card = LossCard(
        family="IoU",
        formula="-ln(I / U)",
        source="arXiv:1608.01471, without its precautions",
        purpose="To be watched breaking: a box beside its target gives an infinite loss and NaN in every weight.",
        zero_iff_equal=True,
        upper_bound=None,
        monotone=True,
        disjoint="no",
        scale_invariant=True,
        symmetric=True,
        inverted="stays",
        point="breaks",
        wrong_elsewhere=("This is the wrong version, kept on purpose.",),
    )

    def __init__(self, **options: Unpack[LossOptions]) -> None:
        super().__init__(**options)
