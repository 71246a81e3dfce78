from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bboxbench.boxes import area, iou, mask_to_box, relative_boxes, to_pixels

coordinates = st.floats(-1e4, 1e4, allow_nan=False, width=32)
boxes = hnp.arrays(np.float64, (5, 4), elements=coordinates)


def pixel_set(box: list[int]) -> set[tuple[int, int]]:
    return {(x, y) for x in range(box[0], box[2]) for y in range(box[1], box[3])}


@given(st.lists(st.integers(0, 12), min_size=8, max_size=8))
def test_iou_of_whole_pixels_is_that_of_the_sets_of_pixels(sides: list[int]) -> None:
    one, other = sides[:4], sides[4:]
    union = pixel_set(one) | pixel_set(other)
    expected = len(pixel_set(one) & pixel_set(other)) / len(union) if union else 0.0
    assert iou(one, other) == pytest.approx(expected, abs=1e-12)


@given(boxes, boxes)
def test_iou_is_symmetric_and_between_0_and_1(one: np.ndarray, other: np.ndarray) -> None:
    values = iou(one, other)
    assert values.shape == (5,)
    assert ((values >= 0) & (values <= 1 + 1e-12)).all()
    np.testing.assert_array_equal(values, iou(other, one))


@given(boxes)
def test_iou_with_itself_is_1_where_there_is_area(one: np.ndarray) -> None:
    np.testing.assert_allclose(iou(one, one), area(one) > 0)


def test_iou_of_two_boxes_that_share_a_third() -> None:
    assert iou([0, 0, 2, 1], [1, 0, 3, 1]) == pytest.approx(1 / 3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_iou_with_a_box_that_is_not_finite_is_0(bad: float) -> None:
    assert iou([0, 0, 2, 2], [0, 0, 2, bad]) == 0.0


def test_area_of_an_inverted_box_is_0_also_when_both_sides_are_inverted() -> None:
    np.testing.assert_array_equal(area([[4, 0, 2, 5], [4, 5, 2, 0], [1, 2, 4, 4]]), [0, 0, 6])


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_mask_to_box_is_the_tightest(mask: np.ndarray) -> None:
    box = mask_to_box(mask)
    if box is None:
        assert not mask.any()
        return
    xmin, ymin, xmax, ymax = box
    assert mask.sum() == mask[ymin:ymax, xmin:xmax].sum()
    assert mask[ymin, :].any()
    assert mask[ymax - 1, :].any()
    assert mask[:, xmin].any()
    assert mask[:, xmax - 1].any()


@given(hnp.arrays(np.int16, (7, 4), elements=st.integers(0, 200)), st.integers(1, 4096), st.integers(1, 4096))
def test_relative_boxes_come_back_as_the_pixels_they_were(pixels: np.ndarray, width: int, height: int) -> None:
    relative = relative_boxes(pixels, width, height)
    assert relative.dtype == np.float32
    np.testing.assert_array_equal(np.rint(to_pixels(relative, width, height)), pixels)


def test_relative_boxes_divide_x_by_width_and_y_by_height() -> None:
    np.testing.assert_array_equal(relative_boxes([50, 25, 200, 100], 200, 100), np.float32([0.25, 0.25, 1, 1]))
