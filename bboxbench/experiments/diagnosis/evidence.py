"""What the boxes themselves show: each side's histogram and how it follows the true one, and the accuracy trap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bboxbench.boxes import Array, iou
from bboxbench.experiments.outcomes import Measures, keras_accuracy, measure, sides_follow

__all__ = ["SIDES", "Evidence", "Side", "gather", "largest_number"]

SIDES = ("left", "top", "right", "bottom")
"""The four sides of a box, in the order xmin, ymin, xmax, ymax."""
BINS = 40
"""Bars of a side's histogram."""


@dataclass(frozen=True)
class Side:
    """One side of the boxes, over all pictures; pixels.

    Attributes:
        name: one of `SIDES`.
        correlation: Pearson's r of predicted and true; 0 where one of them never moves.
        spread: predicted / true standard deviation.
        pinned: share of predictions within half a pixel of the picture's edge where the true side is not; None where
            that edge is not known.
        edges: of the histogram's bins, one more than bins; what lies beyond counts in the outermost bins.
        true: how many true sides lie in each bin.
        predicted: the same of the predicted ones.
    """

    name: str
    correlation: float
    spread: float
    true_mean: float
    true_std: float
    predicted_mean: float
    predicted_std: float
    error_px: float
    pinned: float | None
    edges: tuple[float, ...]
    true: tuple[int, ...]
    predicted: tuple[int, ...]

    @property
    def moves(self) -> bool:
        """Whether the true side differs from box to box, by more than rounding: else its correlation is undefined."""
        return self.true_std > 1e-6 * max(1.0, abs(self.true_mean))


@dataclass(frozen=True)
class Evidence:
    """Of one set of predictions; `gather` makes it. Shares lie in [0, 1].

    Attributes:
        measures: as in a sweep. Where the size of the pictures is not known, ``pinned_right`` and ``pinned_bottom``
            are 0 and ``keras_accuracy`` is that of the numbers as they are.
        sides: the four of them.
        no_overlap: share of predictions whose IoU with the true box is 0.
        not_finite: share of predictions with a coordinate that is NaN or infinite.
        keras_accuracy: what ``metrics=["accuracy"]`` reads on these predictions, in the order and unit they came in.
    """

    measures: Measures
    sides: tuple[Side, ...]
    no_overlap: float
    not_finite: float
    keras_accuracy: float


def gather(
    true: Array,
    predicted: Array,
    given: tuple[Array, Array],
    size: tuple[float | None, float | None],
    *,
    iou_threshold: float,
    finite: bool,
) -> Evidence:
    """Measure predictions side by side.

    Args:
        true: xyxy in pixels, shape (n, 4).
        predicted: the same.
        given: both as they came, whatever format: Keras's accuracy depends on it.
        size: width and height of the pictures, each None where it is not known.
        iou_threshold: as in `measure`.
        finite: as in `measure`.

    Raises:
        InputError: as `measure`.
    """
    width, height = (np.inf if length is None else length for length in size)
    measures = measure(true, predicted, width, height, iou_threshold=iou_threshold, finite=finite)
    usable = np.isfinite(predicted).all(axis=1)
    overlap = iou(true, predicted)
    return Evidence(
        measures=measures,
        sides=_sides(true[usable], predicted[usable], true, measures, size),
        no_overlap=float(np.mean(overlap == 0)),
        not_finite=float(np.mean(~usable)),
        keras_accuracy=float(keras_accuracy(*given)),
    )


def _sides(
    t: Array, p: Array, true: Array, measures: Measures, size: tuple[float | None, float | None]
) -> tuple[Side, ...]:
    correlation, spread = sides_follow(t, p)
    pinned = (measures.pinned_left, measures.pinned_top, measures.pinned_right, measures.pinned_bottom)
    found = []
    for i, name in enumerate(SIDES):
        edges = _edges(true[:, i], p[:, i], size[i % 2])
        inside = np.clip(p[:, i], edges[0], edges[-1])
        found.append(
            Side(
                name=name,
                correlation=float(correlation[i]),
                spread=float(spread[i]),
                true_mean=float(true[:, i].mean()),
                true_std=float(true[:, i].std()),
                predicted_mean=float(p[:, i].mean()) if len(p) else float("nan"),
                predicted_std=float(p[:, i].std()) if len(p) else float("nan"),
                error_px=float(np.abs(p[:, i] - t[:, i]).mean()) if len(p) else float("nan"),
                pinned=None if i >= 2 and size[i % 2] is None else pinned[i],
                edges=tuple(edges.tolist()),
                true=tuple(np.histogram(np.clip(true[:, i], edges[0], edges[-1]), edges)[0].tolist()),
                predicted=tuple(np.histogram(inside, edges)[0].tolist()),
            )
        )
    return tuple(found)


def _edges(true: Array, predicted: Array, length: float | None) -> Array:
    """Bins over the picture, or over what is there where its size is not known."""
    if length is not None:
        return np.linspace(0.0, length, BINS + 1)
    high = float(max(true.max(), np.percentile(predicted, 99) if len(predicted) else 0.0, 1.0))
    # A far prediction must not squeeze all the rest into one bar.
    return np.linspace(0.0, min(high, 2.0 * max(float(true.max()), 1.0)), BINS + 1)


def largest_number(true: Array) -> Array:
    """How often each of a box's four numbers is the largest of its box, as they came; shape (4,), sum 1."""
    return np.bincount(np.argmax(true, axis=1), minlength=4) / len(true)
