"""Boxes that are written in another form than COCO's: one alone never shows it, all of a file together do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bboxbench.errors import InputError

__all__ = ["SLACK", "Box", "corners_meant", "outside", "refuse_fractions"]

Box = tuple[float, float, float, float]

SLACK = 1.0
"""Pixels that a box may reach beyond its picture, as tools that round or count from 1 make it; the rest is cut off."""

_MANY = 10
"""Of so many boxes, it is no chance that all fit as corners while most leave their picture as they are written."""

_FRACTION_SLACK = 0.01
"""What a fraction may lie beyond 0 and 1, as tools make it that round."""


def outside(box: Box, size: tuple[int, int]) -> bool:
    """Whether a box, xyxy, reaches more than `SLACK` beyond a picture of ``size``, or lies beside it."""
    reach = (*size, *size)
    beyond = min(box) < -SLACK or any(edge > most + SLACK for edge, most in zip(box, reach, strict=True))
    return beyond or box[0] >= size[0] or box[1] >= size[1] or box[2] <= 0 or box[3] <= 0


def refuse_fractions(path: Path, boxes: Sequence[Box]) -> None:
    """Make sure that not all boxes, xyxy, of a file are within its first pixel, as fractions of a picture are.

    A box of one pixel in the corner is whole numbers; where all are that, they are pixels.

    Raises:
        InputError: all numbers of all boxes, as they are written, lie within 0..1.
    """
    written = [(x, y, right - x, bottom - y) for x, y, right, bottom in boxes]
    low, high = -_FRACTION_SLACK, 1 + _FRACTION_SLACK
    if any(not low <= number <= high for box in written for number in box):
        return
    odd = next((box for box in written if any(number != round(number) for number in box)), None)
    if odd is not None:
        shown = ", ".join(f"{number:.4g}" for number in odd)
        raise InputError(
            f"Expected boxes in pixels in {path}, received [{shown}], and all {len(written):,} boxes lie within 0..1: "
            "these look like fractions of the picture; COCO's are pixels. Multiply x and width by the picture's "
            "width, y and height by its height."
        )


def corners_meant(source: Path, boxes: Sequence[tuple[Box, tuple[int, int]]]) -> str:
    """Whether the boxes of a source look like corners that were written where COCO has a width and a height.

    Args:
        source: that they are of, for the message.
        boxes: each as COCO reads it, xyxy, with the size of its picture.

    Returns:
        A question, where some boxes leave their picture and all would fit as corners; else nothing.

    Raises:
        InputError: most leave their picture, so that those which fit are there by chance.
    """
    left = sum(outside(box, size) for box, size in boxes)
    if not left or not all(_fits_as_corners(box, size) for box, size in boxes):
        return ""
    all_of_them = "it fits" if len(boxes) == 1 else f"all {len(boxes):,} fit"
    question = f"read as corners {all_of_them}: are these [xmin, ymin, xmax, ymax]?"
    if len(boxes) >= _MANY and 2 * left > len(boxes):
        raise InputError(
            f"Expected boxes [x, y, width, height] in {source}: x + width or y + height leaves the picture in {left:,} "
            f"of {len(boxes):,}, but {question} Subtract xmin from xmax and ymin from ymax."
        )
    return f"But {question}"


def _fits_as_corners(box: Box, size: tuple[int, int]) -> bool:
    x, y, right, bottom = box
    corners = (x, y, right - x, bottom - y)
    return corners[0] < corners[2] and corners[1] < corners[3] and not outside(corners, size)
