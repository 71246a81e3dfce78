from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bboxbench.boxes import BOX_FORMATS, area, from_xyxy, iou, mask_to_box, relative_boxes, to_pixels, to_xyxy
from bboxbench.errors import InputError

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


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("xyxy", [20, 10, 60, 40]),
        ("yxyx", [10, 20, 40, 60]),
        ("xywh", [20, 10, 40, 30]),
        ("center_xywh", [40, 25, 40, 30]),
        ("center_yxhw", [25, 40, 30, 40]),
        ("rel_xyxy", [0.1, 0.1, 0.3, 0.4]),
        ("rel_yxyx", [0.1, 0.1, 0.4, 0.3]),
        ("rel_xywh", [0.1, 0.1, 0.2, 0.3]),
        ("rel_center_xywh", [0.2, 0.25, 0.2, 0.3]),
        ("rel_center_yxhw", [0.25, 0.2, 0.3, 0.2]),
    ],
)
def test_one_box_in_every_format(name: str, written: list[float]) -> None:
    np.testing.assert_allclose(to_xyxy(written, name, 200, 100), [20, 10, 60, 40])
    np.testing.assert_allclose(from_xyxy([[20, 10, 60, 40]], name, 200, 100), [written])


@given(boxes, st.sampled_from(BOX_FORMATS))
def test_every_format_leads_back_to_the_corners_even_of_inverted_boxes(corners: np.ndarray, name: str) -> None:
    there = from_xyxy(corners, name, 640, 480)
    np.testing.assert_allclose(to_xyxy(there, name, 640, 480), corners, atol=1e-8)


def test_the_formats_are_those_of_the_losses_and_mean_what_keras_means() -> None:
    from keras.utils.bounding_boxes import convert_format

    from bboxbench import losses

    assert losses.BOX_FORMATS == BOX_FORMATS
    low = np.random.default_rng(0).uniform(0, 60, (50, 2))
    corners = np.concatenate([low, low + np.array([40, 20])], axis=1)
    for name in set(BOX_FORMATS) - {"rel_center_yxhw"}:  # which Keras's own function does not know
        theirs = convert_format(corners, "xyxy", name, height=160, width=200)
        np.testing.assert_allclose(from_xyxy(corners, name, 200, 160), theirs, atol=1e-4)


def test_a_relative_format_without_the_size_of_the_picture_says_what_is_missing() -> None:
    with pytest.raises(InputError, match=r"Expected the pictures' width and height.*width=None, height=100"):
        to_xyxy([0, 0, 1, 1], "rel_xyxy", height=100)


def test_an_unknown_format_and_a_shape_that_is_no_box_are_refused() -> None:
    with pytest.raises(InputError, match=r"Unknown box format 'xyhw'\. Did you mean"):
        to_xyxy([0, 0, 1, 1], "xyhw")
    with pytest.raises(InputError, match=r"Expected boxes of shape \(\.\.\., 4\)\. Received: \(3,\)"):
        from_xyxy([0, 0, 1], "xyxy")
