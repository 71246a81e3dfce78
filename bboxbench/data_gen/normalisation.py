"""Grey levels as the network takes them, and the way back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bboxbench.errors import InputError

__all__ = ["LEVELS", "normalise", "to_grey_levels"]

LEVELS: npt.NDArray[np.float32] = ((np.arange(256, dtype=np.float32) - np.float32(127.5)) / np.float32(127.5)).astype(
    np.float32
)
"""The value of every grey level: float32 (256,), -1 to 1. Looked up, so that every reader gets the same bits."""
LEVELS.setflags(write=False)


def normalise(grey: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """``(grey - 127.5) / 127.5`` with an axis for the channel: uint8 (...) to float32 (..., 1) in [-1, 1].

    Raises:
        InputError: not of type uint8.
    """
    levels = np.asarray(grey)
    if levels.dtype != np.uint8:
        raise InputError(f"Expected grey levels as uint8, 0..255, received {levels.dtype}.")
    return np.asarray(LEVELS[levels][..., np.newaxis], np.float32)


def to_grey_levels(x: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """The way back from `normalise`: (..., 1) in [-1, 1] to uint8 (...), rounded; values beyond are cut to 0 and 255.

    Raises:
        InputError: the last axis is not one channel.
    """
    values = np.asarray(x, np.float64)
    if values.ndim == 0 or values.shape[-1] != 1:
        raise InputError(f"Expected pictures with one channel, (..., 1), received shape {values.shape}.")
    return np.clip(np.rint(values[..., 0] * 127.5 + 127.5), 0, 255).astype(np.uint8)
