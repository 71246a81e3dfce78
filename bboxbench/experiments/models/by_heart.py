"""Whether a network learned a few pictures by heart, and what it means if it did not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bboxbench.boxes import iou
from bboxbench.experiments.diagnosis import diagnose
from bboxbench.experiments.diagnosis.advice import ADVICE, Advice

__all__ = ["ByHeart", "learned_by_heart"]

STILL_RISING = 0.02
"""A network still gets better where its mean IoU rose by this much over the last quarter of its epochs."""
MOST_ADVICE = 3
"""Pieces of advice a person will read."""


@dataclass(frozen=True)
class ByHeart:
    """What became of the attempt."""

    learned: bool
    """Whether every box has an IoU of at least the threshold."""
    right: int
    """Boxes that have."""
    count: int
    """Pictures to be learned."""
    epochs: int
    """How many it took, or how many were tried."""
    mean_iou: float
    headline: str
    """One sentence: learned or not, in numbers."""
    meaning: str
    """What follows from it."""
    advice: tuple[Advice, ...]
    """What to try, most promising first; none where it was learned."""


def learned_by_heart(
    y_true: npt.NDArray[Any],
    y_pred: npt.NDArray[Any],
    width: int,
    height: int,
    epochs: Sequence[dict[str, Any]],
    iou_threshold: float = 0.5,
    finite: bool = True,
    known: Sequence[str] = (),
) -> ByHeart:
    """Judge a network by the pictures that it was to learn by heart.

    Args:
        y_true: their true boxes, xyxy in pixels, shape (n, 4).
        y_pred: what it says of them, the same.
        width: of the pictures, in pixels.
        height: the same.
        epochs: a row an epoch, with ``val_mean_iou`` over these pictures.
        iou_threshold: in (0, 1]; a box with at least this IoU is right.
        finite: whether every loss and weight stayed finite.
        known: names of `ADVICE` that the network's own setting asks for, before any that its boxes suggest.
    """
    overlap = iou(y_true, y_pred)
    right, count, tried = int((overlap >= iou_threshold).sum()), len(overlap), len(epochs)
    mean = float(overlap.mean())
    learned = finite and right == count
    after = f"{tried} epoch{'' if tried == 1 else 's'}"
    said = f"{right} of {count} boxes have IoU >= {iou_threshold:g} after {after}, mean IoU {mean:.2f}"
    if learned:
        meaning = (
            "Network, loss, learning rate and start can fit pictures. If it fails on more of them, look there: at how "
            "many there are, how long it trains, dropout, and pictures that are not like those it learned."
        )
        return ByHeart(True, right, count, tried, mean, f"Learned by heart: {said}.", meaning, ())
    found = diagnose(
        y_true,
        y_pred,
        bounding_box_format="xyxy",
        width=width,
        height=height,
        iou_threshold=iou_threshold,
        finite=finite,
    )
    what = ", ".join(word for word in (found.outcome, found.symptom) if word)
    # It was not told to learn anything that it had not seen: what concerns other pictures does not help here.
    beside = {ADVICE[name] for name in ("overfit ten", "training pictures", "ceiling", "seeds", "metric")}
    every = (*(ADVICE[name] for name in known), *found.advice, ADVICE["tune rate"])
    advice = tuple(each for each in dict.fromkeys(every) if each not in beside)[:MOST_ADVICE]
    if finite and _rising(epochs):
        meaning = (
            f"It was still getting better: give it longer first, with --epochs {3 * tried}, or a higher learning rate. "
            "Only if it then stands still is something wrong."
        )
    elif not finite:
        meaning = (
            f"A loss or a weight was no finite number any more in epoch {tried}. No amount of pictures mends that: the "
            "fault lies in the loss or in its learning rate."
        )
    else:
        meaning = (
            f"A network that cannot learn {count} pictures by heart will not learn thousands: more pictures, more "
            "epochs and regularisation mend nothing. The fault lies in the loss, its learning rate, the first box, the "
            "starting weights, or in pictures and boxes that do not belong together."
        )
    return ByHeart(False, right, count, tried, mean, f"Not learned by heart ({what}): {said}.", meaning, advice)


def _rising(epochs: Sequence[dict[str, Any]]) -> bool:
    """Whether the mean IoU still rises at the end: means over quarters, for single epochs jump."""
    values = np.array([row["val_mean_iou"] for row in epochs], np.float64)
    quarter = len(values) // 4
    if quarter == 0:
        return True
    return bool(values[-quarter:].mean() - values[-2 * quarter : -quarter].mean() >= STILL_RISING)
