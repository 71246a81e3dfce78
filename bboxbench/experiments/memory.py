"""How many networks train at once: what a training step needs against what the machine has left."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import psutil
import tensorflow as tf

from bboxbench.experiments.convolution import FILTER, STACKED, Geometry, Window

__all__ = ["MemoryNeed", "available_bytes", "share_memory"]

SHARE = 0.8
"""Of the free memory that a step may take; the rest is for whatever else starts in the meantime."""
BASE = 700_000_000
"""Bytes of compiled programs and of what allocators keep back, measured."""
WEIGHT_COPIES = 3
"""Of each weight beside the optimizer's numbers: itself, its gradient, and one while the update is computed."""
MAXIMA_COPIES = 5
"""Of the pooled responses at the widest moment: the features, their gradient, and it again on its way back."""
LARGEST = 2**31 - 1
"""Numbers in one array, lest an index of 32 bits somewhere below overflows."""


class MemoryNeed:
    """Bytes that a training step takes beside the pictures: a line over the number of networks.

    Args:
        batch: pictures a step.
        height: of the pictures, in pixels.
        width: of the pictures, in pixels.
        window: where only the glyph's surroundings are computed, else None.
        optimizer: a `keras.optimizers.Optimizer` not yet built.
        itemsize: bytes of a number of the convolution and the products: 4, or 2 with bfloat16.
    """

    def __init__(
        self, batch: int, height: int, width: int, window: Window | None, optimizer: Any, itemsize: int = 4
    ) -> None:
        full = Geometry.of(height, width)
        near = window.size if window else full
        filters = 4
        responses = filters * 4 * (near.rows + 1) * (near.columns + 1)
        maxima = filters * full.pooled
        self._most = LARGEST // max(batch * responses, batch * maxima, maxima * 200)
        weights = FILTER**2 * filters + filters + maxima * 200 + 200 + 200 * 64 + 64 + 64 * 4 + 4
        self.each = batch * (responses * itemsize + maxima * 4 * MAXIMA_COPIES)
        self.each += weights * 4 * (WEIGHT_COPIES + _numbers_a_weight(optimizer))
        """Bytes a network."""
        patches = 4 * (near.rows + 1 + (FILTER - STACKED) // 2) * (near.columns + 1) * STACKED * FILTER
        rows, columns = near.pixels
        self.shared = BASE + batch * (patches + rows * columns * FILTER) * itemsize
        """Bytes that do not depend on the number of networks: above all the shifted pictures."""

    def total(self, networks: int) -> int:
        """Bytes that so many networks take at their peak."""
        return self.shared + networks * self.each

    def fitting(self, memory: int) -> int:
        """How many networks ``memory`` bytes hold; one at least, which then has to be tried."""
        return max(1, min((memory - self.shared) // self.each, self._most))


def _numbers_a_weight(optimizer: Any) -> int:
    """How many numbers an optimizer keeps for each weight: 2 for Adam, 0 for plain SGD."""
    optimizer.build([keras.Variable([0.0, 0.0, 0.0])])
    return sum(tuple(variable.shape) == (3,) for variable in optimizer.variables)


_processes = 1


def share_memory(processes: int) -> None:
    """From now on the host's free memory is that of so many processes, this one among them, that train side by side."""
    global _processes
    _processes = processes


def available_bytes() -> int:
    """Memory a step may take: of the GPU where TensorFlow sees one, else of the host or the group it is held in.

    Of the host's this process has its part, see `share_memory`; a GPU is its own.
    """
    if tf.config.list_physical_devices("GPU"):
        from tensorflow.python.client import device_lib

        # This may be what opens the card: without growth it would take all of it.
        growing = tf.compat.v1.ConfigProto(gpu_options=tf.compat.v1.GPUOptions(allow_growth=True))
        devices = device_lib.list_local_devices(session_config=growing)
        if limits := [each.memory_limit for each in devices if each.device_type == "GPU"]:
            return int(SHARE * limits[0])
    free = int(psutil.virtual_memory().available)
    group = Path("/sys/fs/cgroup")
    # Not in such a group, or in one without a limit: one of the two cannot be read as a number.
    with suppress(OSError, ValueError):
        free = min(free, int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
    return int(SHARE * free / _processes)
