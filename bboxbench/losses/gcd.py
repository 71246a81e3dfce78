"""Gaussian combined distance of boxes."""

from __future__ import annotations

from typing import Unpack

import keras
from keras import ops

from bboxbench.losses.base import check_number
from bboxbench.losses.catalogue import CatalogueLoss, LossCard, LossOptions
from bboxbench.losses.gaussian import sizes
from bboxbench.losses.geometry import centre_offset, size, to_corners
from bboxbench.losses.numerics import Tensor, root, saturating
from bboxbench.losses.registry import register

__all__ = ["GCDLoss", "gcd_loss"]


def gcd_loss(y_true: Tensor, y_pred: Tensor, *, eps: float = 1e-7, bounding_box_format: str = "xyxy") -> Tensor:
    """Gaussian combined distance, ``1 - exp(-D)``: the Wasserstein distance in sizes of both boxes.

    ``D^2`` is half the sum of ``(dx^2 + (w - w_t)^2 / 4) / s^2`` over s = w and s = w_t, and of the same with dy and h:
    offset and size have a common scale, so they are learnt together and no unit is needed. Boxes several sizes away
    have a gradient that is soon lost. An inverted box or a side without length counts as one of ``eps`` where it
    divides. Equal boxes have a gradient of 0, where the bare root has none. Finite for all finite boxes.

    Source: arXiv:2510.27649, as in the authors' code with ``mode="exp"``.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        eps: 1e-10 <= eps < 1. The smallest size divided by, in units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), in [0, 1], no unit: the same in pixels and in coordinates in [0, 1], except for boxes with sides
        shorter than ``eps``.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import gcd_loss
    >>> print(f"{float(gcd_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])):.4f}")  # D^2 = 5/16
    0.4282
    """
    true, pred = to_corners(y_true, y_pred, bounding_box_format)
    axes = zip(centre_offset(true, pred), size(true), size(pred), sizes(true, pred, eps), strict=True)
    horizontal, vertical = (
        ops.square(offset / true_size)
        + ops.square(offset / pred_size)
        + (ops.square((p - t) / true_size) + ops.square((p - t) / pred_size)) / 4
        for offset, t, p, (true_size, pred_size) in axes
    )
    return saturating(root((horizontal + vertical) / 2))


@register("gcd")
@keras.saving.register_keras_serializable(package="bboxbench")
class GCDLoss(CatalogueLoss):
    """Gaussian combined distance, ``1 - exp(-D)``, see `gcd_loss`.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, 1].

    Args:
        eps: 1e-10 <= eps < 1. The smallest size divided by, in units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import GCDLoss
    >>> print(f"{float(GCDLoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])):.4f}")
    0.4282
    """

    function = staticmethod(gcd_loss)
    card = LossCard(
        family="Gaussian",
        formula="1 - exp(-D); D^2 = (sum over s in {w, w_t} of (dx^2 + (w - w_t)^2/4)/s^2, and the same with dy, h)/2",
        source="arXiv:2510.27649",
        purpose="NWD without a unit, for tiny objects: offset and size learn together.",
        zero_iff_equal=True,
        upper_bound=1.0,
        monotone=True,
        disjoint="fades",
        scale_invariant=True,
        symmetric=True,
        inverted="stays",
        point="stays",
        wrong_elsewhere=("In the authors' code the modes other than exp have the wrong sign.",),
    )

    def __init__(self, *, eps: float = 1e-7, **options: Unpack[LossOptions]) -> None:
        super().__init__(eps=check_number("eps", eps, at_least=1e-10, below=1), **options)
