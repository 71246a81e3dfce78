"""A page of samples with their boxes drawn in, to see with one's own eyes what the network gets."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from bboxbench.data_gen.choosing import Choice, choose, first, named
from bboxbench.data_gen.colours import BLACK, WHITE, Colour, luma
from bboxbench.data_gen.dataset import Dataset, open_dataset
from bboxbench.data_gen.fonts import open_font
from bboxbench.data_gen.glyph_names import class_labels, glyph_name
from bboxbench.data_gen.masks import IGNORED
from bboxbench.data_gen.samples import Sample
from bboxbench.errors import InputError, write_errors
from bboxbench.files import make_folder, write_atomically

__all__ = ["MAX_COUNT", "box_colour", "check_png", "held_name", "own_name", "preview", "render_gallery"]

MAX_COUNT = 400
"""Samples on one page, and columns."""

_CELL_WIDTH = 400
"""Pictures are enlarged by a whole number to about this width, so that a box off by one pixel can be seen; those of
twice the width or more are made smaller."""

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


def preview(
    dataset: Dataset | Path | str,
    path: Path | str,
    count: int = 24,
    columns: int | None = None,
    *,
    order: str | None = None,
    indices: Sequence[int] | None = None,
    masks: bool = False,
) -> Path:
    """Write a gallery of some of a data set's samples, as they are on disk.

    Args:
        dataset: a data set or its folder.
        path: the picture to write, ``.png``; its folder is made.
        count: samples to show, 1 to 400; all where there are fewer.
        columns: pictures side by side; by default as many as make a page about as wide as high.
        order: None for the first samples; ``worst_contrast``, ``smallest`` or ``largest`` for those at its head, by
            ``boxes.csv``, so that only their shards are read.
        indices: these samples and no others, up to 400, in place of ``count`` and ``order``.
        masks: whether the outline of each mask is drawn in, and what a class map ignores is dotted.

    Returns:
        The path written.

    Raises:
        InputError: a number is out of range, there is no such order, both ``order`` and ``indices`` are given, the
            path is a folder or no ``.png``, the data set has no masks, or it cannot be read.
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
    choice = _choice(data, count, order, indices)
    samples = _read(data, choice.indices)
    _, shrink = _enlargement(data.spec.width)
    size = f"shown at 1/{shrink}" if shrink > 1 else ""
    title = ", ".join(filter(None, [f"{len(samples):,} of {data.n:,} samples", size, choice.about]))
    # A page too narrow for its title loses the end of it, which is what the folder's own file says.
    held = f" ({held_name(data)})" if held_name(data) else ""
    page = render_gallery(samples, f"{own_name(data)}: {title}{held}", columns, choice.reasons, masks, data.classes)
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


def _enlargement(width: int) -> tuple[int, int]:
    """By how much pictures of that width are enlarged, and made smaller; one of the two is 1."""
    return max(1, round(_CELL_WIDTH / width)), max(1, width // _CELL_WIDTH)


def check_png(path: Path) -> None:
    """Make sure that a picture can be written at ``path`` as far as its name tells.

    Raises:
        InputError: it is a folder, or does not end in ``.png``.
    """
    with write_errors(path):
        taken = path.is_dir()
    if path.suffix.lower() != ".png" or taken:
        raise InputError(f"Expected the name of a .png file to write, received {path}.")


def _choice(data: Dataset, count: int, order: str | None, indices: Sequence[int] | None) -> Choice:
    if indices is None:
        return first(data.n, count) if order is None else choose(data.table(), order, count)
    if order is not None:
        raise InputError(f"Expected an order or indices, received both: '{order}' and {len(indices)} indices.")
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
) -> Image.Image:
    """Lay samples of one size out on a page, each enlarged or made smaller, framed by its box, with a caption.

    Args:
        samples: one or more.
        title: of the page.
        columns: pictures side by side; by default as many as make a page about as wide as high.
        reasons: why each sample is there, for its caption; none of them has one by default.
        masks: whether masks are drawn in; all samples must have one.
        classes: all that there are: of those that look alike, captions give the code points.
    """
    height, width = samples[0].image.shape[:2]
    scale, shrink = _enlargement(width)
    labels = class_labels(classes, "DejaVuSans-Bold")
    cell = (-(-width // shrink) * scale, -(-height // shrink) * scale + _CAPTION)
    columns = columns or max(1, round(math.sqrt(len(samples) * cell[1] / cell[0] * 1.4)))
    columns = min(columns, len(samples))
    rows = -(-len(samples) // columns)
    page = Image.new(
        "RGB",
        (2 * _MARGIN + columns * (cell[0] + _GAP) - _GAP, _TITLE + _MARGIN + rows * (cell[1] + _GAP)),
        _PAPER,
    )
    pen = ImageDraw.Draw(page)
    room = page.width - 2 * _MARGIN
    bold = open_font("DejaVuSans-Bold", 17)
    pen.text((_MARGIN, _TITLE / 2 + 4), _fitting(title, bold.getlength, room), fill=_DARK, font=bold, anchor="lm")
    for place, sample in enumerate(samples):
        left = _MARGIN + place % columns * (cell[0] + _GAP)
        top = _TITLE + place // columns * (cell[1] + _GAP)
        page.paste(_framed(sample, scale, shrink, masks), (left, top))
        reason = reasons[place] if reasons else ""
        _caption(pen, sample, labels, reason, left, top + cell[1] - _CAPTION // 2, cell[0])
    return page


def _framed(sample: Sample, scale: int, shrink: int = 1, masks: bool = False) -> Image.Image:
    """The picture, enlarged ``scale`` times or made ``shrink`` times smaller, with its box."""
    colour, second = _frame_colours(sample)
    pixels = np.repeat(np.repeat(sample.image, scale, axis=0), scale, axis=1)
    if masks and sample.mask is not None:
        _trace(pixels, sample.image, sample.mask, scale, colour)
        if sample.class_map is not None:
            rows, columns = np.nonzero(sample.class_map == IGNORED)
            pixels[rows * scale + scale // 2, columns * scale + scale // 2] = colour
    picture = Image.fromarray(pixels)
    if shrink > 1:
        picture = picture.reduce(shrink)
    xmin, ymin, xmax, ymax = (side * scale for side in sample.box.tolist())
    # The second corner is painted too, and a box is half-open: one less, else it is a pixel too large.
    frame = (xmin // shrink, ymin // shrink, (xmax - 1) // shrink, (ymax - 1) // shrink)
    pen = ImageDraw.Draw(picture)
    left, top, right, bottom = frame
    if second is not None and right - left > 2 and bottom - top > 2:
        pen.rectangle((left + 1, top + 1, right - 1, bottom - 1), outline=second)
    pen.rectangle(frame, outline=colour)
    return picture


def _trace(
    pixels: npt.NDArray[np.uint8], image: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8], scale: int, box: Colour
) -> None:
    """Paint the outline of a mask into the enlarged ``pixels`` of ``image``, in another pen than its box has."""
    inside = np.pad(mask > 0, 1)
    pen = _standing_out(_near(image, mask), (box,))
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        # Where the neighbour on this side is outside, that side of the pixel is painted, one line wide.
        rows, columns = np.nonzero((inside & ~np.roll(inside, -step, axis))[1:-1, 1:-1])
        across = scale - 1 if step == 1 else 0
        for along in range(scale):
            down, right = (across, along) if axis == 0 else (along, across)
            pixels[rows * scale + down, columns * scale + right] = pen


def _caption(
    pen: ImageDraw.ImageDraw,
    sample: Sample,
    labels: Mapping[str, str],
    reason: str,
    left: int,
    middle: int,
    width: int,
) -> None:
    """Index, glyph, why it is there or else its face, and the box at the right end, as far as there is room."""
    bold, plain = open_font("DejaVuSans-Bold", 13), open_font("DejaVuSans", 12)
    box = str(tuple(sample.box.tolist()))
    right = left + width - plain.getlength(box)
    # A long name of a class gives way to the box; what is left of it is at least as long as a letter's.
    head = f"{sample.index}  {labels.get(sample.glyph) or glyph_name(sample.glyph, 'DejaVuSans-Bold')}"
    head = _fitting(head, bold.getlength, max(right - left - 10, min(60.0, width)))
    pen.text((left, middle), head, fill=_DARK, font=bold, anchor="lm")
    start = left + bold.getlength(head) + 10
    about = reason or (f"{sample.font} {sample.size} px" if sample.font else "")
    # On narrow pictures the box matters more than the face, and the reason more than the box.
    if start + plain.getlength(about) + 10 <= right or (reason and start + plain.getlength(about) <= left + width):
        pen.text((start, middle), about, fill=_DARK if reason else _FAINT, font=plain, anchor="lm")
        start += plain.getlength(about) + 10
    if start <= right:
        pen.text((right, middle), box, fill=_FAINT, font=plain, anchor="lm")


def _fitting(text: str, length: Callable[[str], float], room: float) -> str:
    """``text``, cut with an ellipsis where it is longer than ``room`` pixels."""
    if length(text) <= room:
        return text
    while text and length(f"{text}…") > room:
        text = text[:-1]
    return f"{text.rstrip()}…"


def _frame_colours(sample: Sample) -> tuple[Colour, Colour | None]:
    """The pen for a sample's box, and one for a line inside it where no pen alone can be seen everywhere.

    They are chosen by its two colours where it has no more, else by the pixels at the frame.
    """
    if sample.ink is not None and sample.background is not None and sample.kind in _ONE_COLOUR and not sample.noise:
        return box_colour(sample.ink, sample.background), None
    xmin, ymin, xmax, ymax = sample.box.tolist()
    inside = np.zeros(sample.image.shape[:2], np.uint8)
    inside[ymin:ymax, xmin:xmax] = 1
    near = _near(sample.image, inside)
    pen = _standing_out(near)
    if _seen(pen, near) >= _CLEAR:
        return pen, None
    return WHITE, BLACK


_CLEAR = 140.0
"""Distance of a pen from what is under it that is enough to follow it."""

_ONE_COLOUR = ("plain", "white")


def box_colour(ink: Colour, background: Colour) -> Colour:
    """The pen that stands out most from both colours of a picture."""
    return max(_PENS, key=lambda pen: min(_distance(pen, other) for other in (ink, background)))


def _distance(pen: Colour, other: Colour) -> float:
    # Lightness first: thin lines of another hue but the same lightness are hard to see.
    return abs(luma(pen) - luma(other)) + 0.3 * math.dist(pen, other)


_SAMPLED = 400
"""Pixels that a pen is chosen by."""


def _near(image: npt.NDArray[np.uint8], inside: npt.NDArray[np.uint8]) -> list[Colour]:
    """Colours on both sides of the border of a region, uint8 (height, width), 0 outside; evenly taken if many."""
    region = np.pad(inside > 0, 1, mode="edge")
    border = np.zeros(inside.shape, bool)
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        border |= (region != np.roll(region, step, axis))[1:-1, 1:-1]
    found = image[border] if border.any() else image.reshape(-1, 3)
    colours = found[:: max(1, len(found) // _SAMPLED)].tolist()
    return [(red, green, blue) for red, green, blue in colours]


def _standing_out(colours: Sequence[Colour], besides: Sequence[Colour] = ()) -> Colour:
    """The pen that can be seen on nine tenths of some colours as well as may be, and is none of ``besides``."""
    pens = [pen for pen in _PENS if pen not in besides]
    return max(pens, key=lambda pen: _seen(pen, colours))


def _seen(pen: Colour, colours: Sequence[Colour]) -> float:
    """How far a pen is from nine tenths of some colours."""
    return float(np.quantile([_distance(pen, other) for other in colours], 0.1))
