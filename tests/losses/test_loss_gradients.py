"""Gradients: right where there is one, finite everywhere, and NaN exactly where that is the point."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bboxbench.losses import centre_point_loss, giou_loss, iou_loss, mse_loss, unguarded_iou_loss

GUARDED = [mse_loss, iou_loss, giou_loss, centre_point_loss]
FUNCTIONS = [*GUARDED, unguarded_iou_loss]
TRUE = [0.2, 0.2, 0.6, 0.6]
DISJOINT = {
    "beside": [0.7, 0.2, 0.9, 0.6],
    "below": [0.2, 0.7, 0.6, 0.9],
    "diagonal": [0.7, 0.7, 0.9, 0.9],
    "touching": [0.6, 0.2, 0.8, 0.6],
}
INVERTED = {"both": [0.5, 0.5, 0.3, 0.3], "x": [0.5, 0.3, 0.3, 0.5], "y": [0.3, 0.5, 0.5, 0.3]}
EMPTY = {"point": [0.4] * 4, "line": [0.3, 0.4, 0.5, 0.4], "zeros": [0.0] * 4}


@pytest.mark.parametrize("box_format", ["xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw"])
@pytest.mark.parametrize("loss", FUNCTIONS)
def test_gradients_agree_with_differences(loss, box_format, value_and_gradient):
    rng = np.random.default_rng(3)
    low = rng.uniform(0.0, 0.3, (2, 30, 2))
    true, pred = np.concatenate([low, low + rng.uniform(0.4, 0.6, low.shape)], axis=-1)
    if box_format not in ("xyxy", "yxyx"):
        true, pred = (np.concatenate([b[:, :2] + 0.3, b[:, 2:] - b[:, :2]], axis=-1) for b in (true, pred))
    _, gradient = value_and_gradient(loss, true, pred, bounding_box_format=box_format)
    step, differences = 1e-6, np.empty_like(pred)
    for i in range(4):
        move = np.zeros(4)
        move[i] = step
        up, down = (loss(true, pred + sign * move, bounding_box_format=box_format) for sign in (1, -1))
        differences[:, i] = (up - down) / (2 * step)
    assert np.abs(gradient).max() > 0.1
    np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-7)


def test_gradients_of_disjoint_boxes_agree_with_differences(value_and_gradient):
    pred = np.array([[0.7, 0.25, 0.9, 0.65], [0.7, 0.7, 0.95, 0.9]])
    true = np.broadcast_to(TRUE, pred.shape)
    _, gradient = value_and_gradient(giou_loss, true, pred)
    for i in range(4):
        move = np.eye(4)[i] * 1e-6
        difference = (giou_loss(true, pred + move) - giou_loss(true, pred - move)) / 2e-6
        np.testing.assert_allclose(gradient[:, i], difference, rtol=1e-6, atol=1e-8)
    assert (gradient[:, :2] > 0).all(), "a step against the gradient must bring the box nearer"


@pytest.mark.parametrize("loss", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_perfect_match_is_a_resting_point(loss, dtype, value_and_gradient):
    boxes = np.array([TRUE, [0.1, 0.3, 0.9, 0.35], [0.0, 0.0, 1.0, 1.0]])
    values, gradient = value_and_gradient(loss, boxes, boxes, dtype)
    np.testing.assert_array_equal(values, 0)
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("box", [*DISJOINT.values(), *INVERTED.values(), *EMPTY.values()])
def test_iou_has_no_gradient_without_overlap(box, value_and_gradient):
    values, gradient = value_and_gradient(iou_loss, TRUE, box)
    assert values == pytest.approx(-np.log(1e-7))
    np.testing.assert_array_equal(gradient, 0)


def test_giou_has_a_gradient_without_overlap(value_and_gradient):
    for box in DISJOINT.values():
        _, gradient = value_and_gradient(giou_loss, TRUE, box)
        assert np.abs(gradient).max() > 0.1


@pytest.mark.parametrize("box", INVERTED.values())
def test_giou_can_settle_on_an_inverted_box(box, value_and_gradient):
    values, gradient = value_and_gradient(giou_loss, TRUE, box)
    assert values == 1
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("loss", [mse_loss, centre_point_loss])
@pytest.mark.parametrize("box", INVERTED.values())
def test_losses_of_coordinates_turn_an_inverted_box_round(loss, box, value_and_gradient):
    box = np.array(box)
    _, gradient = value_and_gradient(loss, TRUE, box)
    after = box - 0.2 * gradient
    assert (after[2:] - after[:2] > box[2:] - box[:2]).all()


def test_a_box_of_no_width_can_be_widened(value_and_gradient):
    for loss in (giou_loss, mse_loss, centre_point_loss):
        _, gradient = value_and_gradient(loss, TRUE, [0.4, 0.2, 0.4, 0.6])
        assert gradient[0] > 0 > gradient[2]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("box", DISJOINT.values())
def test_the_unguarded_logarithm_gives_nan_gradients_without_overlap(box, dtype, value_and_gradient):
    values, gradient = value_and_gradient(unguarded_iou_loss, TRUE, box, dtype)
    assert values == np.inf
    assert np.isnan(gradient).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("box", INVERTED.values())
def test_the_unguarded_logarithm_gives_no_gradient_to_an_inverted_box(box, dtype, value_and_gradient):
    values, gradient = value_and_gradient(unguarded_iou_loss, TRUE, box, dtype)
    assert values == np.inf
    np.testing.assert_array_equal(gradient, 0)


def test_one_box_beside_its_target_destroys_a_network_under_the_unguarded_logarithm():
    weights = tf.Variable(np.eye(4))
    inputs = tf.constant([TRUE, DISJOINT["beside"]], "float64")
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(unguarded_iou_loss([TRUE, TRUE], inputs @ weights))
    assert np.isnan(tape.gradient(loss, weights).numpy()).all()


COORDINATE = st.one_of(
    st.floats(-1e4, 1e4, width=32),
    st.floats(-1.0, 1.0, width=32),
    st.sampled_from([0.0, -0.0, 1e-30, 1e-20, 1e-7, 3e-4, 0.5, 1.0, 1e4, -1e4]),
)
BOX = st.lists(COORDINATE, min_size=4, max_size=4)


# One compiled function a loss: hypothesis then tries hundreds of boxes in a second or two.
def compiled(loss, dtype):
    @tf.function(input_signature=[tf.TensorSpec((None, 4), dtype)] * 2)
    def both(true, pred):
        with tf.GradientTape() as tape:
            tape.watch(pred)
            values = loss(true, pred)
        return values, tape.gradient(values, pred)

    return both


COMPILED = {(loss, dtype): compiled(loss, dtype) for loss in GUARDED for dtype in ("float32", "float64")}


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(BOX, BOX), max_size=12))
@example([])
@example([([0.0] * 4, [0.0] * 4)])
@example([([0.0] * 4, [1e-30, 1e-30, 2e-30, 2e-30])])
@example([([-1e4, -1e4, 1e4, 1e4], [1e4, 1e4, -1e4, -1e4])])
@example([([5.0, 5.0, 5.0, 5.0], [7.0, 7.0, 7.0, 7.0])])
@example([([5.0, 0.0, 1.0, 3.0], [5.0, 0.0, 1.0, 3.0])])
def test_values_and_gradients_are_finite_for_all_finite_boxes(pairs):
    boxes = np.array(pairs, "float64").reshape(-1, 2, 4)
    for (loss, dtype), both in COMPILED.items():
        values, gradient = both(boxes[:, 0].astype(dtype), boxes[:, 1].astype(dtype))
        assert np.isfinite(values.numpy()).all(), loss
        assert np.isfinite(gradient.numpy()).all(), loss
        assert (values.numpy() >= -1e-6).all(), loss


@settings(deadline=None, max_examples=40)
@given(BOX, BOX)
def test_iou_and_giou_keep_their_ranges(true, pred):
    true, pred = np.array([true]), np.array([pred])
    iou, giou = (COMPILED[loss, "float64"](true, pred)[0].numpy()[0] for loss in (iou_loss, giou_loss))
    assert -1e-9 <= iou <= -np.log(1e-7) + 1e-9
    proper = all((box[:, 2:] >= box[:, :2]).all() for box in (true, pred))
    assert -1e-9 <= giou <= 2 + 1e-9 or not proper


@pytest.mark.parametrize("loss", FUNCTIONS)
@pytest.mark.parametrize("shape", [(0, 4), (0, 3, 4)])
def test_an_empty_batch_has_an_empty_gradient(loss, shape, value_and_gradient):
    values, gradient = value_and_gradient(loss, np.zeros(shape), np.zeros(shape))
    assert values.shape == shape[:-1]
    assert gradient.shape == shape


@pytest.mark.parametrize("loss", GUARDED)
def test_half_precision_predictions_receive_finite_gradients(loss, value_and_gradient):
    boxes = np.array([[0, 0, 600, 600], [10, 10, 300, 500], [0, 0, 0, 0], [700, 700, 800, 800]])
    true = np.array([[0, 0, 600, 500]] * 4)
    for dtype in ("float16", "bfloat16"):
        values, gradient = value_and_gradient(loss, true, boxes, dtype)
        assert np.isfinite(values).all()
        assert np.isfinite(gradient.astype("float32")).all()
