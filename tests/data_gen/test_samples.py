from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bboxbench.boxes import mask_to_box
from bboxbench.data_gen import DatasetSpec, draw_sample
from bboxbench.data_gen.backgrounds import draw_background
from bboxbench.data_gen.colours import blend_table, luma, luma_of_images
from bboxbench.data_gen.draws import MAX_SEED, below, words
from bboxbench.data_gen.glyphs import ink_mask
from bboxbench.data_gen.samples import draw_letter, least_coverage
from bboxbench.errors import InputError

colours = st.tuples(*[st.integers(0, 255)] * 3)


def box_of(image: np.ndarray, background: tuple[int, int, int]) -> tuple[int, int, int, int] | None:
    return mask_to_box((image != np.array(background, np.uint8)).any(axis=-1))


@settings(deadline=None)
@given(st.integers(0, 2**63 - 1), st.integers(0, 999))
def test_the_box_is_the_tightest_round_every_pixel_that_differs(seed: int, index: int) -> None:
    spec = DatasetSpec.letters(n=1000, seed=seed)
    sample = draw_sample(spec, index)
    assert box_of(sample.image, sample.background) == tuple(sample.box.tolist())
    assert (sample.image.shape, sample.image.dtype) == ((100, 200, 3), np.uint8)
    assert (sample.box.shape, sample.box.dtype) == ((4,), np.int16)
    assert sample.glyph in spec.glyphs
    assert sample.font in spec.fonts
    assert spec.sizes[0] <= sample.size <= spec.sizes[1]
    assert sample.contrast >= 64


@given(st.integers(0, 2**63 - 1), st.integers(0, 999))
def test_on_white_the_same_letter_stands_at_the_same_place_in_black_and_its_box_is_exact(seed: int, index: int) -> None:
    spec = DatasetSpec.letters(n=1000, seed=seed)
    plain, white = draw_sample(spec, index), draw_sample(spec.changed(background="white"), index)
    assert (white.ink, white.background) == ((0, 0, 0), (255, 255, 255))
    assert box_of(white.image, (255, 255, 255)) == tuple(white.box.tolist())
    assert (white.glyph, white.font, white.size) == (plain.glyph, plain.font, plain.size)
    # Where blending rounded a faint edge away on colours, black on white may show it: a pixel on each side.
    assert np.abs(white.box.astype(int) - plain.box).max() <= 2


def test_a_faint_edge_that_rounds_back_to_the_background_is_outside_the_box() -> None:
    # The right edge of this A is covered by 1/255: seen in black on white, and gone where the colours are near.
    mask = ink_mask("A", "DejaVuSansMono", 52)
    strong = draw_letter("A", "DejaVuSansMono", 52, (0, 0, 0), (255, 255, 255))
    weak = draw_letter("A", "DejaVuSansMono", 52, (164, 164, 164), (100, 100, 100))
    assert strong.shape[:2] == mask.shape
    assert weak.shape[:2] == (mask.shape[0], mask.shape[1] - 1)
    assert box_of(weak, (100, 100, 100)) == (0, 0, weak.shape[1], weak.shape[0])


@given(colours, colours)
def test_blending_is_exact_rounding_and_monotonous(ink: tuple[int, int, int], background: tuple[int, int, int]) -> None:
    table = blend_table(ink, background).astype(int)
    coverage = np.arange(256)[:, None]
    exact = (np.array(background) * (255 - coverage) + np.array(ink) * coverage) / 255
    assert np.abs(table - exact).max() <= 0.5
    assert tuple(table[0]) == background
    assert tuple(table[255]) == ink
    steps = np.diff(table, axis=0)
    assert ((steps >= 0).all(axis=0) | (steps <= 0).all(axis=0)).all()


@given(colours, colours)
def test_the_least_coverage_that_is_seen_is_where_blending_leaves_the_background(
    ink: tuple[int, int, int], background: tuple[int, int, int]
) -> None:
    differs = (blend_table(ink, background) != background).any(axis=1)
    assert least_coverage(ink, background) == (int(differs.argmax()) if differs.any() else 256)


def test_a_letter_in_the_colour_of_its_background_is_refused() -> None:
    with pytest.raises(InputError, match="draws nothing"):
        draw_letter("A", "DejaVuSans", 40, (9, 9, 9), (9, 9, 9))


@pytest.mark.parametrize("preset", ["varied", "hard"])
def test_the_colour_behind_a_glyph_is_the_mean_of_its_background(preset: str) -> None:
    spec = DatasetSpec(preset=preset, n=40)
    kinds = set()
    for index in range(spec.n):
        kind, behind = draw_background(spec, index)
        mean = behind.reshape(-1, 3).astype(float).mean(axis=0)
        assert np.abs(np.array(draw_sample(spec, index).background) - mean).max() <= 0.5
        kinds.add(kind)
    assert kinds == set(spec.background)


def test_positions_are_uniform_over_all_places_where_the_ink_fits() -> None:
    # The letter fits in 5 x 4 places and has to be seen in each about equally often.
    height, width = ink_mask("H", "DejaVuSans", 20).shape
    spec = DatasetSpec.letters(
        n=4000, glyphs="H", fonts=("DejaVuSans",), sizes=(20, 20), width=width + 4, height=height + 3
    )
    boxes = [tuple(draw_sample(spec, index).box.tolist()) for index in range(spec.n)]
    free = Counter((spec.width - x2 + x1, spec.height - y2 + y1) for x1, y1, x2, y2 in boxes)
    assert set(free) == {(4, 3)}
    counts = Counter((x1, y1) for x1, y1, _, _ in boxes)
    assert set(counts) == set(itertools.product(range(5), range(4)))
    chi_square = sum((count - 200) ** 2 / 200 for count in counts.values())
    assert chi_square < 43.8  # 19 degrees of freedom, p = 0.001


def test_glyphs_fonts_and_sizes_are_equally_likely() -> None:
    spec = DatasetSpec.letters(n=6600, glyphs="HO", sizes=(32, 42))
    samples = [draw_sample(spec, index) for index in range(spec.n)]
    for values, kinds in (
        ([s.glyph for s in samples], 2),
        ([s.font for s in samples], len(spec.fonts)),
        ([s.size for s in samples], 11),
    ):
        counts = Counter(values)
        assert len(counts) == kinds
        share = spec.n / kinds
        assert all(abs(count - share) < 4.5 * share**0.5 for count in counts.values())


def test_a_sample_depends_on_seed_and_index_alone() -> None:
    spec = DatasetSpec.letters(n=100, seed=5)
    backwards = {index: draw_sample(spec, index) for index in reversed(range(100))}
    longer = DatasetSpec.letters(n=7000, seed=5)
    for index in range(100):
        again = draw_sample(longer, index)
        np.testing.assert_array_equal(again.image, backwards[index].image)
        np.testing.assert_array_equal(again.box, backwards[index].box)


def test_other_seeds_and_other_indices_give_other_samples() -> None:
    seen = {
        draw_sample(DatasetSpec.letters(n=50, seed=seed), index).image.tobytes()
        for seed in (0, 1, 2**63 - 1)
        for index in range(50)
    }
    assert len(seen) == 150


@pytest.mark.parametrize("index", [-1, 10])
def test_an_index_that_is_not_in_the_data_set_is_refused(index: int) -> None:
    with pytest.raises(InputError, match="from 0 to 9"):
        draw_sample(DatasetSpec.letters(n=10), index)


GOLDEN = {
    0: "af6ecb1ace5c1f8776734dd682f04ce525ef27c715c4fb196007c12bc432a5cb",
    1: "ab0858823d5ba46839826308df7b92879cf321f70740f70e6cc848c893c3f290",
    2**63 - 1: "501145fc568304213b14726f0b3b13824b03a8eef76c333b7e2cb95d9689fa46",
}
"""Hashes of the decoded pixels and boxes of the first 60 samples, frozen: a seed means the same pictures for ever."""


@pytest.mark.parametrize("seed", GOLDEN)
def test_a_seed_still_means_the_pictures_it_meant_when_it_was_frozen(seed: int) -> None:
    spec = DatasetSpec.letters(
        n=60,
        seed=seed,
        fonts=("DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSerif", "DejaVuSerif-Bold"),
        sizes=(32, 64),
    )
    digest = hashlib.sha256()
    for index in range(60):
        sample = draw_sample(spec, index)
        digest.update(sample.image.tobytes())
        digest.update(sample.box.astype("<i2").tobytes())
    assert digest.hexdigest() == GOLDEN[seed]


def test_raw_words_are_those_of_philox_when_they_were_frozen() -> None:
    assert list(itertools.islice(words(0, 1, 0), 3)) == [
        15003734204198539638,
        13859618513508960101,
        12389738016430293093,
    ]
    assert list(itertools.islice(words(2**63 - 1, 1, 10**8), 2)) == [3584597442966719711, 12556218559648806804]


def test_streams_of_two_indices_do_not_overlap() -> None:
    one, other = (set(itertools.islice(words(0, 1, index), 5000)) for index in (0, 1))
    assert not one & other


@given(st.integers(1, 2**48), st.integers(0, 2**64 - 1))
def test_a_draw_is_below_its_bound(bound: int, word: int) -> None:
    assert 0 <= below(bound, word) < bound


@pytest.mark.parametrize("bound", [1, 2, 7, 137])
def test_a_draw_reaches_both_ends(bound: int) -> None:
    assert (below(bound, 0), below(bound, 2**64 - 1)) == (0, bound - 1)


@given(colours)
def test_luma_is_the_rounded_weighted_sum(colour: tuple[int, int, int]) -> None:
    red, green, blue = colour
    assert abs(luma(colour) - (0.299 * red + 0.587 * green + 0.114 * blue)) <= 0.5 + 0.005


def test_the_luma_of_pictures_is_that_of_their_colours() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 40, 50, 3), np.uint8)
    expected = [luma((r, g, b)) for r, g, b in images.reshape(-1, 3).tolist()]
    np.testing.assert_array_equal(luma_of_images(images).ravel(), expected)
    assert luma_of_images(images[:0]).shape == (0, 40, 50)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 12), st.integers(1, 200))
def test_grey_levels_do_not_depend_on_how_many_pictures_are_turned_at_a_time(
    height: int, width: int, n: int, at_a_time: int
) -> None:
    images = np.random.default_rng(n).integers(0, 256, (n, height, width, 3), np.uint8)
    expected = [luma(tuple(pixel)) for pixel in images.reshape(-1, 3).tolist()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bboxbench.data_gen.colours._PIXELS_AT_A_TIME", at_a_time)
        levels = luma_of_images(images)
        given = np.empty_like(levels)
        assert luma_of_images(images, given) is given
    np.testing.assert_array_equal(levels, np.array(expected, np.uint8).reshape(n, height, width))
    np.testing.assert_array_equal(given, levels)


@given(st.integers(0, MAX_SEED), st.integers(0, 2**32), st.integers(0, 2**63))
def test_words_are_numpys_own_also_when_two_streams_are_read_in_turns(seed: int, purpose: int, index: int) -> None:
    mine, other = words(seed, purpose, index), words(1, 2, 3)
    found = [word for pair in zip(mine, itertools.islice(other, 100), strict=False) for word in pair]
    key, counter = np.array([seed, purpose], np.uint64), np.array([0, 0, 0, index], np.uint64)
    assert found[::2][:100] == np.random.Philox(key=key, counter=counter).random_raw(100).tolist()
    assert found[1::2] == list(itertools.islice(words(1, 2, 3), 100))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scale": (3, 3)}, r"200 times it did not fit pictures of 200x100; choose smaller sizes or larger pictures"),
        ({"scale": (0.1, 0.1), "sizes": (8, 8)}, r"200 times it had no pixel that is covered by half; choose larger"),
        ({"min_contrast": 1, "ink_threshold": 64}, r"200 times it changed no pixel by the ink_threshold of 64 levels"),
    ],
)
def test_a_glyph_drawn_in_vain_is_told_with_what_it_failed_at(changes: dict[str, Any], said: str) -> None:
    spec = DatasetSpec.recorded({**DatasetSpec.letters(n=300).to_dict(), **changes})
    with pytest.raises(InputError, match=said):
        _ = [draw_sample(spec, index) for index in range(spec.n)]
