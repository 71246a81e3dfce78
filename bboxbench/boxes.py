"""Bounding boxes in NumPy: formats and geometry, as everything but the losses uses them.

A box is ``(xmin, ymin, xmax, ymax)`` in pixel edges, half-open, origin top left: a box over columns 3..7 is (3, 8).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bboxbench.errors import InputError, unknown_name

__all__ = ["BOX_FORMATS", "Array", "area", "from_xyxy", "iou", "mask_to_box", "relative_boxes", "to_pixels", "to_xyxy"]

Array = npt.NDArray[np.float64]

_Y_FIRST = ("yxyx", "center_yxhw")
_ORDERS = ("xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw")
BOX_FORMATS = (*_ORDERS, *(f"rel_{name}" for name in _ORDERS))
"""Keras's names for the order of a box's four numbers, as in `bboxbench.losses`. ``rel_``: each number is divided by
the picture's width or height."""


def area(boxes: npt.ArrayLike) -> Array:
    """Areas of xyxy boxes, shape (..., 4) to (...). An inverted side counts as 0, so no area is negative."""
    b = np.asarray(boxes, np.float64)
    sides = np.maximum(b[..., 2:] - b[..., :2], 0.0)
    return np.asarray(sides[..., 0] * sides[..., 1])


def iou(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> Array:
    """Intersection over union of matching xyxy boxes, any common unit.

    Args:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, the same shape.

    Returns:
        Values in [0, 1], shape (...). 0 where the union has no area, and where a coordinate is not finite: a box that
        is not there overlaps nothing.
    """
    t, p = np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64)
    finite = np.isfinite(t).all(-1, keepdims=True) & np.isfinite(p).all(-1, keepdims=True)
    t, p = np.where(finite, t, 0.0), np.where(finite, p, 0.0)
    corners = np.concatenate([np.maximum(t[..., :2], p[..., :2]), np.minimum(t[..., 2:], p[..., 2:])], axis=-1)
    intersection = area(corners)
    union = area(t) + area(p) - intersection
    return np.asarray(np.divide(intersection, union, out=np.zeros_like(union), where=union > 0))


def mask_to_box(mask: npt.ArrayLike) -> tuple[int, int, int, int] | None:
    """The tightest half-open box round the true pixels of a (height, width) mask; None where there are none."""
    m = np.asarray(mask, bool)
    columns, rows = np.flatnonzero(m.any(axis=0)), np.flatnonzero(m.any(axis=1))
    if not columns.size:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def relative_boxes(boxes: npt.ArrayLike, width: int, height: int) -> npt.NDArray[np.float32]:
    """Pixel boxes (..., 4) divided by [width, height, width, height], as the network learns them (float32)."""
    scale = np.array([width, height, width, height], np.float64)
    return np.asarray(np.asarray(boxes, np.float64) / scale, np.float32)


def to_pixels(boxes: npt.ArrayLike, width: int, height: int) -> Array:
    """The way back from `relative_boxes`: (..., 4) in [0, 1] to pixel edges, float64, not rounded."""
    return np.asarray(np.asarray(boxes, np.float64) * np.array([width, height, width, height], np.float64))


def to_xyxy(
    boxes: npt.ArrayLike, bounding_box_format: str, width: float | None = None, height: float | None = None
) -> Array:
    """Boxes of any of Keras's formats as xmin, ymin, xmax, ymax in pixels, float64, neither sorted nor clipped.

    Args:
        boxes: shape (..., 4).
        bounding_box_format: one of `BOX_FORMATS`.
        width: of the picture in pixels; only a ``rel_`` format needs it.
        height: the same.

    Raises:
        InputError: an unknown format, a last axis that is not 4, or a relative one without width and height.
    """
    order, scale = _order_and_scale(bounding_box_format, width, height)
    b = _four(boxes)
    if order in _Y_FIRST:
        b = b[..., [1, 0, 3, 2]]
    first, second = b[..., :2], b[..., 2:]
    if order.startswith("center"):
        first, second = first - second / 2, first + second / 2
    elif order == "xywh":
        second = first + second
    return np.asarray(np.concatenate([first, second], axis=-1) * scale)


def from_xyxy(
    boxes: npt.ArrayLike, bounding_box_format: str, width: float | None = None, height: float | None = None
) -> Array:
    """The way back from `to_xyxy`: corners in pixels, shape (..., 4), as one of Keras's formats, float64.

    Raises:
        InputError: as `to_xyxy`.
    """
    order, scale = _order_and_scale(bounding_box_format, width, height)
    b = _four(boxes) / scale
    first, second = b[..., :2], b[..., 2:]
    if order.startswith("center"):
        first, second = (first + second) / 2, second - first
    elif order == "xywh":
        second = second - first
    b = np.concatenate([first, second], axis=-1)
    return np.asarray(b[..., [1, 0, 3, 2]] if order in _Y_FIRST else b)


def _order_and_scale(bounding_box_format: str, width: float | None, height: float | None) -> tuple[str, Array]:
    """The format without ``rel_``, and what its numbers, read as corners, are to be multiplied by."""
    if bounding_box_format not in BOX_FORMATS:
        raise unknown_name("box format", bounding_box_format, BOX_FORMATS)
    if not bounding_box_format.startswith("rel_"):
        return bounding_box_format, np.ones(4)
    if width is None or height is None:
        raise InputError(
            f"Expected the pictures' width and height, since {bounding_box_format} boxes are divided by them. "
            f"Received: width={width}, height={height}."
        )
    return bounding_box_format.removeprefix("rel_"), np.array([width, height, width, height], np.float64)


def _four(boxes: npt.ArrayLike) -> Array:
    b = np.asarray(boxes, np.float64)
    if b.ndim == 0 or b.shape[-1] != 4:
        raise InputError(f"Expected boxes of shape (..., 4). Received: {b.shape}.")
    return b
