"""A network learning, as one sees it: the same few pictures with true and predicted box after every epoch."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from bboxbench.boxes import Array, iou
from bboxbench.data_gen import Dataset
from bboxbench.data_gen.fonts import open_font
from bboxbench.experiments.models.overlay import HALO, PREDICTED, TRUE, Colour, draw_box, enlarged, factor

__all__ = ["MOST_FRAMES", "MOST_ROWS", "Film", "Frame", "Scene", "choose_scenes", "early_first", "evenly"]

MOST_ROWS = 10
"""Epochs on a strip: more would be too long to look at."""
MOST_FRAMES = 60
"""Epochs in an animation: more would take too long to watch."""
SEARCHED = 200
"""Pictures of a split among which four are chosen: they lie in one shard, mostly."""

_PAPER, _INK, _FAINT, _RULE = (255, 255, 255), (34, 34, 34), (107, 107, 107), (228, 228, 228)
_MARGIN, _GAP, _CAPTION, _LABEL, _HEAD = 28, 16, 30, 250, 104
_SLOW, _FAST, _HOLD = 800, 100, 3000
"""Milliseconds a frame stands: where there are few, where there are many, and the last one."""


@dataclass(frozen=True)
class Scene:
    """One picture that is looked at after every epoch."""

    image: npt.NDArray[np.uint8]
    """RGB (height, width, 3)."""
    grey: npt.NDArray[np.uint8]
    """As the network sees it: (height, width)."""
    box: npt.NDArray[np.int16]
    """The true one: xyxy in pixels, (4,)."""


@dataclass(frozen=True)
class Frame:
    """What the network said after an epoch."""

    epoch: int
    """0 is before training."""
    boxes: Array
    """A box a scene: xyxy in pixels, (scenes, 4)."""
    notes: tuple[str, ...]
    """Lines beside the pictures, as 'mean IoU 0.41'."""


def choose_scenes(dataset: Dataset, split: str, first: int | None = None) -> list[Scene]:
    """Four pictures of a split, the first whose object lies in each quarter of the picture: chosen by the truth alone.

    A box that follows the object is then told at a glance from one that stays where it is.

    Args:
        dataset: where they are.
        split: "train", "validation" or "test".
        first: how many of the split to choose from; by default `SEARCHED`.

    Raises:
        InputError: the pictures cannot be read.
    """
    count = min(SEARCHED if first is None else first, len(dataset.split(split)))
    start = dataset.split(split).start
    samples = list(dataset.samples(range(start, start + count)))
    grey = dataset.grey(split)[:count]
    boxes = np.array([sample.box for sample in samples], np.float64).reshape(-1, 4)
    right = (boxes[:, 0] + boxes[:, 2]) / 2 >= dataset.spec.width / 2
    low = (boxes[:, 1] + boxes[:, 3]) / 2 >= dataset.spec.height / 2
    quarters = right + 2 * low
    rows = [int(np.flatnonzero(quarters == quarter)[0]) for quarter in range(4) if (quarters == quarter).any()]
    return [Scene(samples[row].image, grey[row], samples[row].box) for row in rows]


def early_first(count: int, most: int) -> list[int]:
    """At most ``most`` of ``count`` places, the first and the last among them, closer together where it begins.

    >>> early_first(9, 10)
    [0, 1, 2, 3, 4, 5, 6, 7, 8]
    >>> early_first(101, 6)
    [0, 1, 3, 10, 32, 100]
    """
    if count <= most:
        return list(range(count))
    places = [0]
    for left, place in zip(range(most - 2, -1, -1), np.geomspace(1, count - 1, most - 1), strict=True):
        places.append(min(max(places[-1] + 1, round(float(place))), count - 1 - left))
    return places


def evenly(count: int, most: int) -> list[int]:
    """At most ``most`` of ``count`` places at like distances, the first and the last among them.

    >>> evenly(101, 5)
    [0, 25, 50, 75, 100]
    """
    return sorted({int(v) for v in np.rint(np.linspace(0, count - 1, min(count, most)))})


class Film:
    """Collects frames and draws them.

    Args:
        title: what is trained, on one line.
        scenes: one to four pictures of one size.
        epochs: how many there will be, at most.
    """

    def __init__(self, title: str, scenes: Sequence[Scene], epochs: int) -> None:
        self._title, self._scenes, self._epochs = title, list(scenes), epochs
        height, width = scenes[0].image.shape[:2]
        self._times = factor(width)
        self._cell = (width * self._times, height * self._times)
        self.frames: list[Frame] = []

    def add(self, frame: Frame) -> None:
        """The next epoch."""
        self.frames.append(frame)

    def strip(self, most: int = MOST_ROWS) -> bytes:
        """A PNG: a column a picture, a row an epoch, at most ``most`` of them, early ones closer together."""
        frames = [self.frames[place] for place in early_first(len(self.frames), most)]
        wide, high = self._cell
        row = high + _CAPTION + _GAP
        width = _MARGIN + _LABEL + len(self._scenes) * (wide + _GAP) - _GAP + _MARGIN
        page = Image.new("RGB", (width, _HEAD + len(frames) * row - _GAP + _MARGIN), _PAPER)
        self._head(page)
        for number, frame in enumerate(frames):
            top = _HEAD + number * row
            self._label(page, frame, (_MARGIN, top + 4))
            for place in range(len(self._scenes)):
                self._picture(page, frame, place, (_MARGIN + _LABEL + place * (wide + _GAP), top))
        return _png(page)

    def animation(self, most: int = MOST_FRAMES) -> bytes:
        """A GIF that runs for ever: a frame an epoch, at most ``most`` at like distances; the last one stays longer."""
        frames = [self.frames[place] for place in evenly(len(self.frames), most)]
        pages = [self._page(frame) for frame in frames]
        palette = _palette([pages[0], pages[len(pages) // 2], pages[-1]])
        # One palette and no dithering: what does not change from frame to frame is stored once.
        flat = [page.quantize(palette=palette, dither=Image.Dither.NONE) for page in pages]
        pace = _SLOW if len(flat) <= MOST_ROWS else max(_FAST, _SLOW * MOST_ROWS // len(flat))
        stream = io.BytesIO()
        times = [pace] * (len(flat) - 1) + [_HOLD]
        flat[0].save(stream, "GIF", save_all=True, append_images=flat[1:], duration=times, loop=0, optimize=False)
        return stream.getvalue()

    def _page(self, frame: Frame) -> Image.Image:
        """One frame of the animation: the pictures two by two, the epoch above, a line below that grows."""
        wide, high = self._cell
        columns = min(2, len(self._scenes))
        rows = -(-len(self._scenes) // columns)
        width = 2 * _MARGIN + columns * (wide + _GAP) - _GAP
        top = _HEAD + 44
        page = Image.new("RGB", (width, top + rows * (high + _CAPTION + _GAP) + _MARGIN), _PAPER)
        self._head(page)
        pen = ImageDraw.Draw(page)
        bold, plain = open_font("DejaVuSans-Bold", 24), open_font("DejaVuSans", 22)
        said = _epoch(frame)
        pen.text((_MARGIN, _HEAD + 12), said, fill=_INK, font=bold, anchor="lm")
        notes = "   ".join(frame.notes)
        pen.text((_MARGIN + 200, _HEAD + 12), notes, fill=_INK, font=plain, anchor="lm")
        for place in range(len(self._scenes)):
            left = _MARGIN + place % columns * (wide + _GAP)
            self._picture(page, frame, place, (left, top + place // columns * (high + _CAPTION + _GAP)))
        bottom = page.height - _MARGIN
        reach = (page.width - 2 * _MARGIN) * frame.epoch / max(1, self._epochs)
        pen.rectangle((_MARGIN, bottom, page.width - _MARGIN, bottom + 5), fill=_RULE)
        pen.rectangle((_MARGIN, bottom, _MARGIN + reach, bottom + 5), fill=_INK)
        return page

    def _head(self, page: Image.Image) -> None:
        """The title, and which box is which."""
        pen = ImageDraw.Draw(page)
        size = 26
        while size > 14 and pen.textlength(self._title, open_font("DejaVuSans-Bold", size)) > page.width - 2 * _MARGIN:
            size -= 1
        pen.text((_MARGIN, 34), self._title, fill=_INK, font=open_font("DejaVuSans-Bold", size), anchor="lm")
        left, font = _MARGIN, open_font("DejaVuSans", 20)
        keys: tuple[tuple[str, Colour, bool], ...] = (("true box", TRUE, False), ("predicted box", PREDICTED, True))
        for word, colour, dashed in keys:
            key = Image.new("RGB", (56, 26), (140, 140, 140))
            draw_box(key, (5, 4, 51, 22), colour=colour, dashed=dashed, line=3)
            page.paste(key, (left, 60))
            pen.text((left + 66, 73), word, fill=_INK, font=font, anchor="lm")
            left += 66 + round(pen.textlength(word, font)) + 36

    def _label(self, page: Image.Image, frame: Frame, place: tuple[int, int]) -> None:
        pen = ImageDraw.Draw(page)
        pen.text(place, _epoch(frame), fill=_INK, font=open_font("DejaVuSans-Bold", 24), anchor="la")
        for number, note in enumerate(frame.notes):
            at = (place[0], place[1] + 38 + 30 * number)
            pen.text(at, note, fill=_INK, font=open_font("DejaVuSans", 20), anchor="la")

    def _picture(self, page: Image.Image, frame: Frame, place: int, at: tuple[int, int]) -> None:
        scene, box = self._scenes[place], frame.boxes[place]
        picture = enlarged(scene.image, self._times)
        draw_box(picture, scene.box * self._times, colour=TRUE, line=3)
        draw_box(picture, box * self._times, colour=PREDICTED, dashed=True, line=3)
        # A white line on the picture's edge is else not told from the paper.
        left, top = at
        ImageDraw.Draw(page).rectangle((left - 1, top - 1, left + picture.width, top + picture.height), fill=HALO)
        page.paste(picture, at)
        under = (at[0], at[1] + picture.height + _CAPTION // 2 + 1)
        ImageDraw.Draw(page).text(under, _said(scene, box), fill=_FAINT, font=open_font("DejaVuSans", 19), anchor="lm")


def _epoch(frame: Frame) -> str:
    return f"epoch {frame.epoch}" if frame.epoch else "untrained"


def _said(scene: Scene, box: Array) -> str:
    if not np.isfinite(box).all():
        return "no box: not a number"
    words = f"IoU {float(iou(scene.box, box)):.2f}"
    return f"{words}, corners exchanged" if box[2] <= box[0] or box[3] <= box[1] else words


def _png(page: Image.Image) -> bytes:
    stream = io.BytesIO()
    page.quantize(palette=_palette([page]), dither=Image.Dither.NONE).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _palette(pages: Sequence[Image.Image]) -> Any:
    """At most 256 colours for all of ``pages``; paper, text and lines keep theirs."""
    tall = Image.new("RGB", (max(page.width for page in pages), sum(page.height for page in pages)), _PAPER)
    top = 0
    for page in pages:
        tall.paste(page, (0, top))
        top += page.height
    fixed = np.array([_PAPER, _INK, _FAINT, _RULE, HALO, PREDICTED])
    mixed = tall.quantize(256 - len(fixed), method=Image.Quantize.MEDIANCUT)
    colours = np.array(mixed.getpalette() or []).reshape(-1, 3)
    # Pillow looks up colours by their upper bits: one that is close would be taken for a fixed one.
    apart = np.abs(colours[:, None] - fixed[None]).max(-1).min(-1) >= 8
    mixed.putpalette([int(level) for colour in (*fixed, *colours[apart]) for level in colour][: 3 * 256])
    return mixed
