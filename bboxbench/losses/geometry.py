"""Box arithmetic that every loss and metric shares, in ``keras.ops`` alone.

Corners here are always ``(xmin, ymin, xmax, ymax)``, origin top left, in whatever unit they came in.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import keras
from keras import ops

__all__ = [
    "BOX_FORMATS",
    "Corners",
    "Tensor",
    "area",
    "box_iou",
    "check_box_format",
    "computing_dtype",
    "enclosing_area",
    "intersection_area",
    "overlap_areas",
    "to_corners",
    "union_area",
]

Tensor: TypeAlias = Any
"""A tensor of the backend in use, or anything that becomes one: a NumPy array, nested lists. Keras ships no types."""

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
    a, b, c, d = (boxes[..., i] for i in range(4))
    match bounding_box_format.removeprefix("rel_"):
        case "xyxy":
            return Corners(a, b, c, d)
        case "yxyx":
            return Corners(b, a, d, c)
        case "xywh":
            return Corners(a, b, a + c, b + d)
        case "center_yxhw":
            a, b, c, d = b, a, d, c
    return Corners(a - c / 2, b - d / 2, a + c / 2, b + d / 2)


# Where two sides coincide, backends differ: TensorFlow gives one of them the whole gradient, others share it. Shared, a
# perfect match is a resting point of every loss; so it is shared here, on all backends.
def _larger(a: Tensor, b: Tensor) -> Tensor:
    return ops.where(ops.equal(a, b), (a + b) / 2, ops.maximum(a, b))


def _smaller(a: Tensor, b: Tensor) -> Tensor:
    return ops.where(ops.equal(a, b), (a + b) / 2, ops.minimum(a, b))


def area(corners: Corners) -> Tensor:
    """Areas, shape (...), in squared units. Width and height clamp at 0, so an inverted box has none.

    An inverted box gets no gradient through its area. A box of no width is not inverted: its gradient can widen it.
    """
    width, height = corners.xmax - corners.xmin, corners.ymax - corners.ymin
    # The same value as clamp(width) * clamp(height). Choosing the product as a whole, not its factors, keeps 0 x inf
    # out of the gradient; "< 0", not ">= 0", lets NaN through: a network that diverged must show.
    inverted = ops.logical_or(ops.less(width, 0), ops.less(height, 0))
    return ops.where(inverted, ops.zeros_like(width), width * height)


def intersection_area(true: Corners, pred: Corners) -> Tensor:
    """Areas that matching boxes share, shape (...), in squared units. 0 where they only touch."""
    return area(
        Corners(
            _larger(true.xmin, pred.xmin),
            _larger(true.ymin, pred.ymin),
            _smaller(true.xmax, pred.xmax),
            _smaller(true.ymax, pred.ymax),
        )
    )


def union_area(true: Corners, pred: Corners, intersection: Tensor) -> Tensor:
    """Areas that either of matching boxes covers, shape (...), in squared units."""
    return area(true) + area(pred) - intersection


def enclosing_area(true: Corners, pred: Corners) -> Tensor:
    """Areas of the smallest boxes round matching pairs, shape (...), in squared units."""
    return area(
        Corners(
            _smaller(true.xmin, pred.xmin),
            _smaller(true.ymin, pred.ymin),
            _larger(true.xmax, pred.xmax),
            _larger(true.ymax, pred.ymax),
        )
    )


def overlap_areas(true: Corners, pred: Corners) -> tuple[Tensor, Tensor]:
    """The intersection and the union of matching boxes, each of shape (...), in squared units."""
    intersection = intersection_area(true, pred)
    return intersection, union_area(true, pred, intersection)


def box_iou(true: Corners, pred: Corners) -> Tensor:
    """Intersection over union of matching boxes, shape (...), in [0, 1], for counting and not for training.

    0 where the union has no area or a coordinate is not finite: a box that is not there overlaps nothing.
    """
    # One coordinate that is not finite makes this sum so; sums of finite ones reach no limit.
    total = sum(side * 0 for side in (*true, *pred))
    finite = ops.isfinite(total)
    intersection, union = overlap_areas(true, pred)
    valid = ops.logical_and(finite, ops.greater(union, 0))
    return ops.where(valid, intersection, ops.zeros_like(union)) / ops.where(valid, union, ops.ones_like(union))
