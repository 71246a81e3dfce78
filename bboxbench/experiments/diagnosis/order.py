"""Predictions whose rows are not those of the true boxes: shifted, reversed, sorted as text, or shuffled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from bboxbench.boxes import Array
from bboxbench.experiments.outcomes import sides_follow

__all__ = ["reordered", "shuffled"]

SHUFFLED_ROWS = 100
"""Boxes from which a likeness of two sets says something."""
SHUFFLED_CORRELATION = 2.5
"""Rows of other pictures correlate by chance: less than this over the root of their number, mean over the sides;"""
SHUFFLED_DISTANCE = 0.12
"""while sides, widths and heights of both sets are spread alike: Kolmogorov and Smirnov's distance is below this,"""
SHUFFLED_SIDES_DISTANCE, SHUFFLED_PAIRS = 0.25, 0.6
"""or at least the sides are, by the first, and opposite sides move together, by a correlation above the second."""
RECIPE = "https://karpathy.github.io/2019/04/25/recipe/"

T = TypeVar("T")


def reordered(true: Array, predicted: Array) -> Iterator[tuple[str, str, Array]]:
    """The predictions in every order that a known slip could have taken from them: what it is, a remedy, the boxes."""
    n = len(true)
    if n < 3:
        return
    shift = _shift(true, predicted)
    if shift:
        rows = f"{abs(shift)} row{'s' if abs(shift) > 1 else ''} {'late' if shift > 0 else 'early'}"
        remedy = "Look for a row lost or doubled: a header read as data, a generator that starts anew, a dropped batch."
        yield f"The predictions come {rows}: moved back they fit the true boxes.", remedy, np.roll(predicted, -shift, 0)
    yield "The predictions are in reverse order.", "Turn one of the two round.", predicted[::-1]
    for first in (0, 1):
        as_text = np.array(sorted(range(first, n + first), key=str)) - first
        text = (
            "The predictions are in the order of file names sorted as text (1, 10, 100, 2), the true boxes as numbers"
        )
        remedy = "Sort both by the same key, or give file names leading zeros."
        back = np.empty_like(predicted)
        back[as_text] = predicted
        yield f"{text}.", remedy, back
        yield f"{text}, or the other way round.", remedy, predicted[as_text]


def _shift(true: Array, predicted: Array) -> int:
    """By how many rows the predictions lag behind the true boxes, as the best correlation over all lags says."""
    n = len(true)
    total: Array = np.zeros(n)
    for t, p in zip(true.T, predicted.T, strict=True):
        if p.std() > 1e-6 * max(1.0, float(np.abs(p).max())) and t.std() > 0:
            a, b = np.fft.rfft((t - t.mean()) / t.std()), np.fft.rfft((p - p.mean()) / p.std())
            total += np.fft.irfft(np.conj(a) * b, n)
    lag = int(np.argmax(total))
    return lag if lag <= n // 2 else lag - n


def shuffled(true: Array, predicted: Array, found: Callable[..., T]) -> T | None:
    """What looks like right boxes in no order at all; it cannot be undone, so it is a suspicion.

    A network that ignores the picture does not spread its boxes, their widths and their heights as the true ones are.

    Args:
        true: xyxy, shape (n, 4).
        predicted: the same.
        found: makes the result of its kind, text, remedy, source and certainty.
    """
    chance = SHUFFLED_CORRELATION / max(1, len(true)) ** 0.5
    if len(true) < SHUFFLED_ROWS or abs(float(sides_follow(true, predicted)[0].mean())) >= chance:
        return None
    distances = [_distance(t, p) for t, p in zip(_spans(true).T, _spans(predicted).T, strict=True)]
    together = min(_together(true), _together(predicted)) > SHUFFLED_PAIRS
    if max(distances) >= SHUFFLED_DISTANCE and not (together and max(distances[:4]) < SHUFFLED_SIDES_DISTANCE):
        return None
    text = (
        "The predicted boxes are spread as true ones but may belong to other pictures: the rows may be shuffled, "
        "here or in training, or the network guesses."
    )
    remedy = "Take pictures and boxes from the same batch, and shuffle neither alone: not for predict(), not for fit()."
    return found("rows", text, remedy, RECIPE, False)


def _spans(boxes: Array) -> Array:
    """The four sides, the width and the height, shape (n, 6)."""
    return np.concatenate([boxes, boxes[:, 2:] - boxes[:, :2]], axis=1)


def _together(boxes: Array) -> float:
    """The lower of the correlations of left with right and of top with bottom."""
    follows = sides_follow(boxes, boxes[:, [2, 3, 0, 1]])[0]
    return float(follows.min())


def _distance(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    """Kolmogorov and Smirnov's: the largest difference between the two cumulative distributions."""
    both = np.sort(np.concatenate([one, other]))
    below = [np.searchsorted(np.sort(values), both, side="right") / len(values) for values in (one, other)]
    return float(np.abs(below[0] - below[1]).max())
