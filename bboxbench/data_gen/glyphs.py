"""Exact ink: what one character covers in one face at one size, as rendered and never as measured.

Text-measuring calls give boxes that are the ink's box for few letters. Here the character is rendered,
and the rendered mask is cut to what is in it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

import numpy as np
import numpy.typing as npt
from PIL.Image import DecompressionBombError

from bboxbench.boxes import mask_to_box
from bboxbench.data_gen.fonts import (
    FONT_NAMES,
    Face,
    characters,
    face_name,
    forgotten_with_faces,
    kept_by_face,
    open_font,
)
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
    kept = _kept_small if size <= _SMALL else _KEPT_LARGE
    return kept(character, face, size, least)


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

_kept_small = kept_by_face(16384)(_ink_mask)
"""By count, which is quicker than by bytes: most have a few kB."""


class _KeptByBytes:
    """Masks of large glyphs that were asked for last, up to so many bytes of them together."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.bytes = 0
        self._kept: OrderedDict[tuple[str, Face, int, int], Mask] = OrderedDict()
        self._lock = threading.Lock()
        forgotten_with_faces(self.forget)

    def __call__(self, character: str, face: Face, size: int, least: int) -> Mask:
        key = (character, face, size, least)
        with self._lock:
            if (found := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return found
        # A copy, since a part would keep the whole.
        mask = _ink_mask(*key).copy()
        mask.flags.writeable = False
        with self._lock:
            if key not in self._kept:
                self._kept[key] = mask
                self.bytes += mask.nbytes
            while self.bytes > self.most:
                self.bytes -= self._kept.popitem(last=False)[1].nbytes
        return mask

    def forget(self) -> None:
        """Keep nothing."""
        with self._lock:
            self._kept.clear()
            self.bytes = 0


_KEPT_LARGE = _KeptByBytes(100_000_000)
"""More than the preset `hard` asks for, which is 54 MB."""


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
            f"lacks{more}. {_who_has(''.join(missing))}, or leave {'them' if others else 'it'} out."
        )


def _who_has(glyphs: str) -> str:
    """Where characters can be had that a font lacks."""
    codes = {ord(character) for character in glyphs}
    what = "it" if len(codes) == 1 else "all of them"
    # By their tables alone, which are quickly read; what is asked for is checked in full when it is drawn.
    if having := next((name for name in FONT_NAMES if codes <= characters(name)), None):
        return f"{having} has {what}: choose that font alone"
    return f"No built-in font has {what}: give a font file that does (--font FILE)"
