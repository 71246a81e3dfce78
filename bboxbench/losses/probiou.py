"""ProbIoU: the Hellinger distance of boxes as Gaussians."""

from __future__ import annotations

from typing import Literal, Unpack

import keras
from keras import ops

from bboxbench.losses.base import check_number, check_option
from bboxbench.losses.catalogue import CatalogueLoss, LossCard, LossOptions
from bboxbench.losses.gaussian import sizes
from bboxbench.losses.geometry import centre_offset, to_corners
from bboxbench.losses.numerics import Tensor, larger, root, saturating
from bboxbench.losses.registry import register

__all__ = ["MODES", "ProbIoULoss", "probiou_loss"]

Mode = Literal["l1", "l2"]

MODES: tuple[Mode, ...] = ("l1", "l2")
"""The paper's two losses: the Hellinger distance, and the Bhattacharyya distance that it is made of."""


def _bhattacharyya(offset: Tensor, true_size: Tensor, pred_size: Tensor) -> Tensor:
    """Bhattacharyya distance of two one-dimensional Gaussians with variances of size^2 / 12, shape (...)."""
    # (w_1^2 + w_2^2) / (2 w_1 w_2) as 1 + (w_1 - w_2)^2 / (2 w_1 w_2), in ratios: nothing cancels, nothing overflows.
    difference = pred_size - true_size
    spread = (difference / true_size) * (difference / pred_size) / 2
    widest = larger(true_size, pred_size)
    scaled = ops.square(true_size / widest) + ops.square(pred_size / widest)
    return 3 * ops.square(offset / widest) / scaled + ops.log1p(spread) / 2


def probiou_loss(
    y_true: Tensor, y_pred: Tensor, *, mode: Mode = "l1", eps: float = 1e-7, bounding_box_format: str = "xyxy"
) -> Tensor:
    """ProbIoU, ``sqrt(1 - exp(-B))``: the Hellinger distance of boxes as Gaussians, B their Bhattacharyya distance.

    ``B = 3 dx^2/(w^2 + w_t^2) + 3 dy^2/(h^2 + h_t^2) + ln((w^2 + w_t^2)/(2 w w_t))/2 + ln((h^2 + h_t^2)/(2 h h_t))/2``,
    with dx, dy the offset of the centres and covariances ``diag(w^2, h^2) / 12``, those of an even box. Mode "l2" is B
    itself. Far boxes have a gradient that is soon lost in mode "l1"; the paper begins with "l2" for that reason. An
    inverted box or a side without length counts as one of ``eps``. Equal boxes have a gradient of 0, where the bare
    root has none. Finite for all finite boxes.

    Source: arXiv:2106.06072 for rotated boxes; here for those along the axes.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        mode: "l1", the Hellinger distance, or "l2", the Bhattacharyya distance.
        eps: 1e-10 <= eps < 1. The smallest size, in units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), in [0, 1], and at least 0 for "l2"; no unit: the same in pixels and in coordinates in [0, 1],
        except for boxes with sides shorter than ``eps``.

    Raises:
        ValueError: on an unknown format or option, or shapes that are not those of boxes.

    >>> from bboxbench.losses import probiou_loss
    >>> print(f"{float(probiou_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])):.4f}")
    0.4797
    """
    check_option("mode", mode, MODES)
    true, pred = to_corners(y_true, y_pred, bounding_box_format)
    dx, dy = centre_offset(true, pred)
    widths, heights = sizes(true, pred, eps)
    distance = _bhattacharyya(dx, *widths) + _bhattacharyya(dy, *heights)
    return root(saturating(distance)) if mode == "l1" else distance


@register("probiou")
@keras.saving.register_keras_serializable(package="bboxbench")
class ProbIoULoss(CatalogueLoss):
    """The Hellinger distance of boxes as Gaussians, see `probiou_loss`.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, 1], and at least 0 for "l2".

    Args:
        mode: "l1", the Hellinger distance, or "l2", the Bhattacharyya distance.
        eps: 1e-10 <= eps < 1. The smallest size, in units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import ProbIoULoss
    >>> print(f"{float(ProbIoULoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])):.4f}")
    0.4797
    """

    function = staticmethod(probiou_loss)
    card = LossCard(
        family="Gaussian",
        formula='sqrt(1 - exp(-B)); B the Bhattacharyya distance, covariances diag(w^2, h^2)/12; mode "l2" is B itself',
        source="arXiv:2106.06072",
        purpose="A distance in [0, 1] that is a metric, for boxes as distributions; begin with l2 where boxes are far.",
        zero_iff_equal=True,
        upper_bound=1.0,
        monotone=True,
        disjoint="fades",
        scale_invariant=True,
        symmetric=True,
        inverted="moves",
        point="moves",
    )

    def __init__(self, *, mode: Mode = "l1", eps: float = 1e-7, **options: Unpack[LossOptions]) -> None:
        super().__init__(
            mode=check_option("mode", mode, MODES), eps=check_number("eps", eps, at_least=1e-10, below=1), **options
        )
