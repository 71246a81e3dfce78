"""Boxes drawn over a picture: the true one white, the predicted one yellow and dashed, on any colour.

The colours are those of the report's page.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

__all__ = ["HALO", "PREDICTED", "TRUE", "Colour", "draw_box", "enlarged", "factor"]

Colour = tuple[int, int, int]

TRUE: Colour = (255, 255, 255)
PREDICTED: Colour = (255, 214, 10)
HALO: Colour = (16, 18, 20)
"""Round every line, so that it is seen on light and dark alike."""

WIDE_ENOUGH = 400
"""Pictures are enlarged by a whole number to about this width, so that a box off by one pixel can be seen."""


def factor(width: int) -> int:
    """By what whole number a picture of ``width`` pixels is enlarged; 1 where it is large already."""
    return max(1, round(WIDE_ENOUGH / width))


def enlarged(picture: npt.NDArray[np.uint8], times: int) -> Image.Image:
    """A picture, uint8 (height, width, 3), with every pixel a square of ``times`` pixels."""
    return Image.fromarray(np.repeat(np.repeat(picture, times, axis=0), times, axis=1))


def draw_box(picture: Image.Image, box: npt.ArrayLike, *, colour: Colour, dashed: bool = False, line: int = 2) -> None:
    """Draw one box into ``picture``; what lies beyond its edge is cut off, a box without area is seen as a dot.

    Args:
        picture: is changed.
        box: xyxy in pixels of ``picture``; corners may be exchanged. One that is not finite is not drawn.
        colour: of the line.
        dashed: whether the line is.
        line: its thickness in pixels, without the halo of one pixel on each side.
    """
    sides = np.asarray(box, np.float64)
    if not np.isfinite(sides).all():
        return
    room = np.array([picture.width, picture.height], np.float64)
    first, last = np.minimum(sides[:2], sides[2:]), np.maximum(sides[:2], sides[2:])
    # A line at the picture's edge is drawn inside it; one further out is not seen, wherever it lies.
    beyond = 2.0 * line + 2.0
    first, last = (np.clip(corner, -beyond, room + beyond) for corner in (first, last))
    first = np.where(np.abs(first) <= line, 0, first - line / 2)
    last = np.where(np.abs(last - room) <= line, room, last + line / 2)
    left, top, right, bottom = (int(v) for v in (*np.floor(first + 0.5), *np.floor(last + 0.5)))
    right, bottom = max(right, left + line), max(bottom, top + line)
    pen = ImageDraw.Draw(picture)
    strokes = list(_strokes(left, top, right, bottom, line, dashed))
    for x0, y0, x1, y1 in strokes:
        pen.rectangle((x0 - 1, y0 - 1, x1, y1), fill=HALO)
    for x0, y0, x1, y1 in strokes:
        pen.rectangle((x0, y0, x1 - 1, y1 - 1), fill=colour)


def _strokes(
    left: int, top: int, right: int, bottom: int, line: int, dashed: bool
) -> Iterator[tuple[int, int, int, int]]:
    """The rectangles, half-open, of which the frame of a box is made."""
    for first, last in _dashes(left, right, line, dashed):
        yield first, top, last, top + line
        yield first, bottom - line, last, bottom
    for first, last in _dashes(top, bottom, line, dashed):
        yield left, first, left + line, last
        yield right - line, first, right, last


def _dashes(start: int, end: int, line: int, dashed: bool) -> list[tuple[int, int]]:
    """Where a side from ``start`` to ``end`` is drawn: whole, or in dashes with one at each corner."""
    length, dash = end - start, 4 * line
    count = max(1, math.floor((length / dash + 0.5) / 1.5)) if dashed else 1
    if count == 1:
        return [(start, end)]
    gap = (length - count * dash) / (count - 1)
    return [(start + round(k * (dash + gap)), start + round(k * (dash + gap)) + dash) for k in range(count)]
