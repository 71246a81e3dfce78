"""What became of a run: measures, outcome and symptom, from true and predicted boxes alone.

Nothing here knows who predicted the boxes, so it serves anybody's network. Every threshold stands in this module.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from bboxbench.boxes import Array, iou
from bboxbench.errors import InputError

__all__ = [
    "HISTOGRAM_EDGES",
    "OUTCOMES",
    "SYMPTOMS",
    "Measures",
    "keras_accuracy",
    "measure",
    "sides_follow",
]

OUTCOMES = ("converged", "learning", "blind", "diverged")
SYMPTOMS = ("pinned", "inverted", "constant")

CONVERGED_ACCURACY = 0.9
"""`converged`: at least this share of boxes passes the IoU threshold."""
BLIND_CORRELATION = 0.5
"""`blind`: the mean correlation of predicted and true sides is below this."""
PINNED_DISTANCE_PX = 0.5
"""A side is pinned when it lies this near to the picture's edge and the true side does not."""
SYMPTOM_SHARE = 0.5
"""`pinned` and `inverted`: at least this share of the predictions shows it."""
CONSTANT_SPREAD = 0.1
"""`constant`: the mean over the sides of predicted / true standard deviation is below this."""
LARGEST = 1e150
"""A coordinate beyond this is taken for infinite: its square is past float64."""
HISTOGRAM_EDGES = np.linspace(0.0, 1.0, 21)
"""Edges of the IoU histogram: 20 bins of 0.05; the last one includes 1."""


@dataclass(frozen=True)
class Measures:
    """Everything measured on one set of predictions. Lengths are in pixels, shares in [0, 1]."""

    outcome: str
    symptom: str
    box_accuracy: float
    box_accuracy_75: float
    box_accuracy_90: float
    iou_threshold: float
    mean_iou: float
    iou_p05: float
    iou_p25: float
    iou_p50: float
    iou_p75: float
    iou_p95: float
    centre_error_px: float
    size_error_px: float
    edge_error_px: float
    correlation: float
    spread: float
    pinned_left: float
    pinned_top: float
    pinned_right: float
    pinned_bottom: float
    inverted: float
    keras_accuracy: float
    histogram: tuple[int, ...]

    def row(self) -> dict[str, Any]:
        """The measures by column name, without the histogram."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "histogram"}


def keras_accuracy(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> Array:
    """What ``metrics=["accuracy"]`` shows on four outputs: how often the *largest* coordinate is the same one.

    Keras takes four floating outputs for class scores and compares the argmax. The largest of a box's four numbers is
    nearly always xmax or ymax, so a network that ignores the picture can read 0.95.

    Args:
        y_true: true boxes as the network learns them, shape (n, 4), relative to the picture.
        y_pred: predictions in the same unit, shape (..., n, 4).

    Returns:
        Values in [0, 1], shape (...).
    """
    t, p = np.asarray(y_true), np.asarray(y_pred)
    return np.asarray(np.mean(np.argmax(t, axis=-1) == np.argmax(p, axis=-1), axis=-1))


def measure(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    width: float,
    height: float,
    *,
    iou_threshold: float = 0.5,
    finite: bool = True,
) -> Measures:
    """Measure predictions and name their outcome and symptom.

    The outcome is the first of these that holds:

    - ``diverged``: a loss, a weight or a predicted coordinate is not finite (or beyond 1e150)
    - ``converged``: box accuracy is at least 0.9
    - ``blind``: the mean over the four sides of Pearson's r between predicted and true is below 0.5, a constant side
      counting 0: the box ignores the picture
    - ``learning``: anything else

    The symptom is the first of these that holds, else empty:

    - ``pinned``: at least half the predictions have a side within half a pixel of the picture's edge (or beyond it)
      where the true side is not
    - ``inverted``: at least half have xmax <= xmin or ymax <= ymin
    - ``constant``: the mean over the sides of predicted / true standard deviation is below 0.1; said of two boxes or
      more, and where the true ones differ

    Args:
        y_true: true boxes, xyxy in pixels, shape (n, 4), n >= 1.
        y_pred: predicted boxes, xyxy in pixels, shape (n, 4).
        width: of the pictures, in pixels; infinite where it is not known, so that no side is pinned to that edge.
        height: likewise.
        iou_threshold: in (0, 1]; a box with at least this IoU counts for box accuracy.
        finite: whether every loss and weight of the training stayed finite.

    Raises:
        InputError: the shapes differ, are not (n, 4), or n is 0; a true coordinate is not finite, a true box is
            inverted or has no area, or no true coordinate is above 1, as in relative boxes.
    """
    t, p = np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64)
    if t.shape != p.shape or t.ndim != 2 or t.shape[1] != 4 or not len(t):
        raise InputError(f"Expected true and predicted boxes of one shape (n, 4). Received: {t.shape} and {p.shape}.")
    p = np.where(np.abs(p) > LARGEST, np.copysign(np.inf, p), p)
    if not (np.abs(t) <= LARGEST).all():
        raise InputError("Expected finite true boxes. Received one with NaN or infinity.")
    if (t[:, 2:] <= t[:, :2]).any():
        raise InputError("Expected true boxes as xmin, ymin, xmax, ymax. Received one with its second corner first.")
    if t.max() <= 1 < min(width, height):
        raise InputError("Expected boxes in pixels. Received relative ones, see bboxbench.boxes.to_pixels.")
    usable: npt.NDArray[np.bool_] = np.asarray(np.isfinite(p).all(axis=1))
    overlap = iou(t, p)
    near = _pinned(t, p, width, height) & usable[:, None]
    upside_down = usable & ((p[:, 2] <= p[:, 0]) | (p[:, 3] <= p[:, 1]))
    correlation, spread = (float(of_side.mean()) for of_side in sides_follow(t[usable], p[usable]))
    accuracy = float(np.mean(overlap >= iou_threshold))

    if not finite or not usable.all():
        outcome = "diverged"
    elif accuracy >= CONVERGED_ACCURACY:
        outcome = "converged"
    elif correlation < BLIND_CORRELATION:
        outcome = "blind"
    else:
        outcome = "learning"

    if near.any(axis=1).mean() >= SYMPTOM_SHARE:
        symptom = "pinned"
    elif upside_down.mean() >= SYMPTOM_SHARE:
        symptom = "inverted"
    elif usable.sum() > 1 and _moves(t[usable]).any() and spread < CONSTANT_SPREAD:
        symptom = "constant"
    else:
        symptom = ""

    percentiles = np.percentile(overlap, [5, 25, 50, 75, 95])
    edges = np.array([width, height, width, height], np.float64)
    return Measures(
        outcome=outcome,
        symptom=symptom,
        box_accuracy=accuracy,
        box_accuracy_75=float(np.mean(overlap >= 0.75)),
        box_accuracy_90=float(np.mean(overlap >= 0.9)),
        iou_threshold=iou_threshold,
        mean_iou=float(overlap.mean()),
        **{f"iou_p{q:02d}": float(v) for q, v in zip((5, 25, 50, 75, 95), percentiles, strict=True)},
        **_errors(t[usable], p[usable]),
        correlation=correlation,
        spread=spread,
        **{f"pinned_{side}": float(near[:, i].mean()) for i, side in enumerate(("left", "top", "right", "bottom"))},
        inverted=float(upside_down.mean()),
        keras_accuracy=float(keras_accuracy(t / edges, p / edges)),
        histogram=tuple(int(count) for count in np.histogram(overlap, HISTOGRAM_EDGES)[0]),
    )


def _pinned(t: Array, p: Array, width: float, height: float) -> npt.NDArray[np.bool_]:
    """Which of the four sides of each prediction cling to the picture's edge, shape (n, 4)."""
    distance_true = np.stack([t[:, 0], t[:, 1], width - t[:, 2], height - t[:, 3]], axis=1)
    distance_pred = np.stack([p[:, 0], p[:, 1], width - p[:, 2], height - p[:, 3]], axis=1)
    return np.asarray((distance_pred <= PINNED_DISTANCE_PX) & (distance_true > PINNED_DISTANCE_PX))


def sides_follow(t: Array, p: Array) -> tuple[Array, Array]:
    """How each of the four sides follows the true one; `measure` takes the mean over them.

    Args:
        t: true boxes, xyxy in any unit, shape (n, 4), finite, of no coordinate beyond `LARGEST`.
        p: predicted boxes in the same unit, shape (n, 4), likewise.

    Returns:
        Pearson's r of predicted and true, 0 where one of them never moves, shape (4,); and predicted / true standard
        deviation, 1 where the true side never moves, shape (4,). Both are 0 for fewer than two boxes.
    """
    if len(t) < 2:
        return np.zeros(4), np.zeros(4)
    dt, dp = t - t.mean(axis=0), p - p.mean(axis=0)
    st, sp = np.sqrt((dt**2).mean(axis=0)), np.sqrt((dp**2).mean(axis=0))
    # Predictions that are one number differ in their last bits at most: that is no movement, and its r means nothing.
    true_moves = _moves(t)
    moves = true_moves & (sp > 1e-6 * np.maximum(1.0, np.abs(p).max(axis=0)))
    r = np.divide((dt * dp).mean(axis=0), st * sp, out=np.zeros(4), where=moves)
    # A true side that never moves asks for no movement.
    return r, np.divide(sp, st, out=np.ones(4), where=true_moves)


def _moves(t: Array) -> npt.NDArray[np.bool_]:
    """Which true sides differ from box to box, shape (4,): by their values, for a deviation has rounding in it."""
    return np.asarray(np.ptp(t, axis=0) > 0)


def _errors(t: Array, p: Array) -> dict[str, float]:
    """Mean distance of centres, mean |difference| of width and height, mean |difference| of the four edges, in px."""
    if not len(t):
        return dict.fromkeys(("centre_error_px", "size_error_px", "edge_error_px"), float("nan"))
    centre = (p[:, :2] + p[:, 2:] - t[:, :2] - t[:, 2:]) / 2
    size = (p[:, 2:] - p[:, :2]) - (t[:, 2:] - t[:, :2])
    return {
        "centre_error_px": float(np.hypot(centre[:, 0], centre[:, 1]).mean()),
        "size_error_px": float(np.abs(size).mean()),
        "edge_error_px": float(np.abs(p - t).mean()),
    }
