"""What a data set is made of: a small, frozen, JSON-able description that with its seed determines every pixel."""

from __future__ import annotations

import hashlib
import json
import operator
import re
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from typing import Any

from bboxbench.data_gen.draws import MAX_SEED
from bboxbench.data_gen.fonts import font_path
from bboxbench.data_gen.glyphs import check_glyphs, ink_mask
from bboxbench.errors import InputError, unknown_name

__all__ = ["BACKGROUNDS", "LETTERS", "LETTERS_FONTS", "LETTERS_SIZES", "PRESETS", "DatasetSpec", "parse_sizes"]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

LETTERS_FONTS = ("DejaVuSansMono", "DejaVuSansMono-Bold")
"""Faces without narrow letters: where an l is 3 px wide, 2 px of error cost an IoU of 0.5 by themselves."""

LETTERS_SIZES = (48, 64)
"""Smallest and largest size of the preset, in pixels per em, both included."""

PRESETS = ("letters",)

BACKGROUNDS = ("plain", "white")
"""What is behind the glyph. ``plain`` is one random colour a picture; on ``white`` the ink is black."""

MAX_N = 100_000_000
MAX_SIDE = 4096
MIN_SIZE = 8
MAX_CONTRAST = 160


@dataclass(frozen=True)
class DatasetSpec:
    """Everything that decides the pixels. Two equal specs give equal data sets, bit by bit.

    Args:
        preset: the named recipe it began from, one of `PRESETS`.
        n: number of samples, 1 or more.
        seed: 0 to 2**63 - 1.
        width: of the pictures, in pixels.
        height: of the pictures, in pixels.
        glyphs: the characters, each once; all are equally likely.
        fonts: names of faces, each once; all are equally likely. See `bboxbench.data_gen.fonts.FONT_NAMES`.
        sizes: smallest and largest size in pixels per em, both included; all between are equally likely.
        background: one of `BACKGROUNDS`.
        min_contrast: least difference in luma between ink and background, 1 to 160 of 255.

    Raises:
        InputError: a value cannot be used, a font lacks a glyph, or a glyph cannot fit the picture with its whole ink.
    """

    preset: str = "letters"
    n: int = 40_000
    seed: int = 0
    width: int = 200
    height: int = 100
    glyphs: str = LETTERS
    fonts: tuple[str, ...] = LETTERS_FONTS
    sizes: tuple[int, int] = LETTERS_SIZES
    background: str = "plain"
    min_contrast: int = 64

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise unknown_name("preset", str(self.preset), PRESETS)
        if self.background not in BACKGROUNDS:
            raise unknown_name("background", str(self.background), BACKGROUNDS)
        for name, least, most in (
            ("n", 1, MAX_N),
            ("seed", 0, MAX_SEED),
            ("width", 1, MAX_SIDE),
            ("height", 1, MAX_SIDE),
            ("min_contrast", 1, MAX_CONTRAST),
        ):
            object.__setattr__(self, name, _whole(name, getattr(self, name), least, most))
        object.__setattr__(self, "sizes", _sizes(self.sizes))
        object.__setattr__(self, "fonts", _fonts(self.fonts))
        _check_glyphs(self.glyphs)
        _check_that_all_fit(self.glyphs, self.fonts, self.sizes, self.width, self.height)

    @classmethod
    def letters(cls, n: int = 40_000, seed: int = 0, **changes: Any) -> DatasetSpec:
        """The default recipe: A-Z and a-z in `LETTERS_FONTS`, 48 to 64 px, plain colours, pictures of 200 x 100.

        Args:
            n: number of samples.
            seed: 0 to 2**63 - 1.
            **changes: other fields of the spec that should differ from the preset.
        """
        return cls.from_dict({**changes, "preset": "letters", "n": n, "seed": seed})

    @property
    def folder_name(self) -> str:
        """A name that tells what is inside; a short hash stands behind it where the spec departs from its preset."""
        name = f"{self.preset}-n{self.n}-seed{self.seed}"
        if self == DatasetSpec(preset=self.preset, n=self.n, seed=self.seed):
            return name
        canonical = json.dumps(self.to_dict(), sort_keys=True)
        return f"{name}-{hashlib.sha256(canonical.encode()).hexdigest()[:8]}"

    @property
    def one_colour(self) -> bool:
        """Whether all pixels outside a picture's box have one colour."""
        return self.background in ("plain", "white")

    def to_dict(self) -> dict[str, Any]:
        """The spec in JSON's own types."""
        return {**asdict(self), "fonts": list(self.fonts), "sizes": list(self.sizes)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> DatasetSpec:
        """The way back from `to_dict`.

        Raises:
            InputError: a key is unknown, or a value cannot be used.
        """
        known = [field.name for field in fields(cls)]
        for key in values:
            if key not in known:
                raise unknown_name("field of a data set's spec", str(key), known)
        return cls(**values)

    def changed(self, **changes: Any) -> DatasetSpec:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def differences(self, other: DatasetSpec) -> list[str]:
        """What sets ``other`` apart, one phrase a field, as 'n 40000 instead of 1000'."""
        mine, theirs = self.to_dict(), other.to_dict()
        return [f"{key} {mine[key]!r} instead of {theirs[key]!r}" for key in mine if mine[key] != theirs[key]]


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


def _whole(name: str, value: Any, least: int, most: int) -> int:
    try:
        # True is 1 to operator.index; nobody means that.
        number = operator.index(value) if not isinstance(value, bool) else None
    except TypeError:
        number = None
    if number is None or not least <= number <= most:
        bounds = f"{least} or more" if number is None or number < least else f"{most} or less"
        raise InputError(f"Expected {name} to be a whole number of {bounds}, received {value!r}.")
    return number


def _sizes(value: Any) -> tuple[int, int]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise InputError(f"Expected sizes as (smallest, largest) in pixels, received {value!r}.")
    smallest, largest = (_whole("sizes", size, MIN_SIZE, MAX_SIDE) for size in value)
    if smallest > largest:
        raise InputError(f"Expected sizes as (smallest, largest), received {smallest} before {largest}.")
    return smallest, largest


def _fonts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, tuple | list) or not value or not all(isinstance(name, str) for name in value):
        raise InputError(f"Expected fonts as a list of names, at least one, received {value!r}.")
    names = tuple(value)
    for place, name in enumerate(names):
        font_path(name)
        if name in names[:place]:
            raise InputError(f"Expected each font once, received {name} twice.")
    return names


def _check_glyphs(value: Any) -> None:
    if not isinstance(value, str) or not value:
        raise InputError(f"Expected glyphs as a string of characters, at least one, received {value!r}.")
    for place, character in enumerate(value):
        if not character.isprintable():
            raise InputError(f"Expected glyphs with ink, received {character!r}, which draws nothing.")
        if character in value[:place]:
            raise InputError(f"Expected each glyph once, received {character!r} twice.")


@lru_cache(maxsize=64)
def _check_that_all_fit(glyphs: str, fonts: tuple[str, ...], sizes: tuple[int, int], width: int, height: int) -> None:
    for font in fonts:
        check_glyphs(glyphs, font)
        for character in glyphs:
            ink_mask(character, font, sizes[0])
            # Hinting can make a smaller size a pixel larger; look down until there is room to spare.
            for size in range(sizes[1], sizes[0] - 1, -1):
                mask = ink_mask(character, font, size)
                if mask.shape[0] > height or mask.shape[1] > width:
                    raise InputError(
                        f"Expected sizes that fit pictures of {width}x{height}, received {size} px: {character!r} in "
                        f"{font} is then {mask.shape[1]}x{mask.shape[0]}. Choose a glyph size that fits."
                    )
                ink = int((mask > 0).sum())
                if 2 * ink >= width * height:
                    raise InputError(
                        f"Expected ink on less than half of the picture, so that it can be told from its background; "
                        f"received {character!r} in {font} at {size} px, {ink} of {width * height} pixels."
                    )
                if mask.shape[0] + 4 <= height and mask.shape[1] + 4 <= width and 2.2 * ink < width * height:
                    break
