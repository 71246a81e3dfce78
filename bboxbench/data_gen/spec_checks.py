"""The form of a data set's fields.

Each check takes what a user wrote and gives it as it is kept, or raises `InputError`, which says what is wrong.
"""

from __future__ import annotations

import operator
import re
from pathlib import Path
from typing import Any

from bboxbench.data_gen.alphabets import GLYPH_SETS, check_characters
from bboxbench.data_gen.draws import STEPS
from bboxbench.data_gen.fonts import FONT_NAMES, FontFile, named_fonts
from bboxbench.data_gen.photographs import check_pictures_open, pictures_sha256
from bboxbench.errors import InputError, unknown_name

__all__ = [
    "BACKGROUNDS",
    "amount",
    "backgrounds",
    "fonts",
    "glyphs",
    "parse_sizes",
    "pictures",
    "scale",
    "sizes",
    "truth",
    "whole",
]

BACKGROUNDS = ("plain", "white", "gradient", "noise", "texture", "pictures")
"""What is behind the glyph. ``plain`` is one random colour a picture; on ``white``, alone, the ink is black."""

MAX_SIDE = 4096
MIN_SIZE = 8
MAX_GLYPHS = 65_535
MIN_SCALE, MAX_SCALE = 0.1, 10.0


def parse_sizes(text: str) -> tuple[int, int]:
    """Sizes as typed, '32-64' or '48' for one only, to (smallest, largest).

    Raises:
        InputError: they are not written like that.
    """
    match = re.fullmatch(r"\s*(\d{1,6})\s*(?:-\s*(\d{1,6})\s*)?", text, re.ASCII)
    if match is None:
        raise InputError(f"Expected sizes as two whole numbers of pixels, as 32-64, received '{text}'.")
    smallest = int(match[1])
    return smallest, int(match[2] or smallest)


def whole(name: str, value: Any, least: int, most: int) -> int:
    """A whole number in its range."""
    try:
        # True is 1 to operator.index; nobody means that.
        number = operator.index(value) if not isinstance(value, bool) else None
    except TypeError:
        number = None
    if number is None or not least <= number <= most:
        bounds = f"{least} or more" if number is None or number < least else f"{most} or less"
        raise InputError(f"Expected {name} to be a whole number of {bounds}, received {value!r}.")
    return number


def amount(name: str, value: Any, least: float, most: float) -> float:
    """A number in its range, kept in the steps that amounts are drawn in."""
    # Neither a whole number that no float can hold nor what is no number lies between.
    if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
        raise InputError(f"Expected {name} to be a number from {least:g} to {most:g}, received {value!r}.")
    return round(float(value) * STEPS) / STEPS


def _pair(name: str, value: Any, what: str) -> tuple[Any, Any]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise InputError(f"Expected {name} as {what}, received {value!r}.")
    return value[0], value[1]


def sizes(value: Any) -> tuple[int, int]:
    """Smallest and largest size in pixels per em."""
    pair = _pair("sizes", value, "(smallest, largest) in pixels")
    smallest, largest = (whole("sizes", size, MIN_SIZE, MAX_SIDE) for size in pair)
    if smallest > largest:
        raise InputError(f"Expected sizes as (smallest, largest), received {smallest} before {largest}.")
    return smallest, largest


def scale(value: Any) -> tuple[float, float]:
    """Least and largest factor."""
    pair = _pair("scale", value, "(least, most) factors")
    least, most = (amount("scale", factor, MIN_SCALE, MAX_SCALE) for factor in pair)
    if least > most:
        raise InputError(f"Expected scale as (least, most) factors, received {least:g} before {most:g}.")
    return least, most


def _names(what: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, tuple | list) or not value or not all(isinstance(name, str) for name in value):
        raise InputError(f"Expected {what}s as a list of names, at least one, received {value!r}.")
    for place, name in enumerate(value):
        if name in value[:place]:
            raise InputError(f"Expected each {what} once, received {name} twice.")
    return tuple(value)


def backgrounds(value: Any) -> tuple[str, ...]:
    """Kinds of backgrounds; one may stand without a list round it."""
    kinds = _names("background", (value,) if isinstance(value, str) else value)
    for kind in kinds:
        if kind not in BACKGROUNDS:
            raise unknown_name("background", kind, BACKGROUNDS)
    return kinds


def pictures(folder: Any, content: Any, background: tuple[str, ...], looked_at: bool = True) -> tuple[str, str]:
    """Folder and hash of the pictures to draw on; the folder is looked at where the hash is not known, if it may be."""
    if not isinstance(folder, str) or not isinstance(content, str):
        raise InputError(f"Expected pictures as the name of a folder, received {folder!r} with the hash {content!r}.")
    if "pictures" not in background:
        if folder:
            raise InputError(
                f"Expected pictures only with the background of this name, received {folder} with the background "
                f'{", ".join(background)}; add --background pictures (in Python background="pictures").'
            )
        return "", ""
    if not folder:
        raise InputError(
            "Expected a folder of pictures with the background 'pictures', received none; add --pictures FOLDER (in "
            'Python pictures="FOLDER").'
        )
    # Workers and later calls may run elsewhere.
    folder = str(Path(folder).absolute())
    if not content:
        if not looked_at:
            raise InputError(f"Expected pictures_sha256 with the pictures in {folder}, received none.")
        content = pictures_sha256(folder)
        check_pictures_open(folder)
    return folder, content


def fonts(value: Any, known: Any, looked_at: bool = True) -> tuple[tuple[str, ...], tuple[FontFile, ...]]:
    """Names of faces, and the files among them; a path is opened, if it may be, and gives its name."""
    entries = known if isinstance(known, tuple | list) else [known]
    files = [entry if isinstance(entry, FontFile) else FontFile.from_dict(entry) for entry in entries]
    if isinstance(value, list | tuple):
        value = [str(name) if isinstance(name, Path) else name for name in value]
    known_names = (*FONT_NAMES, *(file.name for file in files))
    for name in () if looked_at else _names("font", value):
        if name not in known_names:
            raise unknown_name("font", name, known_names)
    names, used = named_fonts(_names("font", value), files)
    # A path and its name, or two paths, may be the same face.
    _names("font", names)
    if unused := [file.name for file in files if file.name not in names]:
        raise InputError(f"Expected font files of the fonts that are drawn, received {unused[0]} beside them.")
    return names, used


def glyphs(value: Any) -> str:
    """Characters with ink, each once."""
    if not isinstance(value, str) or not value:
        raise InputError(f"Expected glyphs as a string of characters, at least one, received {value!r}.")
    if len(value) > MAX_GLYPHS:
        raise InputError(f"Expected {MAX_GLYPHS} glyphs or fewer, received {len(value)}.")
    if value in GLYPH_SETS:
        raise InputError(
            f"Expected glyphs as a string of characters, received {value!r}, the name of a set of them: in Python "
            f"parse_glyphs({value!r}) of bboxbench.data_gen.alphabets has its characters."
        )
    check_characters(value)
    return value


def truth(name: str, value: Any) -> bool:
    """True or false, and nothing that could be taken for either."""
    if not isinstance(value, bool):
        raise InputError(f"Expected {name} to be true or false, received {value!r}.")
    return value
