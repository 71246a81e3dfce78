"""What a font's file says of itself, read without trust: whether it is a whole font, and which characters it has.

A font is TrueType or OpenType with outlines, which can be drawn at every size. Of a collection the first face is taken;
a variable font is drawn as it is by default, a colour font by the outlines below its colours.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bboxbench.errors import InputError, read_errors

__all__ = ["check_font", "read_characters"]

_KINDS = (b"\x00\x01\x00\x00", b"OTTO", b"true", b"ttcf")
"""How TrueType, OpenType with PostScript outlines, Apple's TrueType and collections begin."""

_PACKED = {b"wOFF": "WOFF", b"wOF2": "WOFF2"}
"""Fonts packed for the web, which unpack to any size."""

_NEEDED = ("cmap", "head", "hhea", "hmtx", "maxp")
_OUTLINES = ("glyf", "CFF ", "CFF2")

_ALL_CHARACTERS = 0x110000


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file as fontTools sees it; whatever it stumbles over becomes one line that names the file."""
    with read_errors(path):
        # A pipe or a device might never end; what is missing or a folder is refused by opening it.
        if path.exists() and not path.is_file() and not path.is_dir():
            raise InputError(f"Expected a font file, received {path}, which is no regular file.")
        with path.open("rb") as stream:
            kind = stream.read(4)
    if kind in _PACKED:
        raise InputError(
            f"Expected a .ttf or .otf font, received {path}, which is packed as {_PACKED[kind]}; unpack it."
        )
    if kind not in _KINDS:
        raise InputError(f"Expected a TrueType or OpenType font, received {path}, which is none.")
    from fontTools.ttLib import TTFont  # type: ignore[import-untyped]  # fontTools ships no types

    # It warns of small faults, which would go to stderr.
    logging.getLogger("fontTools").addHandler(logging.NullHandler())
    try:
        # Given the path, it would leave the file open after a fault.
        with path.open("rb") as stream, TTFont(stream, lazy=True, fontNumber=0) as font:
            yield font
    except (InputError, MemoryError):
        raise
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"The font file {path} is damaged ({said}); choose another.") from error


def check_font(path: Path) -> None:
    """Make sure that a file is a whole font with outlines and a table of Unicode characters.

    Raises:
        InputError: it is not; the message names the file.
    """
    with _opened(path) as font:
        size = path.stat().st_size
        for tag, entry in font.reader.tables.items():
            if entry.offset + entry.length > size:
                raise InputError(f"The font file {path} is cut: its table {tag!r} ends behind the file; copy it again.")
        if not any(tag in font for tag in _OUTLINES):
            raise InputError(
                f"Expected a font with outlines, received {path}, which has only pictures of its characters."
                if any(tag in font for tag in ("CBDT", "sbix", "EBDT", "bdat"))
                else f"Expected a font with outlines, received {path}, which has none."
            )
        if missing := [tag for tag in _NEEDED if tag not in font]:
            raise InputError(f"The font file {path} is damaged (it has no table '{missing[0]}'); choose another.")
        if _characters(font, path) is None:
            raise InputError(f"Expected a font with Unicode characters, received {path}, which does not list any.")


def read_characters(path: Path) -> frozenset[int]:
    """The code points that a font has a glyph for, by its table ``cmap``.

    Raises:
        InputError: the file is missing, may not be read, or is no font or a damaged one.
    """
    with _opened(path) as font:
        return _characters(font, path) or frozenset()


def _characters(font: Any, path: Path) -> frozenset[int] | None:
    if _claimed(font.reader["cmap"]) > _ALL_CHARACTERS:
        raise InputError(f"The font file {path} is damaged (it claims more characters than there are); choose another.")
    (count,) = struct.unpack_from(">H", font.reader["maxp"], 4)
    # Numbers in place of the glyphs' names, which would cost reading other tables and are not needed.
    font.setGlyphOrder([str(number) for number in range(count)])
    found = font["cmap"].getBestCmap()
    return None if found is None else frozenset(code for code, glyph in found.items() if glyph != "0")


def _claimed(cmap: bytes) -> int:
    """The most characters that a subtable of ``cmap`` claims to list, before anything of that size is made."""
    (count,) = struct.unpack_from(">H", cmap, 2)
    claimed = 0
    for number in range(count):
        (offset,) = struct.unpack_from(">L", cmap, 8 + 8 * number)
        (kind,) = struct.unpack_from(">H", cmap, offset)
        if kind in (12, 13):
            (groups,) = struct.unpack_from(">L", cmap, offset + 12)
            bounds = np.frombuffer(cmap, ">u4", 3 * groups, offset + 16).reshape(-1, 3).astype(np.int64)
            first, last = bounds[:, 0], bounds[:, 1]
        elif kind == 4:
            (doubled,) = struct.unpack_from(">H", cmap, offset + 6)
            last = np.frombuffer(cmap, ">u2", doubled // 2, offset + 14).astype(np.int64)
            first = np.frombuffer(cmap, ">u2", doubled // 2, offset + 16 + doubled).astype(np.int64)
        else:
            # The other kinds list one byte or two per character, so they are no larger than their file.
            continue
        claimed = max(claimed, int(np.maximum(last - first + 1, 0).sum()))
    return claimed
