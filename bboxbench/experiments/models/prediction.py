"""A saved network asked about anybody's pictures: each is scaled to what it reads, its box given in own pixels."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bboxbench.boxes import Array, to_pixels
from bboxbench.data_gen.fitting import FITS, Fitting, fit_picture
from bboxbench.data_gen.picture_files import check_picture, grey_levels, open_picture
from bboxbench.errors import InputError, one_line, unknown_name
from bboxbench.experiments.fit import PREDICT_BATCH, predict
from bboxbench.experiments.models.overlay import PREDICTED, draw_box, enlarged, factor
from bboxbench.files import write_atomically

__all__ = ["PredictedBox", "input_size", "is_drawing", "predict_pictures", "save_drawn"]

SOFTWARE = "Software"
"""The key that PNG has for the program that made a picture."""
DRAWN_BY = "bboxbench predict"
"""By this value a drawing is told from a picture of the user's."""


@dataclass(frozen=True)
class PredictedBox:
    """What a network says of one picture."""

    path: Path
    width: int
    """Of the picture, upright, in pixels."""
    height: int
    box: Array
    """xyxy in pixels of the picture, float64 (4,), neither sorted nor cut; NaN or infinite where the network is."""

    @property
    def finite(self) -> bool:
        """Whether there is a box at all."""
        return bool(np.isfinite(self.box).all())


def input_size(model: Any) -> tuple[int, int]:
    """Width and height in pixels of the pictures that ``model`` reads.

    Raises:
        InputError: it does not read grey pictures of one size, (batch, height, width, 1), or gives no four numbers.
    """
    reads, gives = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
    if not isinstance(reads, tuple) or len(reads) != 4 or reads[3] != 1 or None in reads[1:]:
        raise InputError(f"Expected a network that reads grey pictures, (None, height, width, 1). Received: {reads}.")
    if not isinstance(gives, tuple) or len(gives) != 2 or gives[1] != 4:
        raise InputError(f"Expected a network that gives one box a picture, (None, 4). Received: {gives}.")
    return int(reads[2]), int(reads[1])


def predict_pictures(model: Any, paths: Sequence[Path], fit: str = "stretch") -> Iterator[PredictedBox]:
    """The box that ``model`` draws in each picture, in the order of ``paths``.

    A picture of other proportions than the network reads is brought to them, and the box back.

    Args:
        model: as `bboxbench.experiments.load_model` gives it: grey pictures in [-1, 1] to xyxy boxes relative to them.
        paths: of pictures of any size and mode. All are looked at before the first is predicted.
        fit: how, one of `bboxbench.data_gen.fitting.FITS`: as the pictures were that the network learned from.

    Raises:
        InputError: a file is no picture or is damaged, the model is none of pictures and boxes, or an unknown fit.
    """
    if fit not in FITS:
        raise unknown_name("fit", fit, FITS)
    width, height = input_size(model)
    for path in paths:
        check_picture(path)
    for first in range(0, len(paths), PREDICT_BATCH):
        some = paths[first : first + PREDICT_BATCH]
        grey, sizes = [], []
        for path in some:
            picture = open_picture(path)
            grey.append(_fitted(picture, width, height, fit))
            sizes.append(picture.size)
        try:
            boxes = predict(model, np.stack(grey))
        except Exception as error:  # whatever layers a file may have
            raise InputError(f"The network cannot read pictures of {width}x{height}: {one_line(error)}") from error
        for path, size, box in zip(some, sizes, boxes, strict=True):
            place = Fitting.of(size, (width, height), fit)
            yield PredictedBox(path, *size, place.back(to_pixels(box, width, height)))


def _fitted(picture: Image.Image, width: int, height: int, fit: str) -> npt.NDArray[np.uint8]:
    """As the network takes it: grey levels (height, width)."""
    if fit == "stretch":
        return grey_levels(picture, width, height)
    return np.asarray(Image.fromarray(fit_picture(picture, (width, height), fit)).convert("L"))


def save_drawn(found: PredictedBox, path: Path) -> None:
    """Write the picture with its box drawn in, as PNG that names this program; small ones are enlarged.

    Raises:
        CannotWrite: no space, no permission.
        InputError: the picture is gone or changed.
    """
    picture = open_picture(found.path)
    times = factor(picture.width)
    if times > 1:
        picture = enlarged(np.asarray(picture), times)
    draw_box(picture, found.box * times, colour=PREDICTED, line=max(3, round(max(picture.size) / 200)))
    stream = io.BytesIO()
    made_by = PngInfo()
    made_by.add_text(SOFTWARE, DRAWN_BY)
    picture.save(stream, "PNG", pnginfo=made_by)
    write_atomically(path, stream.getvalue())


def is_drawing(path: Path) -> bool:
    """Whether `save_drawn` made the file, so that another drawing may take its place; False of whatever else it is."""
    try:
        # Size is no matter here: nothing is decoded.
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=["PNG"]) as picture:
            return picture.info.get(SOFTWARE) == DRAWN_BY
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False
