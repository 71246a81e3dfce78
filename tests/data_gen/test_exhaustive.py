"""Is every box the tightest, and every glyph whole? Looked for by other ways than the pictures were made."""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont
from without_glyphs import without_glyph

from bboxbench.data_gen import DatasetSpec, draw_sample
from bboxbench.data_gen.fonts import FONT_NAMES, font_path
from bboxbench.data_gen.glyphs import ink_mask
from bboxbench.data_gen.samples import Sample, draw_letter
from bboxbench.data_gen.transforms import Transform, transformed
from bboxbench.data_gen.verification import ink_from_pixels
from bboxbench.errors import InputError

Pixels = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]

LETTERS = DatasetSpec.letters()
RANDOM = 23


def rows_and_columns(ink: npt.NDArray[np.bool_]) -> Box | None:
    """The tightest box round what is true: first and last row and column with any of it."""
    rows, columns = (list(map(bool, ink.any(axis=axis))) for axis in (1, 0))
    if True not in rows:
        return None
    last = len(columns) - columns[::-1].index(True), len(rows) - rows[::-1].index(True)
    return columns.index(True), rows.index(True), *last


def written_large(glyph: str, font: str, size: int) -> Pixels:
    """The coverage of a glyph on a page so large that nothing of it can be cut off, as Pillow writes text."""
    face = ImageFont.truetype(str(font_path(font)), size, layout_engine=ImageFont.Layout.BASIC)
    page = Image.new("L", (2 * size, 2 * size))
    ImageDraw.Draw(page).text((size // 2, size // 4), glyph, fill=255, font=face)
    coverage = np.asarray(page)
    edges = np.concatenate([coverage[[0, -1]].ravel(), coverage[:, [0, -1]].ravel()])
    assert not edges.any(), "it reaches the end of the page"
    return coverage


def blended(coverage: Pixels, ink: tuple[int, ...], background: tuple[int, ...]) -> Pixels:
    """Each channel between background and ink, rounded to the nearest, by fractions."""
    share = coverage[..., None].astype(float) / 255
    exact = np.array(background, float) + share * (np.array(ink, float) - np.array(background, float))
    return np.floor(exact + 0.5 + 1e-9).astype(np.uint8)


def pairs_of_colours(rng: random.Random) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Ink and background: as far apart as can be, as near as the preset allows, and a few levels in one channel."""
    grey = rng.randrange(0, 192)
    base = tuple(rng.randrange(8, 248) for _ in range(3))
    near = list(base)
    near[rng.randrange(3)] += rng.choice([-7, -2, -1, 1, 2, 7])
    return [((0, 0, 0), (255, 255, 255)), ((grey + 64,) * 3, (grey,) * 3), (tuple(near), base)]


@pytest.mark.slow
def test_every_glyph_of_the_preset_in_every_face_and_size_has_the_box_of_its_pixels_and_is_whole() -> None:
    rng = random.Random(RANDOM)
    tried = 0
    sizes = range(LETTERS.sizes[0], LETTERS.sizes[1] + 1)
    for font, glyph, size in itertools.product(LETTERS.fonts, LETTERS.glyphs, sizes):
        large = written_large(glyph, font, size)
        for ink, background in pairs_of_colours(rng):
            page = blended(large, ink, background)
            box = rows_and_columns((page != np.array(background, np.uint8)).any(axis=-1))
            if box is None:
                # The colours are so near that nothing of it can be seen.
                with pytest.raises(InputError):
                    draw_letter(glyph, font, size, ink, background)  # type: ignore[arg-type]
                continue
            xmin, ymin, xmax, ymax = box
            letter = draw_letter(glyph, font, size, ink, background)  # type: ignore[arg-type]
            assert letter.shape[:2] == (ymax - ymin, xmax - xmin), (font, glyph, size, ink, background)
            np.testing.assert_array_equal(letter, page[ymin:ymax, xmin:xmax], str((font, glyph, size)))
        tried += 1
    assert tried == 2 * 52 * 17


@pytest.mark.slow
def test_every_glyph_face_and_size_of_the_preset_is_exact_in_a_picture() -> None:
    """One picture of each, wherever the seed puts it, in the colours that the seed gives it."""
    sizes = range(LETTERS.sizes[0], LETTERS.sizes[1] + 1)
    for number, (font, glyph, size) in enumerate(itertools.product(LETTERS.fonts, LETTERS.glyphs, sizes)):
        spec = DatasetSpec.letters(n=1, seed=number, fonts=(font,), glyphs=glyph, sizes=(size, size))
        sample = draw_sample(spec, 0)
        assert spec.bare
        ink = (sample.image != np.array(sample.background, np.uint8)).any(axis=-1)
        assert rows_and_columns(ink) == tuple(sample.box.tolist()), (font, glyph, size)
        # As `verify` looks, which is not told the background.
        seen, background = ink_from_pixels(sample.image)
        np.testing.assert_array_equal(seen, ink)
        assert background == sample.background


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small pictures to draw on."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(RANDOM)
    for name, (height, width) in {"a.png": (90, 300), "b.png": (200, 120)}.items():
        rough = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
        rough.resize((width, height), Image.Resampling.BICUBIC).save(folder / name)
    return folder


CHARACTERS = "AQWgjly@#%&|.,'ÅÇñΩψЖщ0189"
"""Wide, narrow, tall, deep, in parts, with marks above and below."""


@st.composite
def specs(draw: st.DrawFn, photographs: Path) -> DatasetSpec:
    """A spec of any kind; one that asks for what cannot be is left out."""
    kinds = ("plain", "white", "gradient", "noise", "texture", "pictures")
    background = tuple(draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=3, unique=True)))
    low = draw(st.integers(8, 60))
    least = draw(st.floats(0.3, 2.0))
    values: dict[str, Any] = {
        "preset": "letters",
        "n": 3,
        "seed": draw(st.integers(0, 2**63 - 1)),
        "width": draw(st.integers(30, 220)),
        "height": draw(st.integers(30, 160)),
        "glyphs": "".join(draw(st.lists(st.sampled_from(CHARACTERS), min_size=1, max_size=4, unique=True))),
        "fonts": draw(st.lists(st.sampled_from(FONT_NAMES), min_size=1, max_size=2, unique=True)),
        "sizes": (low, low + draw(st.integers(0, 20))),
        "background": background,
        "pictures": str(photographs) if "pictures" in background else "",
        "min_contrast": draw(st.integers(1, 160)),
        "rotation": draw(st.sampled_from([0.0, 5.0, 45.0, 180.0])),
        "scale": (least, least + draw(st.sampled_from([0.0, 0.5]))),
        "shear": draw(st.sampled_from([0.0, 10.0, 40.0])),
        "shift": draw(st.sampled_from([0.0, 0.5])),
        "blur": draw(st.sampled_from([0.0, 0.5, 3.0])),
        "noise": draw(st.sampled_from([0.0, 2.0, 40.0])),
        "ink_threshold": draw(st.sampled_from([1, 2, 8, 40])),
        "masks": draw(st.booleans()),
    }
    try:
        return DatasetSpec.from_dict(values)
    except InputError:
        assume(False)
        raise


def drawn(spec: DatasetSpec, index: int) -> Sample:
    """The sample; where no transform lets its glyph fit, the spec is left out."""
    try:
        return draw_sample(spec, index)
    except InputError:
        assume(False)
        raise


def ink_of(sample: Sample, spec: DatasetSpec) -> npt.NDArray[np.bool_]:
    """Where a picture differs from the same picture without its glyph, as the page of data sets defines it."""
    without = without_glyph(spec, sample)
    return (np.abs(sample.image.astype(int) - without.astype(int)) >= spec.ink_threshold).any(axis=-1)


@settings(max_examples=150)
@given(data=st.data())
def test_whatever_a_spec_asks_for_the_box_is_the_tightest_round_what_the_glyph_changed(
    photographs: Path, data: st.DataObject
) -> None:
    spec = data.draw(specs(photographs))
    for index in range(spec.n):
        sample = drawn(spec, index)
        ink = ink_of(sample, spec)
        assert rows_and_columns(ink) == tuple(sample.box.tolist())
        assert spec.masks == (sample.mask is not None) == (sample.class_map is not None)
        if sample.mask is not None and sample.class_map is not None:
            np.testing.assert_array_equal(sample.mask, ink.astype(np.uint8))
            classes = set(np.unique(sample.class_map).tolist())
            assert classes <= {0, 255, 1 + spec.glyphs.index(sample.glyph)}
            np.testing.assert_array_equal(sample.class_map > 0, ink)


@settings(max_examples=80)
@given(data=st.data())
def test_no_glyph_is_cut_off_by_its_picture(photographs: Path, data: st.DataObject) -> None:
    """In a picture of any other size the same glyph, turned and blurred alike, is the same to the last pixel."""
    spec = data.draw(specs(photographs)).changed(background="white", pictures="", noise=0.0, masks=False, n=1)
    small = drawn(spec, 0)
    large = drawn(spec.changed(width=spec.width + 400, height=spec.height + 400), 0)
    alike = ("glyph", "font", "size", "rotation", "scale", "shear", "shift", "blur", "ink")
    # In a small picture a transform that does not fit is drawn anew.
    assume([getattr(small, name) for name in alike] == [getattr(large, name) for name in alike])
    one, other = (each.image[ymin:ymax, xmin:xmax] for each in (small, large) for xmin, ymin, xmax, ymax in [each.box])
    np.testing.assert_array_equal(one, other)


def extents(ink: npt.NDArray[np.bool_], transform: Transform, zoom: float) -> tuple[float, float]:
    """How wide and how high the centres of some pixels spread once they are carried along."""
    rows, columns = np.nonzero(ink)
    carried = np.array(transform.matrix()) @ np.stack([columns, rows]) * zoom
    across, down = (carried.max(axis=1) - carried.min(axis=1)).tolist()
    return across, down


@settings(max_examples=150)
@given(
    st.sampled_from(CHARACTERS),
    st.sampled_from(FONT_NAMES),
    st.integers(8, 80),
    st.floats(-180, 180),
    st.tuples(st.floats(0.3, 3), st.floats(0.3, 3)),
    st.floats(-60, 60),
    st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)),
)
def test_a_glyph_under_a_transform_reaches_as_far_as_the_transform_carries_it(
    glyph: str,
    font: str,
    size: int,
    rotation: float,
    scale: tuple[float, float],
    shear: float,
    shift: tuple[float, float],
) -> None:
    """Each pixel of a large rendering is carried along by plain arithmetic: no side of it may be missing."""
    try:
        source = ink_mask(glyph, font, 256)
    except InputError:
        assume(False)
        raise
    transform = Transform(rotation, scale, shear, shift)
    found = transformed(glyph, font, size, transform)
    assume(found.size and found.max() > 128)
    # What is solid must be there; what is faint may be, and soft edges reach into a pixel more on each side.
    solid, faint = (extents(source > least, transform, size / 256) for least in (127, 0))
    for least, length, most in zip(solid, found.shape[::-1], faint, strict=True):
        assert least - 2 <= length <= most + 4, (solid, found.shape, faint)


def fingerprint(spec: DatasetSpec, index: int) -> str:
    """A hash of all that a sample is."""
    sample = draw_sample(spec, index)
    digest = hashlib.sha256(sample.image.tobytes() + sample.box.tobytes())
    for each in (sample.mask, sample.class_map):
        digest.update(b"" if each is None else each.tobytes())
    said = [value for name, value in vars(sample).items() if name not in ("image", "box", "mask", "class_map")]
    digest.update(repr(said).encode())
    return digest.hexdigest()


ELSEWHERE = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from test_exhaustive import fingerprint
from bboxbench.data_gen import DatasetSpec
asked = json.load(sys.stdin)
print(json.dumps([fingerprint(DatasetSpec.from_dict(values), index) for values, index in asked]))
"""


def test_a_sample_is_the_same_bytes_in_another_process_drawn_in_another_order(photographs: Path) -> None:
    kinds = ("plain", "white", "gradient", "noise", "texture", "pictures")
    asked = []
    for preset in ("letters", "varied", "hard"):
        spec = DatasetSpec.from_dict({"preset": preset, "n": 1000, "seed": RANDOM, "masks": preset != "hard"})
        asked += [(spec, index) for index in (0, 1, 7, 999)]
        more = spec.changed(background=kinds, pictures=str(photographs), blur=1.0, noise=5.0)
        asked += [(more, index) for index in range(6)]
    here = [fingerprint(spec, index) for spec, index in asked]
    told = [({**spec.to_dict(), "pictures": spec.pictures}, index) for spec, index in reversed(asked)]
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, json.dumps([str(Path(__file__).parent), *sys.path])],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == here[::-1]
