"""Pictures as PNG files, named by their place in the data set and by nothing else."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from bboxbench.data_gen.samples import Sample

__all__ = ["picture_name", "png", "write_new", "write_pictures"]

_RUN_LENGTH = 3
"""zlib's Z_RLE. Of Pillow's ways it is among the fastest on every kind of picture, and its files are the smallest or
nearly so: 0.5 ms and 960 bytes for a plain picture of 200 x 100 where the default takes 0.7 ms and 1,019 bytes; 3.3 ms
instead of 6.8 for one with noise, at the same 39 kB."""


def picture_name(index: int) -> str:
    """File name of a picture: ``00000042.png``, whatever it shows."""
    return f"{index:08d}.png"


def png(pixels: npt.NDArray[np.uint8], palette: bytes | None = None) -> bytes:
    """The bytes of a PNG file.

    Args:
        pixels: (height, width, 3) RGB, or (height, width) grey levels.
        palette: red, green, blue of each level, 768 bytes: makes the levels places in it.
    """
    picture = Image.fromarray(pixels)
    if palette is not None:
        picture.putpalette(palette)
    stream = io.BytesIO()
    picture.save(stream, "PNG", compress_level=1, compress_type=_RUN_LENGTH)
    return stream.getvalue()


def write_new(path: Path, content: bytes) -> None:
    """Write a file that nobody believes in before its piece is recorded: neither renamed nor synced by itself.

    A rename would take twice the time of the writing, a sync eighty times. One that is there is taken away first:
    ext4 brings a file that is cut to nothing and written again to disk at once, 3 ms each.

    Raises:
        OSError: as `open` and `write` do.
    """
    try:
        stream = path.open("xb")
    except FileExistsError:
        path.unlink()
        stream = path.open("xb")
    with stream:
        stream.write(content)


def write_pictures(place: Path, samples: Iterable[Sample]) -> Iterator[tuple[str, Sample]]:
    """Write the picture of each sample into a folder that is there, and give its file's name and the sample back."""
    for sample in samples:
        name = picture_name(sample.index)
        write_new(place / name, png(sample.image))
        yield name, sample
