"""The named recipes of data sets: what a spec takes for every field that is not given."""

from __future__ import annotations

from typing import Any

__all__ = ["LETTERS", "LETTERS_FONTS", "LETTERS_SIZES", "PRESETS"]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

LETTERS_FONTS = ("DejaVuSansMono", "DejaVuSansMono-Bold")
"""Faces without narrow letters: where an l is 3 px wide, 2 px of error cost an IoU of 0.5 by themselves."""

LETTERS_SIZES = (48, 64)
"""Smallest and largest size of the preset, in pixels per em, both included."""

_LETTERS: dict[str, Any] = {
    "n": 40_000,
    "seed": 0,
    "width": 200,
    "height": 100,
    "glyphs": LETTERS,
    "fonts": LETTERS_FONTS,
    "sizes": LETTERS_SIZES,
    "background": ("plain",),
    "min_contrast": 64,
    "font_files": (),
    "pictures": "",
    "pictures_sha256": "",
    "rotation": 0.0,
    "scale": (1.0, 1.0),
    "shear": 0.0,
    "shift": 0.0,
    "blur": 0.0,
    "noise": 0.0,
    "ink_threshold": 1,
    "masks": False,
}

_DIGITS = "0123456789"
_GREEK = "ΓΔΘΛΞΠΣΦΨΩαβγδεζηθικλμνξπςστυφχψω"
_CYRILLIC = "БДЁЖЗИЙЛУЦЧШЩЪЫЬЭЮЯбвгдёжзийлмнтфцчшщъыьэюя"
"""Letters that look like no Latin one, nor like each other: a class must be told apart by its pixels."""

PRESETS: dict[str, dict[str, Any]] = {
    "letters": _LETTERS,
    "varied": {
        **_LETTERS,
        "glyphs": LETTERS + _DIGITS,
        "fonts": (
            "DejaVuSans",
            "DejaVuSans-Bold",
            "DejaVuSansMono",
            "DejaVuSansMono-Bold",
            "DejaVuSerif",
            "DejaVuSerif-Bold",
            "STIXGeneral",
            "STIXGeneralBol",
        ),
        "sizes": (40, 64),
        "background": ("plain", "gradient", "noise", "texture"),
        "rotation": 10.0,
        "scale": (0.8, 1.2),
        "shear": 5.0,
        "shift": 0.5,
        "blur": 0.8,
        "noise": 6.0,
        "ink_threshold": 8,
    },
    "hard": {
        **_LETTERS,
        "glyphs": LETTERS + _DIGITS + _GREEK + _CYRILLIC,
        "fonts": (
            "DejaVuSans",
            "DejaVuSans-Bold",
            "DejaVuSans-Oblique",
            "DejaVuSansMono",
            "DejaVuSansMono-Bold",
            "DejaVuSerif",
            "DejaVuSerif-Bold",
            "DejaVuSerif-Italic",
            "STIXGeneral",
            "STIXGeneralBol",
            "STIXGeneralItalic",
            "STIXGeneralBolIta",
        ),
        "sizes": (20, 64),
        "background": ("plain", "gradient", "noise", "texture"),
        "rotation": 45.0,
        "scale": (0.7, 1.4),
        "shear": 15.0,
        "shift": 0.5,
        "blur": 1.5,
        "noise": 20.0,
        "ink_threshold": 16,
    },
}
"""The value of every field of a `bboxbench.data_gen.DatasetSpec`, by the name of the preset.

``letters`` is the classic case. ``varied`` asks for what a small network should bear; ``hard`` for small, turned and
blurred glyphs of three scripts under noise. All keep a contrast of 64: no glyph is hidden, only made hard to find.
"""
