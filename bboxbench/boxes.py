"""Bounding boxes in NumPy: formats and geometry, as everything but the losses uses them.

A box is ``(xmin, ymin, xmax, ymax)`` in pixel edges, half-open, origin top left: a box over columns 3..7 is (3, 8).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "area", "iou", "mask_to_box", "relative_boxes", "to_pixels"]

Array = npt.NDArray[np.float64]


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
