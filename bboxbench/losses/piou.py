"""Powerful-IoU, a penalty that looks at the true box's size alone. Not Pixels-IoU, the other PIoU."""

from __future__ import annotations

from typing import Unpack

import keras
from keras import ops

from bboxbench.losses.base import check_number
from bboxbench.losses.catalogue import CatalogueLoss, LossCard, LossOptions
from bboxbench.losses.composition import ComposableLoss, Terms, shortfall
from bboxbench.losses.geometry import Corners, clamped_size, to_corners
from bboxbench.losses.numerics import Tensor, at_least, magnitude, saturating
from bboxbench.losses.registry import register

__all__ = ["PIoUv1Loss", "PIoUv2Loss", "piou_v1_loss", "piou_v2_loss"]


def _mean_edge_offset(true: Corners, pred: Corners, eps: float) -> Tensor:
    """P: the distances of the four edges over the true box's size, their mean, shape (...), no unit."""
    left, top, right, bottom = (magnitude(p - t) for t, p in zip(true, pred, strict=True))
    width, height = (at_least(side, eps) for side in clamped_size(true))
    return ((left + right) / width + (top + bottom) / height) / 4


def piou_v1_terms(true: Corners, pred: Corners, *, eps: float) -> Terms:
    """The parts of `piou_v1_loss`: the shortfall, and how far the edges are off."""
    return Terms(shortfall(true, pred, eps), (saturating(ops.square(_mean_edge_offset(true, pred, eps))),))


def piou_v1_loss(y_true: Tensor, y_pred: Tensor, *, eps: float = 1e-7, bounding_box_format: str = "xyxy") -> Tensor:
    """Powerful-IoU, ``1 - I/U + 1 - exp(-P^2)``, P the mean distance of the four edges over the true box's size.

    ``P = (|dx_1| + |dx_2|) / (4 w_t) + (|dy_1| + |dy_2|) / (4 h_t)``. The penalty does not shrink as the predicted box
    grows, so there is nothing to gain from growing first. It is flat for boxes several sizes away: in float32 the
    gradient is lost beyond some nine. An inverted box is turned round, a point grows. Finite for all finite boxes.

    Source: Powerful-IoU, Neural Networks 170 (2024), S0893608023006640.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        eps: 1e-10 <= eps < 1. The smallest length or area divided by, in units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), in [0, 2], no unit: the same in pixels and in coordinates in [0, 1], except for boxes smaller than
        ``eps``.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import piou_v1_loss
    >>> print(f"{float(piou_v1_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])):.4f}")  # 1/2 + 1 - exp(-(2/16)^2)
    0.5155
    """
    return piou_v1_terms(*to_corners(y_true, y_pred, bounding_box_format), eps=eps).total()


def piou_v2_loss(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    focus: float = 1.3,
    eps: float = 1e-7,
    bounding_box_format: str = "xyxy",
) -> Tensor:
    """Powerful-IoU with attention to middling boxes, ``3 x exp(-x^2)`` times `piou_v1_loss`, ``x = focus exp(-P)``.

    P is that of `piou_v1_loss`. The gradient goes through the factor, as in the authors' code. **Far boxes score near
    0**: the factor falls with the distance, so the loss falls again as a box moves away, and pushes it. Finite for all
    finite boxes.

    Source: Powerful-IoU, Neural Networks 170 (2024), S0893608023006640, which calls ``focus`` lambda.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        focus: above 0 and at most 100, which quality counts most: boxes with ``exp(-P) = 0.71 / focus``.
        eps: 1e-10 <= eps < 1. The smallest length or area divided by, in units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), in [0, 2.6], no unit: the same in pixels and in coordinates in [0, 1], except for boxes smaller
        than ``eps``.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import piou_v2_loss
    >>> print(f"{float(piou_v2_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])):.4f}")
    0.4758
    """
    true, pred = to_corners(y_true, y_pred, bounding_box_format)
    x = focus * ops.exp(-_mean_edge_offset(true, pred, eps))
    return 3 * x * ops.exp(-ops.square(x)) * piou_v1_terms(true, pred, eps=eps).total()


@register("piou_v1")
@keras.saving.register_keras_serializable(package="bboxbench")
class PIoUv1Loss(ComposableLoss):
    """Powerful-IoU: overlap, and edges over the true box's size, see `piou_v1_loss`.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, 2].

    Args:
        eps: 1e-10 <= eps < 1. The smallest length or area divided by, in units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import PIoUv1Loss
    >>> print(f"{float(PIoUv1Loss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])):.4f}")
    0.5155
    """

    function = staticmethod(piou_v1_loss)
    terms_of = staticmethod(piou_v1_terms)
    card = LossCard(
        family="Reweighted",
        formula="1 - I/U + 1 - exp(-P^2); P = (|dx_1| + |dx_2|)/(4 w_t) + (|dy_1| + |dy_2|)/(4 h_t)",
        source="Powerful-IoU, Neural Networks 2024, S0893608023006640",
        purpose="Leaves nothing to gain from growing first: the penalty is in sizes of the true box, not of the "
        "enclosing one.",
        zero_iff_equal=True,
        upper_bound=2.0,
        monotone=True,
        disjoint="fades",
        scale_invariant=True,
        symmetric=False,
        inverted="turns",
        point="grows",
    )

    def __init__(self, *, eps: float = 1e-7, **options: Unpack[LossOptions]) -> None:
        super().__init__(eps=check_number("eps", eps, at_least=1e-10, below=1), **options)


@register("piou_v2")
@keras.saving.register_keras_serializable(package="bboxbench")
class PIoUv2Loss(CatalogueLoss):
    """Powerful-IoU with attention to middling boxes, see `piou_v2_loss`. Far boxes score near 0.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, 2.6].

    Args:
        focus: above 0 and at most 100, which quality counts most: boxes with ``exp(-P) = 0.71 / focus``.
        eps: 1e-10 <= eps < 1. The smallest length or area divided by, in units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import PIoUv2Loss
    >>> print(f"{float(PIoUv2Loss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])):.4f}")
    0.4758
    """

    function = staticmethod(piou_v2_loss)
    card = LossCard(
        family="Reweighted",
        formula="3 x exp(-x^2) L_v1; x = focus exp(-P), focus 1.3, L_v1 and P those of piou_v1",
        source="Powerful-IoU, Neural Networks 2024, S0893608023006640",
        purpose="Attends to boxes of middling quality, in detectors that match predictions to targets first. Alone "
        "it is a "
        "trap: it falls again as a box moves away.",
        zero_iff_equal=True,
        upper_bound=2.6,
        monotone=False,
        disjoint="no",
        scale_invariant=True,
        symmetric=False,
        inverted="moves",
        point="grows",
    )

    def __init__(self, *, focus: float = 1.3, eps: float = 1e-7, **options: Unpack[LossOptions]) -> None:
        super().__init__(
            focus=check_number("focus", focus, above=0, at_most=100),
            eps=check_number("eps", eps, at_least=1e-10, below=1),
            **options,
        )
