"""A page of samples with their boxes drawn in, to see with one's own eyes what the network gets."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from bboxbench.data_gen.captions import LINE, Caption, wrapped
from bboxbench.data_gen.choosing import Choice, choose, first, named
from bboxbench.data_gen.colours import Colour
from bboxbench.data_gen.dataset import Dataset, open_dataset
from bboxbench.data_gen.fonts import open_font
from bboxbench.data_gen.glyph_names import class_labels
from bboxbench.data_gen.imported import ImportedSpec
from bboxbench.data_gen.masks import IGNORED
from bboxbench.data_gen.rounding import with_rounding
from bboxbench.data_gen.samples import Sample
from bboxbench.errors import InputError, write_errors
from bboxbench.figure_style import INK, PAPER
from bboxbench.files import make_folder, write_atomically

__all__ = ["MAX_COUNT", "MAX_WIDTH", "check_png", "held_name", "own_name", "preview", "render_gallery"]

MAX_COUNT = 400
"""Samples on one page, and columns."""

_SIDE, _TALLEST, _LONGEST, _LEAST = 400, 600, 2000, 32
"""Pictures are enlarged by a whole number to about `_SIDE` pixels across, so that a box off by one pixel can be seen,
but no taller than `_TALLEST`; those of twice the width, or of more than twice that height, are made smaller. A narrow
or flat one keeps `_LEAST` pixels of its shorter side while the other is no longer than `_LONGEST`."""

_LEAST_CELL = 200
"""Width that a caption has, however narrow its picture."""

MAX_WIDTH = 6000
"""Of a page with several columns, in pixels: more is no picture that a viewer shows."""

_MARGIN, _GAP, _TITLE, _TITLE_LINE = 24, 20, 44, 23
_ABOVE_CAPTION = 6
_LEAST_PAGE = 2 * _MARGIN + _SIDE
_EDGE = "#bebebe"
"""Of the hairline round each picture: a white one is else not told from the paper."""

_LIGHT: Colour = (255, 255, 255)
_HALO: Colour = (16, 18, 20)
"""The frame of a box, a light line outside of it and a dark one round that: one of the two is seen on any colour. They
are those of true boxes in every picture of this project."""
_FRAME = 3
"""Pixels that a frame takes beyond its box, two of them light."""
_MASK: Colour = (255, 0, 200)
"""Of the outlines of masks, in turn with the light one, so that one of the two is seen."""
_DASH = 3


def preview(
    dataset: Dataset | Path | str,
    path: Path | str,
    count: int = 24,
    columns: int | None = None,
    *,
    order: str | None = None,
    indices: Sequence[int] | None = None,
    split: str | None = None,
    masks: bool = False,
) -> Path:
    """Write a gallery of some of a data set's samples, as they are on disk.

    Args:
        dataset: a data set or its folder.
        path: the picture to write, ``.png``; its folder is made.
        count: samples to show, 1 to 400; all where there are fewer.
        columns: pictures side by side; by default as many as make a page about as wide as high.
        order: None for the first samples; ``worst_contrast``, ``worst_rounding``, ``smallest`` or ``largest`` for those
            at its head, by ``boxes.csv``, so that only their shards are read.
        indices: these samples and no others, up to 400, in place of ``count``, ``order`` and ``split``.
        split: ``train``, ``validation`` or ``test``, to choose among its samples alone.
        masks: whether the outline of each mask is drawn in, and what a class map ignores is dotted.

    Returns:
        The path written.

    Raises:
        InputError: a number is out of range, so many columns make a page wider than `MAX_WIDTH`, there is no such
            order or split, the split is empty, ``indices`` are given and an order or a split, too, the path is a folder
            or no ``.png``, the data set has no masks, or it cannot be read.
        CannotWrite: no space, no permission.
    """
    path = Path(path)
    for name, value, most in (("count", count, MAX_COUNT), ("columns", columns, MAX_COUNT)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most):
            raise InputError(f"Expected {name} to be a whole number from 1 to {most}, received {value!r}.")
    check_png(path)
    data = dataset if isinstance(dataset, Dataset) else open_dataset(dataset)
    if masks and not data.spec.masks:
        raise InputError(
            f"Expected a data set with masks, {data.folder} has none; leave masks out, or draw one with masks."
        )
    choice = _choice(data, count, order, indices, split)
    scale, shrink = _enlargement(data.spec.width, data.spec.height)
    _check_columns(columns, len(choice.indices), _cell_width(data.spec.width, scale, shrink))
    samples = _read(data, choice.indices)
    title = _title(data, len(samples), split, shrink, choice.about)
    names = _file_names(data, choice.indices)
    page = render_gallery(samples, title, columns, choice.reasons, masks, data.classes, names)
    stream = io.BytesIO()
    page.save(stream, "PNG", optimize=True)
    make_folder(path.absolute().parent)
    write_atomically(path, stream.getvalue())
    return path


def own_name(data: Dataset) -> str:
    """What a data set's folder is called, wherever it lies."""
    return data.folder.resolve().name or data.spec.folder_name


def held_name(data: Dataset) -> str:
    """What the folder would be called by default, which says what it holds; "" where it is called so."""
    return "" if own_name(data) == data.spec.folder_name else data.spec.folder_name


def _title(data: Dataset, shown: int, split: str | None, shrink: int, about: str) -> str:
    """What a page shows: whose samples, how many of how many, how small, in which order, and what the folder holds."""
    among = data.n if split is None else len(data.split(split))
    number = f"{shown:,} of {among:,} sample{'' if among == 1 else 's'}"
    parts = [
        number if split is None else f"{number} of the split {split}",
        f"shown at 1/{shrink}" * (shrink > 1),
        about,
    ]
    held = f" ({held_name(data)})" if held_name(data) else ""
    return f"{own_name(data)}: {', '.join(filter(None, parts))}{held}"


def _file_names(data: Dataset, indices: Sequence[int]) -> list[str]:
    """Names of the files that imported pictures came from; none where they were drawn."""
    if not isinstance(data.spec, ImportedSpec):
        return []
    names = data.table()["file"]
    return [names[index] for index in indices]


def _enlargement(width: int, height: int) -> tuple[int, int]:
    """By how much pictures of that size are enlarged, and made smaller; one of the two is 1."""
    scale = max(1, min(round(_SIDE / width), _TALLEST // height))
    across = min(width // _SIDE, max(height // _LEAST, -(-width // _LONGEST)))
    down = min(-(-height // (2 * _TALLEST)), max(width // _LEAST, -(-height // _LONGEST)))
    return scale, max(1, across, down)


def _cell_width(width: int, scale: int, shrink: int) -> int:
    """Of a picture on the page and its caption."""
    return max(-(-width // shrink) * scale, _LEAST_CELL)


def _most_columns(cell: int) -> int:
    return max(1, (MAX_WIDTH - 2 * _MARGIN + _GAP) // (cell + _GAP))


def _check_columns(columns: int | None, count: int, cell: int) -> None:
    """Make sure that a page of ``count`` pictures becomes no wider than `MAX_WIDTH`.

    Raises:
        InputError: it would.
    """
    most = _most_columns(cell)
    if columns is not None and min(columns, count) > most:
        raise InputError(
            f"Expected at most {most} columns of pictures that take {cell} px each, received {columns}: a page is no "
            f"wider than {MAX_WIDTH:,} px."
        )


def check_png(path: Path) -> None:
    """Make sure that a picture can be written at ``path`` as far as its name tells.

    Raises:
        InputError: it is a folder, or does not end in ``.png``.
    """
    with write_errors(path):
        taken = path.is_dir()
    if path.suffix.lower() != ".png" or taken:
        raise InputError(f"Expected the name of a .png file to write, received {path}.")


def _choice(data: Dataset, count: int, order: str | None, indices: Sequence[int] | None, split: str | None) -> Choice:
    if indices is None:
        among = range(data.n) if split is None else data.split(split)
        if not among:
            raise InputError(f"Expected a split with samples, received {split}, which has none of the {data.n}.")
        if order is None:
            return first(among, count)
        # The rows of the table are the samples in order.
        return choose(with_rounding(data.table().iloc[among.start : among.stop], data.spec), order, count)
    for name, value in (("an order", order), ("a split", split)):
        if value is not None:
            raise InputError(f"Expected {name} or indices, received both: '{value}' and {len(indices)} indices.")
    if not 1 <= len(indices) <= MAX_COUNT:
        raise InputError(f"Expected 1 to {MAX_COUNT} indices, received {len(indices)}.")
    return named(indices, data.n)


def _read(data: Dataset, indices: Sequence[int]) -> list[Sample]:
    """Samples in the order of ``indices``, each shard read once and none kept."""
    found = {sample.index: _of_its_own(sample) for sample in data.samples(sorted(set(indices)))}
    return [found[index] for index in indices]


def _of_its_own(sample: Sample) -> Sample:
    """A sample whose arrays are no parts of its shard's, which would keep 60 MB for a picture of 60 kB."""
    mask, class_map = (None if each is None else each.copy() for each in (sample.mask, sample.class_map))
    return replace(sample, image=sample.image.copy(), mask=mask, class_map=class_map)


def render_gallery(
    samples: Sequence[Sample],
    title: str,
    columns: int | None = None,
    reasons: Sequence[str] = (),
    masks: bool = False,
    classes: Sequence[str] = (),
    names: Sequence[str] = (),
) -> Image.Image:
    """Lay samples of one size out on a page, each enlarged or made smaller, framed by its box, with a caption.

    Args:
        samples: one or more.
        title: of the page, which takes as many lines as it needs.
        columns: pictures side by side; by default as many as make a page about as wide as high.
        reasons: why each sample is there, for its caption; none of them has one by default.
        masks: whether masks are drawn in; all samples must have one.
        classes: all that there are: of those that look alike, captions give the code points.
        names: of the files that the samples came from, for their captions; none of them has one by default.
    """
    height, width = samples[0].image.shape[:2]
    scale, shrink = _enlargement(width, height)
    labels = class_labels(classes, "DejaVuSans-Bold")
    across, down = _cell_width(width, scale, shrink), -(-height // shrink) * scale
    captions = [
        Caption.of(sample, labels, reasons[place] if reasons else "", names[place] if names else "")
        for place, sample in enumerate(samples)
    ]
    # All captions of a page are laid out alike: what one has no room for in its line, all have in a second one.
    lines = 1 if all(caption.fits(across) for caption in captions) else 2
    cell = (across, down + _ABOVE_CAPTION + lines * LINE)
    columns = columns or min(max(1, round(math.sqrt(len(samples) * cell[1] / cell[0] * 1.4))), _most_columns(across))
    columns = min(columns, len(samples))
    rows = -(-len(samples) // columns)
    wide = max(_LEAST_PAGE, 2 * _MARGIN + columns * (cell[0] + _GAP) - _GAP)
    bold = open_font("DejaVuSans-Bold", 17)
    said = wrapped(title, bold.getlength, wide - 2 * _MARGIN)
    head = _TITLE + (len(said) - 1) * _TITLE_LINE
    page = Image.new("RGB", (wide, head + _MARGIN + rows * (cell[1] + _GAP)), PAPER)
    pen = ImageDraw.Draw(page)
    for number, line in enumerate(said):
        pen.text((_MARGIN, _TITLE / 2 + 4 + number * _TITLE_LINE), line, fill=INK, font=bold, anchor="lm")
    for place, (sample, caption) in enumerate(zip(samples, captions, strict=True)):
        left = _MARGIN + place % columns * (cell[0] + _GAP)
        top = head + place // columns * (cell[1] + _GAP)
        page.paste(_framed(sample, scale, shrink, masks), (left - _FRAME, top - _FRAME))
        caption.draw(pen, left, top + down + _ABOVE_CAPTION, across, lines)
    return page


def _framed(sample: Sample, scale: int, shrink: int = 1, masks: bool = False) -> Image.Image:
    """The picture, enlarged ``scale`` times or made ``shrink`` times smaller, with its box.

    The box lies within its frame, so that nothing of a small one is covered. A frame may reach out of the picture, for
    which `_FRAME` pixels of paper are round it; on them a hairline tells where the picture ends.
    """
    pixels = np.repeat(np.repeat(sample.image, scale, axis=0), scale, axis=1)
    if masks and sample.mask is not None:
        _trace(pixels, sample.mask, scale)
        if sample.class_map is not None:
            rows, columns = np.nonzero(sample.class_map == IGNORED)
            _dash(pixels, rows * scale + scale // 2, columns * scale + scale // 2)
    picture = Image.fromarray(pixels)
    if shrink > 1:
        picture = picture.reduce(shrink)
    framed = Image.new("RGB", (picture.width + 2 * _FRAME, picture.height + 2 * _FRAME), PAPER)
    pen = ImageDraw.Draw(framed)
    pen.rectangle((_FRAME - 1, _FRAME - 1, _FRAME + picture.width, _FRAME + picture.height), outline=_EDGE)
    framed.paste(picture, (_FRAME, _FRAME))
    xmin, ymin, xmax, ymax = (side * scale for side in sample.box.tolist())
    # What is made smaller keeps every pixel that a part of the box lies in.
    left, top, right, bottom = xmin // shrink, ymin // shrink, -(-xmax // shrink), -(-ymax // shrink)
    for beyond, colour in ((1, _LIGHT), (2, _LIGHT), (_FRAME, _HALO)):
        # The second corner is painted too, and a box is half-open: one less, else it is a pixel too large.
        near, far = _FRAME - beyond, _FRAME + beyond - 1
        pen.rectangle((left + near, top + near, right + far, bottom + far), outline=colour)
    return framed


def _trace(pixels: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8], scale: int) -> None:
    """Paint the outline of a mask into the enlarged ``pixels``, inside the mask."""
    inside = np.pad(mask > 0, 1)
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        # Where the neighbour on this side is outside, that side of the pixel is painted, one line wide.
        rows, columns = np.nonzero((inside & ~np.roll(inside, -step, axis))[1:-1, 1:-1])
        across = scale - 1 if step == 1 else 0
        for along in range(scale):
            down, right = (across, along) if axis == 0 else (along, across)
            _dash(pixels, rows * scale + down, columns * scale + right)


def _dash(pixels: npt.NDArray[np.uint8], rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> None:
    """Paint some pixels in two colours by turns along rows and columns."""
    first = (rows + columns) // _DASH % 2 == 0
    pixels[rows, columns] = np.where(first[:, np.newaxis], np.array(_MASK), np.array(_LIGHT))
