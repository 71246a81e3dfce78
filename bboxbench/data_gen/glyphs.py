"""Exact ink: what one character covers in one face at one size, as rendered and never as measured.

Text-measuring calls give boxes that are the ink's box for few letters. Here the character is rendered,
and the rendered mask is cut to what is in it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from bboxbench.boxes import mask_to_box
from bboxbench.data_gen.fonts import open_font
from bboxbench.errors import InputError

__all__ = ["Mask", "check_glyph", "ink_mask"]

Mask = npt.NDArray[np.uint8]

_NOT_A_CHARACTER = "\U0010ffff"
"""No font has it, now or ever: drawing it gives the font's mark for a missing glyph."""

_COMPARED_SIZE = 64


def _render(character: str, font: str, size: int) -> Mask:
    """Coverage 0..255, shape (height, width), which may have empty rows and columns or be empty."""
    core, _ = open_font(font, size).getmask2(character, mode="L", anchor="la")
    width, height = core.size
    return np.frombuffer(bytes(core), np.uint8).reshape(height, width)


@lru_cache(maxsize=16384)
def ink_mask(character: str, font: str, size: int, least: int = 1) -> Mask:
    """The ink of a character: coverage 0..255, uint8 (height, width), read-only.

    Args:
        character: one character.
        font: name of a face.
        size: pixels per em.
        least: coverage from which on a pixel counts as ink. Every outer row and column of the result has such a pixel.

    Raises:
        InputError: it has no ink, as a space.
    """
    coverage = _render(character, font, size)
    box = mask_to_box(coverage >= least)
    if box is None:
        raise InputError(
            f"Expected glyphs with ink, received {character!r}, which draws nothing in {font} at {size} px."
        )
    xmin, ymin, xmax, ymax = box
    mask = np.ascontiguousarray(coverage[ymin:ymax, xmin:xmax])
    mask.setflags(write=False)
    return mask


@lru_cache(maxsize=4096)
def check_glyph(character: str, font: str) -> None:
    """Make sure that the font has the character.

    A font without it draws its mark for missing glyphs, and no error.

    Raises:
        InputError: the font lacks it.
    """
    mark = _render(_NOT_A_CHARACTER, font, _COMPARED_SIZE)
    if np.array_equal(_render(character, font, _COMPARED_SIZE), mark):
        raise InputError(
            f"Expected glyphs that the fonts have, received {character!r} (U+{ord(character):04X}), "
            f"which {font} lacks; leave it out or choose another font."
        )
