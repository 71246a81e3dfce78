"""Colours as the network will see them: how light they are, and pairs of them that differ enough."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

from bboxbench.data_gen.draws import below

__all__ = [
    "BLACK",
    "WHITE",
    "Colour",
    "blend_table",
    "contrasting_ink",
    "contrasting_pair",
    "hexadecimal",
    "luma",
    "luma_of_images",
    "random_colour",
]

Colour = tuple[int, int, int]
"""Red, green, blue, each 0..255."""

_PIXELS_AT_A_TIME = 1 << 19

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)


def luma(colour: Colour) -> int:
    """ITU-R BT.601 luma of a colour, 0..255: 0.299 R + 0.587 G + 0.114 B, rounded to the nearest.

    The weights are in units of 1/65536, so that the sum is exact in integers and the same on every machine.
    """
    red, green, blue = colour
    return (red * 19595 + green * 38470 + blue * 7471 + 32768) >> 16


def luma_of_images(images: npt.NDArray[np.uint8], into: npt.NDArray[np.uint8] | None = None) -> npt.NDArray[np.uint8]:
    """`luma` of every pixel: uint8 (n, height, width, 3) to uint8 (n, height, width), a new array or a given one."""
    n, height, width, _ = images.shape
    levels = np.empty((n, height, width), np.uint8) if into is None else into
    if not images.size:
        return levels
    # Pillow has the same integer formula in C. It works on copies of its own, so some pictures are given it at a time,
    # one below the other: as many as keep those copies in a core's cache.
    step = max(1, _PIXELS_AT_A_TIME // (height * width))
    for first in range(0, n, step):
        tall = np.ascontiguousarray(images[first : first + step]).reshape(-1, width, 3)
        levels[first : first + step] = np.asarray(Image.fromarray(tall).convert("L")).reshape(-1, height, width)
    return levels


def contrasting_pair(stream: Iterator[int], min_contrast: int) -> tuple[Colour, Colour]:
    """Two colours, uniform among all pairs whose `luma` differs by ``min_contrast`` or more.

    Args:
        stream: random words, of which one is used up for every pair that is tried.
        min_contrast: 1..160; beyond, hardly a pair is left.
    """
    while True:
        pair = below(1 << 48, next(stream)).to_bytes(6, "big")
        first, second = (pair[0], pair[1], pair[2]), (pair[3], pair[4], pair[5])
        if abs(luma(first) - luma(second)) >= min_contrast:
            return first, second


def random_colour(stream: Iterator[int]) -> Colour:
    """A colour, uniform among all, for one random word."""
    red, green, blue = below(1 << 24, next(stream)).to_bytes(3, "big")
    return red, green, blue


def contrasting_ink(stream: Iterator[int], darkest: int, lightest: int, min_contrast: int) -> Colour:
    """A colour, uniform among all whose `luma` is ``min_contrast`` or more below ``darkest`` or above ``lightest``.

    Args:
        stream: random words, of which one is used up for every colour that is tried.
        darkest: least luma of the background, 0..255.
        lightest: largest luma of it; on one side at least there must be room for an ink.
        min_contrast: 1..160.
    """
    while True:
        ink = random_colour(stream)
        if luma(ink) <= darkest - min_contrast or luma(ink) >= lightest + min_contrast:
            return ink


def blend_table(ink: Colour, background: Colour) -> npt.NDArray[np.uint8]:
    """A colour at every coverage by another: uint8 (256, 3), from the background at 0 to the ink at 255.

    Exact integers, rounded to the nearest.
    """
    coverage = np.arange(256, dtype=np.int32)[:, None]
    table = (np.array(background, np.int32) * (255 - coverage) + np.array(ink, np.int32) * coverage + 127) // 255
    return table.astype(np.uint8)


def hexadecimal(colour: Colour) -> str:
    """A colour as '#rrggbb'."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
