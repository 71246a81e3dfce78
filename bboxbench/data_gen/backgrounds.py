"""What is behind a glyph: a pure function of (spec, seed, index).

It knows nothing of the glyph, so that it can be drawn again without it.

Every background but one colour keeps its luma within a band that leaves room for an ink, darker or lighter than all of
it by the spec's least contrast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

from bboxbench.data_gen.colours import WHITE, Colour, blend_table, luma, random_colour
from bboxbench.data_gen.draws import BACKGROUND, TEXTURE, below, octets, words
from bboxbench.data_gen.photographs import crop_of
from bboxbench.data_gen.spec import DatasetSpec

__all__ = ["ROOM", "draw_background", "mean_colour"]

Pixels = npt.NDArray[np.uint8]

ROOM = 32
"""Levels of luma left for the ink beyond the least contrast; with less, hardly a colour is left."""


def draw_background(spec: DatasetSpec, index: int) -> tuple[str, Pixels]:
    """What is behind the glyph of a sample.

    Returns:
        Its kind, one of ``spec.background``; and the picture, uint8 RGB (height, width, 3).

    Raises:
        InputError: the folder of pictures, or one of them, cannot be read.
    """
    stream = words(spec.seed, BACKGROUND, index)
    kind = spec.background[below(len(spec.background), next(stream))]
    return kind, _PAINTERS[kind](spec, index, stream)


def mean_colour(pixels: Pixels) -> Colour:
    """The mean of a picture's pixels, rounded; uint8 (height, width, 3)."""
    count = pixels.shape[0] * pixels.shape[1]
    # Row upon row first: that is as fast as memory is read.
    total = pixels.sum(axis=0, dtype=np.int64).sum(axis=0)
    red, green, blue = ((total + count // 2) // count).tolist()
    return red, green, blue


def _band(spec: DatasetSpec, stream: Iterator[int]) -> tuple[int, int]:
    """Least and largest luma of a background: the dark part of 0..255 or the light one."""
    room = spec.min_contrast + ROOM
    return (0, 255 - room) if below(2, next(stream)) else (room, 255)


def _colour(stream: Iterator[int], least: int, most: int) -> Colour:
    """A colour, uniform among all whose luma is in the band."""
    while True:
        colour = random_colour(stream)
        if least <= luma(colour) <= most:
            return colour


def _mixed(weights: Pixels, first: Colour, second: Colour) -> Pixels:
    """A picture between two colours: the first where ``weights``, uint8 (height, width), are 0, the second at 255."""
    picture = Image.fromarray(weights)
    # A palette is Pillow's word for such a table, and five times as fast as NumPy's indices.
    picture.putpalette(blend_table(second, first).tobytes())
    return np.asarray(picture.convert("RGB"))


def _pair(spec: DatasetSpec, stream: Iterator[int]) -> tuple[Colour, Colour]:
    band = _band(spec, stream)
    return _colour(stream, *band), _colour(stream, *band)


def _plain(spec: DatasetSpec, index: int, stream: Iterator[int]) -> Pixels:
    return np.full((spec.height, spec.width, 3), _colour(stream, *_band(spec, stream)), np.uint8)


def _white(spec: DatasetSpec, index: int, stream: Iterator[int]) -> Pixels:
    return np.full((spec.height, spec.width, 3), WHITE, np.uint8)


def _gradient(spec: DatasetSpec, index: int, stream: Iterator[int]) -> Pixels:
    """From one colour to another, along a straight line in any direction."""
    first, second = _pair(spec, stream)
    # Whole numbers, so that no machine rounds otherwise; a direction that is none goes across.
    across, down = (below(201, next(stream)) - 100 for _ in range(2))
    along = (across or not down) * np.arange(spec.width)[None, :] + down * np.arange(spec.height)[:, None]
    along = along - along.min()
    return _mixed((255 * along // max(1, int(along.max()))).astype(np.uint8), first, second)


def _noise(spec: DatasetSpec, index: int, stream: Iterator[int]) -> Pixels:
    """Grains of 1 to 4 pixels, each of a colour of its own between two."""
    first, second = _pair(spec, stream)
    grain = 1 + below(4, next(stream))
    rows, columns = -(-spec.height // grain), -(-spec.width // grain)
    grains = octets(spec.seed, TEXTURE, index, rows * columns).reshape(rows, columns)
    return _mixed(grains.repeat(grain, 0).repeat(grain, 1)[: spec.height, : spec.width], first, second)


_OCTAVES = (64, 32, 16, 8)
"""Distances between the random points of a texture's layers, in pixels; each layer counts half of the one before."""


def _texture(spec: DatasetSpec, index: int, stream: Iterator[int]) -> Pixels:
    """Clouds: smooth random fields of four scales, the finer the fainter (K. Perlin's fractal sum, by value noise)."""
    first, second = _pair(spec, stream)
    grids = [(-(-spec.height // step) + 2, -(-spec.width // step) + 2) for step in _OCTAVES]
    values = octets(spec.seed, TEXTURE, index, sum(rows * columns for rows, columns in grids))
    total = np.zeros((spec.height, spec.width), np.int32)
    start = 0
    for layer, (rows, columns) in enumerate(grids):
        grid = values[start : start + rows * columns].reshape(rows, columns)
        start += rows * columns
        size = (columns * _OCTAVES[layer], rows * _OCTAVES[layer])
        smooth = Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC)
        total += np.asarray(smooth)[: spec.height, : spec.width].astype(np.int32) << (len(grids) - layer)
    total -= total.min()
    return _mixed((255 * total // max(1, int(total.max()))).astype(np.uint8), first, second)


def _pictures(spec: DatasetSpec, index: int, stream: Iterator[int]) -> Pixels:
    """A part of one of the pictures of a folder, its colours pressed together until an ink stands out from all."""
    least, most = _band(spec, stream)
    part = crop_of(spec.pictures, spec.pictures_sha256, spec.width, spec.height, stream)
    pressed: Pixels = (least + part.astype(np.int32) * (most - least) // 255).astype(np.uint8)
    return pressed


_PAINTERS: dict[str, Callable[[DatasetSpec, int, Iterator[int]], Pixels]] = {
    "plain": _plain,
    "white": _white,
    "gradient": _gradient,
    "noise": _noise,
    "texture": _texture,
    "pictures": _pictures,
}
