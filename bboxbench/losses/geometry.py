"""Box arithmetic that every loss and metric shares, in ``keras.ops`` alone.

Corners here are always ``(xmin, ymin, xmax, ymax)``, origin top left, in whatever unit they came in.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
from keras import ops

from bboxbench.losses.numerics import Tensor, at_least, larger, smaller

__all__ = [
    "BOX_FORMATS",
    "Corners",
    "area",
    "box_iou",
    "centre",
    "centre_offset",
    "check_box_format",
    "clamped_size",
    "computing_dtype",
    "enclosing",
    "enclosing_area",
    "enclosing_size",
    "enclosing_squared_diagonal",
    "intersection",
    "intersection_area",
    "overlap_areas",
    "resized",
    "size",
    "squared_diagonal",
    "to_corners",
    "union_area",
]

_ABSOLUTE_FORMATS = ("xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw")

BOX_FORMATS = (*_ABSOLUTE_FORMATS, *(f"rel_{name}" for name in _ABSOLUTE_FORMATS))
"""Keras's names for the order of a box's four numbers. ``rel_``: already divided by the picture's width and height."""

_HALF_PRECISION = ("float16", "bfloat16")


class Corners(NamedTuple):
    """The four sides of boxes, each of shape (...), never sorted: an inverted box stays inverted."""

    xmin: Tensor
    ymin: Tensor
    xmax: Tensor
    ymax: Tensor


def check_box_format(bounding_box_format: str) -> str:
    """Return the name if it is one of `BOX_FORMATS`.

    Raises:
        ValueError: if it is not.
    """
    if bounding_box_format not in BOX_FORMATS:
        raise ValueError(
            f"Expected bounding_box_format to be one of {', '.join(BOX_FORMATS)}. "
            f"Received: bounding_box_format={bounding_box_format!r}"
        )
    return bounding_box_format


def computing_dtype(dtype: Any = None) -> str:
    """The dtype to compute in when asked for ``dtype``: half precision is raised to float32, the rest is kept.

    600 * 600 is infinite in float16 and 1 + 1e-7 is 1, so no area and no small constant survives there.

    Args:
        dtype: a dtype's name, a `keras.DTypePolicy`, or None for Keras's default float.

    Raises:
        ValueError: if it is not a floating dtype.
    """
    name = str(keras.dtype_policies.get(dtype or keras.config.floatx()).compute_dtype)
    if name in _HALF_PRECISION:
        return "float32"
    if not name.startswith("float"):
        raise ValueError(f"Expected dtype to be a floating dtype. Received: dtype={name!r}")
    return name


def to_corners(y_true: Tensor, y_pred: Tensor, bounding_box_format: str = "xyxy") -> tuple[Corners, Corners]:
    """Read true and predicted boxes as corners of one floating dtype.

    Args:
        y_true: true boxes, shape (..., 4). The shape of ``y_pred``, or one that broadcasts to it.
        y_pred: predicted boxes, shape (..., 4). Float64 stays float64; half precision and integers become float32.
        bounding_box_format: one of `BOX_FORMATS`, for both. Coordinates are used as given, in any unit.

    Returns:
        The corners of ``y_true`` and of ``y_pred``, both in the dtype chosen by ``y_pred``.

    Raises:
        ValueError: on an unknown format, a last axis that is not 4, or shapes that do not belong together.
    """
    check_box_format(bounding_box_format)
    if isinstance(y_pred, (list, tuple)):
        y_pred = ops.convert_to_tensor(y_pred, dtype="float32")  # on JAX a list may become float64
    y_pred = ops.convert_to_tensor(y_pred)
    dtype = "float64" if keras.backend.standardize_dtype(y_pred.dtype) == "float64" else "float32"
    y_pred = ops.cast(y_pred, dtype)
    # A list of integers or a bool mask may not be read as a float at once on every backend, so it is cast afterwards.
    y_true = ops.cast(ops.convert_to_tensor(y_true), dtype)
    _check_shapes(y_true, y_pred)
    return _split(y_true, bounding_box_format), _split(y_pred, bounding_box_format)


def _check_shapes(y_true: Tensor, y_pred: Tensor) -> None:
    """Refuse what broadcasting would silently turn into every box against every other, as (B, 1, 4) with (B, 4) does.

    Only sizes known before the computation runs are looked at, so this costs nothing inside a compiled function.
    """
    shapes = []
    for name, boxes in (("y_true", y_true), ("y_pred", y_pred)):
        if getattr(boxes.shape, "rank", 0) is None:
            return  # TensorFlow inside a tf.function, where not even the number of axes is known
        shape = tuple(boxes.shape)
        if not shape or shape[-1] not in (4, None):
            raise ValueError(
                f"Expected the last axis of {name} to hold the 4 numbers of a box. Received: shape={shape}"
            )
        shapes.append(shape)
    true, pred = shapes
    aligned = zip(reversed(true), reversed(pred), strict=False)
    if len(true) > len(pred) or any(None not in (t, p) and t not in (1, p) for t, p in aligned):
        raise ValueError(f"Expected y_true to have the shape of y_pred {pred} or to broadcast to it. Received: {true}")


def _split(boxes: Tensor, bounding_box_format: str) -> Corners:
    # No match statement: TensorFlow's AutoGraph cannot read one, and says so at every first call.
    a, b, c, d = (boxes[..., i] for i in range(4))
    order = bounding_box_format.removeprefix("rel_")
    if order == "xyxy":
        return Corners(a, b, c, d)
    if order == "yxyx":
        return Corners(b, a, d, c)
    if order == "xywh":
        return Corners(a, b, a + c, b + d)
    if order == "center_yxhw":
        a, b, c, d = b, a, d, c
    return Corners(a - c / 2, b - d / 2, a + c / 2, b + d / 2)


def area(corners: Corners) -> Tensor:
    """Areas, shape (...), in squared units. Width and height clamp at 0, so an inverted box has none.

    An inverted box gets no gradient through its area. A box of no width is not inverted: its gradient can widen it.
    """
    width, height = corners.xmax - corners.xmin, corners.ymax - corners.ymin
    # The same value as clamp(width) * clamp(height). Choosing the product as a whole, not its factors, keeps 0 x inf
    # out of the gradient; "< 0", not ">= 0", lets NaN through: a network that diverged must show.
    inverted = ops.logical_or(ops.less(width, 0), ops.less(height, 0))
    return ops.where(inverted, ops.zeros_like(width), width * height)


def size(corners: Corners) -> tuple[Tensor, Tensor]:
    """Width and height, each of shape (...), with their sign: an inverted box has negative ones."""
    return corners.xmax - corners.xmin, corners.ymax - corners.ymin


def clamped_size(corners: Corners) -> tuple[Tensor, Tensor]:
    """Width and height, each of shape (...), at least 0: what goes into a ratio, a logarithm or a square root.

    Below 0 a side has no gradient; a side of exactly 0 can be widened.
    """
    width, height = size(corners)
    return at_least(width, 0), at_least(height, 0)


def centre(corners: Corners) -> tuple[Tensor, Tensor]:
    """The x and y of the centres, each of shape (...)."""
    return (corners.xmin + corners.xmax) / 2, (corners.ymin + corners.ymax) / 2


def centre_offset(true: Corners, pred: Corners) -> tuple[Tensor, Tensor]:
    """How far the predicted centres lie right of and below the true ones, each of shape (...)."""
    (true_x, true_y), (pred_x, pred_y) = centre(true), centre(pred)
    return pred_x - true_x, pred_y - true_y


def resized(corners: Corners, ratio: Any) -> Corners:
    """Boxes made ``ratio`` times as wide and as high round their centres; an inverted box stays inverted."""
    (x, y), (width, height) = centre(corners), size(corners)
    half_width, half_height = width * (ratio / 2), height * (ratio / 2)
    return Corners(x - half_width, y - half_height, x + half_width, y + half_height)


def squared_diagonal(corners: Corners) -> Tensor:
    """The squared lengths of the diagonals, shape (...); a side below 0 counts as 0."""
    width, height = clamped_size(corners)
    return ops.square(width) + ops.square(height)


def enclosing_size(true: Corners, pred: Corners) -> tuple[Tensor, Tensor]:
    """Width and height of the smallest boxes round all corners of matching pairs, each of shape (...), at least 0.

    For boxes that are not inverted, the size of `enclosing`. An inverted one lies within as well, so that no distance
    of corners or centres is longer than the diagonal, and no penalty over it grows without bound.
    """
    left, right = smaller(true.xmin, pred.xmin), larger(true.xmax, pred.xmax)
    top, bottom = smaller(true.ymin, pred.ymin), larger(true.ymax, pred.ymax)
    return (
        larger(right, larger(true.xmin, pred.xmin)) - smaller(left, smaller(true.xmax, pred.xmax)),
        larger(bottom, larger(true.ymin, pred.ymin)) - smaller(top, smaller(true.ymax, pred.ymax)),
    )


def enclosing_squared_diagonal(true: Corners, pred: Corners) -> Tensor:
    """The squared diagonals of the smallest boxes round all corners of matching pairs, shape (...)."""
    width, height = enclosing_size(true, pred)
    return ops.square(width) + ops.square(height)


def intersection(true: Corners, pred: Corners) -> Corners:
    """What matching boxes share; inverted where they share nothing."""
    return Corners(
        larger(true.xmin, pred.xmin),
        larger(true.ymin, pred.ymin),
        smaller(true.xmax, pred.xmax),
        smaller(true.ymax, pred.ymax),
    )


def enclosing(true: Corners, pred: Corners) -> Corners:
    """The smallest boxes round matching pairs."""
    return Corners(
        smaller(true.xmin, pred.xmin),
        smaller(true.ymin, pred.ymin),
        larger(true.xmax, pred.xmax),
        larger(true.ymax, pred.ymax),
    )


def intersection_area(true: Corners, pred: Corners) -> Tensor:
    """Areas that matching boxes share, shape (...), in squared units. 0 where they only touch."""
    return area(intersection(true, pred))


def union_area(true: Corners, pred: Corners, shared: Tensor) -> Tensor:
    """Areas that either of matching boxes covers, shape (...), in squared units; ``shared`` is their intersection's."""
    return area(true) + area(pred) - shared


def enclosing_area(true: Corners, pred: Corners) -> Tensor:
    """Areas of the smallest boxes round matching pairs, shape (...), in squared units."""
    return area(enclosing(true, pred))


def overlap_areas(true: Corners, pred: Corners) -> tuple[Tensor, Tensor]:
    """The intersection and the union of matching boxes, each of shape (...), in squared units."""
    shared = intersection_area(true, pred)
    return shared, union_area(true, pred, shared)


def box_iou(true: Corners, pred: Corners) -> Tensor:
    """Intersection over union of matching boxes, shape (...), in [0, 1], for counting and not for training.

    0 where the union has no area or a coordinate is not finite: a box that is not there overlaps nothing.
    """
    # One coordinate that is not finite makes this sum so; sums of finite ones reach no limit.
    total = sum(side * 0 for side in (*true, *pred))
    finite = ops.isfinite(total)
    shared, union = overlap_areas(true, pred)
    valid = ops.logical_and(finite, ops.greater(union, 0))
    return ops.where(valid, shared, ops.zeros_like(union)) / ops.where(valid, union, ops.ones_like(union))
