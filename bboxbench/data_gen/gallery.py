"""A page of samples with their boxes drawn in, to see with one's own eyes what the network gets."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from bboxbench.data_gen.colours import Colour, luma
from bboxbench.data_gen.dataset import Dataset, open_dataset
from bboxbench.data_gen.fonts import open_font
from bboxbench.data_gen.samples import Sample
from bboxbench.errors import InputError, write_errors
from bboxbench.files import make_folder, write_atomically

__all__ = ["MAX_COUNT", "box_colour", "preview", "render_gallery"]

MAX_COUNT = 400
"""Samples on one page, and columns."""

_CELL_WIDTH = 400
"""Pictures are enlarged by a whole number to about this width, so that a box off by one pixel can be seen."""

_MARGIN, _GAP, _TITLE, _CAPTION = 24, 20, 44, 26
_PAPER, _DARK, _FAINT = (255, 255, 255), (30, 30, 30), (125, 125, 125)

_PENS: tuple[Colour, ...] = (
    (255, 0, 200),
    (0, 255, 60),
    (255, 235, 0),
    (0, 225, 255),
    (255, 30, 30),
    (20, 60, 255),
    (0, 0, 0),
    (255, 255, 255),
)


def preview(dataset: Dataset | Path | str, path: Path | str, count: int = 24, columns: int | None = None) -> Path:
    """Write a gallery of a data set's first samples, as they are on disk.

    Args:
        dataset: a data set or its folder.
        path: the picture to write, ``.png``; its folder is made.
        count: samples to show, 1 to 400; all where there are fewer.
        columns: pictures side by side; by default as many as make a page about as wide as high.

    Returns:
        The path written.

    Raises:
        InputError: a number is out of range, the path is a folder or no ``.png``, or the data set cannot be read.
        CannotWrite: no space, no permission.
    """
    path = Path(path)
    for name, value, most in (("count", count, MAX_COUNT), ("columns", columns, MAX_COUNT)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most):
            raise InputError(f"Expected {name} to be a whole number from 1 to {most}, received {value!r}.")
    with write_errors(path):
        taken = path.is_dir()
    if path.suffix.lower() != ".png" or taken:
        raise InputError(f"Expected the name of a .png file to write, received {path}.")
    data = dataset if isinstance(dataset, Dataset) else open_dataset(dataset)
    samples = list(data.samples(range(min(count, data.n))))
    title = f"{data.spec.folder_name}: {len(samples):,} of {data.n:,} samples"
    stream = io.BytesIO()
    render_gallery(samples, title, columns).save(stream, "PNG", optimize=True)
    make_folder(path.absolute().parent)
    write_atomically(path, stream.getvalue())
    return path


def render_gallery(samples: list[Sample], title: str, columns: int | None = None) -> Image.Image:
    """Lay samples of one size out on a page, each enlarged, framed by its box, with a caption."""
    height, width = samples[0].image.shape[:2]
    scale = max(1, round(_CELL_WIDTH / width))
    cell = (width * scale, height * scale + _CAPTION)
    columns = columns or max(1, round(math.sqrt(len(samples) * cell[1] / cell[0] * 1.4)))
    columns = min(columns, len(samples))
    rows = -(-len(samples) // columns)
    page = Image.new(
        "RGB",
        (2 * _MARGIN + columns * (cell[0] + _GAP) - _GAP, _TITLE + _MARGIN + rows * (cell[1] + _GAP)),
        _PAPER,
    )
    pen = ImageDraw.Draw(page)
    pen.text((_MARGIN, _TITLE / 2 + 4), title, fill=_DARK, font=open_font("DejaVuSans-Bold", 17), anchor="lm")
    for place, sample in enumerate(samples):
        left = _MARGIN + place % columns * (cell[0] + _GAP)
        top = _TITLE + place // columns * (cell[1] + _GAP)
        page.paste(_framed(sample, scale), (left, top))
        _caption(pen, sample, left, top + height * scale + _CAPTION // 2, cell[0])
    return page


def _framed(sample: Sample, scale: int) -> Image.Image:
    picture = Image.fromarray(np.repeat(np.repeat(sample.image, scale, axis=0), scale, axis=1))
    xmin, ymin, xmax, ymax = (side * scale for side in sample.box.tolist())
    # The second corner is painted too, and a box is half-open: one less, else it is a pixel too large.
    frame = (xmin, ymin, xmax - 1, ymax - 1)
    ImageDraw.Draw(picture).rectangle(frame, outline=box_colour(sample.ink, sample.background))
    return picture


def _caption(pen: ImageDraw.ImageDraw, sample: Sample, left: int, middle: int, width: int) -> None:
    bold, plain = open_font("DejaVuSans-Bold", 13), open_font("DejaVuSans", 12)
    head = f"{sample.index}  {sample.glyph}"
    pen.text((left, middle), head, fill=_DARK, font=bold, anchor="lm")
    box = str(tuple(sample.box.tolist()))
    right = left + width - pen.textlength(box, font=plain)
    start = left + pen.textlength(head, font=bold) + 10
    about = f"{sample.font} {sample.size} px"
    # On narrow pictures the box matters more than the face.
    if start + pen.textlength(about, font=plain) + 10 <= right:
        pen.text((start, middle), about, fill=_FAINT, font=plain, anchor="lm")
    if start <= right:
        pen.text((right, middle), box, fill=_FAINT, font=plain, anchor="lm")


def box_colour(ink: Colour, background: Colour) -> Colour:
    """The pen that stands out most from both colours of a picture."""

    def distance(pen: Colour) -> float:
        # Lightness first: thin lines of another hue but the same lightness are hard to see.
        return min(abs(luma(pen) - luma(other)) + 0.3 * math.dist(pen, other) for other in (ink, background))

    return max(_PENS, key=distance)
