from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bboxbench.data_gen.glyphs import Mask, ink_mask
from bboxbench.data_gen.transforms import Transform, blurred, transformed

FACE = "DejaVuSansMono-Bold"


def centroid(coverage: Mask) -> tuple[float, float]:
    rows, columns = np.indices(coverage.shape)
    return float((coverage * columns).sum() / coverage.sum()), float((coverage * rows).sum() / coverage.sum())


def amount(coverage: Mask) -> int:
    return int(coverage.sum())


def placed(transform: Transform, glyph: str = "L", size: int = 40) -> Mask:
    return transformed(glyph, FACE, size, transform)


def test_without_any_change_the_glyph_is_that_of_freetype_but_for_hinting() -> None:
    straight, drawn = ink_mask("L", FACE, 40), placed(Transform())
    assert np.abs(np.subtract(drawn.shape, straight.shape)).max() <= 1
    assert amount(drawn) == pytest.approx(amount(straight), rel=0.06)


def test_a_glyph_too_large_to_be_rendered_larger_still_is_turned_as_a_small_one_is() -> None:
    small, large = placed(Transform(rotation=5), "W", 105), placed(Transform(rotation=5), "W", 2100)
    assert np.array(large.shape) / 20 == pytest.approx(np.array(small.shape), rel=0.04)
    assert amount(large) / 400 == pytest.approx(amount(small), rel=0.02)


def test_a_quarter_turn_is_counter_clockwise() -> None:
    # The foot of an L points to the right; turned by 90 degrees it points up.
    turned, straight = placed(Transform(rotation=90)), placed(Transform())
    assert turned.shape == straight.shape[::-1]
    np.testing.assert_allclose(turned.astype(int), np.rot90(straight).astype(int), atol=2)


def test_positive_shear_leans_to_the_right_and_keeps_heights() -> None:
    leaning, straight = placed(Transform(shear=20), "I"), placed(Transform(), "I")
    assert leaning.shape[0] == straight.shape[0]
    top, bottom = (centroid(part)[0] for part in (leaning[:10], leaning[-10:]))
    apart = np.tan(np.radians(20)) * (leaning.shape[0] - 10)
    assert top - bottom == pytest.approx(apart, abs=1)


@given(st.floats(0.5, 2), st.floats(0.5, 2))
def test_scale_multiplies_width_and_height_each_by_its_own_factor(across: float, down: float) -> None:
    height, width = placed(Transform(), "H").shape
    scaled = placed(Transform(scale=(across, down)), "H").shape
    # An edge that lies anywhere within a pixel makes an extent up to a pixel longer on each side, in both.
    assert abs(scaled[1] - width * across) <= 2 + 2 * across
    assert abs(scaled[0] - height * down) <= 2 + 2 * down


@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_a_shift_moves_ink_to_the_right_and_down_by_parts_of_a_pixel(across: float, down: float) -> None:
    # In the same frame: the trimmed glyph says only where its own edge is.
    moved, still = placed(Transform(shift=(across, down)), "H"), placed(Transform(), "H")
    assert amount(moved) == pytest.approx(amount(still), rel=0.01)
    (x, y), (x0, y0) = centroid(moved), centroid(still)
    # Whole pixels are lost in trimming.
    for difference in (x - x0 - across, y - y0 - down):
        assert abs(difference - round(difference)) < 0.08


@given(st.floats(-180, 180), st.floats(-45, 45), st.floats(0.5, 1.5), st.sampled_from("AgQj"))
def test_no_transform_cuts_a_glyph_off(rotation: float, shear: float, scale: float, glyph: str) -> None:
    # The ink's amount is that of the straight glyph times the map's determinant.
    drawn = placed(Transform(rotation, (scale, 1 / scale), shear), glyph)
    assert amount(drawn) == pytest.approx(amount(placed(Transform(), glyph)), rel=0.03)
    assert drawn[0].any()
    assert drawn[-1].any()
    assert drawn[:, 0].any()
    assert drawn[:, -1].any()


@given(st.floats(0.3, 4))
def test_blur_keeps_the_ink_in_amount_and_place_and_spreads_it_by_its_deviation(deviation: float) -> None:
    sharp = ink_mask("O", FACE, 40)
    soft = blurred(sharp, deviation)
    assert amount(soft) == pytest.approx(amount(sharp), rel=0.03)
    grown = (np.array(soft.shape) - sharp.shape) / 2
    assert (grown >= 0).all()
    assert (grown <= np.ceil(3 * deviation) + 1).all()
    x, y = np.array(centroid(soft)) - np.array(centroid(sharp))
    assert x == pytest.approx(grown[1], abs=0.6)
    assert y == pytest.approx(grown[0], abs=0.6)


def test_no_blur_is_the_glyph_itself() -> None:
    sharp = ink_mask("O", FACE, 40)
    assert blurred(sharp, 0) is sharp
