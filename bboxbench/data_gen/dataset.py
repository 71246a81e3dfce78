"""Reading a data set: every array is checked against the manifest's hashes before anybody sees it."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bboxbench.boxes import relative_boxes
from bboxbench.data_gen.attributes import columns_of, sample_of
from bboxbench.data_gen.bounds import boxes_outside, impossible
from bboxbench.data_gen.classes import class_names
from bboxbench.data_gen.colours import luma_of_images
from bboxbench.data_gen.imported import AnySpec, ImportedSpec
from bboxbench.data_gen.manifest import MANIFEST, TABLE, Manifest, finish_command, read_manifest
from bboxbench.data_gen.normalisation import LEVELS, normalise
from bboxbench.data_gen.packing import Arrays, array_sha256
from bboxbench.data_gen.samples import Sample
from bboxbench.data_gen.shards import SHARD_ROWS, read_arrays, shard_file, shard_rows
from bboxbench.data_gen.splits import split_ranges
from bboxbench.data_gen.workers import usable_cores
from bboxbench.errors import InputError, read_errors, unknown_name
from bboxbench.files import open_file

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Dataset", "open_dataset"]

_MAX_THREADS = 4
"""Each thread holds one decoded shard, 60 MB at the default size of pictures."""


@dataclass(frozen=True, repr=False)
class Dataset:
    """A finished data set on disk; `open_dataset` gives one.

    Attributes:
        folder: where it is.
    """

    folder: Path
    _manifest: Manifest

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {len(self.split(name)):,}" for name in split_ranges(self.n))
        return f"<Dataset {self.folder}: {self.n:,} pictures of {self.spec.width}x{self.spec.height}; {sizes}>"

    @property
    def spec(self) -> AnySpec:
        """What was drawn or imported."""
        return self._manifest.spec

    @property
    def n(self) -> int:
        """Number of samples."""
        return self.spec.n

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in order: the glyphs of a drawn data set; see `class_names`."""
        return class_names(self.spec)

    @property
    def sha256(self) -> str:
        """Identity of the data: the same for the same arrays, however they are packed. Hexadecimal."""
        return self._manifest.sha256

    @property
    def size_on_disk(self) -> int:
        """Bytes of all shards together.

        Raises:
            InputError: a shard is missing; it is named.
        """
        with read_errors(self.folder):
            numbers = range(len(self._manifest.shards))
            return sum((self.folder / shard_file(number)).stat().st_size for number in numbers)

    def split(self, name: str) -> range:
        """Indices of the samples in ``train``, ``validation`` or ``test``.

        Raises:
            InputError: no such split.
        """
        ranges = split_ranges(self.n)
        if name not in ranges:
            raise unknown_name("split", name, ranges)
        return ranges[name]

    def images(self, split: str) -> npt.NDArray[np.uint8]:
        """Pictures of a split: uint8 RGB (n, height, width, 3), 60 kB each.

        Raises:
            InputError: a shard is missing, damaged, not the one the manifest lists, or holds what the spec has not; it
                is named.
        """
        return self._gather(split, "images", (self.spec.height, self.spec.width, 3), np.uint8)

    def grey(self, split: str) -> npt.NDArray[np.uint8]:
        """Pictures of a split as ITU-R BT.601 luma, rounded: uint8 (n, height, width), 20 kB each.

        Raises:
            InputError: as `images`.
        """
        return self._gather(split, "images", (self.spec.height, self.spec.width), np.uint8, luma_of_images)

    def boxes(self, split: str) -> npt.NDArray[np.int16]:
        """Boxes of a split: int16 (n, 4), xmin, ymin, xmax, ymax in pixel edges, half-open, all inside their pictures.

        Raises:
            InputError: as `images`.
        """
        return self._gather(split, "boxes", (4,), np.int16)

    def arrays(self, split: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """A split as the network learns it.

        Returns:
            Pictures, float32 (n, height, width, 1) in [-1, 1], 80 kB each; and boxes divided by
            [width, height, width, height], float32 (n, 4) in [0, 1].

        Raises:
            InputError: as `images`.
        """
        return normalise(self.grey(split)), relative_boxes(self.boxes(split), self.spec.width, self.spec.height)

    def samples(self, indices: Sequence[int]) -> Iterator[Sample]:
        """Samples as they are on disk, one by one, with all their attributes.

        A shard is read anew wherever the next index lies in another one; so let the indices ascend.

        Raises:
            InputError: as `images`, or an index is not in the data set.
        """
        if indices and (min(indices) < 0 or max(indices) >= self.n):
            raise InputError(f"Expected indices from 0 to {self.n - 1}, received {indices}.")
        held, arrays = -1, {}
        for index in indices:
            number, row = divmod(index, SHARD_ROWS)
            if number != held:
                held, arrays = number, self._verified(number, None)
            yield sample_of(self.spec, arrays, row, index)

    def tf_dataset(self, split: str, batch_size: int = 100) -> Any:
        """A split as a ``tf.data.Dataset`` of batches like `arrays`, in the order of the indices, not shuffled.

        Pictures are kept as grey bytes and turned to floats batch by batch. The last batch may be smaller.

        Raises:
            InputError: as `images`, or ``batch_size`` is below 1.
        """
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise InputError(f"Expected batch_size to be a whole number of 1 or more, received {batch_size!r}.")
        import tensorflow as tf

        grey = self.grey(split)[..., np.newaxis]
        boxes = relative_boxes(self.boxes(split), self.spec.width, self.spec.height)
        levels = tf.constant(LEVELS)
        return (
            tf.data.Dataset.from_tensor_slices((grey, boxes))
            .batch(batch_size)
            .map(lambda pictures, box: (tf.gather(levels, tf.cast(pictures, tf.int32)), box))
            .prefetch(1)
        )

    def table(self) -> pd.DataFrame:
        """``boxes.csv`` as a frame, a row a sample.

        Raises:
            InputError: the file is missing, may not be read, or is not the one that was written; or it holds what the
                data set cannot.
        """
        import pandas as pd

        path = self.folder / TABLE
        try:
            with read_errors(path), open_file(path) as stream:
                content = stream.read()
        except InputError as error:
            raise InputError(f"{error} Restore it: {finish_command(self.spec, self.folder)}") from error
        if hashlib.sha256(content).hexdigest() != self._manifest.table_sha256:
            raise InputError(
                f"{path} was changed since it was written; restore it: {finish_command(self.spec, self.folder)}"
            )
        # The glyph '1' is a string, as is a font or a file of that name, and no glyph means "missing".
        texts = {"glyph": str, "font": str, "file": str}
        try:
            table = pd.read_csv(io.BytesIO(content), dtype=texts, keep_default_na=False)
            wrong = self._wrong_in(table)
        except ValueError as error:
            wrong = str(error).strip().partition("\n")[0]
        if wrong:
            raise InputError(
                f"{path} holds what the spec in {MANIFEST} has not ({wrong}); one of the two was changed. "
                f"Restore it: {finish_command(self.spec, self.folder)}"
            )
        return table

    def _wrong_in(self, table: pd.DataFrame) -> str:
        """What a table holds that the data set cannot; empty where there is nothing."""
        if tuple(table.columns) != columns_of(self.spec) or len(table) != self.n:
            return f"{len(table)} rows of {','.join(map(str, table.columns))}"
        boxes = table[["xmin", "ymin", "xmax", "ymax"]].to_numpy(np.int64)
        for row in np.flatnonzero(boxes_outside(boxes, self.spec.width, self.spec.height)).tolist():
            return f"sample {row}: the box {tuple(boxes[row].tolist())}"
        for row in np.flatnonzero(~table["glyph"].isin(self.classes)).tolist():
            return f"sample {row}: the class {table['glyph'][row]!r}"
        if isinstance(self.spec, ImportedSpec):
            source = table[[name for name in table.columns if name.startswith("source_")]].to_numpy(np.float64)
            sized = (table[["source_width", "source_height"]] >= 1).all(axis=1).to_numpy()
            for row in np.flatnonzero(~(np.isfinite(source).all(axis=1) & sized)).tolist():
                return f"sample {row}: it came with {', '.join(f'{number:g}' for number in source[row])}"
        return ""

    def _gather(
        self,
        split: str,
        name: str,
        shape: tuple[int, ...],
        dtype: type[np.generic],
        convert: Callable[[npt.NDArray[Any], npt.NDArray[Any]], object] = lambda found, into: np.copyto(into, found),
    ) -> npt.NDArray[Any]:
        wanted = self.split(split)
        result = np.empty((len(wanted), *shape), dtype)
        kept = threading.local()

        def fill(number: int) -> None:
            rows = shard_rows(self.spec, number)
            # A thread decodes all its shards into one array.
            into = {name: kept.array[: len(rows)]} if len(rows) <= len(getattr(kept, "array", ())) else None
            array = self._verified(number, (name,), into)[name]
            kept.array = array if into is None else kept.array
            first, last = max(wanted.start, rows.start), min(wanted.stop, rows.stop)
            part = result[first - wanted.start : last - wanted.start]
            convert(array[first - rows.start : last - rows.start], part)

        numbers = range(wanted.start // SHARD_ROWS, -(-wanted.stop // SHARD_ROWS)) if wanted else range(0)
        # Inflating and hashing let go of the interpreter, so threads are enough.
        with ThreadPoolExecutor(max(1, min(_MAX_THREADS, usable_cores(), len(numbers)))) as pool:
            for _ in _ordered(pool, fill, numbers):
                pass
        return result

    def _verified(self, number: int, names: tuple[str, ...] | None, into: Arrays | None = None) -> Arrays:
        path = self.folder / shard_file(number)
        try:
            arrays = read_arrays(path, self.spec, number, names, into)
        except InputError as error:
            raise InputError(f"{error} Restore it: {finish_command(self.spec, self.folder)}") from error
        for name, array in arrays.items():
            if array_sha256(array) != self._manifest.shards[number]["arrays"][name]:
                raise InputError(
                    f"The shard {path} is not the one that was written: its {name} have another hash. "
                    f"Restore it: {finish_command(self.spec, self.folder)}"
                )
        for row, what in impossible(self.spec, arrays).items():
            raise InputError(
                f"The shard {path} holds what the spec in {MANIFEST} has not, at sample "
                f"{shard_rows(self.spec, number)[row]} ({what[0]}); one of the two was changed. "
                f"Restore it: {finish_command(self.spec, self.folder)}"
            )
        return arrays


def _ordered(pool: ThreadPoolExecutor, function: Callable[[int], None], numbers: range) -> Iterator[None]:
    """Run over all numbers; after the first failure no other is begun."""
    futures = [pool.submit(function, number) for number in numbers]
    try:
        for future in futures:
            yield future.result()
    finally:
        for future in futures:
            future.cancel()


def open_dataset(folder: Path | str) -> Dataset:
    """Open a finished data set.

    Raises:
        InputError: there is none, it is unfinished, a newer bboxbench wrote it, or its manifest was changed or may not
            be read.
    """
    return Dataset(Path(folder), read_manifest(Path(folder)))
