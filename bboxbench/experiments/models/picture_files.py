"""Anybody's pictures, of any size and mode, as the network takes them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from bboxbench.errors import InputError, one_line, read_errors

__all__ = ["check_picture", "grey_levels", "open_picture"]


def check_picture(path: Path) -> None:
    """Look at the first bytes of a file, so that one that is no picture is found before anything is computed.

    Raises:
        CannotRead: it is missing, a folder, or may not be read.
        InputError: it is no picture that Pillow can read.
    """
    with _picture_errors(path), Image.open(path):
        pass


def open_picture(path: Path) -> Image.Image:
    """A picture file as RGB, turned upright as viewers show it.

    What is transparent becomes white; of an animation it is the first frame.

    Raises:
        CannotRead: it is missing, a folder, or may not be read.
        InputError: it is no picture that Pillow can read, or is cut off.
    """
    with _picture_errors(path), Image.open(path) as picture:
        picture.load()
        upright = ImageOps.exif_transpose(picture)
        if upright.mode.startswith("I") or upright.mode == "F":
            upright = _eight_bits(upright)
        if "A" in upright.mode or "a" in upright.mode or "transparency" in upright.info:
            seen = upright.convert("RGBA")
            upright = Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen)
        return upright.convert("RGB")


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
        # A few bytes can claim to be a picture of many gigabytes.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            yield
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
