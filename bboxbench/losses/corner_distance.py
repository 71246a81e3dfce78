"""Losses that add the distances of matching corners: MPDIoU and SCA."""

from __future__ import annotations

from typing import Unpack

import keras
from keras import ops

from bboxbench.losses.base import check_number
from bboxbench.losses.catalogue import CatalogueLoss, LossCard, LossOptions
from bboxbench.losses.composition import ComposableLoss, Terms, shortfall
from bboxbench.losses.geometry import (
    Corners,
    enclosing_size,
    enclosing_squared_diagonal,
    intersection,
    size,
    to_corners,
)
from bboxbench.losses.numerics import Tensor, at_least, root
from bboxbench.losses.registry import register

__all__ = ["MPDIoULoss", "SCALoss", "mpdiou_loss", "sca_loss"]


def squared_corner_distances(true: Corners, pred: Corners) -> tuple[Tensor, Tensor]:
    """Squared distances of the upper left and of the lower right corners, each of shape (...), in squared units."""
    xmin, ymin, xmax, ymax = (ops.square(p - t) for t, p in zip(true, pred, strict=True))
    return xmin + ymin, xmax + ymax


def mpdiou_terms(true: Corners, pred: Corners, *, width: float, height: float, eps: float) -> Terms:
    """The parts of `mpdiou_loss`: the shortfall and the two squared distances of corners."""
    diagonal = width**2 + height**2
    return Terms(shortfall(true, pred, eps), tuple(d / diagonal for d in squared_corner_distances(true, pred)))


def mpdiou_loss(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    width: float = 200.0,
    height: float = 100.0,
    eps: float = 1e-7,
    bounding_box_format: str = "xyxy",
) -> Tensor:
    """Minimum-point-distance IoU, ``1 - I/U + (d_1^2 + d_2^2) / (W^2 + H^2)``.

    d_1 and d_2 are the distances of the upper left and the lower right corners, W and H the size **of the picture, in
    the unit of the boxes**: give ``width=1, height=1`` for coordinates in [0, 1], which on a picture that is not square
    is not the same loss as in pixels. An inverted box is turned round, a point grows. Finite for all finite boxes.

    Source: arXiv:2307.07662.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        width: at least 1, the picture's, in the unit of the boxes. The default is that of bboxbench's own pictures.
        height: at least 1, the picture's, in the unit of the boxes.
        eps: 1e-10 <= eps < 1. The smallest union, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), at least 0, and at most 3 for boxes within the picture; no unit, if width and height are in that of
        the boxes.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import mpdiou_loss
    >>> print(float(mpdiou_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0], width=8, height=8)))  # 1/2 + 2^2 / 128
    0.53125
    """
    corners = to_corners(y_true, y_pred, bounding_box_format)
    return mpdiou_terms(*corners, width=width, height=height, eps=eps).total()


def sca_loss(
    y_true: Tensor, y_pred: Tensor, *, alpha: float = 1.0, eps: float = 1e-7, bounding_box_format: str = "xyxy"
) -> Tensor:
    """Side and corner aligned loss, ``2 - (w_i/C_w + h_i/C_h) + alpha (d_1 + d_2)/c``.

    w_i and h_i are the sides of the intersection, below 0 where there is a gap; C_w, C_h and c are the sides and the
    diagonal of the enclosing box, d_1 and d_2 the distances of the upper left and the lower right corners. Every side
    has a gradient by itself, with and without overlap; an inverted box is turned round, a point grows. Finite for all
    finite boxes; two identical boxes without area score 0.

    Source: arXiv:2104.00462.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        alpha: 0 to 1e6, how much the corners count.
        eps: 1e-10 <= eps < 1. The smallest length divided by, in units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), in [0, 4 + 2 alpha] for boxes that are not inverted, no unit: the same in pixels and in coordinates
        in [0, 1], except for boxes smaller than ``eps``.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import sca_loss
    >>> print(f"{float(sca_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])):.4f}")  # 1/2 + 2 / sqrt(32)
    0.8536
    """
    true, pred = to_corners(y_true, y_pred, bounding_box_format)
    sides = zip(size(intersection(true, pred)), enclosing_size(true, pred), strict=True)
    # 1 - w_i/C_w in one fraction, exact for boxes that nearly match.
    width, height = ((whole - shared) / at_least(whole, eps) for shared, whole in sides)
    diagonal = at_least(root(enclosing_squared_diagonal(true, pred)), eps)
    first, second = (root(d) / diagonal for d in squared_corner_distances(true, pred))
    return width + height + alpha * (first + second)


@register("mpdiou")
@keras.saving.register_keras_serializable(package="bboxbench")
class MPDIoULoss(ComposableLoss):
    """IoU and the distances of two corners over the picture's diagonal, see `mpdiou_loss`.

    Boxes of shape (..., 4), values of shape (...) without unit, at least 0, if width and height are in the unit of the
    boxes.

    Args:
        width: at least 1, the picture's, in the unit of the boxes: 1 for coordinates in [0, 1].
        height: at least 1, the picture's, in the unit of the boxes: 1 for coordinates in [0, 1].
        eps: 1e-10 <= eps < 1. The smallest union, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import MPDIoULoss
    >>> print(float(MPDIoULoss(width=8, height=8)([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])))
    0.53125
    """

    function = staticmethod(mpdiou_loss)
    terms_of = staticmethod(mpdiou_terms)
    card = LossCard(
        family="Enclosing box and distance",
        formula="1 - I/U + (d_1^2 + d_2^2)/(W^2 + H^2); W 200, H 100",
        source="arXiv:2307.07662",
        purpose="Two distances in place of centre, width and height; near MSE where boxes do not overlap.",
        zero_iff_equal=True,
        upper_bound=None,
        monotone=True,
        disjoint="yes",
        scale_invariant=False,
        symmetric=True,
        inverted="turns",
        point="grows",
        units="pixels of a 200 x 100 picture; else give its width and height (1 and 1 for boxes in [0, 1])",
        unit_parameters=("width", "height"),
        wrong_elsewhere=("Copies differ in whether W and H are the picture's or the enclosing box's.",),
    )

    def __init__(
        self, *, width: float = 200.0, height: float = 100.0, eps: float = 1e-7, **options: Unpack[LossOptions]
    ) -> None:
        super().__init__(
            width=check_number("width", width, at_least=1),
            height=check_number("height", height, at_least=1),
            eps=check_number("eps", eps, at_least=1e-10, below=1),
            **options,
        )


@register("sca")
@keras.saving.register_keras_serializable(package="bboxbench")
class SCALoss(CatalogueLoss):
    """Side and corner aligned loss, see `sca_loss`.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, 4 + 2 alpha] for boxes that are not inverted.

    Args:
        alpha: 0 to 1e6, how much the corners count.
        eps: 1e-10 <= eps < 1. The smallest length divided by, in units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import SCALoss
    >>> print(f"{float(SCALoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])):.4f}")
    0.8536
    """

    function = staticmethod(sca_loss)
    card = LossCard(
        family="Enclosing box and distance",
        formula="2 - (w_i/C_w + h_i/C_h) + alpha (d_1 + d_2)/c; alpha 1",
        source="arXiv:2104.00462",
        purpose="Sides one by one in place of an area: a gradient for each, with and without overlap.",
        zero_iff_equal=True,
        upper_bound=6.0,
        monotone=True,
        disjoint="yes",
        scale_invariant=True,
        symmetric=True,
        inverted="turns",
        point="grows",
    )

    def __init__(self, *, alpha: float = 1.0, eps: float = 1e-7, **options: Unpack[LossOptions]) -> None:
        super().__init__(
            alpha=check_number("alpha", alpha, at_least=0, at_most=1e6),
            eps=check_number("eps", eps, at_least=1e-10, below=1),
            **options,
        )
