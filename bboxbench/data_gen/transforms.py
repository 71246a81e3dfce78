"""A glyph turned, stretched, slanted, moved off the pixel grid and blurred: its coverage, pixel by pixel.

The glyph is rendered large, put through one affine map onto a grid four times as fine as the picture's, and averaged
over blocks of 4 x 4. So its edges are as soft as FreeType makes those of a glyph that stands straight.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from bboxbench.boxes import mask_to_box
from bboxbench.data_gen.fonts import Face
from bboxbench.data_gen.glyphs import Mask, ink_mask

__all__ = ["SEEN", "Transform", "blurred", "transformed"]

SEEN = 128
"""Coverage that some pixel of a moved or blurred glyph must reach to be drawn: so half of the contrast is left."""

OVERSAMPLING = 4
"""Steps of the fine grid to a pixel."""


@dataclass(frozen=True)
class Transform:
    """What is done to a glyph, in this order: scale, shear, rotation, shift.

    Attributes:
        rotation: degrees, counter-clockwise as one sees it.
        scale: factors of its width and of its height.
        shear: degrees by which upright strokes lean to the right.
        shift: pixels to the right and down, off the pixel grid.
    """

    rotation: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    shear: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)

    def matrix(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The linear part: where a pixel's (x, y), y down, goes."""
        turn, lean = math.radians(self.rotation), math.tan(math.radians(self.shear))
        cos, sin = math.cos(turn), math.sin(turn)
        across, down = self.scale
        # y points down: a turn counter-clockwise is (cos, sin; -sin, cos), a lean to the right moves the upper part.
        return (cos * across, (sin - cos * lean) * down), (-sin * across, (cos + sin * lean) * down)


def transformed(glyph: str, face: Face, size: int, transform: Transform) -> Mask:
    """The coverage of a glyph under an affine map.

    Args:
        glyph: one character.
        face: as `ink_mask` takes it.
        size: pixels per em, before scaling.
        transform: the map.

    Returns:
        uint8 (height, width), 0..255, in which every outer row and column has a pixel that is not 0; empty where
        nothing is left.

    Raises:
        InputError: the glyph has no ink.
    """
    rendered = _rendered_size(size)
    large = ink_mask(glyph, face, rendered)
    height, width = large.shape
    zoom = size * OVERSAMPLING / rendered
    (a, b), (c, d) = ((zoom * x, zoom * y) for x, y in transform.matrix())
    # Half the extent of the mapped rectangle, and a pixel each side for the shift and for interpolation.
    half_x = (abs(a) * width + abs(b) * height) / 2 / OVERSAMPLING + 2
    half_y = (abs(c) * width + abs(d) * height) / 2 / OVERSAMPLING + 2
    columns, rows = 2 * math.ceil(half_x), 2 * math.ceil(half_y)
    # From a place in the result, both about their centres, back to a place in the source.
    determinant = a * d - b * c
    ia, ib, ic, id_ = d / determinant, -b / determinant, -c / determinant, a / determinant
    x0 = (columns / 2 + transform.shift[0]) * OVERSAMPLING
    y0 = (rows / 2 + transform.shift[1]) * OVERSAMPLING
    back = (ia, ib, width / 2 - ia * x0 - ib * y0, ic, id_, height / 2 - ic * x0 - id_ * y0)
    source = Image.fromarray(np.pad(large, 1))
    # The padding has moved the source by one pixel.
    back = (*back[:2], back[2] + 1, *back[3:5], back[5] + 1)
    mapped = source.transform(
        (columns * OVERSAMPLING, rows * OVERSAMPLING), Image.Transform.AFFINE, back, Image.Resampling.BILINEAR
    )
    return trimmed(np.asarray(mapped.reduce(OVERSAMPLING)))


_LARGEST = 4096
"""Most pixels per em that are rendered: of twice as many, a wide glyph is more than Pillow takes for honest."""


def _rendered_size(size: int) -> int:
    """A power of two, so that glyphs of like sizes are rendered once; as large as the fine grid wants it, if it may."""
    return min(1 << (size * OVERSAMPLING - 1).bit_length(), _LARGEST)


def blurred(coverage: Mask, deviation: float) -> Mask:
    """Coverage out of focus, by a Gaussian of ``deviation`` pixels; larger on every side by what it spreads."""
    if not deviation:
        return coverage
    spread = math.ceil(3 * deviation) + 1
    soft = Image.fromarray(np.pad(coverage, spread)).filter(ImageFilter.GaussianBlur(deviation))
    return trimmed(np.asarray(soft))


def trimmed(coverage: Mask) -> Mask:
    """Cut to the tightest box round what is not 0; empty where all is."""
    box = mask_to_box(coverage > 0)
    xmin, ymin, xmax, ymax = box or (0, 0, 0, 0)
    return np.ascontiguousarray(coverage[ymin:ymax, xmin:xmax])
