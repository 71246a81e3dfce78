"""Losses on a box's centre and size."""

from __future__ import annotations

from typing import Literal, Unpack

import keras
from keras import ops

from bboxbench.losses.base import check_number, check_option
from bboxbench.losses.catalogue import CatalogueLoss, LossCard, LossOptions
from bboxbench.losses.geometry import centre_offset, enclosing_squared_diagonal, size, squared_diagonal, to_corners
from bboxbench.losses.numerics import Tensor, at_least, root
from bboxbench.losses.registry import register

__all__ = ["DISTANCES", "CentrePointLoss", "centre_point_loss"]

Distance = Literal["squared", "euclidean", "enclosing", "target"]

DISTANCES: tuple[Distance, ...] = ("squared", "euclidean", "enclosing", "target")
"""What people mean by a centre-point loss: the squared distance, the distance, or the squared one over a diagonal's."""


def centre_point_loss(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    size_weight: float = 1.0,
    distance: Distance = "squared",
    eps: float = 1e-7,
    bounding_box_format: str = "xyxy",
) -> Tensor:
    """Distance of the centres plus ``size_weight`` times the distance of the sizes.

    By ``distance``, with dx, dy the offset of the centres and dw, dh that of width and height:

    - "squared": ``(dx^2 + dy^2) + size_weight (dw^2 + dh^2)``
    - "euclidean": ``sqrt(dx^2 + dy^2) + size_weight sqrt(dw^2 + dh^2)``, with a gradient of 0 where the root has none
    - "enclosing": the squared one over the squared diagonal of the enclosing box, DIoU's penalty without its IoU
    - "target": the squared one over the squared diagonal of the true box

    With ``size_weight=0`` only the centre counts and the loss cannot learn a size: any size scores the same
    ("enclosing": larger boxes score better). With 1, "squared" is close to MSE in other coordinates: the four squared
    corner differences sum to ``2 (dx^2 + dy^2) + (dw^2 + dh^2) / 2``, so ``size_weight=0.25`` is exactly twice
    `mse_loss` and 1 asks four times as much of the size. Sizes keep their sign, so an inverted box has a gradient that
    turns it round again; boxes without area or overlap are nothing special. Finite for all finite boxes.

    Source: a plain distance, in the meanings the name has; "enclosing" is the penalty of arXiv:1911.08287.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        size_weight: 0 to 1e6.
        distance: one of "squared", "euclidean", "enclosing", "target".
        eps: 1e-10 <= eps < 1. The smallest squared diagonal divided by, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), at least 0, in squared units of the coordinates; "euclidean": in their unit, "enclosing" and
        "target": no unit.

    Raises:
        ValueError: on an unknown format or option, or shapes that are not those of boxes.

    >>> from bboxbench.losses import centre_point_loss
    >>> print(float(centre_point_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])))  # centre 1 off, width 2 off
    5.0
    >>> print(float(centre_point_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0], distance="euclidean")))
    3.0
    """
    check_option("distance", distance, DISTANCES)
    true, pred = to_corners(y_true, y_pred, bounding_box_format)
    dx, dy = centre_offset(true, pred)
    dw, dh = (p - t for t, p in zip(size(true), size(pred), strict=True))
    centre, sides = ops.square(dx) + ops.square(dy), ops.square(dw) + ops.square(dh)
    if distance == "euclidean":
        centre, sides = root(centre), root(sides)
    total = centre + size_weight * sides
    if distance in ("enclosing", "target"):
        diagonal = squared_diagonal(true) if distance == "target" else enclosing_squared_diagonal(true, pred)
        total = total / at_least(diagonal, eps)
    return total


@register("centre_point")
@keras.saving.register_keras_serializable(package="bboxbench")
class CentrePointLoss(CatalogueLoss):
    """Distance of the centres plus ``size_weight`` times that of the sizes, see `centre_point_loss`.

    Boxes of shape (..., 4), values of shape (...), by default in squared units of the coordinates. With
    ``size_weight=0`` it cannot learn a size; with 1 it is close to MSE in other coordinates.

    Args:
        size_weight: 0 to 1e6.
        distance: "squared", "euclidean", "enclosing" (over the enclosing box's diagonal) or "target" (over the true
            box's).
        eps: 1e-10 <= eps < 1. The smallest squared diagonal divided by, in squared units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import CentrePointLoss
    >>> print(float(CentrePointLoss(size_weight=0)([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])))
    1.0
    """

    function = staticmethod(centre_point_loss)
    card = LossCard(
        family="Centre and size",
        formula="dx^2 + dy^2 + size_weight (dw^2 + dh^2), or by distance the root of each, or both over a squared "
        "diagonal; size_weight 1",
        source="a plain distance",
        purpose="What people try when corners fail; near MSE in other coordinates. `size_weight=0` cannot learn a "
        "size.",
        zero_iff_equal=True,
        upper_bound=None,
        monotone=True,
        disjoint="yes",
        scale_invariant=False,
        symmetric=True,
        inverted="turns",
        point="grows",
        wrong_elsewhere=("xcenternet's first version took a norm without an axis: one number for the whole batch.",),
    )

    def __init__(
        self,
        *,
        size_weight: float = 1.0,
        distance: Distance = "squared",
        eps: float = 1e-7,
        **options: Unpack[LossOptions],
    ) -> None:
        super().__init__(
            size_weight=check_number("size_weight", size_weight, at_least=0, at_most=1e6),
            distance=check_option("distance", distance, DISTANCES),
            eps=check_number("eps", eps, at_least=1e-10, below=1),
            **options,
        )
