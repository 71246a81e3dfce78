"""Samples drawn while a network trains: a data set without a folder, bit for bit what the folder would give."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from bboxbench.boxes import relative_boxes
from bboxbench.data_gen.colours import luma_of_images
from bboxbench.data_gen.draws import ORDER, random_order
from bboxbench.data_gen.normalisation import LEVELS, normalise
from bboxbench.data_gen.samples import paint_sample
from bboxbench.data_gen.spec import DatasetSpec
from bboxbench.data_gen.spec_checks import truth
from bboxbench.data_gen.splits import split_ranges
from bboxbench.errors import InputError, unknown_name

__all__ = ["FORMS", "TARGETS", "stream"]

FORMS = ("tf.data", "keras")

TARGETS = ("box", "mask", "class_map")
"""What a network may be asked for; the latter two are of a spec with masks."""

Batch = tuple[npt.NDArray[np.uint8], dict[str, npt.NDArray[Any]]]
Order = Sequence[int] | npt.NDArray[np.int64]


def stream(
    spec: DatasetSpec,
    seed: int | None = None,
    *,
    split: str | None = None,
    batch_size: int = 100,
    form: str = "tf.data",
    targets: str | Sequence[str] = "box",
    shuffle: bool = False,
    repeat: bool = False,
    epoch: int = 0,
    workers: int = 1,
    use_multiprocessing: bool = False,
) -> Any:
    """Draw samples on the fly, in batches, for ``fit``.

    Every pass gives the same samples, those that `generate` would write: ``spec.n`` of them, up to 100 million. Nothing
    is kept but the batches that wait. Which batch comes when depends on nothing that ``fit``, ``evaluate`` or
    ``predict`` did before.

    Args:
        spec: what to draw.
        seed: in place of the spec's.
        split: ``train``, ``validation`` or ``test``; by default all samples.
        batch_size: samples a batch, 1 or more; the last may be smaller.
        form: ``tf.data`` for a ``tf.data.Dataset``, ``keras`` for a ``keras.utils.PyDataset``.
        targets: one of `TARGETS` for that array alone, or several of them for a dictionary.
        shuffle: whether samples come in an order that is a pure function of seed and epoch, that is, of the pass's
            number. It is held in memory, 16 bytes a sample, 24 with ``repeat``.
        repeat: whether passes follow one another without an end, ``epoch``, ``epoch + 1`` and so on, each shuffled in
            an order of its own. Only for ``fit`` with ``steps_per_epoch``, and ``evaluate`` or ``predict`` with
            ``steps``: without them they never end. Not for ``validation_data``, in which Keras goes on from epoch to
            epoch where several workers draw. By default there is one pass, in the same order each time: leave
            steps out, and give ``fit`` ``shuffle=False``, else Keras puts a PyDataset's batches in an order of its own.
        epoch: the number of the first pass, 0 or more.
        workers: threads, or processes, that draw ahead.
        use_multiprocessing: whether a PyDataset's workers are processes: drawing is Python's own work, so threads take
            turns.

    Returns:
        Batches of (pictures, targets). Pictures are float32 (b, height, width, 1) in [-1, 1]; ``box`` is float32
        (b, 4), divided by [width, height, width, height]; ``mask`` is uint8 (b, height, width), 0 or 1;
        ``class_map`` is uint8 (b, height, width): 0, 1 + the glyph's place in ``spec.glyphs``, or 255, to be ignored.
        ``len`` counts the batches of a pass; a ``tf.data.Dataset`` that repeats has none.

    Raises:
        InputError: the spec is not one that can be drawn, its fonts or pictures are missing or others than they were,
            an argument is out of range or contradicts another, or there is nothing to repeat.
    """
    if not isinstance(spec, DatasetSpec):
        raise InputError(
            f"Expected a DatasetSpec, from which samples can be drawn, received {type(spec).__name__}; "
            "read pictures that were not drawn here from their folder: open_dataset(folder).tf_dataset(split)."
        )
    if form not in FORMS:
        raise unknown_name("form of a stream", str(form), FORMS)
    for name, value, least in (("batch_size", batch_size, 1), ("epoch", epoch, 0), ("workers", workers, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(f"Expected {name} to be a whole number of {least} or more, received {value!r}.")
    # A number of samples to shuffle among, as tf.data takes it, is not what is asked for.
    for name, value in (("shuffle", shuffle), ("repeat", repeat), ("use_multiprocessing", use_multiprocessing)):
        truth(name, value)
    if use_multiprocessing and form != "keras":
        raise InputError("Expected use_multiprocessing with form='keras', received it with 'tf.data'; leave it out.")
    spec = spec if seed is None else spec.changed(seed=seed)
    # Now, in words, and not from inside a batch.
    spec.check_sources()
    ranges = split_ranges(spec.n)
    if split is not None and split not in ranges:
        raise unknown_name("split", str(split), ranges)
    rows = range(spec.n) if split is None else ranges[split]
    if repeat and not rows:
        raise InputError(f"Expected a split with samples to repeat, received '{split}' of {spec.n}, which has none.")
    names = _targets(spec, targets)
    batches = _Batches(spec, rows, batch_size, names, isinstance(targets, str), shuffle, repeat, epoch)
    if form == "tf.data":
        return _tf_dataset(batches, workers)
    return _keras_dataset(batches, workers, use_multiprocessing)


def _targets(spec: DatasetSpec, targets: str | Sequence[str]) -> tuple[str, ...]:
    names = (targets,) if isinstance(targets, str) else tuple(targets)
    if not names:
        raise InputError(f"Expected one target or more of {', '.join(TARGETS)}, received none.")
    for name in names:
        if name not in TARGETS:
            raise unknown_name("target", str(name), TARGETS)
        if name != "box" and not spec.masks:
            raise InputError(
                f"Expected a spec with masks for the target '{name}'; change it: spec.changed(masks=True)."
            )
    return names


@dataclass(frozen=True)
class _Batches:
    """Which samples stand in which batch, and drawing one; no state, so any number of workers may share it."""

    spec: DatasetSpec
    rows: range
    size: int
    targets: tuple[str, ...]
    alone: bool
    shuffle: bool
    repeat: bool
    epoch: int

    def __len__(self) -> int:
        """Batches of a pass."""
        return -(-len(self.rows) // self.size)

    def order(self, epoch: int) -> Order:
        """Indices of an epoch's samples."""
        if not self.shuffle:
            return self.rows
        return self.rows.start + random_order(len(self.rows), self.spec.seed, ORDER, epoch)

    def draw(self, orders: _Orders, number: int) -> Batch:
        """Batch ``number``: pictures as grey levels, uint8 (b, height, width), and its targets by name."""
        passed, place = divmod(number, len(self)) if self.repeat else (0, number)
        indices = orders.of(self.epoch + passed)[place * self.size : (place + 1) * self.size]
        if not len(indices):
            raise IndexError(f"Expected a batch from 0 to {len(self) - 1}, received {number}.")
        height, width = self.spec.height, self.spec.width
        images = np.empty((len(indices), height, width, 3), np.uint8)
        boxes = np.empty((len(indices), 4), np.int16)
        maps = {name: np.empty(images.shape[:3], np.uint8) for name in self.targets if name != "box"}
        for row, index in enumerate(indices):
            sample = paint_sample(self.spec, int(index), images[row])
            boxes[row] = sample.box
            for name, found in maps.items():
                found[row] = getattr(sample, name)
        return luma_of_images(images), {"box": relative_boxes(boxes, width, height), **maps}

    def chosen(self, found: dict[str, Any]) -> Any:
        """The targets in the form that was asked for."""
        return found[self.targets[0]] if self.alone else {name: found[name] for name in self.targets}


class _Orders:
    """The orders of passes, each made when it is first asked for.

    Two are kept: at the end of a pass some workers are in the next one already.
    """

    def __init__(self, batches: _Batches) -> None:
        self._batches = batches
        self._lock = threading.Lock()
        # Now, so that worker processes which are forked have it.
        self._kept = {batches.epoch: batches.order(batches.epoch)}

    def of(self, epoch: int) -> Order:
        with self._lock:
            if epoch not in self._kept:
                # All but the last made.
                for old in list(self._kept)[:-1]:
                    del self._kept[old]
                self._kept[epoch] = self._batches.order(epoch)
            return self._kept[epoch]


def _tf_dataset(batches: _Batches, workers: int) -> Any:
    import tensorflow as tf

    orders = _Orders(batches)
    height, width = batches.spec.height, batches.spec.width
    kinds: dict[str, tuple[Any, tuple[int | None, ...]]] = {"box": (tf.float32, (None, 4))}
    kinds |= {name: (tf.uint8, (None, height, width)) for name in TARGETS if name != "box"}
    levels = tf.constant(LEVELS)

    def drawn(number: Any) -> tuple[Any, ...]:
        grey, found = batches.draw(orders, int(number))
        return (grey, *(found[name] for name in batches.targets))

    def batch(number: Any) -> tuple[Any, Any]:
        types = (tf.uint8, *(kinds[name][0] for name in batches.targets))
        grey, *arrays = tf.numpy_function(drawn, [number], types)
        grey = tf.ensure_shape(grey, (None, height, width))
        found = {
            name: tf.ensure_shape(array, kinds[name][1]) for name, array in zip(batches.targets, arrays, strict=True)
        }
        # Grey bytes cross from Python, and are looked up here: the same bits, with a quarter of the copying.
        return tf.gather(levels, tf.cast(grey[..., tf.newaxis], tf.int32)), batches.chosen(found)

    numbers = tf.data.Dataset.counter() if batches.repeat else tf.data.Dataset.range(len(batches))
    return numbers.map(batch, num_parallel_calls=workers, deterministic=True).prefetch(2 * workers)


def _keras_dataset(batches: _Batches, workers: int, use_multiprocessing: bool) -> Any:
    return _keras_class()(batches, workers, use_multiprocessing)


@lru_cache(maxsize=1)
def _keras_class() -> Any:
    """The PyDataset's class, made once: importing Keras takes seconds."""
    import keras

    class DrawnBatches(keras.utils.PyDataset):  # type: ignore[misc]  # Keras ships no types
        """Batches of samples, drawn when they are asked for.

        Which pass a batch belongs to is told by its number. Keras's epochs would not do: ``evaluate`` and ``predict``
        count as well, and with ``steps_per_epoch`` they end in the middle of a pass, while batches are drawn ahead.
        """

        def __init__(self, batches: _Batches, workers: int, use_multiprocessing: bool) -> None:
            super().__init__(workers=workers, use_multiprocessing=use_multiprocessing)
            self.batches = batches
            self._orders = _Orders(batches)

        def __reduce__(self) -> tuple[Any, ...]:
            # A class made in a function is not found by name, as where workers are spawned.
            return _keras_dataset, (self.batches, self.workers, self.use_multiprocessing)

        def __len__(self) -> int:
            return len(self.batches)

        @property
        def num_batches(self) -> int | None:
            # Without an end, Keras's numbers go on from one epoch to the next; else each begins at 0 with its workers.
            return None if self.batches.repeat else len(self.batches)

        def __getitem__(self, number: int) -> tuple[Any, Any]:
            grey, found = self.batches.draw(self._orders, number)
            return normalise(grey), self.batches.chosen(found)

    return DrawnBatches
