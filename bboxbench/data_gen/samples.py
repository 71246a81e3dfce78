"""One sample: a picture, its exact box, and what was drawn; a pure function of (spec, seed, index)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bboxbench.boxes import mask_to_box
from bboxbench.data_gen.backgrounds import draw_background, mean_colour
from bboxbench.data_gen.colours import (
    BLACK,
    WHITE,
    Colour,
    blend_table,
    contrasting_ink,
    contrasting_pair,
    luma,
    luma_of_images,
)
from bboxbench.data_gen.draws import SAMPLE, below, between, words
from bboxbench.data_gen.fonts import Face
from bboxbench.data_gen.glyphs import Mask, ink_mask
from bboxbench.data_gen.masks import class_map, differing
from bboxbench.data_gen.noise import add_noise, sensor_noise
from bboxbench.data_gen.spec import DatasetSpec
from bboxbench.data_gen.transforms import SEEN, Transform, blurred, transformed
from bboxbench.errors import InputError

__all__ = ["Sample", "draw_letter", "draw_sample", "least_coverage", "paint_sample"]

Image = npt.NDArray[np.uint8]

_ATTEMPTS = 200
"""Transforms that are tried until the glyph fits its picture and can be seen."""


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture and the truth about it.

    Attributes:
        index: its place in the data set.
        image: uint8 RGB, (height, width, 3).
        box: int16 (4,): xmin, ymin, xmax, ymax in pixel edges, half-open. The tightest box round every pixel that
            differs from the same picture without its glyph, by the spec's ``ink_threshold`` or more. Of an imported
            picture the box that came with it.
        glyph: the character; of an imported picture the name of its class.
        font: name of the face; empty where none was drawn.
        size: pixels per em; 0 where no glyph was drawn.
        ink: colour of the glyph; None where none was drawn.
        background: colour behind it, the mean of all pixels where there are several; None where none was drawn.
        contrast: least difference in luma, 0..255, between the ink and any pixel behind it, before noise and blur.
        kind: what is behind the glyph, one of `bboxbench.data_gen.spec_checks.BACKGROUNDS`; empty where none was drawn.
        rotation: degrees, counter-clockwise.
        scale: factors of width and height.
        shear: degrees to the right.
        shift: pixels off the grid, to the right and down.
        blur: standard deviation of the glyph's blur, in pixels.
        noise: standard deviation of the sensor's noise, in levels of 0..255.
        mask: uint8 (height, width), 1 where there is ink, else 0; None unless the spec has masks.
        class_map: uint8 (height, width): 0 the background, 1 + place in ``spec.glyphs`` the glyph, 255 where ink covers
            less than three quarters of what it covers at its fullest; None unless the spec has masks.
    """

    index: int
    image: Image
    box: npt.NDArray[np.int16]
    glyph: str
    font: str = ""
    size: int = 0
    ink: Colour | None = None
    background: Colour | None = None
    contrast: int = 0
    kind: str = ""
    rotation: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    shear: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    blur: float = 0.0
    noise: float = 0.0
    mask: Image | None = None
    class_map: Image | None = None


def draw_letter(glyph: str, font: Face, size: int, ink: Colour, background: Colour) -> Image:
    """A glyph on its background, cut to what can be seen.

    A faint edge can round back to the background: then it is no longer there, and no part of the box.

    Returns:
        uint8 RGB (height, width, 3), every outer row and column of which has a pixel that differs from the background.

    Raises:
        InputError: nothing differs.
    """
    letter: Image = blend_table(ink, background).take(
        ink_mask(glyph, font, size, least_coverage(ink, background)), axis=0
    )
    return letter


def least_coverage(ink: Colour, background: Colour) -> int:
    """The coverage from which on a pixel differs from the background; 256 where none does.

    `blend_table` adds ``floor((d * coverage + 127) / 255)`` to a channel, which is 0 up to ``abs(d) * coverage = 127``.
    """
    most = max(abs(one - other) for one, other in zip(ink, background, strict=True))
    return -(-128 // most) if most else 256


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
    # The order of these draws is part of what a seed means; what uses up any number of words comes last.
    glyph = below(len(spec.glyphs), next(stream))
    font = below(len(spec.fonts), next(stream))
    size = spec.sizes[0] + below(spec.sizes[1] - spec.sizes[0] + 1, next(stream))
    paint = _paint_bare if spec.bare else _paint_varied
    return paint(spec, index, canvas, stream, glyph, font, size)


def _paint_bare(
    spec: DatasetSpec, index: int, canvas: Image, stream: Iterator[int], glyph: int, font: int, size: int
) -> Sample:
    """A glyph on one colour, straight and sharp: as the other way, and some ten times as fast."""
    character, face = spec.glyphs[glyph], spec.faces[font]
    across, down = next(stream), next(stream)
    white = spec.background == ("white",)
    background, ink = (WHITE, BLACK) if white else contrasting_pair(stream, spec.min_contrast)
    letter = draw_letter(character, face, size, ink, background)
    height, width = letter.shape[:2]
    if width > spec.width or height > spec.height:
        raise InputError(
            f"{character!r} in {spec.fonts[font]} at {size} px does not fit pictures of {spec.width}x{spec.height}."
        )
    xmin, ymin = below(spec.width - width + 1, across), below(spec.height - height + 1, down)
    # Row by row: broadcasting three bytes at a time takes ten times as long.
    canvas.reshape(spec.height, spec.width * 3)[:] = np.frombuffer(bytes(background) * spec.width, np.uint8)
    canvas[ymin : ymin + height, xmin : xmin + width] = letter
    masks: tuple[Image | None, Image | None] = (None, None)
    if spec.masks:
        least = least_coverage(ink, background)
        coverage = ink_mask(character, face, size, least)
        masks = _masks(spec, glyph, coverage >= least, coverage, (xmin, ymin))
    return Sample(
        index,
        canvas,
        np.array([xmin, ymin, xmin + width, ymin + height], np.int16),
        character,
        spec.fonts[font],
        size,
        ink,
        background,
        abs(luma(ink) - luma(background)),
        spec.background[0],
        mask=masks[0],
        class_map=masks[1],
    )


def _paint_varied(
    spec: DatasetSpec, index: int, canvas: Image, stream: Iterator[int], glyph: int, font: int, size: int
) -> Sample:
    """A glyph under any transform, on any background, under noise."""
    character, face = spec.glyphs[glyph], spec.faces[font]
    kind, behind = draw_background(spec, index)
    deviation, noise = sensor_noise(spec, index)
    grey = luma_of_images(behind[np.newaxis])
    darkest, lightest = int(grey.min()), int(grey.max())
    white = spec.background == ("white",)
    ink = BLACK if white else contrasting_ink(stream, darkest, lightest, spec.min_contrast)
    without = add_noise(behind, noise)
    rejected: Counter[str] = Counter()
    for _ in range(_ATTEMPTS):
        transform, blur = _drawn_transform(spec, stream), between(0, spec.blur, next(stream))
        across, down = next(stream), next(stream)
        sharp = transformed(character, face, size, transform) if spec.moved else ink_mask(character, face, size)
        coverage = blurred(sharp, blur)
        height, width = coverage.shape
        if width > spec.width or height > spec.height:
            rejected["large"] += 1
            continue
        if not coverage.size or coverage.max() < SEEN:
            rejected["faint"] += 1
            continue
        xmin, ymin = below(spec.width - width + 1, across), below(spec.height - height + 1, down)
        window = slice(ymin, ymin + height), slice(xmin, xmin + width)
        blended = _blended(behind[window], ink, coverage)
        canvas[:] = without
        canvas[window] = add_noise(blended, noise[window] if noise is not None else None)
        seen = differing(canvas[window], without[window], spec.ink_threshold)
        box = mask_to_box(seen)
        if box is None:
            rejected["hidden"] += 1
            continue
        masks = _masks(spec, glyph, seen, coverage, (xmin, ymin)) if spec.masks else (None, None)
        return Sample(
            index,
            canvas,
            np.array(box, np.int16) + np.array([xmin, ymin, xmin, ymin], np.int16),
            character,
            spec.fonts[font],
            size,
            ink,
            mean_colour(behind),
            min(abs(luma(ink) - darkest), abs(luma(ink) - lightest)),
            kind,
            transform.rotation,
            transform.scale,
            transform.shear,
            transform.shift,
            blur,
            deviation,
            *masks,
        )
    raise _undrawable(spec, f"{character!r} in {spec.fonts[font]} at {size} px", rejected)


_REMEDIES = {
    "large": "did not fit pictures of {width}x{height}; choose smaller sizes or larger pictures, or less of rotation, "
    "scale, shear and blur",
    "faint": "had no pixel that is covered by half; choose larger sizes, a larger scale, or less blur",
    "hidden": "changed no pixel by the ink_threshold of {ink_threshold} levels; choose a lower ink_threshold, more "
    "min_contrast, larger sizes, or less noise and blur",
}
"""What is wrong with a glyph that was drawn in vain, and what helps."""


def _undrawable(spec: DatasetSpec, what: str, rejected: Counter[str]) -> InputError:
    """The error for a glyph of which no transform will do, by what most of them failed at."""
    values = {name: getattr(spec, name) for name in ("width", "height", "ink_threshold")}
    said = [f"{count} times it {_REMEDIES[reason].format(**values)}" for reason, count in rejected.most_common()]
    return InputError(
        f"Expected glyphs that fit their pictures and can be seen, received {what}, which did not in {_ATTEMPTS} "
        f"transforms: {'. '.join(said)}."
    )


def _drawn_transform(spec: DatasetSpec, stream: Iterator[int]) -> Transform:
    return Transform(
        between(-spec.rotation, spec.rotation, next(stream)),
        (between(*spec.scale, next(stream)), between(*spec.scale, next(stream))),
        between(-spec.shear, spec.shear, next(stream)),
        (between(-spec.shift, spec.shift, next(stream)), between(-spec.shift, spec.shift, next(stream))),
    )


def _blended(behind: Image, ink: Colour, coverage: Mask) -> Image:
    """`blend_table` where every pixel has a background of its own: uint8 (height, width, 3)."""
    share = coverage.astype(np.int32)[..., np.newaxis]
    blended: Image = ((behind * (255 - share) + np.array(ink, np.int32) * share + 127) // 255).astype(np.uint8)
    return blended


def _masks(
    spec: DatasetSpec, glyph: int, seen: npt.NDArray[np.bool_], coverage: Mask, place: tuple[int, int]
) -> tuple[Image, Image]:
    """Mask and class map of the whole picture, from the part of it that the glyph is in."""
    (height, width), (xmin, ymin) = seen.shape, place
    mask, classes = np.zeros((2, spec.height, spec.width), np.uint8)
    mask[ymin : ymin + height, xmin : xmin + width] = seen
    classes[ymin : ymin + height, xmin : xmin + width] = class_map(seen, coverage, glyph + 1)
    return mask, classes
