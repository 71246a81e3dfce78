"""Bounded-IoU: each of centre, width and height by the best IoU it allows."""

from __future__ import annotations

from typing import Unpack

import keras
from keras import ops

from bboxbench.losses.base import check_number
from bboxbench.losses.catalogue import CatalogueLoss, LossCard, LossOptions
from bboxbench.losses.geometry import centre_offset, clamped_size, to_corners
from bboxbench.losses.numerics import Tensor, at_least, at_most, larger, magnitude, smaller
from bboxbench.losses.registry import register

__all__ = ["BoundedIoULoss", "bounded_iou_loss"]


def bounded_iou_loss(
    y_true: Tensor, y_pred: Tensor, *, beta: float = 0.2, eps: float = 1e-7, bounding_box_format: str = "xyxy"
) -> Tensor:
    """Sum over x, y, w, h of a smooth L1 of 1 minus the largest IoU that this coordinate allows.

    For the centre ``b = 1 - max((w_t - 2 |dx|) / (w_t + 2 |dx|), 0)``, for the size ``b = 1 - min(w_t / w, w / w_t)``,
    the same with y and h; each counts ``b^2 / (2 beta)`` where ``b < beta``, else ``b - beta / 2``. Centre and size are
    learnt apart from each other: **a centre beyond half the target's size has no gradient**, nor has the size of an
    inverted box; a point grows. Finite for all finite boxes.

    Source: arXiv:1711.00164, with the smooth L1 of MMDetection's ``bounded_iou_loss``.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        beta: at least 1e-6, where the smooth L1 turns from squared to straight.
        eps: 1e-10 <= eps < 1. The smallest length divided by, in units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), in [0, 4 - 2 beta] for beta up to 1, no unit: the same in pixels and in coordinates in [0, 1],
        except for boxes smaller than ``eps``.

    Raises:
        ValueError: on an unknown format, or shapes that are not those of boxes.

    >>> from bboxbench.losses import bounded_iou_loss
    >>> print(f"{float(bounded_iou_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])):.4f}")  # x: 1 - 2/6, w: 1 - 2/4
    0.9667
    """
    true, pred = to_corners(y_true, y_pred, bounding_box_format)
    bounds = []
    for offset, true_size, pred_size in zip(
        centre_offset(true, pred), clamped_size(true), clamped_size(pred), strict=True
    ):
        twice = 2 * magnitude(offset)
        # 1 - (w - d) / (w + d) is 2 d / (w + d), exact for small d, and 1 where d >= w.
        bounds.append(at_most(2 * twice / at_least(true_size + twice, eps), 1))
        large, small = larger(true_size, pred_size), smaller(true_size, pred_size)
        bounds.append((large - small) / at_least(large, eps))
    a, b, c, d = (
        ops.where(ops.less(bound, beta), ops.square(bound) / (2 * beta), bound - beta / 2) for bound in bounds
    )
    return a + b + c + d


@register("bounded_iou")
@keras.saving.register_keras_serializable(package="bboxbench")
class BoundedIoULoss(CatalogueLoss):
    """Each of centre, width and height by the best IoU it allows, see `bounded_iou_loss`.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, 4 - 2 beta] for beta up to 1.

    Args:
        beta: at least 1e-6, where the smooth L1 turns from squared to straight.
        eps: 1e-10 <= eps < 1. The smallest length divided by, in units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import BoundedIoULoss
    >>> print(f"{float(BoundedIoULoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])):.4f}")
    0.9667
    """

    function = staticmethod(bounded_iou_loss)
    card = LossCard(
        family="IoU",
        formula="sum of smooth_l1(b, beta) over four b: 1 - max((w_t - 2|dx|)/(w_t + 2|dx|), 0), 1 - min(w_t/w, "
        "w/w_t), "
        "and both with dy, h; beta 0.2",
        source="arXiv:1711.00164",
        purpose="IoU taken apart into centre and size, each by itself.",
        zero_iff_equal=True,
        upper_bound=3.6,
        monotone=True,
        disjoint="no",
        scale_invariant=True,
        symmetric=False,
        inverted="moves",
        point="grows",
        wrong_elsewhere=("MMDetection's eps of 1e-3 is of the size of the boxes themselves where they lie in [0, 1].",),
    )

    def __init__(self, *, beta: float = 0.2, eps: float = 1e-7, **options: Unpack[LossOptions]) -> None:
        super().__init__(
            beta=check_number("beta", beta, at_least=1e-6),
            eps=check_number("eps", eps, at_least=1e-10, below=1),
            **options,
        )
