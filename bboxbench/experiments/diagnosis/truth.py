"""Which format boxes are in, as far as the true ones say: they have area and lie within the picture."""

from __future__ import annotations

import numpy as np

from bboxbench.boxes import BOX_FORMATS, Array, to_xyxy
from bboxbench.errors import InputError

__all__ = ["check_truth", "formats_that_fit", "guess_format", "outside"]

TOLERANCE = 0.01
"""By how much of the picture's length a true box may leave it: some labels are 1-based, some rounded."""

Size = tuple[float | None, float | None]


def guess_format(y_true: Array, order: str = "xyxy") -> str:
    """The format of boxes whose order is known: ``rel_`` where no true number is above 1.

    Args:
        y_true: true boxes, shape (n, 4).
        order: one of `BOX_FORMATS` without ``rel_``.
    """
    return f"rel_{order}" if len(y_true) and np.nanmax(y_true) <= 1 else order


def check_truth(y_true: Array, box_format: str, size: Size) -> Array:
    """The true boxes as xyxy in pixels, if they are boxes.

    Raises:
        InputError: a number is not finite, or a box has no area; the first such row is named, counted from 1, and a
            format in which all have area.
    """
    true = to_xyxy(y_true, box_format, *size)
    broken = np.flatnonzero(~np.isfinite(true).all(axis=1))
    if broken.size:
        raise InputError(
            f"Expected finite true boxes. Received NaN or infinity in {broken.size:,} of {len(true):,}, "
            f"first in row {broken[0] + 1}."
        )
    flat = np.flatnonzero((true[:, 2:] <= true[:, :2]).any(axis=1))
    if flat.size:
        fits = formats_that_fit(y_true, box_format, size)
        hint = f"As {fits[0]} all have: choose that format." if fits else "Leave rows without a box out."
        # In a file of boxes without area that are merely turned round no side is 0.
        if flat.size == len(true) > 1 and (true[:, 2:] != true[:, :2]).all():
            turned = "the second corner comes first: exchange the corners"
            hint = f"{hint} Or {turned}." if fits else f"In every row {turned}."
        raise InputError(
            f"Expected true boxes with area. Received {flat.size:,} of {len(true):,} without, read as {box_format}, "
            f"first in row {flat[0] + 1}. {hint}"
        )
    return true


def outside(true: Array, size: Size) -> float:
    """Share of boxes (xyxy in pixels) that leave the picture by more than `TOLERANCE`; edges not known hold all."""
    width, height = (np.inf if length is None else length for length in size)
    low = -TOLERANCE * np.array([true[:, 2].max() if np.isinf(width) else width] * 2)
    high = (1 + TOLERANCE) * np.array([width, height])
    return float(((true[:, :2] < low) | (true[:, 2:] > high)).any(axis=1).mean())


def formats_that_fit(y_true: Array, box_format: str, size: Size) -> list[str]:
    """The other formats of the same unit in which every true box has area and lies within the picture."""
    relative = box_format.startswith("rel_")
    found = []
    for name in BOX_FORMATS:
        if name != box_format and name.startswith("rel_") == relative:
            true = to_xyxy(y_true, name, *size)
            if (true[:, 2:] > true[:, :2]).all() and outside(true, size) == 0:
                found.append(name)
    return found
