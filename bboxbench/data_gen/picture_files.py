"""Anybody's pictures, of any size and mode, as RGB, and as a network takes them."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from bboxbench.errors import InputError, one_line, read_errors

__all__ = ["check_picture", "check_place", "decode_picture", "decode_turned", "grey_levels", "open_picture"]

_RUNS_A_PROGRAM = ("EPS",)
"""Formats that Pillow gives to another program to draw: no file of somebody else's is run."""

_ORIENTATION = 0x0112
"""The EXIF tag that says how a picture was turned when it was taken: 1 is upright."""

_BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""What brings an upright picture back to how it is stored, by its orientation."""

_ON_ITS_SIDE = (5, 6, 7, 8)
"""Orientations that exchange width and height."""


def check_place(place: Path) -> None:
    """Make sure that a data set's spec can record where its pictures lie.

    Raises:
        InputError: the path is no text, as some systems have them.
    """
    try:
        str(place).encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"Expected a path that is UTF-8, as the data set records it, received {str(place)!r}. Rename it, or give a "
            "link to it."
        ) from error


def check_picture(path: Path) -> None:
    """Look at the first bytes of a file, so that one that is no picture is found before anything is computed.

    Raises:
        CannotRead: it is missing, a folder, or may not be read.
        InputError: it is no picture that Pillow can read.
    """
    with _picture_errors(path), Image.open(path, formats=_formats()):
        pass


def open_picture(path: Path) -> Image.Image:
    """A picture file as RGB, turned upright as viewers show it.

    What is transparent becomes white; of an animation it is the first frame.

    Raises:
        CannotRead: it is missing, a folder, or may not be read.
        InputError: it is no picture that Pillow can read, or is cut off.
    """
    with _picture_errors(path), Image.open(path, formats=_formats()) as picture:
        return _rgb(ImageOps.exif_transpose(picture))


def decode_picture(content: bytes, path: Path, size: tuple[int, int] | None = None, reading: str = "") -> Image.Image:
    """The bytes of a picture file as RGB: `decode_turned` without saying how it was taken."""
    return decode_turned(content, path, size, reading)[0]


def decode_turned(
    content: bytes, path: Path, size: tuple[int, int] | None = None, reading: str = ""
) -> tuple[Image.Image, str]:
    """The bytes of a picture file as RGB, like `open_picture`, turned so that it has a size that is known of it.

    Args:
        content: of the file.
        path: of the file, for messages.
        size: width and height that somebody says the picture has. Where EXIF data say that it was taken turned, this
            is either the size upright, as viewers show it, or the size as stored. None: there is one size alone.
        reading: ``upright`` or ``stored``, how a turned picture is taken where that does not settle it; by default
            upright, if both sizes are alike.

    Returns:
        The picture; and ``upright`` or ``stored`` where its size settles which it is, ``unsettled`` where it does not,
        nothing where the picture was not turned.

    Raises:
        InputError: it is no picture that Pillow can read, is cut off, or has another size.
    """
    with _picture_errors(path), Image.open(io.BytesIO(content), formats=_formats()) as picture:
        orientation = picture.getexif().get(_ORIENTATION, 1)
        # Pillow itself turns a TIFF on loading, and knows its upright size before or after that, by its version. So
        # sizes are believed of the loaded picture alone, and the stored one is made of the upright one.
        upright = ImageOps.exif_transpose(picture)
        stored = upright.size[::-1] if orientation in _ON_ITS_SIDE else upright.size
        if size is None and upright.size != stored and not reading:
            raise InputError(
                f"Expected a width and a height of {path}, which was taken turned: upright it has "
                f"{_by(upright.size)}, stored {_by(stored)}, and its boxes may be of either. Or say it with --exif."
            )
        if size not in (None, upright.size, stored):
            either = _by(stored) + (f", upright {_by(upright.size)}" if upright.size != stored else "")
            raise InputError(f"Expected {path} to have {_by(size)}, as its annotations say; it has {either}.")
        if orientation not in _BACK:
            return _rgb(upright), ""
        settled = ""
        if size is not None and upright.size != stored:
            settled = "upright" if size == upright.size else "stored"
        taken = upright.transpose(_BACK[orientation]) if (settled or reading) == "stored" else upright
        return _rgb(taken), settled or "unsettled"


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _formats() -> list[str]:
    Image.init()
    return [name for name in Image.OPEN if name not in _RUNS_A_PROGRAM]


def _rgb(picture: Image.Image) -> Image.Image:
    """What is seen of a picture of any mode, over white where it is transparent."""
    picture.load()
    if picture.mode.startswith("I") or picture.mode == "F":
        picture = _eight_bits(picture)
    if "A" in picture.mode or "a" in picture.mode or "transparency" in picture.info:
        seen = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen)
    return picture.convert("RGB")


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Grey levels of 16 bits, or of any range, in 8: Pillow itself would cut at 255."""
    levels = np.nan_to_num(np.asarray(picture, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    if picture.mode == "F":
        low, span = levels.min(), np.ptp(levels)
        levels = (levels - low) / (span or 1.0) * 255
    elif levels.max() > 255 or picture.mode.startswith("I;16"):
        levels = levels / 257
    return Image.fromarray(np.clip(np.rint(levels), 0, 255).astype(np.uint8))


def grey_levels(picture: Image.Image, width: int, height: int) -> npt.NDArray[np.uint8]:
    """The luminance of a picture, stretched to ``width`` x ``height``: uint8 (height, width).

    A picture that has this size already keeps its pixels, so a data set's own give what training saw.
    """
    grey = picture.convert("L")
    if grey.size != (width, height):
        grey = grey.resize((width, height), Image.Resampling.BILINEAR)  # over all pixels when it shrinks
    return np.asarray(grey)


@contextmanager
def _picture_errors(path: Path) -> Iterator[None]:
    """Turn what Pillow says of a file that it cannot read into one line that names it."""
    with read_errors(path), warnings.catch_warnings():
        # Of an odd palette or broken EXIF data Pillow says so, and goes on.
        warnings.simplefilter("ignore")
        # A few bytes can claim to be a picture of many gigabytes.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            yield
        except InputError:
            raise
        except UnidentifiedImageError as error:
            raise InputError(f"Expected a picture, as PNG or JPEG. Received: {path}, which is none.") from error
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            most = Image.MAX_IMAGE_PIXELS or 0
            raise InputError(
                f"Expected a picture of at most {most:,} pixels. Received: {path}, which is more."
            ) from error
        except Exception as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise InputError(f"The picture {path} is damaged: {one_line(error).rstrip('.')}.") from error
