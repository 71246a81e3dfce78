"""What docs/images/losses shows of a loss, as numbers: its values and gradients where a box slides and grows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from losses_page import built_in

from bboxbench import losses
from bboxbench.gradients import value_and_gradient

PIXELS = 32.0
"""Side of the true box for losses whose defaults are for pixels; it is 1 for all others."""

OFFSETS = np.array([-2.9, -2.3, -1.7, -1.1, -0.7, -0.2, 0.1, 0.4, 0.9, 1.4, 2.1, 2.7])
SIDES = np.array([-0.95, -0.6, -0.25, 0.1, 0.3, 0.6, 0.95, 1.1, 1.5, 1.9, 2.4, 2.9])
"""Where values are kept in the picture: between the kinks, on which gradients are a matter of convention."""

Array = npt.NDArray[np.float64]
Boxes = tuple[Array, Array]
Curve = tuple[Array, Array]


def side_of(name: str) -> float:
    """Side of the true box that a loss is drawn with, in the unit that its defaults are for."""
    return PIXELS if "pixels" in built_in()[name].card.units else 1.0


TRUE = np.array([-0.5, -0.5, 0.5, 0.5])
RIGHT = np.array([1.0, 0.0, 1.0, 0.0])


def sliding(offsets: Array) -> Boxes:
    """Boxes of the true one's size whose centres lie ``offsets`` sides to its right, and how a side further moves them."""
    boxes = TRUE + offsets[:, None] * RIGHT
    return boxes, np.broadcast_to(RIGHT, boxes.shape)


def growing(sides: Array) -> Boxes:
    """Squares on the true one's centre, ``sides`` times as large and inverted below 0, and how a side more moves them."""
    boxes = sides[:, None] * TRUE
    return boxes, np.broadcast_to(TRUE, boxes.shape)


def curve(name: str, boxes: Array, ways: Array) -> Curve:
    """The loss of each box, and its gradient along the way of that box, both shape (n,)."""
    side = side_of(name)
    values, gradients = value_and_gradient(losses.get(name), np.broadcast_to(TRUE, boxes.shape) * side, boxes * side)
    return values, (gradients * ways).sum(axis=-1) * side


def samples(name: str) -> dict[str, Any]:
    """What a picture keeps of the values it shows, in 4 significant digits; what is not finite is in words."""
    both = zip(sliding(OFFSETS), growing(SIDES), strict=True)
    values, gradients = curve(name, *(np.concatenate(part) for part in both))
    found: dict[str, Any] = {"loss": name, "side": side_of(name)}
    for kind, at, where in (("slide", OFFSETS, slice(len(OFFSETS))), ("grow", SIDES, slice(len(OFFSETS), None))):
        found[kind] = {"at": at.tolist(), "value": _rounded(values[where]), "gradient": _rounded(gradients[where])}
    return found


def overview_samples() -> dict[str, Any]:
    """What the overview keeps: the sliding curve of every loss."""
    return {name: samples(name)["slide"] for name in built_in()}


def _rounded(numbers: Array) -> list[float | str]:
    return [float(f"{number:.4g}") if math.isfinite(number) else str(number) for number in numbers.tolist()]
