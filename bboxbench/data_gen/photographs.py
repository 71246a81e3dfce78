"""A folder of the user's own pictures that glyphs are drawn on: known by its content, cut to size."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from bboxbench.data_gen.draws import STEPS, below
from bboxbench.data_gen.picture_files import open_picture
from bboxbench.errors import InputError, read_errors
from bboxbench.files import file_sha256

__all__ = ["SUFFIXES", "crop_of", "listed", "pictures_sha256"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
"""What a picture's name ends in, in capitals or not; other files of the folder are left alone."""

_LARGEST = 1024
"""Pictures are kept at a longer side of at most this, so that a cache of them stays small."""


def listed(folder: str) -> tuple[Path, ...]:
    """The pictures of a folder and of the folders in it, by the order of their names.

    Raises:
        InputError: no folder, or none in it.
    """
    root = Path(folder)
    with read_errors(root):
        if not root.is_dir():
            raise InputError(f"Expected a folder of pictures to draw on, found none at {root}.")
        found = [path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
    if not found:
        raise InputError(f"Expected pictures in {root}, found none; these are read: {', '.join(SUFFIXES)}.")
    return tuple(sorted(found, key=lambda path: path.relative_to(root).as_posix()))


def pictures_sha256(folder: str) -> str:
    """What a folder of pictures is known by: a hash over names and contents. Hexadecimal.

    Raises:
        InputError: as `listed`, or a picture may not be read.
    """
    digest = hashlib.sha256()
    for path in listed(folder):
        digest.update(f"{path.relative_to(folder).as_posix()}\n{file_sha256(path)}\n".encode())
    return digest.hexdigest()


_remembered = lru_cache(maxsize=8)(listed)


@lru_cache(maxsize=64)
def _opened(path: Path) -> Image.Image:
    whole = open_picture(path)
    whole.thumbnail((_LARGEST, _LARGEST))
    return whole


def crop_of(folder: str, width: int, height: int, stream: Iterator[int]) -> npt.NDArray[np.uint8]:
    """A part of one picture of a folder, in the shape that is asked for.

    The part is between a third and the whole of what fits, at any place, mirrored or not.

    Returns:
        uint8 RGB (height, width, 3).
    """
    paths = _remembered(folder)
    picture = _opened(paths[below(len(paths), next(stream))])
    fit = min(picture.width * STEPS // width, picture.height * STEPS // height)
    zoom = fit // 3 + below(fit - fit // 3 + 1, next(stream))
    across, down = max(1, width * zoom // STEPS), max(1, height * zoom // STEPS)
    left = below(picture.width - across + 1, next(stream))
    top = below(picture.height - down + 1, next(stream))
    part = picture.resize((width, height), Image.Resampling.BILINEAR, (left, top, left + across, top + down))
    pixels = np.asarray(part)
    return pixels[:, ::-1] if below(2, next(stream)) else pixels
