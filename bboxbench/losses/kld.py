"""Kullback-Leibler divergence of boxes as Gaussians."""

from __future__ import annotations

from typing import Literal, Unpack

import keras
from keras import ops

from bboxbench.losses.base import check_number, check_option
from bboxbench.losses.catalogue import CatalogueLoss, LossCard, LossOptions
from bboxbench.losses.gaussian import SHAPES, Shape, check_tau, shaped, sizes
from bboxbench.losses.geometry import centre_offset, to_corners
from bboxbench.losses.numerics import Tensor, magnitude
from bboxbench.losses.registry import register

__all__ = ["DIRECTIONS", "KLDLoss", "kld_loss"]

Direction = Literal["pred_to_true", "true_to_pred", "symmetric"]

DIRECTIONS: tuple[Direction, ...] = ("pred_to_true", "true_to_pred", "symmetric")
"""Which divergence: KL(N_pred || N_true), KL(N_true || N_pred), or their mean."""


def _divergence(offset: Tensor, from_size: Tensor, to_size: Tensor) -> Tensor:
    """KL of two one-dimensional Gaussians with standard deviations of half the sizes, from one to the other."""
    ratio = from_size / to_size
    excess = (from_size - to_size) / to_size
    # (r^2 - 1)/2 - ln r as (r - 1)^2/2 + ((r - 1) - ln r), which keeps its digits where the sizes are nearly equal.
    size_part = ops.square(excess) / 2 + _minus_log(excess, ratio)
    return size_part + 2 * ops.square(offset / to_size)


def _minus_log(excess: Tensor, ratio: Tensor) -> Tensor:
    """``e - ln(1 + e)``, at least 0; by its series for small e, where the difference would lose its digits."""
    near = ops.less(magnitude(excess), 1e-2)
    e = ops.where(near, excess, ops.zeros_like(excess))
    series = ops.square(e) * (1 / 2 - e * (1 / 3 - e * (1 / 4 - e * (1 / 5 - e * (1 / 6 - e / 7)))))
    far_excess = ops.where(near, ops.ones_like(excess), excess)
    return ops.where(near, series, far_excess - ops.log(ops.where(near, ops.ones_like(ratio) * 2, ratio)))


def kld_loss(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    direction: Direction = "pred_to_true",
    shape: Shape = "log1p",
    tau: float = 1.0,
    eps: float = 1e-7,
    bounding_box_format: str = "xyxy",
) -> Tensor:
    """Kullback-Leibler divergence of boxes as Gaussians, ``1 - 1 / (tau + f(D))``, ``f(D) = ln(1 + D)``.

    ``D = KL(N_pred || N_true) = 2 (dx^2/w_t^2 + dy^2/h_t^2) + (w^2/w_t^2 + h^2/h_t^2)/2 - 1 + ln(w_t/w) + ln(h_t/h)``,
    with dx, dy the offset of the centres and covariances ``diag(w^2, h^2) / 4``. Sizes go into it as ratios, so it
    needs no unit. An inverted box or a side without length counts as one of ``eps``: it is pulled to the target's
    centre and keeps its size. Finite for all finite boxes.

    Source: arXiv:2106.01883 for rotated boxes; here for those along the axes. The paper leaves the direction open.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        direction: "pred_to_true", "true_to_pred" (KL(N_true || N_pred)), or "symmetric", their mean.
        shape: f, one of "none" (D itself), "sqrt", "log1p", "log1p_sqrt" (ln(1 + sqrt(D))).
        tau: 0, or at least 1. With 0 the loss is ``f(D)``. With more than 1 it is not 0 at a perfect match.
        eps: 1e-10 <= eps < 1. The smallest size, in units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), in [0, 1] for tau 1, no unit: the same in pixels and in coordinates in [0, 1], except for boxes
        with sides shorter than ``eps``.

    Raises:
        ValueError: on an unknown format or option, or shapes that are not those of boxes.

    >>> from bboxbench.losses import kld_loss
    >>> print(f"{float(kld_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])):.4f}")
    0.2684
    """
    check_option("direction", direction, DIRECTIONS)
    true, pred = to_corners(y_true, y_pred, bounding_box_format)
    dx, dy = centre_offset(true, pred)
    (true_w, pred_w), (true_h, pred_h) = sizes(true, pred, eps)
    parts = []
    if direction != "true_to_pred":
        parts.append(_divergence(dx, pred_w, true_w) + _divergence(dy, pred_h, true_h))
    if direction != "pred_to_true":
        parts.append(_divergence(dx, true_w, pred_w) + _divergence(dy, true_h, pred_h))
    return shaped(sum(parts) / len(parts), shape, tau)


@register("kld")
@keras.saving.register_keras_serializable(package="bboxbench")
class KLDLoss(CatalogueLoss):
    """Kullback-Leibler divergence of boxes as Gaussians, ``1 - 1 / (tau + f(D))``, see `kld_loss`.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, 1] for tau 1.

    Args:
        direction: "pred_to_true", "true_to_pred" or "symmetric".
        shape: f, made of the distance D: "none" (D itself), "sqrt", "log1p" (ln(1 + D)), "log1p_sqrt".
        tau: 0 for ``f(D)`` itself, or at least 1.
        eps: 1e-10 <= eps < 1. The smallest size, in units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import KLDLoss
    >>> print(f"{float(KLDLoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])):.4f}")
    0.2684
    """

    function = staticmethod(kld_loss)
    card = LossCard(
        family="Gaussian",
        formula='1 - 1/(tau + f(KL(N_pred || N_true))), f of "log1p" being ln(1 + x), covariances diag(w^2, '
        "h^2)/4, tau 1",
        source="arXiv:2106.01883",
        purpose="A distance in sizes of the true box: small objects are held to smaller offsets.",
        zero_iff_equal=True,
        upper_bound=1.0,
        monotone=True,
        disjoint="yes",
        scale_invariant=True,
        symmetric=False,
        inverted="moves",
        point="moves",
        wrong_elsewhere=(
            "MMRotate's GDLoss_v1 lacks the factor 1/2: it computes 2 KL.",
            "MMRotate's GDLoss takes KL(N_true || N_pred), its GDLoss_v1 KL(N_pred || N_true), both named kld.",
        ),
    )

    def __init__(
        self,
        *,
        direction: Direction = "pred_to_true",
        shape: Shape = "log1p",
        tau: float = 1.0,
        eps: float = 1e-7,
        **options: Unpack[LossOptions],
    ) -> None:
        super().__init__(
            direction=check_option("direction", direction, DIRECTIONS),
            shape=check_option("shape", shape, SHAPES),
            tau=check_tau(tau),
            eps=check_number("eps", eps, at_least=1e-10, below=1),
            **options,
        )
