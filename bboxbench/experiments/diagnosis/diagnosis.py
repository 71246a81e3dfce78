"""From two arrays of boxes to what is wrong with the network, or with the arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bboxbench.boxes import BOX_FORMATS, Array, iou, to_xyxy
from bboxbench.errors import InputError, unknown_name
from bboxbench.experiments.diagnosis.advice import Advice, advise
from bboxbench.experiments.diagnosis.evidence import Evidence, gather, largest_number
from bboxbench.experiments.diagnosis.mistakes import OUTSIDE, Mistake, find_mistake
from bboxbench.experiments.diagnosis.truth import check_truth, guess_format, outside

__all__ = ["Diagnosis", "diagnose"]

EDGE_ERROR_PX = 2.0
"""Of the thought experiment: how good would a network be that errs by this much on every edge?"""


@dataclass(frozen=True)
class Diagnosis:
    """What became of a network, what shows it, and what to try; `diagnose` makes it, ``print`` shows it.

    Attributes:
        box_format: how the boxes were read, one of `bboxbench.boxes.BOX_FORMATS`.
        guessed: whether that was guessed.
        width: of the pictures in pixels, None where it is not known.
        height: the same.
        network: evidence on the predictions.
        mean_box: the same on the mean true box as the prediction for every picture: what one learns without looking.
        largest: how often each of a true box's four numbers, as they came, is the largest; sums to 1.
        ceiling: box accuracy of a network that errs by two pixels on every edge of these boxes.
        mistake: a slip that explains the predictions better than the network does, if one was found.
        advice: what to try, most promising first.
        notes: what limits all this, each in one line.
        true: true boxes, xyxy in pixels, (n, 4).
        predicted: the same.
    """

    box_format: str
    guessed: bool
    width: float | None
    height: float | None
    network: Evidence
    mean_box: Evidence
    largest: tuple[float, ...]
    ceiling: float
    mistake: Mistake | None
    advice: tuple[Advice, ...]
    notes: tuple[str, ...]
    true: Array = field(repr=False, compare=False)
    predicted: Array = field(repr=False, compare=False)

    @property
    def outcome(self) -> str:
        """``converged``, ``learning``, ``blind`` or ``diverged``: see `bboxbench.experiments.outcomes`."""
        return self.network.measures.outcome

    @property
    def symptom(self) -> str:
        """``pinned``, ``inverted``, ``constant`` or empty."""
        return self.network.measures.symptom

    @property
    def n(self) -> int:
        """Number of boxes."""
        return len(self.true)

    def text(self, width: int = 80) -> str:
        """Everything in words and small block histograms, no line longer than ``width`` characters (60 or more)."""
        from bboxbench.experiments.diagnosis.words import report

        return report(self, width)

    def __str__(self) -> str:
        return self.text()

    def to_dict(self) -> dict[str, Any]:
        """Everything but the boxes, as plain values for JSON; shares and lengths as in the attributes."""
        from bboxbench.experiments.diagnosis.words import verdict

        mistake = self.mistake and {
            name: getattr(self.mistake, name)
            for name in ("kind", "text", "remedy", "source", "certain", "mean_iou", "box_accuracy")
        }
        return {
            "outcome": self.outcome,
            "symptom": self.symptom,
            "verdict": verdict(self),
            "n": self.n,
            "box_format": self.box_format,
            "guessed": self.guessed,
            "width": self.width,
            "height": self.height,
            "network": _plain(self.network),
            "mean_box": _plain(self.mean_box),
            "largest": list(self.largest),
            "ceiling": self.ceiling,
            "mistake": mistake,
            "advice": [vars(each) for each in self.advice],
            "notes": list(self.notes),
        }

    def save_png(self, path: str | Path) -> None:
        """Draw one page and replace the file at ``path`` by it.

        Raises:
            CannotWrite: disk full, no permission.
        """
        from bboxbench.experiments.diagnosis.page import save_page

        save_page(self, Path(path))


def _plain(evidence: Evidence) -> dict[str, Any]:
    return {
        **evidence.measures.row(),
        "keras_accuracy": evidence.keras_accuracy,
        "no_overlap": evidence.no_overlap,
        "not_finite": evidence.not_finite,
        "iou_histogram": list(evidence.measures.histogram),
        "sides": [vars(side) for side in evidence.sides],
    }


def diagnose(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    *,
    bounding_box_format: str | None = None,
    width: float | None = None,
    height: float | None = None,
    iou_threshold: float = 0.5,
    finite: bool = True,
) -> Diagnosis:
    """Say what is wrong with a network's boxes: outcome and symptom, evidence, slips, and what to try.

    Args:
        y_true: true boxes, shape (n, 4); (n, 1, 4) will do.
        y_pred: predicted boxes, the same.
        bounding_box_format: of both, one of `bboxbench.boxes.BOX_FORMATS`; by default ``xyxy``, or ``rel_xyxy`` where
            no true number is above 1.
        width: of the pictures in pixels. Relative boxes need it; without it pixel boxes are not checked for clinging
            to the right edge.
        height: the same, for the bottom edge.
        iou_threshold: in (0, 1]; a box with at least this IoU counts for box accuracy.
        finite: whether every loss and weight of the training stayed finite.

    Raises:
        InputError: shapes that do not pair, an unknown format, relative boxes without width and height, a threshold
            or a size out of range, true boxes that are none.
    """
    raw_true, raw = _boxes(y_true, "true"), _boxes(y_pred, "predicted")
    if raw_true.shape != raw.shape or not len(raw):
        raise InputError(
            "Expected as many predicted boxes as true ones, at least one. "
            f"Received: {len(raw_true)} true, {len(raw)} predicted."
        )
    for name, length in (("width", width), ("height", height)):
        if length is not None and not (isinstance(length, Real) and math.isfinite(length) and length >= 1):
            raise InputError(f"Expected the {name} of the pictures in pixels, 1 or more. Received: {length!r}.")
    if (width is None) != (height is None):
        alone = f"height={height:g}" if width is None else f"width={width:g}"
        raise InputError(f"Expected width and height of the pictures, give both. Received: {alone} alone.")
    if not 0 < iou_threshold <= 1:
        raise InputError(f"Expected an IoU threshold above 0 and up to 1. Received: {iou_threshold}.")
    box_format = bounding_box_format or guess_format(raw_true)
    if box_format not in BOX_FORMATS:
        raise unknown_name("box format", box_format, BOX_FORMATS)
    size = (width, height)
    true = check_truth(raw_true, box_format, size)
    predicted = to_xyxy(raw, box_format, *size)
    # What is not finite in training comes before all that its boxes may look like.
    mistake = find_mistake(true, (raw_true, raw), box_format, size, iou_threshold) if finite else None
    network = gather(true, predicted, (raw_true, raw), size, iou_threshold=iou_threshold, finite=finite)
    same = np.tile(true.mean(axis=0), (len(true), 1)), np.tile(raw_true.mean(axis=0), (len(true), 1))
    mean_box = gather(true, same[0], (raw_true, same[1]), size, iou_threshold=iou_threshold, finite=True)
    ceiling = _ceiling(true, iou_threshold)
    return Diagnosis(
        box_format=box_format,
        guessed=bounding_box_format is None,
        width=width,
        height=height,
        network=network,
        mean_box=mean_box,
        largest=tuple(largest_number(raw_true).tolist()),
        ceiling=ceiling,
        mistake=mistake,
        advice=advise(network, mistake, ceiling, finite),
        notes=tuple(_notes(true, network, size)),
        true=true,
        predicted=predicted,
    )


def _boxes(boxes: npt.ArrayLike, kind: str) -> Array:
    try:
        found = np.asarray(boxes, np.float64)
    except (TypeError, ValueError):
        raise InputError(
            f"Expected {kind} boxes as numbers of shape (n, 4). Received: {type(boxes).__name__}."
        ) from None
    if found.ndim == 3 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim != 2 or found.shape[1] != 4:
        raise InputError(f"Expected {kind} boxes of shape (n, 4), one box a picture. Received: {found.shape}.")
    return found


def _ceiling(true: Array, iou_threshold: float) -> float:
    """Box accuracy if every edge is off by `EDGE_ERROR_PX`, inwards or outwards by the toss of a coin."""
    off = np.random.default_rng(0).choice([-EDGE_ERROR_PX, EDGE_ERROR_PX], true.shape)
    return float(np.mean(iou(true, true + off) >= iou_threshold))


def _notes(true: Array, network: Evidence, size: tuple[float | None, float | None]) -> list[str]:
    notes = []
    if None in size:
        notes.append(
            "Without the size of the pictures nobody can see whether the right and the bottom side is pinned: "
            "give width and height."
        )
    if 0 < network.not_finite < 1:
        notes.append(
            "Sides, correlation and spread leave out the boxes that are not finite. Without their rows in the file "
            "the others are diagnosed."
        )
    left = outside(true, size)
    if 0 < left < OUTSIDE:
        notes.append(f"{left:.1%} of the true boxes leave the picture.")
    return notes
