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
from bboxbench.data_gen.picture_files import check_place, open_picture
from bboxbench.errors import InputError, read_errors
from bboxbench.files import file_sha256

__all__ = ["SUFFIXES", "check_pictures_are", "check_pictures_open", "crop_of", "listed", "pictures_sha256"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
"""What a picture's name ends in, in capitals or not; other files of the folder are left alone."""

_LARGEST = 1024
"""Pictures are kept at a longer side of at most this, so that a cache of them stays small."""


def listed(folder: str) -> tuple[Path, ...]:
    """The pictures of a folder and of the folders in it, by the order of their names.

    Raises:
        InputError: no folder, or none in it, or its path is no text.
    """
    root = Path(folder)
    check_place(root)
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
    return _sha256_of(folder, _contents(folder))


def check_pictures_open(folder: str) -> None:
    """Make sure that every picture of a folder can be drawn on, so that none stops the work in its middle.

    A content that was opened once in this process is not opened again.

    Raises:
        InputError: as `listed`, or a file is no picture or a damaged one; it is named.
    """
    for path, sha256 in _contents(folder):
        if sha256 in _FOUND_GOOD:
            continue
        try:
            open_picture(path)
        except InputError as error:
            raise InputError(f"{error} Take it out of {folder}, or put a whole one in its place.") from error
        _FOUND_GOOD.add(sha256)


def check_pictures_are(folder: str, sha256: str) -> None:
    """Make sure that a folder's pictures are those with this hash.

    Raises:
        InputError: they are others or missing.
    """
    try:
        found = pictures_sha256(folder)
    except InputError as error:
        raise type(error)(f"{error} {_WHERE_THEY_ARE}") from error
    if found != sha256:
        raise _others(folder)


_FOUND_GOOD: set[str] = set()
"""SHA-256 of pictures that could be opened."""

_WHERE_THEY_ARE = "Pictures that lie elsewhere now: add --pictures FOLDER to verify DIR or to generate --resume DIR."


def _contents(folder: str) -> tuple[tuple[Path, str], ...]:
    return tuple((path, file_sha256(path)) for path in listed(folder))


def _sha256_of(folder: str, contents: tuple[tuple[Path, str], ...]) -> str:
    digest = hashlib.sha256()
    for path, sha256 in contents:
        # A system may have names that are no text. They are surrogates here, which UTF-8 proper refuses.
        digest.update(f"{path.relative_to(folder).as_posix()}\n{sha256}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _others(folder: str) -> InputError:
    return InputError(
        f"Expected the pictures in {folder} as they were, received others. Bring the old ones back, or draw into "
        f"another folder. {_WHERE_THEY_ARE}"
    )


# By content, not by place alone: the same folder may hold other pictures when it is looked at again.
@lru_cache(maxsize=8)
def _remembered(folder: str, sha256: str) -> tuple[tuple[Path, str], ...]:
    contents = _contents(folder)
    if _sha256_of(folder, contents) != sha256:
        raise _others(folder)
    return contents


@lru_cache(maxsize=64)
def _opened(path: Path, sha256: str, folder: str) -> Image.Image:
    if file_sha256(path) != sha256:
        raise _others(folder)
    whole = open_picture(path)
    whole.thumbnail((_LARGEST, _LARGEST))
    return whole


def crop_of(folder: str, sha256: str, width: int, height: int, stream: Iterator[int]) -> npt.NDArray[np.uint8]:
    """A part of one picture of a folder, in the shape that is asked for.

    The part is between a third and the whole of what fits, at any place, mirrored or not.

    Args:
        folder: of the pictures.
        sha256: what `pictures_sha256` said of it.
        width: in pixels.
        height: in pixels.
        stream: random words.

    Returns:
        uint8 RGB (height, width, 3).

    Raises:
        InputError: the pictures are missing, may not be read, or are others than those with the hash.
    """
    contents = _remembered(folder, sha256)
    picture = _opened(*contents[below(len(contents), next(stream))], folder)
    fit = min(picture.width * STEPS // width, picture.height * STEPS // height)
    zoom = fit // 3 + below(fit - fit // 3 + 1, next(stream))
    across, down = max(1, width * zoom // STEPS), max(1, height * zoom // STEPS)
    left = below(picture.width - across + 1, next(stream))
    top = below(picture.height - down + 1, next(stream))
    part = picture.resize((width, height), Image.Resampling.BILINEAR, (left, top, left + across, top + down))
    pixels = np.asarray(part)
    return pixels[:, ::-1] if below(2, next(stream)) else pixels
