"""Slips that look like a network which does not learn: another format, unit, origin or order of the rows.

Each slip is undone on the predicted boxes. If they then follow the true boxes and overlap them far better than before,
and better than one box for all pictures could, the slip explains what is seen. Every threshold stands in this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bboxbench.boxes import BOX_FORMATS, Array, iou, to_xyxy
from bboxbench.experiments.diagnosis.order import reordered, shuffled
from bboxbench.experiments.diagnosis.truth import Size, formats_that_fit, outside
from bboxbench.experiments.outcomes import BLIND_CORRELATION, sides_follow

__all__ = ["KINDS", "OUTSIDE", "Mistake", "find_mistake"]

RISE = 0.15
"""By so much at least must the mean IoU rise when the slip is undone,"""
FACTOR = 1.5
"""and by this factor,"""
ABOVE_MEAN_BOX = 0.1
"""and lie so far above that of the mean box. The correlation must then be at least `BLIND_CORRELATION`."""
MARGIN = 0.03
"""A later slip must lead to a mean IoU this much higher than an earlier, simpler one."""
FIT_CORRELATION, FIT_IOU = 0.9, 0.5
"""A stretch or shift that is found by a fit, so without a reason known, must follow and overlap this well."""
STRETCH = 20.0
"""No picture is resized by more, and no shift is longer than the picture: beyond, the output has exploded."""
UNIT_LARGE, UNIT_SMALL, UNIT_LARGEST = 8.0, 2.0, 1e5
"""Relative boxes do not reach the first, pixel boxes hardly stay below the second, none pass the third."""
OUTSIDE = 0.05
"""Share of true boxes that leave the picture from which its size or the format must be wrong."""

KINDS = {
    "true boxes": "true boxes misread",
    "unit": "two units",
    "format": "formats mixed up",
    "size": "width and height mixed up",
    "corners": "corners exchanged",
    "mirrored": "boxes mirrored",
    "sigmoid": "sigmoid missing",
    "stretched": "boxes stretched or shifted",
    "rows": "rows mixed up",
}
"""Every kind of slip, and two or three words for it."""

FORMATS = "https://www.tensorflow.org/api_docs/python/tf/keras/utils/bounding_boxes/convert_format"
RECIPE = "https://karpathy.github.io/2019/04/25/recipe/"


@dataclass(frozen=True)
class Mistake:
    """A slip that explains the predictions, and how to mend it.

    Attributes:
        kind: one of `KINDS`.
        text: what it is, in one sentence.
        remedy: what to do.
        source: of the remedy.
        certain: whether undoing it was seen to mend the predictions.
        mean_iou: after undoing it; None where it cannot be undone.
        box_accuracy: the same.
        mended: predicted boxes after undoing it, xyxy in pixels.
    """

    kind: str
    text: str
    remedy: str
    source: str
    certain: bool = True
    mean_iou: float | None = None
    box_accuracy: float | None = None
    mended: Array | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class _Undone:
    """Predicted boxes with one slip undone, and the words for it."""

    kind: str
    text: str
    remedy: str
    boxes: Array
    source: str = FORMATS
    fitted: bool = False


def find_mistake(
    true: Array, given: tuple[Array, Array], box_format: str, size: Size, iou_threshold: float = 0.5
) -> Mistake | None:
    """The slip that explains the predictions best, if one does.

    Args:
        true: true boxes, xyxy in pixels, shape (n, 4).
        given: true and predicted boxes as they came, in ``box_format``.
        box_format: one of `bboxbench.boxes.BOX_FORMATS`.
        size: width and height of the pictures, each None where it is not known.
        iou_threshold: of the box accuracy that is told.
    """
    usable: npt.NDArray[np.bool_] = np.asarray(np.isfinite(given[1]).all(axis=1))
    wrong_truth = _truth(true, given[0], box_format, size)
    if wrong_truth or not usable.any():
        return wrong_truth
    # Rows are matched by their place, so a missing prediction stays: as a box at one point, which overlaps nothing.
    raw = np.where(usable[:, None], given[1], 0.0)
    read = to_xyxy(raw, box_format, *size)
    before, _ = _scores(true, read)
    floor, _ = _scores(true, np.broadcast_to(true.mean(axis=0), true.shape))
    best: tuple[float, _Undone] | None = None
    for undone in _slips(true, raw, read, box_format, size):
        overlap, follows = _scores(true, undone.boxes)
        enough = max(before + RISE, FACTOR * before, floor + ABOVE_MEAN_BOX, FIT_IOU if undone.fitted else 0.0)
        wanted = FIT_CORRELATION if undone.fitted else BLIND_CORRELATION
        if overlap >= enough and follows >= wanted and (best is None or overlap > best[0] + MARGIN):
            best = overlap, undone
    if best is None:
        return _unit(raw[usable], given[0], box_format) or shuffled(true, read, Mistake)
    overlap, undone = best
    return Mistake(
        kind=undone.kind,
        text=undone.text,
        remedy=undone.remedy,
        source=undone.source,
        mean_iou=overlap,
        box_accuracy=float(np.mean(iou(true, undone.boxes) >= iou_threshold)),
        mended=undone.boxes,
    )


def _scores(true: Array, predicted: Array) -> tuple[float, float]:
    """Mean IoU and mean correlation over the sides."""
    return float(iou(true, predicted).mean()), float(sides_follow(true, predicted)[0].mean())


def _truth(true: Array, raw: Array, box_format: str, size: Size) -> Mistake | None:
    """True boxes that leave the picture: the size is wrong, or the format."""
    share = outside(true, size)
    if share < OUTSIDE:
        return None
    width, height = size
    text = f"{share:.0%} of the true boxes leave the picture, read as {box_format} in {_size_words(size)}"
    if width is not None and height is not None and not box_format.startswith("rel_"):
        fits = outside(true, (height, width)) == 0
        if fits:
            remedy = f"Exchange width and height: in pictures of {height:g} x {width:g} all true boxes lie within."
            return Mistake("true boxes", f"{text}.", remedy, FORMATS, certain=False)
    others = formats_that_fit(raw, box_format, size)
    if others:
        remedy = f"Say in which format they are: as {' or '.join(others)} all lie within."
    else:
        remedy = "Check the size of the pictures and the format of the boxes: draw some over their pictures."
    return Mistake("true boxes", f"{text}.", remedy, FORMATS, certain=False)


def _size_words(size: Size) -> str:
    width, height = size
    return "pictures of unknown size" if width is None or height is None else f"pictures of {width:g} x {height:g}"


def _unit(raw: Array, raw_true: Array, box_format: str) -> Mistake | None:
    """Predictions so much larger or smaller than true boxes that they cannot be in one unit, however bad they are."""
    reach, true_reach = float(np.percentile(np.abs(raw), 90)), float(np.percentile(np.abs(raw_true), 90))
    said = f"True boxes reach {true_reach:.3g}, predicted ones {reach:.3g}"
    if box_format.startswith("rel_") and UNIT_LARGE <= reach <= UNIT_LARGEST:
        text = f"{said}: true boxes are divided by the picture's width and height, predicted ones are not."
        return Mistake("unit", text, "Bring both into one unit before training, losses and metrics.", FORMATS, False)
    if not box_format.startswith("rel_") and 0 < np.abs(raw).max() <= UNIT_SMALL and true_reach >= UNIT_LARGE:
        text = f"{said}: the network cannot reach pixels, as with a sigmoid at its end, or gives relative boxes."
        remedy = (
            "Divide the true boxes by the picture's width and height before training, or multiply what is predicted."
        )
        return Mistake("unit", text, remedy, FORMATS, False)
    return None


def _slips(true: Array, raw: Array, read: Array, box_format: str, size: Size) -> Iterator[_Undone]:
    """Every slip that is known, undone; simple ones first."""
    relative = box_format.startswith("rel_")
    known = None not in size
    for target in BOX_FORMATS:
        if target != box_format and (known or not target.startswith("rel_")):
            yield _as_format(raw, target, relative, box_format, size)
    order = box_format.removeprefix("rel_")
    if order == "xyxy":
        text = "Read as xmin, xmax, ymin, ymax the predicted boxes fit the true ones."
        remedy = "Put the numbers into one order, as in boxes[:, [0, 2, 1, 3]], before training, losses and metrics."
        yield _Undone("format", text, remedy, to_xyxy(raw[:, [0, 2, 1, 3]], box_format, *size))
    yield from _corners(read)
    if known:
        yield from _places(read, raw, box_format, size)
    if relative:
        squashed = 1 / (1 + np.exp(-np.clip(raw, -50, 50)))
        text = "The predictions are what stands before a sigmoid: behind one they fit the true boxes."
        remedy = 'Give the last layer activation="sigmoid", or put it behind predict().'
        yield _Undone(
            "sigmoid", text, remedy, to_xyxy(squashed, box_format, *size), "https://keras.io/api/layers/activations/"
        )
    yield from _fits(true, read, size)
    for text, remedy, boxes in reordered(true, read):
        yield _Undone("rows", text, remedy, boxes, RECIPE)


def _as_format(raw: Array, target: str, relative: bool, box_format: str, size: Size) -> _Undone:
    """The predictions read as another format, in the same unit or the other one."""
    boxes = to_xyxy(raw, target, *size)
    same_order = target.removeprefix("rel_") == box_format.removeprefix("rel_")
    if target.startswith("rel_") == relative:
        text = f"The predicted boxes are {target}, not {box_format}: read so, they fit the true ones."
        sizes = ", width, height" if relative else ""
        remedy = f"Convert them, as bboxbench.boxes.to_xyxy(y_pred, {target!r}{sizes}) does, or train in one format."
        kind = "format"
    else:
        unit = "pixels" if relative else "divided by the picture's width and height"
        other = "" if same_order else f" and {target.removeprefix('rel_')}"
        text = f"The predicted boxes are {unit}{other}, the true ones {box_format}: read so, they fit."
        kind, remedy = "unit", f"Bring both into one unit: read the predictions as {target}."
    return _Undone(kind, text, remedy, boxes)


def _corners(read: Array) -> Iterator[_Undone]:
    """Corners exchanged, width and height exchanged."""
    low, high = np.minimum(read[:, :2], read[:, 2:]), np.maximum(read[:, :2], read[:, 2:])
    remedy = (
        "Sort each pair, or better let the network's last layer give a corner and a size, which cannot be exchanged."
    )
    text = "The predicted corners are exchanged: with the smaller number first the boxes fit the true ones."
    yield _Undone("corners", text, remedy, np.concatenate([low, high], axis=1), "docs/findings.md#rescue")
    sides = (read[:, 2:] - read[:, :2])[:, ::-1]
    centre = (read[:, :2] + read[:, 2:]) / 2
    text = "The predicted boxes have width and height exchanged: the other way round they fit the true ones."
    remedy = "Look where the numbers are taken apart: in one place height comes first."
    yield _Undone("format", text, remedy, np.concatenate([centre - sides / 2, centre + sides / 2], axis=1))
    yield _Undone("format", text, remedy, np.concatenate([read[:, :2], read[:, :2] + sides], axis=1))


def _places(read: Array, raw: Array, box_format: str, size: Size) -> Iterator[_Undone]:
    """Slips that know the picture's size: mirrored, divided by the wrong length, -1 to 1."""
    width, height = (float(length) for length in size if length is not None)
    for axis, length, words in ((0, width, "left to right"), (1, height, "top to bottom")):
        boxes = read.copy()
        boxes[:, axis], boxes[:, axis + 2] = length - read[:, axis + 2], length - read[:, axis]
        text = f"The predicted boxes are mirrored {words}: turned back they fit the true ones."
        remedy = (
            "Look for a flip that turns pictures or boxes but not both, as in augmentation."
            if axis == 0
            else "Look for a flip of pictures or boxes alone, or an origin at the bottom left in place of the top left."
        )
        yield _Undone(
            "mirrored", text, remedy, boxes, "https://keras.io/api/layers/preprocessing_layers/image_augmentation/"
        )
    if width != height:
        for factor in (width / height, height / width):
            boxes = read * np.array([factor, 1 / factor] * 2)
            text = "The predicted boxes were divided by height and width where width and height belong."
            yield _Undone("size", text, "Divide x by the width and y by the height, in one place of the code.", boxes)
    if box_format.startswith("rel_"):
        text = "The predicted boxes lie between -1 and 1, the true ones between 0 and 1: moved there they fit."
        remedy = "Scale boxes and pictures apart: (y_pred + 1) / 2, or true boxes times 2 less 1."
        yield _Undone("unit", text, remedy, to_xyxy((raw + 1) / 2, box_format, *size))


def _fits(true: Array, read: Array, size: Size) -> Iterator[_Undone]:
    """One stretch and shift of x and one of y that bring the predictions onto the true boxes."""
    boxes, words = read.copy(), []
    for axis, name in ((0, "x"), (1, "y")):
        p, t = read[:, [axis, axis + 2]].ravel(), true[:, [axis, axis + 2]].ravel()
        if p.std() <= 1e-6 * max(1.0, float(np.abs(p).max())):
            return
        slope = float(np.mean((p - p.mean()) * (t - t.mean())) / p.var())
        shift = float(t.mean() - slope * p.mean())
        boxes[:, [axis, axis + 2]] = slope * read[:, [axis, axis + 2]] + shift
        length = size[axis] or float(true[:, axis + 2].max())
        if not 1 / STRETCH <= slope <= STRETCH or abs(shift) > length:
            return
        words.append(f"{name} times {slope:.3g} {'plus' if shift >= 0 else 'less'} {abs(shift):.3g}")
    text = f"The predicted boxes are the true ones stretched or shifted: {', '.join(words)} brings them there."
    remedy = "Look for pictures that are resized, padded or cropped while their boxes are not."
    yield _Undone("stretched", text, remedy, boxes, RECIPE, fitted=True)
