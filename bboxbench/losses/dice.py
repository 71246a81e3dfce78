"""The Dice coefficient of boxes as a loss."""

from __future__ import annotations

from typing import Unpack

import keras

from bboxbench.losses.base import check_number
from bboxbench.losses.catalogue import CatalogueLoss, LossCard, LossOptions
from bboxbench.losses.composition import shortfall_of
from bboxbench.losses.geometry import area, intersection_area, to_corners
from bboxbench.losses.numerics import Tensor
from bboxbench.losses.registry import register

__all__ = ["BoxDiceLoss", "box_dice_loss"]


def box_dice_loss(y_true: Tensor, y_pred: Tensor, *, eps: float = 1e-7, bounding_box_format: str = "xyxy") -> Tensor:
    """One minus the Dice coefficient of two boxes, ``1 - 2 I / (A + B)``, with A and B their areas.

    With IoU it is ``1 - 2 IoU / (1 + IoU)``: the same order of boxes, less steep near a match. Computed as
    ``(A + B - 2 I) / max(A + B, eps)``. **No gradient without overlap**: there the value is 1, and an inverted box or a
    point stays where it is. Two identical boxes without area score 0. Finite for all finite boxes.

    Source: L. R. Dice, Measures of the Amount of Ecologic Association Between Species, 1945, on the areas of boxes.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        eps: 1e-10 <= eps < 1. The smallest sum of areas, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), in [0, 1], no unit: the same in pixels and in coordinates in [0, 1], except for boxes whose areas
        sum to less than ``eps``.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import box_dice_loss
    >>> print(f"{float(box_dice_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])):.4f}")  # 1 - 2 * 8 / (16 + 8)
    0.3333
    """
    true, pred = to_corners(y_true, y_pred, bounding_box_format)
    return shortfall_of(2 * intersection_area(true, pred), area(true) + area(pred), eps)


@register("box_dice")
@keras.saving.register_keras_serializable(package="bboxbench")
class BoxDiceLoss(CatalogueLoss):
    """One minus the Dice coefficient of two boxes, see `box_dice_loss`. No gradient without overlap.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, 1].

    Args:
        eps: 1e-10 <= eps < 1. The smallest sum of areas, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import BoxDiceLoss
    >>> print(f"{float(BoxDiceLoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])):.4f}")
    0.3333
    """

    function = staticmethod(box_dice_loss)
    card = LossCard(
        family="IoU",
        formula="1 - 2 I / (A + B)",
        source="Dice 1945",
        purpose="What segmentation networks train with, for boxes; less steep than 1 - IoU near a match.",
        zero_iff_equal=True,
        upper_bound=1.0,
        monotone=True,
        disjoint="no",
        scale_invariant=True,
        symmetric=True,
        inverted="stays",
        point="stays",
    )

    def __init__(self, *, eps: float = 1e-7, **options: Unpack[LossOptions]) -> None:
        super().__init__(eps=check_number("eps", eps, at_least=1e-10, below=1), **options)
