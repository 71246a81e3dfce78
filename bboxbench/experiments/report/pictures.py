"""Real pictures in the page: each is stored once, boxes are drawn over it as vectors, so they stay sharp and small."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from bboxbench.boxes import iou, to_pixels
from bboxbench.data_gen import Dataset
from bboxbench.errors import InputError
from bboxbench.experiments.recorded import RecordedSweep
from bboxbench.experiments.splits import all_boxes

__all__ = ["Overlay", "Picture", "overlays", "preview_pictures", "test_pictures"]

Box = tuple[float, float, float, float]

SEARCHED = 200
"""Test pictures among which four are chosen: they lie in one shard, mostly."""
PREVIEWED = 8
"""Training pictures shown of a data set."""


@dataclass(frozen=True)
class Picture:
    """One picture of the data set."""

    name: str
    """Of its definition within the page."""
    index: int
    """In its data set, from 0."""
    what: str
    """What lies in the box, as "the letter q"."""
    width: int
    height: int
    box: Box
    """The true box: xyxy in pixels."""
    png: str
    """As a ``data:`` address."""


@dataclass(frozen=True)
class Overlay:
    """What a run predicted on one picture."""

    picture: Picture
    predicted: Box | None
    """xyxy in pixels, first corner first, so that it can be drawn; None where a coordinate is not finite."""
    inverted: bool
    """Whether the prediction came with its second corner first."""
    iou: float

    @property
    def text(self) -> str:
        """What is seen, for those who do not see it."""
        true = ", ".join(f"{side:g}" for side in self.picture.box)
        what = f"{self.picture.what[0].upper()}{self.picture.what[1:]}. True box ({true})"
        if self.predicted is None:
            return f"{what}; the predicted box is not finite."
        sides = ", ".join(f"{side:.0f}" for side in self.predicted)
        turned = ", its corners exchanged" if self.inverted else ""
        return f"{what}, predicted ({sides}){turned}; IoU {self.iou:.2f}."


def test_pictures(dataset: Dataset, tested: Sequence[npt.NDArray[np.int64]]) -> list[Picture]:
    """Four test pictures, the first whose object lies in each quarter of the picture: chosen by the truth alone.

    A box that follows the object is then told at a glance from one that stays where it is.

    Args:
        dataset: the pictures.
        tested: indices of what each of some runs was tested on; a picture is chosen among those that all have.

    Raises:
        InputError: the pictures cannot be read.
    """
    common = np.asarray(reduce(np.intersect1d, tested))[:SEARCHED]
    boxes = np.asarray(all_boxes(dataset)[common], float)
    right = (boxes[:, 0] + boxes[:, 2]) / 2 >= dataset.spec.width / 2
    low = (boxes[:, 1] + boxes[:, 3]) / 2 >= dataset.spec.height / 2
    quarters = right + 2 * low
    rows = [int(np.flatnonzero(quarters == quarter)[0]) for quarter in range(4) if (quarters == quarter).any()]
    return _pictures(dataset, common[rows].tolist(), "t")


def preview_pictures(dataset: Dataset) -> list[Picture]:
    """The first training pictures.

    Raises:
        InputError: the pictures cannot be read.
    """
    return _pictures(dataset, dataset.split("train")[:PREVIEWED], "p")


def _pictures(dataset: Dataset, indices: Sequence[int], prefix: str) -> list[Picture]:
    if not indices:
        return []
    found = {}
    for sample in dataset.samples(range(min(indices), max(indices) + 1)):
        if sample.index in indices:
            height, width = sample.image.shape[:2]
            xmin, ymin, xmax, ymax = (float(side) for side in sample.box)
            box = (xmin, ymin, xmax, ymax)
            png = _png(sample.image, 64 if dataset.spec.one_colour else 256)
            name = f"{prefix}{sample.index}"
            what = f"the letter {sample.glyph}" if sample.font else f"an object of class {sample.glyph}"
            found[sample.index] = Picture(name, sample.index, what, width, height, box, png)
    return [found[index] for index in indices]


def _png(image: npt.NDArray[np.uint8], colours: int) -> str:
    """The picture as a ``data:`` address, which 64 colours leave as it is where it has two and what lies between."""
    stream = io.BytesIO()
    Image.fromarray(image).quantize(colours).save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def overlays(sweep: RecordedSweep, run: Any, pictures: Sequence[Picture]) -> list[Overlay]:
    """What a run predicted on the pictures; empty where its predictions are missing. It was tested on all of them.

    Args:
        sweep: the run's.
        run: its row of runs.csv.
        pictures: of its test split.
    """
    if not pictures:
        return []
    try:
        boxes = sweep.predictions(str(run["run_id"]))
    except InputError:
        return []
    found = []
    tested = sweep.test_indices(run)
    for picture in pictures:
        box = to_pixels(boxes[np.flatnonzero(tested == picture.index)[0]], picture.width, picture.height)
        overlap = float(iou(np.asarray(picture.box), box))
        if not np.isfinite(box).all():
            found.append(Overlay(picture, None, False, overlap))
            continue
        # Far beyond the picture a browser need not look.
        xmin, ymin, xmax, ymax = (float(side) for side in np.clip(box, -1e4, 1e4).round(1))
        inverted = xmax <= xmin or ymax <= ymin
        drawn = (min(xmin, xmax), min(ymin, ymax), max(xmin, xmax), max(ymin, ymax))
        found.append(Overlay(picture, drawn, inverted, overlap))
    return found
