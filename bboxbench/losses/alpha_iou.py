"""Alpha-IoU: the overlap and each penalty of another loss raised to a power."""

from __future__ import annotations

from typing import Any, Unpack

import keras

from bboxbench.losses.base import check_number
from bboxbench.losses.catalogue import LossCard, LossOptions
from bboxbench.losses.composition import Terms, WrapperLoss, base_loss
from bboxbench.losses.geometry import Corners, to_corners
from bboxbench.losses.numerics import Tensor, at_least, small_power
from bboxbench.losses.registry import register

__all__ = ["AlphaIoULoss", "alpha_iou_loss"]


def alpha_iou_terms(true: Corners, pred: Corners, *, base: Any, alpha: float, eps: float) -> Terms:
    """The parts of `alpha_iou_loss`: ``1 - overlap^alpha``, and the base's penalties to the same power."""
    missing, penalties = base_loss(base).terms(true, pred)
    powers = tuple(small_power(penalty, alpha, eps) for penalty in penalties)
    return Terms(1 - small_power(at_least(1 - missing, 0), alpha, eps), powers)


def alpha_iou_loss(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    base: Any = "iou_linear",
    alpha: float = 3.0,
    eps: float = 1e-7,
    bounding_box_format: str = "xyxy",
) -> Tensor:
    """Power of another loss, ``1 - IoU^alpha + sum of penalty^alpha``, where the base is ``1 - IoU + sum of penalty``.

    With ``alpha`` above 1 boxes that are nearly right get more of the gradient; 2 over the plain IoU is
    `square_iou_loss`. With CIoU the third term is ``(alpha_c v)^alpha`` with its own alpha_c held constant, as in the
    authors' code. Without overlap the base's penalties alone have a gradient. Finite for all finite boxes.

    Source: arXiv:2110.13675.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        base: a registered name, or a loss, of the form ``1 - IoU + penalties``: ``base="ciou"``, ``base=CIoULoss()``.
        alpha: above 0 and at most 4, the power.
        eps: 1e-10 <= eps < 1. Below it the power is a straight line to 0, so that its gradient stays finite.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), at least 0, and at most 1 over the plain IoU; no unit where the base has none.

    Raises:
        ValueError: on an unknown format, shapes that are not those of boxes, or a base of another form.

    >>> from bboxbench.losses import alpha_iou_loss
    >>> print(float(alpha_iou_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])))  # 1 - (1/2)^3
    0.875
    """
    return alpha_iou_terms(*to_corners(y_true, y_pred, bounding_box_format), base=base, alpha=alpha, eps=eps).total()


@register("alpha_iou")
@keras.saving.register_keras_serializable(package="bboxbench")
class AlphaIoULoss(WrapperLoss):
    """The overlap and each penalty of another loss raised to a power, see `alpha_iou_loss`.

    Boxes of shape (..., 4), values of shape (...) at least 0, without unit where the base has none.

    Args:
        base: a registered name, or a loss, of the form ``1 - IoU + penalties``.
        alpha: above 0 and at most 4, the power.
        eps: 1e-10 <= eps < 1. Below it the power is a straight line to 0, so that its gradient stays finite.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, the format unknown, or the base of another form.

    >>> from bboxbench.losses import AlphaIoULoss, CIoULoss
    >>> print(float(AlphaIoULoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])))
    0.875
    >>> print(f"{float(AlphaIoULoss(base=CIoULoss())([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])):.5f}")
    0.87503
    """

    function = staticmethod(alpha_iou_loss)
    terms_of = staticmethod(alpha_iou_terms)
    card = LossCard(
        family="Reweighted",
        formula="1 - IoU^alpha + sum of penalty^alpha, for a base 1 - IoU + sum of penalty; base iou_linear, alpha 3",
        source="arXiv:2110.13675",
        purpose="Lets boxes that are nearly right get more of the gradient; over any base.",
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
        self, *, base: Any = "iou_linear", alpha: float = 3.0, eps: float = 1e-7, **options: Unpack[LossOptions]
    ) -> None:
        base_loss(base)
        super().__init__(
            base=base,
            alpha=check_number("alpha", alpha, above=0, at_most=4),
            eps=check_number("eps", eps, at_least=1e-10, below=1),
            **options,
        )
