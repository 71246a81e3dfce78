"""Efficient-IoU, the EIoU of most people, and its focal form."""

from __future__ import annotations

from typing import Unpack

import keras
from keras import ops

from bboxbench.losses.base import check_flag, check_number
from bboxbench.losses.catalogue import CatalogueLoss, LossCard, LossOptions
from bboxbench.losses.composition import ComposableLoss, Terms, shortfall
from bboxbench.losses.distance import centre_penalty
from bboxbench.losses.geometry import Corners, enclosing_size, overlap_areas, size, to_corners
from bboxbench.losses.numerics import Tensor, at_least, small_power
from bboxbench.losses.registry import register

__all__ = ["EIoULoss", "FocalEIoULoss", "eiou_loss", "focal_eiou_loss"]


def eiou_terms(true: Corners, pred: Corners, *, eps: float) -> Terms:
    """The parts of `eiou_loss`: the shortfall, the distance of the centres, the widths and the heights."""
    sides = zip(size(true), size(pred), enclosing_size(true, pred), strict=True)
    # Sizes keep their sign, so that an inverted box has a gradient that turns it round.
    differences = [ops.square(p - t) / at_least(ops.square(around), eps) for t, p, around in sides]
    return Terms(shortfall(true, pred, eps), (centre_penalty(true, pred, eps), *differences))


def eiou_loss(y_true: Tensor, y_pred: Tensor, *, eps: float = 1e-7, bounding_box_format: str = "xyxy") -> Tensor:
    """Efficient-IoU, ``1 - I/U + rho^2/c^2 + (w - w_t)^2/C_w^2 + (h - h_t)^2/C_h^2``.

    rho is the distance of the centres; c, C_w and C_h are the diagonal, width and height of the enclosing box. Width
    and height are compared each by itself, where CIoU compares their ratio. Sizes keep their sign: an inverted box is
    turned round, a point grows. A far box of another size can be pushed away, since in a larger enclosing box the
    difference counts less. Finite for all finite boxes.

    Source: arXiv:2101.08158. Not to be taken for Extended-IoU, `extended_iou_loss`.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        eps: 1e-10 <= eps < 1. The smallest area or squared length divided by, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), in [0, 4] for boxes that are not inverted, no unit: the same in pixels and in coordinates in [0,
        1], except for boxes smaller than ``eps``.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import eiou_loss
    >>> print(float(eiou_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])))  # 1/2 + 1/32 + (2/4)^2
    0.78125
    """
    return eiou_terms(*to_corners(y_true, y_pred, bounding_box_format), eps=eps).total()


def focal_eiou_loss(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    gamma: float = 0.5,
    weight_gradient: bool = False,
    eps: float = 1e-7,
    bounding_box_format: str = "xyxy",
) -> Tensor:
    """Efficient-IoU weighted by the overlap, ``(I/U)^gamma`` times `eiou_loss`.

    Boxes that are nearly right count most. **A box without overlap has weight 0**, so value and gradient are 0 there:
    it scores best of all and stays, as do an inverted box and a point. Finite for all finite boxes.

    Source: arXiv:2101.08158, which leaves open whether the gradient goes through the weight.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        gamma: 0 to 100, how much the overlap counts; 0 is `eiou_loss`.
        weight_gradient: whether the gradient goes through the weight too. False, as the code that detectors train with
            has it: the weight is a constant.
        eps: 1e-10 <= eps < 1. The smallest area or squared length divided by, in squared units of the coordinates; an
            IoU below it counts by a straight line in place of the power.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), in [0, 4] for boxes that are not inverted, no unit: the same in pixels and in coordinates in [0,
        1], except for boxes smaller than ``eps``.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import focal_eiou_loss
    >>> print(f"{float(focal_eiou_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])):.4f}")  # sqrt(1/2) * 0.78125
    0.5524
    """
    true, pred = to_corners(y_true, y_pred, bounding_box_format)
    shared, union = overlap_areas(true, pred)
    weight = small_power(shared / at_least(union, eps), gamma, eps)
    return (weight if weight_gradient else ops.stop_gradient(weight)) * eiou_terms(true, pred, eps=eps).total()


@register("eiou")
@keras.saving.register_keras_serializable(package="bboxbench")
class EIoULoss(ComposableLoss):
    """Efficient-IoU: distance-IoU that compares widths and heights as well, see `eiou_loss`.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, 4] for boxes that are not inverted.

    Args:
        eps: 1e-10 <= eps < 1. The smallest area or squared length divided by, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import EIoULoss
    >>> print(float(EIoULoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])))
    0.78125
    """

    function = staticmethod(eiou_loss)
    terms_of = staticmethod(eiou_terms)
    card = LossCard(
        family="Enclosing box and distance",
        formula="1 - I/U + rho^2/c^2 + (w - w_t)^2/C_w^2 + (h - h_t)^2/C_h^2",
        source="arXiv:2101.08158 (Efficient-IoU)",
        purpose="DIoU that learns width and height each by itself, where CIoU sees their ratio only. A far box of "
        "another "
        "size can be pushed away: in a larger enclosing box the difference counts less.",
        zero_iff_equal=True,
        upper_bound=4.0,
        monotone=False,
        disjoint="no",
        scale_invariant=True,
        symmetric=True,
        inverted="turns",
        point="grows",
        wrong_elsewhere=(
            "MMDetection's eiou_loss is another loss, Extended-IoU.",
            "The EIoU beside the authors' WIoU code compares the offsets of the centres, not the sides.",
        ),
    )

    def __init__(self, *, eps: float = 1e-7, **options: Unpack[LossOptions]) -> None:
        super().__init__(eps=check_number("eps", eps, at_least=1e-10, below=1), **options)


@register("focal_eiou")
@keras.saving.register_keras_serializable(package="bboxbench")
class FocalEIoULoss(CatalogueLoss):
    """Efficient-IoU weighted by ``(I/U)^gamma``, see `focal_eiou_loss`. A box without overlap scores 0.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, 4] for boxes that are not inverted.

    Args:
        gamma: 0 to 100, how much the overlap counts; 0 is `EIoULoss`.
        weight_gradient: whether the gradient goes through the weight too.
        eps: 1e-10 <= eps < 1. The smallest area or squared length divided by, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import FocalEIoULoss
    >>> print(f"{float(FocalEIoULoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])):.4f}")
    0.5524
    """

    function = staticmethod(focal_eiou_loss)
    card = LossCard(
        family="Enclosing box and distance",
        formula="(I/U)^gamma L_EIoU; gamma 0.5, no gradient through the weight (weight_gradient=True lets it through)",
        source="arXiv:2101.08158",
        purpose="Lets boxes that are nearly right count most, in detectors that match predictions to targets first. "
        "Alone it "
        "is a trap: a box without overlap scores 0.",
        zero_iff_equal=False,
        upper_bound=4.0,
        monotone=False,
        disjoint="no",
        scale_invariant=True,
        symmetric=True,
        inverted="stays",
        point="stays",
        wrong_elsewhere=("Some code multiplies by 1 - (I/U)^gamma: the opposite weighting.",),
    )

    def __init__(
        self,
        *,
        gamma: float = 0.5,
        weight_gradient: bool = False,
        eps: float = 1e-7,
        **options: Unpack[LossOptions],
    ) -> None:
        super().__init__(
            gamma=check_number("gamma", gamma, at_least=0, at_most=100),
            weight_gradient=check_flag("weight_gradient", weight_gradient),
            eps=check_number("eps", eps, at_least=1e-10, below=1),
            **options,
        )
