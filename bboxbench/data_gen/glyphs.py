"""Exact ink: what one character covers in one face at one size, as rendered and never as measured.

Text-measuring calls give boxes that are the ink's box for few letters. Here the character is rendered,
and the rendered mask is cut to what is in it.
"""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt
from PIL.Image import DecompressionBombError

from bboxbench.boxes import mask_to_box
from bboxbench.data_gen.fonts import Face, characters, face_name, kept_by_face, open_font
from bboxbench.errors import InputError

__all__ = ["Mask", "check_glyphs", "ink_mask"]

Mask = npt.NDArray[np.uint8]

_NOT_A_CHARACTER = "\U0010ffff"
"""No font has it, now or ever: drawing it gives the font's mark for a missing glyph."""

_COMPARED_SIZE = 64


def _render(character: str, face: Face, size: int) -> Mask:
    """Coverage 0..255, read-only, shape (height, width), which may have empty rows and columns or be empty."""
    font = open_font(face, size)
    try:
        core, _ = font.getmask2(character, mode="L", anchor="la")
    except (OSError, ValueError, DecompressionBombError) as error:
        raise InputError(
            f"{face_name(face)} cannot draw {character!r} (U+{ord(character):04X}) at {size} px ({error}); leave it "
            "out or choose another font."
        ) from error
    width, height = core.size
    return np.frombuffer(bytes(core), np.uint8).reshape(height, width)


def ink_mask(character: str, face: Face, size: int, least: int = 1) -> Mask:
    """The ink of a character: coverage 0..255, uint8 (height, width), read-only.

    Args:
        character: one character.
        face: a name of `FONT_NAMES`, the absolute path of a font file, or a `FontFile`.
        size: pixels per em.
        least: coverage from which on a pixel counts as ink. Every outer row and column of the result has such a pixel.

    Raises:
        InputError: it has no ink, as a space.
    """
    cached = next(cached for largest, cached in _CACHES if size <= largest)
    return cached(character, face, size, least)


def _ink_mask(character: str, face: Face, size: int, least: int) -> Mask:
    coverage = (_kept_render if size <= _SMALL else _render)(character, face, size)
    box = mask_to_box(coverage >= least)
    if box is None:
        raise InputError(
            f"Expected glyphs with ink, received {character!r}, which draws nothing in {face_name(face)} at {size} px."
        )
    xmin, ymin, xmax, ymax = box
    return coverage[ymin:ymax, xmin:xmax]


_SMALL = 96

_kept_render = kept_by_face(4096)(_render)
"""Small glyphs are cut at several coverages, and rendering them is what takes the time."""

_CACHES = tuple(
    (largest, kept_by_face(count)(_ink_mask)) for largest, count in ((_SMALL, 16384), (256, 4096), (sys.maxsize, 64))
)
"""Masks that were asked for, up to each size so many: some 100 MB at most, also of many large glyphs."""


@kept_by_face(4096)
def check_glyphs(glyphs: str, face: Face) -> None:
    """Make sure that the font has every character.

    A font without one draws its mark for missing glyphs, and no error. Its own table says what it has; what it draws as
    that mark in spite of it counts as missing, too.

    Raises:
        InputError: the font lacks some; the first is named, the others are counted.
    """
    mark = _render(_NOT_A_CHARACTER, face, _COMPARED_SIZE)
    there = characters(face)
    missing = [
        character
        for character in glyphs
        if ord(character) not in there or np.array_equal(_render(character, face, _COMPARED_SIZE), mark)
    ]
    if missing:
        first, others = missing[0], len(missing) - 1
        more = f", and {others} more of the {len(glyphs)}" if others else ""
        raise InputError(
            f"Expected glyphs that the fonts have, received {first!r} (U+{ord(first):04X}), which {face_name(face)} "
            f"lacks{more}; leave {'them' if others else 'it'} out or choose another font."
        )
