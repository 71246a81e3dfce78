"""Glyphs and classes as they can be written on a page, whatever the page's own font has."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from bboxbench.data_gen.fonts import characters
from bboxbench.data_gen.glyphs import ink_mask
from bboxbench.errors import InputError

__all__ = ["PAGE_FONT", "class_labels", "glyph_name", "shortened"]

PAGE_FONT = "DejaVuSans"
"""The face that pages and figures are written in."""


@lru_cache(maxsize=4096)
def glyph_name(glyph: str, font: str = PAGE_FONT) -> str:
    """A glyph, or the name of a class, as the face ``font`` can write it.

    A character that the face lacks is given as its code point, U+4E00, in a longer name as a word of its own.
    """
    if not glyph:
        return "(empty)"
    if all(_can_write(character, font) for character in glyph):
        return glyph
    written = "".join(character if _can_write(character, font) else f" U+{ord(character):04X} " for character in glyph)
    return re.sub(" {2,}", " ", written).strip()


def class_labels(classes: Iterable[str], font: str = PAGE_FONT) -> dict[str, str]:
    """By class: its `glyph_name`, and the code point behind it where another class is drawn by the same picture.

    So the A of Latin, Greek and Cyrillic are told apart where a data set has more than one of them.
    """
    return dict(_class_labels(tuple(classes), font))


@lru_cache(maxsize=16)
def _class_labels(classes: tuple[str, ...], font: str) -> dict[str, str]:
    pictures = {name: _picture(name, font) for name in classes if len(name) == 1 and _can_write(name, font)}
    alike = Counter(pictures.values())
    labels = {}
    for name in classes:
        picture = pictures.get(name)
        several = picture is not None and alike[picture] > 1
        labels[name] = f"{name} U+{ord(name):04X}" if several else glyph_name(name, font)
    return labels


_COMPARED_SIZE = 48
"""Pixels per em at which glyphs that are not the same differ."""


def _picture(glyph: str, font: str) -> tuple[tuple[int, ...], bytes] | None:
    """What a face draws for a character, wherever it stands on the line; None where it draws nothing."""
    try:
        ink = ink_mask(glyph, font, _COMPARED_SIZE)
    except InputError:
        return None
    return ink.shape, ink.tobytes()


def _can_write(character: str, font: str) -> bool:
    return character.isprintable() and ord(character) in characters(font)


def shortened(name: str, most: int) -> str:
    """``name``, cut with an ellipsis where it is longer than ``most`` characters."""
    return name if len(name) <= most else name[: most - 1] + "…"
