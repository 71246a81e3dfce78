"""A thousand samples in one file: drawing it, packing it the same way every time, and reading it without trust."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bboxbench.data_gen.colours import hexadecimal, luma
from bboxbench.data_gen.samples import paint_sample
from bboxbench.data_gen.spec import DatasetSpec
from bboxbench.errors import InputError, read_errors

__all__ = [
    "ARRAY_NAMES",
    "COLUMNS",
    "SHARD_ROWS",
    "Arrays",
    "array_sha256",
    "csv_rows",
    "draw_shard",
    "pack_shard",
    "read_arrays",
    "shard_file",
    "shard_rows",
    "split_ranges",
]

Arrays = dict[str, npt.NDArray[Any]]

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

_DEFLATE_LEVEL = 1
"""Pictures of one letter are mostly one colour: higher levels take longer and save little."""


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


def _expected(spec: DatasetSpec, rows: int, name: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
    code, axes = _SHAPES[name]
    lengths = {"height": spec.height, "width": spec.width}
    return np.dtype(code), (rows, *(lengths[axis] if isinstance(axis, str) else axis for axis in axes))


def draw_shard(spec: DatasetSpec, shard: int) -> Arrays:
    """All arrays of a shard, drawn from the spec alone."""
    rows = shard_rows(spec, shard)
    arrays: Arrays = {}
    for name in ARRAY_NAMES:
        dtype, shape = _expected(spec, len(rows), name)
        arrays[name] = np.empty(shape, dtype)
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


def array_sha256(array: npt.NDArray[Any]) -> str:
    """Hexadecimal SHA-256 of an array: its type, its shape and its values, whatever file they came in."""
    digest = hashlib.sha256(json.dumps([array.dtype.str, list(array.shape)]).encode())
    digest.update(_octets(np.ascontiguousarray(array)))
    return digest.hexdigest()


def _octets(array: npt.NDArray[Any]) -> memoryview:
    """The bytes of a C-contiguous array, not copied, also where it is empty."""
    return array.reshape(-1).view(np.uint8).data


def pack_shard(arrays: Arrays) -> bytes:
    """The arrays as the bytes of an ``.npz`` file, the same bytes for the same arrays (with the same zlib)."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, array in arrays.items():
            # The current time would otherwise stand in every file.
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
            archive.writestr(entry, content.getbuffer(), zipfile.ZIP_DEFLATED, _DEFLATE_LEVEL)
    return stream.getvalue()


def read_arrays(path: Path, spec: DatasetSpec, shard: int, names: tuple[str, ...] = ARRAY_NAMES) -> Arrays:
    """Read some arrays of a shard. What the file says of itself is checked before anything of that size is made.

    Raises:
        InputError: the file is missing, may not be read, is cut, no shard, or not of this spec's shape; it names the
            file.
    """
    arrays: Arrays = {}
    damages = (zipfile.BadZipFile, zlib.error, KeyError, EOFError, ValueError, NotImplementedError, RuntimeError)
    with read_errors(path):
        try:
            with zipfile.ZipFile(path) as archive:
                for name in names:
                    dtype, shape = _expected(spec, len(shard_rows(spec, shard)), name)
                    with archive.open(f"{name}.npy") as member:
                        arrays[name] = _read_array(member, dtype, shape)
        except FileNotFoundError:
            raise InputError(f"The shard {path} is missing.") from None
        except damages as error:
            raise InputError(f"The shard {path} is damaged ({type(error).__name__}: {error}).") from error
    return arrays


def _read_array(member: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    if np.lib.format.read_magic(member) != (1, 0):
        raise ValueError("an array of an unknown version")
    found_shape, fortran, found_dtype = np.lib.format.read_array_header_1_0(member)
    if found_dtype != dtype or found_shape != shape or fortran:
        raise ValueError(f"expected an array {dtype} {shape}, found {found_dtype} {found_shape}")
    array = np.empty(shape, dtype)
    view = _octets(array)
    filled = 0
    while filled < len(view):
        count = member.readinto(view[filled : filled + (1 << 20)])
        if not count:
            raise EOFError("an array is cut short")
        filled += count
    # Reading on to the end is what makes zipfile compare the checksum.
    if member.read(1):
        raise ValueError("an array is followed by something else")
    return array


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
