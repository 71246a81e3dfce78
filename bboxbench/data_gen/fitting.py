"""A picture of any size and its box brought to the size of a data set, by the same numbers for both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from bboxbench.boxes import Array

__all__ = ["FITS", "Fitting", "fit_picture"]

FITS = ("pad", "stretch")
"""``pad`` keeps proportions and fills what is left beside the picture; ``stretch`` fills all, each axis by itself."""


@dataclass(frozen=True)
class Fitting:
    """Where a picture comes to lie: `left`, `top` and what its sides are multiplied by. `Fitting.of` finds it.

    Attributes:
        left: pixels before its first column.
        top: pixels above its first row.
        width: of the picture as it lies there, 1 or more.
        height: the same.
        across: what an x of the source is multiplied by.
        down: the same of a y.
    """

    left: int
    top: int
    width: int
    height: int
    across: float
    down: float

    @classmethod
    def of(cls, source: tuple[int, int], size: tuple[int, int], fit: str) -> Fitting:
        """How a picture of ``source`` (width, height) comes into one of ``size``, by one of `FITS`.

        Padded pictures lie in the middle; an odd pixel that is left over goes to the right or below.
        """
        (w, h), (width, height) = source, size
        wide, high = width, height
        if fit == "pad":
            # Whole numbers throughout: the side that limits is reached exactly, the other is rounded to nearest.
            if width * h <= height * w:
                high = min(height, max(1, (2 * h * width + w) // (2 * w)))
            else:
                wide = min(width, max(1, (2 * w * height + h) // (2 * h)))
        # Not the common factor: the rounded size is what the pixels are brought to.
        return cls((width - wide) // 2, (height - high) // 2, wide, high, wide / w, high / h)

    def exact(self, box: Sequence[float]) -> Array:
        """A box of the source, xyxy, where it comes to lie: float64 (4,), not rounded."""
        scale = np.array([self.across, self.down] * 2)
        return np.asarray(np.asarray(box, np.float64) * scale + np.array([self.left, self.top] * 2), np.float64)

    def rounded(self, box: Sequence[float]) -> tuple[int, int, int, int]:
        """The same in whole pixel edges: rounded to nearest, halves up, inside the picture and at least a pixel wide.

        A side that would vanish becomes the pixel in which its middle lies.
        """
        xmin, ymin, xmax, ymax = self.exact(box).tolist()
        left, right = _edges(xmin, xmax, self.left, self.left + self.width)
        top, bottom = _edges(ymin, ymax, self.top, self.top + self.height)
        return left, top, right, bottom

    def back(self, box: npt.ArrayLike) -> Array:
        """The way back from `exact`: boxes (..., 4) of the fitted picture in pixels of the source, float64."""
        scale = np.array([self.across, self.down] * 2)
        return np.asarray((np.asarray(box, np.float64) - np.array([self.left, self.top] * 2)) / scale)

    def inside(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The part of a fitted picture (height, width, 3) that is not padding, as a view."""
        return image[self.top : self.top + self.height, self.left : self.left + self.width]

    def padding_is_plain(self, image: npt.NDArray[np.uint8]) -> bool:
        """Whether all that is beside the picture has the picture's mean colour, as `fit_picture` leaves it."""
        inside = self.inside(image)
        if inside.shape == image.shape:
            return True
        padding = np.ones(image.shape[:2], bool)
        padding[self.top : self.top + self.height, self.left : self.left + self.width] = False
        return bool((image[padding] == _mean_colour(inside)).all())


def _edges(first: float, last: float, least: int, most: int) -> tuple[int, int]:
    low, high = (min(max(math.floor(edge + 0.5), least), most) for edge in (first, last))
    if low < high:
        return low, high
    low = min(max(math.floor((first + last) / 2), least), most - 1)
    return low, low + 1


def fit_picture(picture: Image.Image, size: tuple[int, int], fit: str) -> npt.NDArray[np.uint8]:
    """An RGB picture brought to ``size`` (width, height): uint8 (height, width, 3).

    It is resampled bilinearly, over all pixels when it shrinks; one that has its size already keeps its pixels. What is
    left beside a padded picture takes the picture's own mean colour, so that no edge is stronger than it must be.
    """
    place = Fitting.of(picture.size, size, fit)
    inside = (place.width, place.height)
    pixels = np.asarray(picture if picture.size == inside else picture.resize(inside, Image.Resampling.BILINEAR))
    if inside == size:
        return np.array(pixels)
    whole = np.empty((size[1], size[0], 3), np.uint8)
    whole[:] = _mean_colour(pixels)
    place.inside(whole)[:] = pixels
    return whole


def _mean_colour(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Of (height, width, 3), each channel rounded to nearest, in whole numbers."""
    count = pixels.shape[0] * pixels.shape[1]
    mean = (2 * pixels.sum(axis=(0, 1), dtype=np.int64) + count) // (2 * count)
    return np.asarray(mean, np.uint8)
