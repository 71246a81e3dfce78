"""Gradients: right where there is one, finite everywhere, and NaN exactly where that is the point."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from bboxbench.losses import (
    centre_point_loss,
    ciou_loss,
    dynamic_interpiou_loss,
    focal_eiou_loss,
    get,
    giou_loss,
    iou_loss,
    linear_iou_loss,
    mse_loss,
    names,
    unguarded_iou_loss,
    wiou_v1_loss,
    wiou_v2_loss,
    wiou_v3_loss,
)

FUNCTIONS = [type(get(name)).function for name in names()]
HOLD_A_PART_CONSTANT = {
    ciou_loss,
    dynamic_interpiou_loss,
    focal_eiou_loss,
    wiou_v1_loss,
    wiou_v2_loss,
    wiou_v3_loss,
}
"""No gradient goes through a weight of theirs, on purpose: differences of values do not see that."""
DIFFERENTIATED = [function for function in FUNCTIONS if function not in HOLD_A_PART_CONSTANT]
TRUE = [0.2, 0.2, 0.6, 0.6]
DISJOINT = {
    "beside": [0.7, 0.2, 0.9, 0.6],
    "below": [0.2, 0.7, 0.6, 0.9],
    "diagonal": [0.7, 0.7, 0.9, 0.9],
    "touching": [0.6, 0.2, 0.8, 0.6],
}
INVERTED = {"both": [0.5, 0.5, 0.3, 0.3], "x": [0.5, 0.3, 0.3, 0.5], "y": [0.3, 0.5, 0.5, 0.3]}
EMPTY = {"point": [0.4] * 4, "line": [0.3, 0.4, 0.5, 0.4], "zeros": [0.0] * 4}


def differences(loss, true, pred, **parameters):
    """Central differences of the values, shape (n, 4)."""
    step, found = 1e-6, np.empty_like(pred)
    for i in range(4):
        move = np.eye(4)[i] * step
        up, down = (ops.convert_to_numpy(loss(true, pred + sign * move, **parameters)) for sign in (1, -1))
        found[:, i] = (up - down) / (2 * step)
    return found


@pytest.mark.parametrize("box_format", ["xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw"])
@pytest.mark.parametrize("loss", DIFFERENTIATED)
def test_gradients_agree_with_differences(loss, box_format, value_and_gradient):
    rng = np.random.default_rng(3)
    low = rng.uniform(0.0, 0.3, (2, 30, 2))
    true, pred = np.concatenate([low, low + rng.uniform(0.4, 0.6, low.shape)], axis=-1)
    if box_format not in ("xyxy", "yxyx"):
        true, pred = (np.concatenate([b[:, :2] + 0.3, b[:, 2:] - b[:, :2]], axis=-1) for b in (true, pred))
    _, gradient = value_and_gradient(loss, true, pred, bounding_box_format=box_format)
    assert np.abs(gradient).max() > 0.01
    np.testing.assert_allclose(
        gradient, differences(loss, true, pred, bounding_box_format=box_format), rtol=2e-5, atol=1e-7
    )


@pytest.mark.parametrize("loss", HOLD_A_PART_CONSTANT)
def test_a_weight_held_constant_gets_no_gradient(loss, value_and_gradient):
    true = np.array([[0.0, 0.0, 1.0, 1.0], [0.1, 0.0, 0.9, 0.7]])
    pred = np.array([[0.2, 0.1, 1.3, 0.8], [0.3, 0.1, 1.2, 1.0]])
    _, gradient = value_and_gradient(loss, true, pred)
    assert np.isfinite(gradient).all()
    assert not np.allclose(gradient, differences(loss, true, pred), rtol=1e-3), "a gradient goes through the weight"


def test_with_weight_gradient_the_focal_weight_is_differentiated(value_and_gradient):
    true, pred = np.array([[0.0, 0.0, 1.0, 1.0]]), np.array([[0.2, 0.1, 1.3, 0.8]])
    _, gradient = value_and_gradient(focal_eiou_loss, true, pred, weight_gradient=True)
    np.testing.assert_allclose(gradient, differences(focal_eiou_loss, true, pred, weight_gradient=True), rtol=1e-5)


def test_wise_iou_weighs_the_gradient_of_v1_by_a_number(value_and_gradient):
    true, pred = np.array([[0.0, 0.0, 1.0, 1.0]]), np.array([[0.2, 0.1, 1.3, 0.8]])
    value, gradient = value_and_gradient(wiou_v1_loss, true, pred)
    for loss in (wiou_v2_loss, wiou_v3_loss):
        weighed, its_gradient = value_and_gradient(loss, true, pred, iou_mean=0.3)
        assert weighed[0] / value[0] != pytest.approx(1, rel=1e-2)
        np.testing.assert_allclose(its_gradient, gradient * (weighed / value)[:, None], rtol=1e-9)


def test_gradients_of_disjoint_boxes_agree_with_differences(value_and_gradient):
    pred = np.array([[0.7, 0.25, 0.9, 0.65], [0.7, 0.7, 0.95, 0.9]])
    true = np.broadcast_to(TRUE, pred.shape)
    _, gradient = value_and_gradient(giou_loss, true, pred)
    for i in range(4):
        move = np.eye(4)[i] * 1e-6
        difference = (giou_loss(true, pred + move) - giou_loss(true, pred - move)) / 2e-6
        np.testing.assert_allclose(gradient[:, i], difference, rtol=1e-6, atol=1e-8)
    assert (gradient[:, :2] > 0).all(), "a step against the gradient must bring the box nearer"


@pytest.mark.parametrize("box", [*DISJOINT.values(), *INVERTED.values(), *EMPTY.values()])
def test_iou_has_no_gradient_without_overlap(box, value_and_gradient):
    values, gradient = value_and_gradient(iou_loss, TRUE, box)
    assert values == pytest.approx(-np.log(1e-7))
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("box", [DISJOINT["beside"], DISJOINT["diagonal"], *INVERTED.values(), EMPTY["point"]])
def test_the_linear_iou_has_no_gradient_without_overlap(box, value_and_gradient):
    values, gradient = value_and_gradient(linear_iou_loss, TRUE, box)
    assert values == 1
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


@pytest.mark.tensorflow
def test_one_box_beside_its_target_destroys_a_network_under_the_unguarded_logarithm():
    import tensorflow as tf

    weights = tf.Variable(np.eye(4))
    inputs = tf.constant([TRUE, DISJOINT["beside"]], "float64")
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(unguarded_iou_loss([TRUE, TRUE], inputs @ weights))
    assert np.isnan(tape.gradient(loss, weights).numpy()).all()
