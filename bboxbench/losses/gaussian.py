"""Boxes as Gaussians: the centre is the mean, the size the standard deviation. Wasserstein distances: NWD and GWD.

A Gaussian reaches everywhere, so these have a gradient without overlap. The covariance is ``diag(w^2, h^2) / 4``.
"""

from __future__ import annotations

from typing import Literal, Unpack

import keras
from keras import ops

from bboxbench.losses.base import check_flag, check_number, check_option
from bboxbench.losses.catalogue import CatalogueLoss, LossCard, LossOptions
from bboxbench.losses.geometry import Corners, centre_offset, clamped_size, size, to_corners
from bboxbench.losses.numerics import Tensor, at_least, root, saturating
from bboxbench.losses.registry import register

__all__ = ["SHAPES", "GWDLoss", "NWDLoss", "Shape", "gwd_loss", "nwd_loss", "shaped", "sizes"]

Shape = Literal["none", "sqrt", "log1p", "log1p_sqrt"]

SHAPES: tuple[Shape, ...] = ("none", "sqrt", "log1p", "log1p_sqrt")
"""What is made of a distance D before it becomes a loss: D, sqrt(D), ln(1 + D) or ln(1 + sqrt(D))."""


def shaped(distance: Tensor, shape: Shape, tau: float) -> Tensor:
    """Turn a distance of at least 0 into a loss: ``1 - 1 / (tau + f(D))`` for tau of at least 1, ``f(D)`` for 0.

    Args:
        distance: D, shape (...).
        shape: f, one of `SHAPES`.
        tau: 0 for ``f(D)`` itself, or at least 1.
    """
    check_option("shape", shape, SHAPES)
    if shape in ("sqrt", "log1p_sqrt"):
        distance = root(distance)
    if shape in ("log1p", "log1p_sqrt"):
        distance = ops.log1p(distance)
    if tau == 0:
        return distance
    # 1 - 1 / (tau + f) in one fraction, exact for small f.
    return (distance + (tau - 1)) / (distance + tau)


def sizes(true: Corners, pred: Corners, eps: float) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """True and predicted width, then true and predicted height, each of shape (...) and at least ``eps``."""
    (true_w, true_h), (pred_w, pred_h) = (
        tuple(at_least(side, eps) for side in clamped_size(corners)) for corners in (true, pred)
    )
    return (true_w, pred_w), (true_h, pred_h)


def squared_wasserstein(true: Corners, pred: Corners) -> Tensor:
    """Squared 2-Wasserstein distance of two boxes as Gaussians, shape (...), in squared units.

    ``dx^2 + dy^2 + ((w - w_t)^2 + (h - h_t)^2) / 4``. Sizes keep their sign: an inverted box is further away.
    """
    dx, dy = centre_offset(true, pred)
    dw, dh = (p - t for t, p in zip(size(true), size(pred), strict=True))
    return ops.square(dx) + ops.square(dy) + (ops.square(dw) + ops.square(dh)) / 4


def nwd_loss(y_true: Tensor, y_pred: Tensor, *, constant: float = 12.8, bounding_box_format: str = "xyxy") -> Tensor:
    """Normalised Wasserstein distance, ``1 - exp(-W_2 / C)``.

    ``W_2^2 = dx^2 + dy^2 + ((w - w_t)^2 + (h - h_t)^2) / 4``, with dx, dy the offset of the centres. **C has a unit**:
    the default of 12.8 is in pixels, about the mean size of the objects in the paper's data. On coordinates in [0, 1]
    it makes the loss small and straight; give C in that unit. An inverted box is turned round, a point grows; equal
    boxes have a gradient of 0, where the bare root has none. Finite for all finite boxes.

    Source: arXiv:2110.13389.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        constant: C, at least 1e-6, in the unit of the boxes.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), in [0, 1], no unit, if ``constant`` is in that of the boxes.

    Raises:
        ValueError: on an unknown format or option, or shapes that are not those of boxes.

    >>> from bboxbench.losses import nwd_loss
    >>> print(f"{float(nwd_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])):.4f}")  # 1 - exp(-sqrt(2) / 12.8)
    0.1046
    """
    true, pred = to_corners(y_true, y_pred, bounding_box_format)
    return saturating(root(squared_wasserstein(true, pred)) / constant)


def gwd_loss(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    shape: Shape = "log1p",
    tau: float = 1.0,
    normalize: bool = False,
    eps: float = 1e-7,
    bounding_box_format: str = "xyxy",
) -> Tensor:
    """Gaussian Wasserstein distance, ``1 - 1 / (tau + f(D))`` with ``D = W_2^2`` and ``f(D) = ln(1 + D)``.

    ``W_2^2 = dx^2 + dy^2 + ((w - w_t)^2 + (h - h_t)^2) / 4``. **It depends on the unit**: the defaults are for pixels;
    on coordinates in [0, 1] it is close to ``W_2^2``, so to MSE. An inverted box is turned round, a point grows. Finite
    for all finite boxes.

    Source: arXiv:2101.11952 for rotated boxes; here for those along the axes.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        shape: f, one of "none" (D itself), "sqrt", "log1p", "log1p_sqrt" (ln(1 + sqrt(D))).
        tau: 0, or at least 1. With 0 the loss is ``f(D)``. With more than 1 it is not 0 at a perfect match.
        normalize: whether D is divided by ``sqrt(w h w_t h_t)``, which makes the loss independent of the unit.
        eps: 1e-7 <= eps < 1. The smallest size divided by with ``normalize``, in units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.

    Returns:
        Shape (...), in [0, 1] for tau 1; its unit depends on that of the coordinates, unless ``normalize`` is set.

    Raises:
        ValueError: on an unknown format or option, or shapes that are not those of boxes.

    >>> from bboxbench.losses import gwd_loss
    >>> print(f"{float(gwd_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0])):.4f}")  # 1 - 1 / (1 + ln 3)
    0.5235
    >>> print(float(gwd_loss([0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 4.0, 4.0], shape="none", tau=0)))
    2.0
    """
    true, pred = to_corners(y_true, y_pred, bounding_box_format)
    distance = squared_wasserstein(true, pred)
    if normalize:
        (true_w, pred_w), (true_h, pred_h) = sizes(true, pred, eps)
        # Four roots, not the root of the product, which leaves float32 at both ends.
        distance = distance / (ops.sqrt(true_w) * ops.sqrt(pred_w) * ops.sqrt(true_h) * ops.sqrt(pred_h))
    return shaped(distance, shape, tau)


@register("nwd")
@keras.saving.register_keras_serializable(package="bboxbench")
class NWDLoss(CatalogueLoss):
    """Normalised Wasserstein distance, ``1 - exp(-W_2 / C)``, see `nwd_loss`. C is in pixels by default.

    Boxes of shape (..., 4), values of shape (...) without unit, in [0, 1].

    Args:
        constant: C, at least 1e-6, in the unit of the boxes.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import NWDLoss
    >>> print(f"{float(NWDLoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])):.4f}")
    0.1046
    """

    function = staticmethod(nwd_loss)
    card = LossCard(
        family="Gaussian",
        formula="1 - exp(-W_2/C); W_2^2 = dx^2 + dy^2 + ((w - w_t)^2 + (h - h_t)^2)/4, C 12.8",
        source="arXiv:2110.13389",
        purpose="For tiny objects, whose IoU jumps with every pixel.",
        zero_iff_equal=True,
        upper_bound=1.0,
        monotone=True,
        disjoint="yes",
        scale_invariant=False,
        symmetric=True,
        inverted="turns",
        point="grows",
        units="pixels, for C = 12.8; else give constant, as in constant=0.1 for boxes in [0, 1]",
        unit_parameters=("constant",),
        wrong_elsewhere=(
            "C has a unit that few copies state: 12.8 with boxes in [0, 1] is a loss of about 0.1 at most.",
        ),
    )

    def __init__(self, *, constant: float = 12.8, **options: Unpack[LossOptions]) -> None:
        super().__init__(constant=check_number("constant", constant, at_least=1e-6), **options)


@register("gwd")
@keras.saving.register_keras_serializable(package="bboxbench")
class GWDLoss(CatalogueLoss):
    """Gaussian Wasserstein distance, ``1 - 1 / (tau + f(D))``, see `gwd_loss`. It depends on the unit of the boxes.

    Boxes of shape (..., 4), values of shape (...), in [0, 1] for tau 1; their unit depends on that of the coordinates.

    Args:
        shape: f, made of the distance D: "none" (D itself), "sqrt", "log1p" (ln(1 + D)), "log1p_sqrt".
        tau: 0 for ``f(D)`` itself, or at least 1.
        normalize: whether D is divided by ``sqrt(w h w_t h_t)``.
        eps: 1e-7 <= eps < 1. The smallest size divided by with ``normalize``, in units of the coordinates.
        bounding_box_format: one of `BOX_FORMATS`.
        reduction, name, dtype: as in `BoxLoss`.

    Raises:
        ValueError: if a parameter is out of its range, or the format unknown.

    >>> from bboxbench.losses import GWDLoss
    >>> print(f"{float(GWDLoss()([[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]])):.4f}")
    0.5235
    """

    function = staticmethod(gwd_loss)
    card = LossCard(
        family="Gaussian",
        formula='1 - 1/(tau + f(W_2^2)), f of "log1p" being ln(1 + x); W_2^2 = dx^2 + dy^2 + ((w - w_t)^2 + (h - '
        "h_t)^2)/4, tau 1",
        source="arXiv:2101.11952",
        purpose="A distance that reaches everywhere and bends for far boxes; made for rotated boxes.",
        zero_iff_equal=True,
        upper_bound=1.0,
        monotone=True,
        disjoint="yes",
        scale_invariant=False,
        symmetric=True,
        inverted="turns",
        point="grows",
        units="pixels; else normalize=True, which needs none",
        unit_parameters=("normalize",),
    )

    def __init__(
        self,
        *,
        shape: Shape = "log1p",
        tau: float = 1.0,
        normalize: bool = False,
        eps: float = 1e-7,
        **options: Unpack[LossOptions],
    ) -> None:
        super().__init__(
            shape=check_option("shape", shape, SHAPES),
            tau=check_tau(tau),
            normalize=check_flag("normalize", normalize),
            eps=check_number("eps", eps, at_least=1e-7, below=1),
            **options,
        )


def check_tau(tau: float) -> float:
    """Return ``tau`` as a float if it is 0 or at least 1; between them the loss would be negative at a match.

    Raises:
        ValueError: if it is neither.
    """
    if not isinstance(tau, bool) and tau == 0:
        return 0.0
    try:
        return check_number("tau", tau, at_least=1)
    except ValueError as error:
        raise ValueError(str(error).replace("to be a", "to be 0, or a", 1)) from None
