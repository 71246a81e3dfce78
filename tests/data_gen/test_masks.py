from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from without_glyphs import without_glyph

from bboxbench.boxes import mask_to_box
from bboxbench.data_gen import DatasetSpec, draw_sample
from bboxbench.data_gen.masks import class_map, differing


@given(st.integers(0, 2**32), st.integers(1, 64))
def test_ink_differs_in_some_channel_by_the_threshold(seed: int, threshold: int) -> None:
    generator = np.random.default_rng(seed)
    first, second = generator.integers(0, 256, (2, 6, 8, 3), np.uint8)
    second = np.where(generator.random((6, 8, 1)) < 0.5, first, second)
    expected = (np.abs(first.astype(int) - second) >= threshold).any(axis=2)
    np.testing.assert_array_equal(differing(first, second, threshold), expected)


def test_a_class_map_leaves_out_what_covers_less_than_three_quarters_of_the_fullest_pixel() -> None:
    ink = np.array([[False, True, True, True, True]])
    for coverage in ([0, 1, 191, 192, 255], [0, 1, 74, 75, 100]):
        assert class_map(ink, np.array([coverage], np.uint8), 7).tolist() == [[0, 255, 255, 7, 7]]
    # Where noise has hidden the fullest pixel, the fullest that is left counts.
    assert class_map(ink, np.array([[255, 1, 74, 75, 100]], np.uint8), 7).tolist() == [[0, 255, 255, 7, 7]]


@pytest.mark.parametrize("changes", [{"preset": "hard"}, {"glyphs": "il.,;", "sizes": (8, 12)}, {"blur": 4.0}])
def test_every_class_map_has_its_class(changes: dict[str, Any]) -> None:
    spec = DatasetSpec(n=200, masks=True, **changes)
    for index in range(spec.n):
        sample = draw_sample(spec, index)
        assert sample.class_map is not None
        assert (sample.class_map == 1 + spec.glyphs.index(sample.glyph)).any()


@pytest.mark.parametrize("preset", ["letters", "varied", "hard"])
def test_the_box_is_the_tightest_round_the_mask_and_the_class_map_is_of_the_same_pixels(preset: str) -> None:
    spec = DatasetSpec(preset=preset, n=60, masks=True)
    for index in range(spec.n):
        sample = draw_sample(spec, index)
        assert sample.mask is not None
        assert sample.class_map is not None
        assert mask_to_box(sample.mask > 0) == tuple(sample.box.tolist())
        without = without_glyph(spec, sample)
        np.testing.assert_array_equal(sample.mask, differing(sample.image, without, spec.ink_threshold))
        np.testing.assert_array_equal(sample.class_map > 0, sample.mask > 0)
        assert set(np.unique(sample.class_map)) <= {0, 1 + spec.glyphs.index(sample.glyph), 255}


def test_most_of_a_bold_letter_is_solid_and_its_ignored_pixels_are_at_its_edge() -> None:
    spec = DatasetSpec.letters(n=30, fonts=("DejaVuSansMono-Bold",), masks=True)
    for index in range(spec.n):
        sample = draw_sample(spec, index)
        assert sample.class_map is not None
        solid, ignored = (sample.class_map == 1 + spec.glyphs.index(sample.glyph)), sample.class_map == 255
        assert solid.sum() > ignored.sum()
        # The edge is what can be reached from the background without a step on what is solid: notches may be narrow.
        background = sample.class_map == 0
        edge = ndimage.binary_propagation(background, np.ones((3, 3)), ~solid) & ~background
        assert ignored.any()
        np.testing.assert_array_equal(edge, ignored)


def test_of_a_sharp_letter_what_shows_three_quarters_of_the_ink_is_solid() -> None:
    spec = DatasetSpec.letters(n=30, fonts=("DejaVuSansMono-Bold",), masks=True)
    for index in range(spec.n):
        sample = draw_sample(spec, index)
        assert sample.class_map is not None
        ink, background = (np.array(colour, float) for colour in (sample.ink, sample.background))
        channel = np.abs(ink - background).argmax()
        apart = ink[channel] - background[channel]
        shown = (sample.image[..., channel] - background[channel]) / apart
        # Levels are whole numbers, so that a share is known to half a level.
        rounding = 0.5 / abs(apart)
        assert (shown[sample.class_map == 255] < 0.75 + rounding).all()
        assert (shown[sample.class_map == 1 + spec.glyphs.index(sample.glyph)] >= 0.75 - rounding).all()


def test_masks_change_no_picture() -> None:
    spec = DatasetSpec(preset="varied", n=20)
    for index in range(spec.n):
        with_masks, without = draw_sample(spec.changed(masks=True), index), draw_sample(spec, index)
        np.testing.assert_array_equal(with_masks.image, without.image)
        assert with_masks.box.tolist() == without.box.tolist()
        assert without.mask is None
        assert without.class_map is None
