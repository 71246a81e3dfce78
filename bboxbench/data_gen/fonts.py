"""The faces that letters are drawn in: the DejaVu files that come with matplotlib, by name.

matplotlib is never imported for them, only found. Its folder also holds fonts that must not be drawn from (one without
letters, one that claims every character), so the files are named here one by one.
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

from bboxbench.errors import InputError, read_errors, unknown_name
from bboxbench.files import file_sha256

__all__ = ["FONT_NAMES", "font_path", "font_sha256", "open_font"]

FONT_NAMES = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-BoldOblique",
    "DejaVuSans-Oblique",
    "DejaVuSansMono",
    "DejaVuSansMono-Bold",
    "DejaVuSansMono-BoldOblique",
    "DejaVuSansMono-Oblique",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSerif-BoldItalic",
    "DejaVuSerif-Italic",
)
"""Every face a spec may name. They drew the same pixels in Pillow 9.5 to 13."""


@lru_cache(maxsize=1)
def _font_folder() -> Path:
    found = importlib.util.find_spec("matplotlib")
    if found is None or found.origin is None:
        raise InputError(
            "Expected matplotlib, whose fonts the letters are drawn in; install it: pip install matplotlib."
        )
    return Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"


def font_path(name: str) -> Path:
    """The file of a face.

    Raises:
        InputError: the name is not in `FONT_NAMES`, or this installation of matplotlib lacks the file.
    """
    if name not in FONT_NAMES:
        raise unknown_name("font", name, FONT_NAMES)
    path = _font_folder() / f"{name}.ttf"
    with read_errors(path):
        there = path.is_file()
    if not there:
        raise InputError(f"Expected the font file {path}, which is missing; install matplotlib again.")
    return path


@lru_cache(maxsize=len(FONT_NAMES))
def font_sha256(name: str) -> str:
    """Hexadecimal SHA-256 of a face's file, for the manifest."""
    return file_sha256(font_path(name))


@lru_cache(maxsize=1024)
def open_font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """A face at ``size`` pixels per em. Kept open: opening it for every picture costs three quarters of the speed.

    Raises:
        InputError: the name is not in `FONT_NAMES`, or its file is missing, may not be read or is damaged.
    """
    path = font_path(name)
    # FreeType does not say why it cannot open a file.
    with read_errors(path):
        path.open("rb").close()
    try:
        # The other layout engine depends on what else is installed; this one is always there.
        return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        raise InputError(f"The font file {path} is damaged ({error}); install matplotlib again.") from error
