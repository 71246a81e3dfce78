"""Focaler-IoU: another loss that looks at an interval of the overlap alone."""

from __future__ import annotations

from typing import Any, Unpack

import keras

from bboxbench.losses.base import check_number
from bboxbench.losses.catalogue import LossCard, LossOptions
from bboxbench.losses.composition import Terms, WrapperLoss, base_loss
from bboxbench.losses.geometry import Corners, to_corners
from bboxbench.losses.numerics import Tensor, at_least, at_most
from bboxbench.losses.registry import register

__all__ = ["FocalerIoULoss", "focaler_iou_loss"]


def focaler_iou_terms(true: Corners, pred: Corners, *, base: Any, d: float, u: float) -> Terms:
    """The parts of `focaler_iou_loss`: the base's, with the shortfall stretched from [1 - u, 1 - d] to [0, 1]."""
    missing, penalties = base_loss(base).terms(true, pred)
    return Terms(at_most(at_least((missing - (1 - u)) / (u - d), 0), 1), penalties)


def focaler_iou_loss(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    base: Any = "iou_linear",
    d: float = 0.0,
    u: float = 0.95,
    bounding_box_format: str = "xyxy",
) -> Tensor:
    """Another loss plus ``IoU - IoU_focaler``, with ``IoU_focaler = clip((IoU - d) / (u - d), 0, 1)``.

    An overlap of ``u`` or more is as good as a perfect one, and one of ``d`` or less as bad as none: neither has a
    gradient but the base's penalties. So over the plain IoU a box without overlap, inverted or without area stays where
    it is, and the loss is 0 for many boxes that are not equal. Finite for all finite boxes.

    Source: arXiv:2401.10525.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        base: a registered name, or a loss, of the form ``1 - IoU + penalties``: ``base="ciou"``, ``base=CIoULoss()``.
        d: 0 <= d < u, the overlap from which on boxes count.
        u: d < u <= 1, the overlap that is good enough.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), at least 0, and at most 1 over the plain IoU; no unit where the base has none.

    Raises:
        ValueError: on an unknown format, shapes that are not those of boxes, or a base of another form.

    >>> from bboxbench.losses import focaler_iou_loss
    >>> print(f"{float(focaler_iou_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])):.4f}")  # 1 - 0.5 / 0.95
    0.4737
    """
    return focaler_iou_terms(*to_corners(y_true, y_pred, bounding_box_format), base=base, d=d, u=u).total()


@register("focaler_iou")
@keras.saving.register_keras_serializable(package="bboxbench")
class FocalerIoULoss(WrapperLoss):
    """Another loss that looks at an interval of the overlap alone, see `focaler_iou_loss`.

    Boxes of shape (..., 4), values of shape (...) at least 0, without unit where the base has none.

    Args:
        base: a registered name, or a loss, of the form ``1 - IoU + penalties``.
        d: 0 <= d < u, the overlap from which on boxes count.
        u: d < u <= 1, the overlap that is good enough.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, the format unknown, or the base of another form.

    >>> from bboxbench.losses import FocalerIoULoss
    >>> print(f"{float(FocalerIoULoss(base='giou')([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])):.4f}")
    0.4737
    """

    function = staticmethod(focaler_iou_loss)
    terms_of = staticmethod(focaler_iou_terms)
    card = LossCard(
        family="Reweighted",
        formula="base + IoU - clip((IoU - d)/(u - d), 0, 1); base iou_linear, d 0, u 0.95",
        source="arXiv:2401.10525",
        purpose="Looks at easy or hard boxes alone; over any base. Boxes of IoU u and more score 0.",
        zero_iff_equal=False,
        upper_bound=1.0,
        monotone=True,
        disjoint="no",
        scale_invariant=True,
        symmetric=True,
        inverted="stays",
        point="stays",
    )

    def __init__(
        self, *, base: Any = "iou_linear", d: float = 0.0, u: float = 0.95, **options: Unpack[LossOptions]
    ) -> None:
        base_loss(base)
        u = check_number("u", u, above=0, at_most=1)
        super().__init__(base=base, d=check_number("d", d, at_least=0, below=u), u=u, **options)
