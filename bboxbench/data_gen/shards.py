"""A thousand samples in one file: which samples, drawing them, reading them, and their lines of ``boxes.csv``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bboxbench.data_gen.attributes import arrays_of, lines_of, sample_of, store
from bboxbench.data_gen.imported import AnySpec, ImportedSpec, imported_lines
from bboxbench.data_gen.packing import Arrays, read_packed
from bboxbench.data_gen.samples import paint_sample
from bboxbench.data_gen.spec import DatasetSpec

__all__ = ["SHARD_ROWS", "csv_rows", "draw_shard", "read_arrays", "shard_file", "shard_rows"]

SHARD_ROWS = 1000
"""Samples in every shard but the last."""


def shard_file(shard: int) -> str:
    """Path of a shard inside its data set's folder."""
    return f"shards/{shard:05d}.npz"


def shard_rows(spec: AnySpec, shard: int) -> range:
    """Indices of the samples in a shard."""
    return range(shard * SHARD_ROWS, min((shard + 1) * SHARD_ROWS, spec.n))


def _expected(spec: AnySpec, rows: int) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
    """Type and shape of every array of a shard with so many rows."""
    return {name: (dtype, (rows, *shape)) for name, (dtype, shape) in arrays_of(spec).items()}


def draw_shard(spec: DatasetSpec, shard: int) -> Arrays:
    """All arrays of a shard, drawn from the spec alone.

    Raises:
        InputError: a glyph cannot be drawn as the spec says, or what it needs cannot be read.
    """
    rows = shard_rows(spec, shard)
    arrays: Arrays = {name: np.empty(shape, dtype) for name, (dtype, shape) in _expected(spec, len(rows)).items()}
    for row, index in enumerate(rows):
        store(spec, paint_sample(spec, index, arrays["images"][row]), arrays, row)
    return arrays


def read_arrays(
    path: Path, spec: AnySpec, shard: int, names: tuple[str, ...] | None = None, into: Arrays | None = None
) -> Arrays:
    """Read some arrays of a shard, all by default, into given ones where there are such.

    What the file says of itself is checked before anything of that size is made.

    Raises:
        InputError: the file is missing, may not be read, is cut, no shard, or not of this spec's shape; it names the
            file.
    """
    expected = _expected(spec, len(shard_rows(spec, shard)))
    return read_packed(path, expected, tuple(expected) if names is None else names, into)


def csv_rows(spec: AnySpec, shard: int, arrays: Arrays) -> list[str]:
    """The shard's lines of ``boxes.csv``, without line ends.

    Raises:
        IndexError, OverflowError, ValueError: the arrays hold what no sample of the spec has.
    """
    rows = shard_rows(spec, shard)
    if isinstance(spec, ImportedSpec):
        return list(imported_lines(spec, rows, arrays))
    return list(lines_of(spec, (sample_of(spec, arrays, row, index) for row, index in enumerate(rows))))
