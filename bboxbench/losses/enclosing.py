"""Losses that add the enclosing box, so that boxes without overlap still have something to follow."""

from __future__ import annotations

from typing import Unpack

import keras

from bboxbench.losses.base import check_number
from bboxbench.losses.catalogue import LossCard, LossOptions
from bboxbench.losses.composition import ComposableLoss, Terms, shortfall_of
from bboxbench.losses.geometry import Corners, enclosing_area, overlap_areas, to_corners
from bboxbench.losses.numerics import Tensor, at_least
from bboxbench.losses.registry import register

__all__ = ["GIoULoss", "giou_loss"]


def giou_terms(true: Corners, pred: Corners, *, eps: float) -> Terms:
    """The parts of `giou_loss`: the shortfall, and what of the enclosing box is empty."""
    shared, union = overlap_areas(true, pred)
    enclosed = enclosing_area(true, pred)
    return Terms(
        shortfall_of(shared, union, eps),
        # Rounding can make the rest of the enclosing box smaller than nothing.
        (at_least(enclosed - union, 0) / at_least(enclosed, eps),),
    )


def giou_loss(y_true: Tensor, y_pred: Tensor, *, eps: float = 1e-7, bounding_box_format: str = "xyxy") -> Tensor:
    """Generalised intersection over union as a loss, ``1 - I/U + (C - U)/C``, where C is the enclosing box's area.

    Computed as ``(U - I) / max(U, eps) + (C - U) / max(C, eps)``, the same wherever areas exceed ``eps``, and 0 for
    two identical boxes without area. Without overlap the second term still pulls the boxes together. Inside its target,
    an inverted box or a single point scores exactly 1 and has no gradient: a network can settle there. Finite for all
    finite boxes.

    Source: arXiv:1902.09630.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        eps: 1e-10 <= eps < 1. The smallest area divided by, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), in [0, 2], no unit: the same in pixels and in coordinates in [0, 1], except for boxes whose area is
        smaller than ``eps``.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import giou_loss
    >>> print(float(giou_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])))  # half the box
    0.5
    >>> print(float(giou_loss([0.0, 0.0, 4.0, 4.0], [4.0, 0.0, 8.0, 4.0])))  # side by side, no gap
    1.0
    """
    return giou_terms(*to_corners(y_true, y_pred, bounding_box_format), eps=eps).total()


@register("giou")
@keras.saving.register_keras_serializable(package="bboxbench")
class GIoULoss(ComposableLoss):
    """Generalised intersection over union as a loss, see `giou_loss`.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, 2].

    Args:
        eps: 1e-10 <= eps < 1. The smallest area divided by, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import GIoULoss
    >>> print(float(GIoULoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])))
    0.5
    """

    function = staticmethod(giou_loss)
    terms_of = staticmethod(giou_terms)
    card = LossCard(
        family="Enclosing box and distance",
        formula="1 - I/U + (C - U)/C",
        source="arXiv:1902.09630",
        purpose="IoU with a pull where boxes do not overlap. Boxes without overlap grow before they move, and a "
        "network can "
        "settle on inverted boxes.",
        zero_iff_equal=True,
        upper_bound=2.0,
        monotone=True,
        disjoint="yes",
        scale_invariant=True,
        symmetric=True,
        inverted="stays",
        point="stays",
        wrong_elsewhere=(
            "KerasCV's GIoULoss takes the pairwise matrix and its diagonal over the wrong axes: right for B = N only.",
            "TensorFlow Addons' GIoULoss squeezes a batch of one away, and leaves the format (yxyx) unsaid.",
            "Paddle's IouLoss(giou=True, loss_square=True) squares GIoU: the worst box scores best.",
            "torchvision's GIoU of two identical boxes without area is a loss of 1, not 0.",
        ),
    )

    def __init__(self, *, eps: float = 1e-7, **options: Unpack[LossOptions]) -> None:
        super().__init__(eps=check_number("eps", eps, at_least=1e-10, below=1), **options)
