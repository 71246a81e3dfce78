"""Glyphs and classes as they can be written on a page, whatever the page's own font has."""

from __future__ import annotations

from functools import lru_cache

from bboxbench.data_gen.fonts import characters

__all__ = ["PAGE_FONT", "glyph_name", "shortened"]

PAGE_FONT = "DejaVuSans"
"""The face that pages and figures are written in."""


@lru_cache(maxsize=4096)
def glyph_name(glyph: str, font: str = PAGE_FONT) -> str:
    """A glyph, or the name of a class, as the face ``font`` can write it.

    One character that the face lacks is given as its code point, U+4E00; in longer names it becomes a question mark.
    """
    if not glyph:
        return "(empty)"
    if all(_can_write(character, font) for character in glyph):
        return glyph
    if len(glyph) == 1:
        return f"U+{ord(glyph):04X}"
    return "".join(character if _can_write(character, font) else "?" for character in glyph)


def _can_write(character: str, font: str) -> bool:
    return character.isprintable() and ord(character) in characters(font)


def shortened(name: str, most: int) -> str:
    """``name``, cut with an ellipsis where it is longer than ``most`` characters."""
    return name if len(name) <= most else name[: most - 1] + "…"
