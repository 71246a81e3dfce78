"""Inner-IoU: another loss with the overlap of smaller or larger boxes in the place of its own."""

from __future__ import annotations

from typing import Any, Unpack

import keras

from bboxbench.losses.base import check_number
from bboxbench.losses.catalogue import LossCard, LossOptions
from bboxbench.losses.composition import Terms, WrapperLoss, base_loss, shortfall
from bboxbench.losses.geometry import Corners, resized, to_corners
from bboxbench.losses.numerics import Tensor
from bboxbench.losses.registry import register

__all__ = ["InnerIoULoss", "inner_iou_loss"]


def inner_iou_terms(true: Corners, pred: Corners, *, base: Any, ratio: float, eps: float) -> Terms:
    """The parts of `inner_iou_loss`: the base's, with the shortfall of the resized boxes."""
    _, penalties = base_loss(base).terms(true, pred)
    return Terms(shortfall(resized(true, ratio), resized(pred, ratio), eps), penalties)


def inner_iou_loss(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    base: Any = "iou_linear",
    ratio: float = 0.75,
    eps: float = 1e-7,
    bounding_box_format: str = "xyxy",
) -> Tensor:
    """Another loss plus ``IoU - IoU_inner``: the overlap of boxes resized round their centres by ``ratio``.

    Smaller boxes (ratio below 1) are steeper near a match and lose the overlap sooner, larger ones (above 1) keep it
    longer. The base's penalties are those of the boxes as they are. Without overlap of the resized boxes the penalties
    alone have a gradient. Finite for all finite boxes.

    Source: arXiv:2311.02877.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        base: a registered name, or a loss, of the form ``1 - IoU + penalties``: ``base="ciou"``, ``base=CIoULoss()``.
        ratio: above 0 and at most 10; the paper takes 0.5 to 1.5.
        eps: 1e-10 <= eps < 1. The smallest union of resized boxes, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), at least 0, and at most 1 over the plain IoU; no unit where the base has none.

    Raises:
        ValueError: on an unknown format, shapes that are not those of boxes, or a base of another form.

    >>> from bboxbench.losses import inner_iou_loss
    >>> print(f"{float(inner_iou_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])):.4f}")
    0.6154
    """
    return inner_iou_terms(*to_corners(y_true, y_pred, bounding_box_format), base=base, ratio=ratio, eps=eps).total()


@register("inner_iou")
@keras.saving.register_keras_serializable(package="bboxbench")
class InnerIoULoss(WrapperLoss):
    """Another loss with the overlap of resized boxes in the place of its own, see `inner_iou_loss`.

    Boxes of shape (..., 4), values of shape (...) at least 0, without unit where the base has none.

    Args:
        base: a registered name, or a loss, of the form ``1 - IoU + penalties``.
        ratio: above 0 and at most 10, how large the boxes are made round their centres.
        eps: 1e-10 <= eps < 1. The smallest union of resized boxes, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, the format unknown, or the base of another form.

    >>> from bboxbench.losses import InnerIoULoss
    >>> print(f"{float(InnerIoULoss(base='giou')([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])):.4f}")
    0.6154
    """

    function = staticmethod(inner_iou_loss)
    terms_of = staticmethod(inner_iou_terms)
    card = LossCard(
        family="Reweighted",
        formula="base + IoU - IoU_inner, IoU_inner of boxes resized round their centres; base iou_linear, ratio 0.75",
        source="arXiv:2311.02877",
        purpose="Steeper near a match (ratio below 1), or an overlap that reaches further (above 1); over any base.",
        zero_iff_equal=True,
        upper_bound=1.0,
        monotone=True,
        disjoint="no",
        scale_invariant=True,
        symmetric=True,
        inverted="stays",
        point="stays",
    )

    def __init__(
        self, *, base: Any = "iou_linear", ratio: float = 0.75, eps: float = 1e-7, **options: Unpack[LossOptions]
    ) -> None:
        base_loss(base)
        super().__init__(
            base=base,
            ratio=check_number("ratio", ratio, above=0, at_most=10),
            eps=check_number("eps", eps, at_least=1e-10, below=1),
            **options,
        )
