"""A thousand samples in one file: which arrays it has, drawing them, reading them, and their lines of ``boxes.csv``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bboxbench.data_gen.colours import hexadecimal, luma
from bboxbench.data_gen.packing import Arrays, read_packed
from bboxbench.data_gen.samples import paint_sample
from bboxbench.data_gen.spec import DatasetSpec

__all__ = [
    "ARRAY_NAMES",
    "COLUMNS",
    "SHARD_ROWS",
    "csv_rows",
    "draw_shard",
    "read_arrays",
    "shard_file",
    "shard_rows",
    "split_ranges",
]

SHARD_ROWS = 1000
"""Samples in every shard but the last."""

COLUMNS = (
    "index",
    "split",
    "xmin",
    "ymin",
    "xmax",
    "ymax",
    "glyph",
    "codepoint",
    "font",
    "size",
    "ink",
    "background",
    "contrast",
)
"""Columns of ``boxes.csv``."""

_SHAPES: dict[str, tuple[str, tuple[int | str, ...]]] = {
    "images": ("|u1", ("height", "width", 3)),
    "boxes": ("<i2", (4,)),
    "codepoints": ("<u4", ()),
    "fonts": ("<u2", ()),
    "sizes": ("<u2", ()),
    "inks": ("|u1", (3,)),
    "backgrounds": ("|u1", (3,)),
}

ARRAY_NAMES = tuple(_SHAPES)


def shard_file(shard: int) -> str:
    """Path of a shard inside its data set's folder."""
    return f"shards/{shard:05d}.npz"


def shard_rows(spec: DatasetSpec, shard: int) -> range:
    """Indices of the samples in a shard."""
    return range(shard * SHARD_ROWS, min((shard + 1) * SHARD_ROWS, spec.n))


def split_ranges(n: int) -> dict[str, range]:
    """Indices of ``train`` (the first 3/10), ``validation`` (the next 2/10) and ``test`` (the last half).

    The cuts are at ``floor(3 n / 10)`` and ``floor(n / 2)``.
    """
    first, second = 3 * n // 10, n // 2
    return {"train": range(first), "validation": range(first, second), "test": range(second, n)}


def _expected(spec: DatasetSpec, rows: int) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
    """Type and shape of every array of a shard with so many rows."""
    lengths = {"height": spec.height, "width": spec.width}
    return {
        name: (np.dtype(code), (rows, *(lengths[axis] if isinstance(axis, str) else axis for axis in axes)))
        for name, (code, axes) in _SHAPES.items()
    }


def draw_shard(spec: DatasetSpec, shard: int) -> Arrays:
    """All arrays of a shard, drawn from the spec alone."""
    rows = shard_rows(spec, shard)
    arrays: Arrays = {name: np.empty(shape, dtype) for name, (dtype, shape) in _expected(spec, len(rows)).items()}
    fonts = {name: place for place, name in enumerate(spec.fonts)}
    for row, index in enumerate(rows):
        sample = paint_sample(spec, index, arrays["images"][row])
        arrays["boxes"][row] = sample.box
        arrays["codepoints"][row] = ord(sample.glyph)
        arrays["fonts"][row] = fonts[sample.font]
        arrays["sizes"][row] = sample.size
        arrays["inks"][row] = sample.ink
        arrays["backgrounds"][row] = sample.background
    return arrays


def read_arrays(path: Path, spec: DatasetSpec, shard: int, names: tuple[str, ...] = ARRAY_NAMES) -> Arrays:
    """Read some arrays of a shard. What the file says of itself is checked before anything of that size is made.

    Raises:
        InputError: the file is missing, may not be read, is cut, no shard, or not of this spec's shape; it names the
            file.
    """
    return read_packed(path, _expected(spec, len(shard_rows(spec, shard))), names)


def csv_rows(spec: DatasetSpec, shard: int, arrays: Arrays) -> list[str]:
    """The shard's lines of ``boxes.csv``, without line ends."""
    splits = split_ranges(spec.n)
    lines = []
    for row, index in enumerate(shard_rows(spec, shard)):
        split = next(name for name, indices in splits.items() if index in indices)
        glyph = chr(arrays["codepoints"][row])
        ink, background = (tuple(arrays[name][row].tolist()) for name in ("inks", "backgrounds"))
        box = ",".join(map(str, arrays["boxes"][row].tolist()))
        # Only these two characters need quotes in CSV: no glyph is a line end.
        quoted = {",": '","', '"': '""""'}.get(glyph, glyph)
        lines.append(
            f"{index},{split},{box},{quoted},{arrays['codepoints'][row]},{spec.fonts[arrays['fonts'][row]]},"
            f"{arrays['sizes'][row]},{hexadecimal(ink)},{hexadecimal(background)},{abs(luma(ink) - luma(background))}"
        )
    return lines
