"""Numbers worked out by hand, and what every loss owes to shapes and dtypes."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from bboxbench import losses
from bboxbench.losses import (
    centre_point_loss,
    get,
    giou_loss,
    iou_loss,
    mse_loss,
    names,
    unguarded_iou_loss,
)

FUNCTIONS = [type(get(name)).function for name in names()]
SCALE_INVARIANT = [type(get(name)).function for name in names() if type(get(name)).card.scale_invariant]
UNIT = [0.0, 0.0, 1.0, 1.0]


def dtype_of(tensor):
    return keras.backend.standardize_dtype(tensor.dtype)


def value(loss, y_true, y_pred, **parameters):
    return float(loss(np.asarray(y_true, "float64"), np.asarray(y_pred, "float64"), **parameters))


def test_mse_is_the_mean_of_four_squares():
    assert value(mse_loss, [0, 0, 4, 4], [1, 2, 7, 4]) == (1 + 4 + 9 + 0) / 4


def test_half_of_the_box_scores_the_logarithm_of_two():
    assert value(iou_loss, [0, 0, 4, 4], [2, 0, 4, 4]) == pytest.approx(math.log(2), rel=1e-12)
    assert value(unguarded_iou_loss, [0, 0, 4, 4], [2, 0, 4, 4]) == pytest.approx(math.log(2), rel=1e-12)


def test_overlap_is_divided_by_the_union():
    # Two 2 x 2 boxes that share one cell: 1 / 7.
    assert value(iou_loss, [0, 0, 2, 2], [1, 1, 3, 3]) == pytest.approx(math.log(7), rel=1e-12)


def test_two_boxes_side_by_side_share_nothing():
    left, right = [0, 0, 4, 4], [4, 0, 8, 4]
    assert value(giou_loss, left, right) == 1.0
    assert value(iou_loss, left, right) == pytest.approx(-math.log(1e-7), rel=1e-12)
    assert value(unguarded_iou_loss, left, right) == math.inf


def test_a_gap_costs_its_share_of_the_enclosing_box():
    # The enclosing box is 12 x 4, of which 4 x 4 is gap: 1 + 16 / 48.
    assert value(giou_loss, [0, 0, 4, 4], [8, 0, 12, 4]) == pytest.approx(1 + 1 / 3, rel=1e-12)


def test_giou_of_overlapping_boxes_counts_the_empty_corners():
    # IoU 1 / 7, enclosing box 9, union 7.
    assert value(giou_loss, [0, 0, 2, 2], [1, 1, 3, 3]) == pytest.approx(1 - 1 / 7 + 2 / 9, rel=1e-12)


def test_giou_grows_with_the_distance_and_never_passes_two():
    losses = [value(giou_loss, UNIT, [gap, 0, gap + 1, 1]) for gap in (1, 2, 4, 64, 1e4)]
    assert losses == sorted(losses)
    assert losses[0] == 1.0
    assert 1.99 < losses[-1] < 2


def test_an_inverted_box_inside_its_target_scores_exactly_one():
    assert value(giou_loss, [0.2, 0.2, 0.8, 0.8], [0.6, 0.6, 0.4, 0.4]) == 1.0


def test_corners_are_never_sorted():
    true = [0, 0, 4, 4]
    for loss in FUNCTIONS:
        # Weighted by the overlap, a box without any counts for nothing.
        assert value(loss, true, [4, 4, 0, 0]) > 0 or loss is losses.focal_eiou_loss, loss


def test_centre_point_adds_the_sizes_by_their_weight():
    # The centre is off by (1, 0.5), the size by (-2, 1).
    true, pred = [0, 0, 4, 4], [2, 0, 4, 5]
    assert value(centre_point_loss, true, pred, size_weight=0) == 1.25
    assert value(centre_point_loss, true, pred) == 1.25 + 5
    assert value(centre_point_loss, true, pred, size_weight=0.5) == 1.25 + 2.5


def test_without_size_weight_any_size_scores_the_same():
    sizes = [value(centre_point_loss, [0, 0, 4, 4], [2 - s, 2 - s, 2 + s, 2 + s], size_weight=0) for s in (0, 1, 9)]
    assert sizes == [0, 0, 0]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-1, 1), min_size=8, max_size=8))
def test_a_quarter_of_the_size_is_twice_the_mean_squared_error(numbers):
    true, pred = numbers[:4], numbers[4:]
    assert value(centre_point_loss, true, pred, size_weight=0.25) == pytest.approx(
        2 * value(mse_loss, true, pred), rel=1e-9, abs=1e-15
    )


def test_two_identical_boxes_without_area_match():
    for box in ([0, 0, 0, 0], [3, 3, 3, 3], [1, 2, 5, 2]):
        assert value(giou_loss, box, box) == 0.0
        assert value(iou_loss, box, box) == pytest.approx(-math.log(1e-7)), "the contract's formula: no union, no IoU"


def test_eps_is_the_smallest_iou():
    assert value(iou_loss, UNIT, [2, 2, 3, 3], eps=1e-3) == pytest.approx(math.log(1000))


def test_one_wrong_sign_would_show_as_the_box_moves_away():
    for loss in (mse_loss, giou_loss, centre_point_loss):
        losses = [value(loss, UNIT, [d, d, d + 1, d + 1]) for d in np.linspace(0, 5, 21)]
        assert all(np.diff(losses) > 0)
    overlapping = [value(iou_loss, UNIT, [d, d, d + 1, d + 1]) for d in np.linspace(0, 0.9, 10)]
    assert all(np.diff(overlapping) > 0)


@pytest.mark.parametrize("loss", FUNCTIONS)
@pytest.mark.parametrize(("b", "n"), [(2, 3), (3, 3), (1, 4), (5, 1)])
def test_boxes_side_by_side_in_a_sample_agree_with_boxes_one_by_one(loss, b, n):
    rng = np.random.default_rng(0)
    true, pred = (np.concatenate([low := rng.random((b, n, 2)), low + 1 + rng.random((b, n, 2))], -1) for _ in range(2))
    together = np.asarray(loss(true, pred))
    one_by_one = np.asarray(loss(true.reshape(-1, 4), pred.reshape(-1, 4)))
    assert together.shape == (b, n)
    np.testing.assert_allclose(together.reshape(-1), one_by_one, rtol=1e-12)
    for i in range(b):
        np.testing.assert_allclose(together[i], np.asarray(loss(true[i], pred[i])), rtol=1e-12)


@pytest.mark.parametrize("loss", FUNCTIONS)
@pytest.mark.parametrize("shape", [(4,), (1, 4), (0, 4), (0, 3, 4), (2, 0, 4), (2, 3, 5, 4)])
def test_there_is_one_value_a_box(loss, shape):
    boxes = np.broadcast_to(np.array([0.0, 0.0, 1.0, 1.0]), shape)
    assert np.asarray(loss(boxes, boxes)).shape == shape[:-1]


@pytest.mark.parametrize("loss", FUNCTIONS)
def test_replicas_of_a_network_may_share_one_target(loss):
    true = np.array([[0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 3.0, 4.0]])
    pred = np.stack([true + 0.25, true * 1.5, true])
    shared = np.asarray(loss(true, pred))
    assert shared.shape == (3, 2)
    np.testing.assert_allclose(shared, np.asarray(loss(np.broadcast_to(true, pred.shape), pred)), rtol=1e-12)


@pytest.mark.parametrize("loss", FUNCTIONS)
@pytest.mark.parametrize(
    ("true", "pred"), [((5, 1, 4), (5, 4)), ((5, 4), (5, 1, 4)), ((3, 4), (2, 4)), ((5, 4), (4,)), ((2, 3), (2, 3))]
)
def test_shapes_that_would_pair_every_box_with_every_other_are_refused(loss, true, pred):
    with pytest.raises(ValueError, match="Expected") as caught:
        loss(np.zeros(true), np.zeros(pred))
    assert "\n" not in str(caught.value)
    assert "Received" in str(caught.value)


@pytest.mark.parametrize("loss", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int32", "int16", "uint8"])
def test_half_precision_and_integers_are_computed_in_float32(loss, dtype):
    # 200 * 200 overflows int16 and half precision; integer division would make the IoU 0.
    true, pred = np.array([[0, 0, 200, 200]]), np.array([[0, 0, 200, 100]])
    low = loss(ops.cast(ops.convert_to_tensor(true), dtype), ops.cast(ops.convert_to_tensor(pred), dtype))
    assert dtype_of(low) == "float32"
    low, exact = ops.convert_to_numpy(low), ops.convert_to_numpy(loss(true.astype("float32"), pred.astype("float32")))
    np.testing.assert_array_equal(low, exact)
    assert np.isfinite(low).all()


@pytest.mark.parametrize("loss", FUNCTIONS)
def test_the_prediction_decides_between_float32_and_float64(loss):
    true, pred = np.array([[0.0, 0.0, 1.0, 1.0]]), np.array([[0.1, 0.1, 1.0, 1.0]])
    assert dtype_of(loss(true, pred)) == "float64"
    assert dtype_of(loss(true.astype("float32"), pred)) == "float64"
    assert dtype_of(loss(true, pred.astype("float32"))) == "float32"
    assert dtype_of(loss(true.tolist(), pred.tolist())) == "float32"


@pytest.mark.parametrize("loss", SCALE_INVARIANT)
def test_losses_of_ratios_do_not_depend_on_the_unit(loss):
    true, pred = np.array([0.1, 0.2, 0.5, 0.8]), np.array([0.2, 0.1, 0.6, 0.7])
    assert value(loss, true * 512, pred * 512) == pytest.approx(value(loss, true, pred), rel=1e-12)


@pytest.mark.parametrize("loss", [mse_loss, centre_point_loss])
def test_losses_of_coordinates_are_in_squared_units(loss):
    true, pred = np.array([0.1, 0.2, 0.5, 0.8]), np.array([0.2, 0.1, 0.6, 0.7])
    assert value(loss, true * 512, pred * 512) == pytest.approx(512**2 * value(loss, true, pred), rel=1e-12)


@pytest.mark.tensorflow
@pytest.mark.parametrize("loss", FUNCTIONS)
def test_the_function_runs_inside_tf_function_and_xla(loss):
    import tensorflow as tf

    true = np.array([[0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 3.0, 4.0]], "float32")
    pred = true + np.float32(0.25)
    plain = loss(true, pred).numpy()
    unknown_batch = [tf.TensorSpec((None, 4)), tf.TensorSpec((None, 4))]
    np.testing.assert_allclose(tf.function(loss, input_signature=unknown_batch)(true, pred), plain, rtol=1e-6)

    def gradient(true, pred):
        with tf.GradientTape() as tape:
            tape.watch(pred)
            values = loss(true, pred)
        return values, tape.gradient(values, pred)

    expected = gradient(tf.constant(true), tf.constant(pred))
    compiled = tf.function(gradient, jit_compile=True)(tf.constant(true), tf.constant(pred))
    for one, other in zip(compiled, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
