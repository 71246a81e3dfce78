"""One sample: a picture, its exact box, and what was drawn; a pure function of (spec, seed, index)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bboxbench.data_gen.colours import BLACK, WHITE, Colour, contrasting_pair, luma
from bboxbench.data_gen.draws import SAMPLE, below, words
from bboxbench.data_gen.glyphs import ink_mask
from bboxbench.data_gen.spec import DatasetSpec
from bboxbench.errors import InputError

__all__ = ["Sample", "blend_table", "draw_letter", "draw_sample", "paint_sample"]

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture and the truth about it.

    Attributes:
        index: its place in the data set.
        image: uint8 RGB, (height, width, 3).
        box: int16 (4,): xmin, ymin, xmax, ymax in pixel edges, half-open. The tightest box round every pixel whose
            colour is not the background's.
        glyph: the character.
        font: name of the face.
        size: pixels per em.
        ink: colour of the glyph.
        background: colour behind it.
    """

    index: int
    image: Image
    box: npt.NDArray[np.int16]
    glyph: str
    font: str
    size: int
    ink: Colour
    background: Colour

    @property
    def contrast(self) -> int:
        """Difference between ink and background in luma, 0..255."""
        return abs(luma(self.ink) - luma(self.background))


def blend_table(ink: Colour, background: Colour) -> Image:
    """What a pixel looks like at every coverage: uint8 (256, 3), from the background at 0 to the ink at 255.

    Exact integers, rounded to the nearest.
    """
    coverage = np.arange(256, dtype=np.int32)[:, None]
    table = (np.array(background, np.int32) * (255 - coverage) + np.array(ink, np.int32) * coverage + 127) // 255
    return table.astype(np.uint8)


def draw_letter(glyph: str, font: str, size: int, ink: Colour, background: Colour) -> Image:
    """A glyph on its background, cut to what can be seen.

    A faint edge can round back to the background: then it is no longer there, and no part of the box.

    Returns:
        uint8 RGB (height, width, 3), every outer row and column of which has a pixel that differs from the background.

    Raises:
        InputError: nothing differs.
    """
    table = blend_table(ink, background)
    # Blending is monotonous: from some coverage on, every pixel differs from the background.
    seen = (table != table[0]).any(axis=1)
    letter: Image = table[ink_mask(glyph, font, size, int(seen.argmax()) if seen.any() else 256)]
    return letter


def draw_sample(spec: DatasetSpec, index: int) -> Sample:
    """Draw sample ``index`` of a data set, which need not exist anywhere.

    Raises:
        InputError: the data set has no such sample.
    """
    if not 0 <= index < spec.n:
        raise InputError(f"Expected an index from 0 to {spec.n - 1}, received {index}.")
    return paint_sample(spec, index, np.empty((spec.height, spec.width, 3), np.uint8))


def paint_sample(spec: DatasetSpec, index: int, canvas: Image) -> Sample:
    """`draw_sample` onto a given canvas, uint8 (height, width, 3), C-contiguous, whose content is replaced."""
    stream = words(spec.seed, SAMPLE, index)
    # The order of these draws is part of what a seed means; the colours, which use up any number, come last.
    glyph = spec.glyphs[below(len(spec.glyphs), next(stream))]
    font = spec.fonts[below(len(spec.fonts), next(stream))]
    size = spec.sizes[0] + below(spec.sizes[1] - spec.sizes[0] + 1, next(stream))
    across, down = next(stream), next(stream)
    background, ink = (WHITE, BLACK) if spec.background == "white" else contrasting_pair(stream, spec.min_contrast)

    letter = draw_letter(glyph, font, size, ink, background)
    height, width = letter.shape[:2]
    if width > spec.width or height > spec.height:
        raise InputError(f"{glyph!r} in {font} at {size} px does not fit pictures of {spec.width}x{spec.height}.")
    xmin, ymin = below(spec.width - width + 1, across), below(spec.height - height + 1, down)
    # Row by row: broadcasting three bytes at a time takes ten times as long.
    canvas.reshape(spec.height, spec.width * 3)[:] = np.frombuffer(bytes(background) * spec.width, np.uint8)
    canvas[ymin : ymin + height, xmin : xmin + width] = letter
    box = np.array([xmin, ymin, xmin + width, ymin + height], np.int16)
    return Sample(index, canvas, box, glyph, font, size, ink, background)
