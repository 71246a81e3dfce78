"""What went wrong in other people's box losses, each tried here. `docs/losses.md` says where it was seen."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest

from bboxbench import losses
from bboxbench.gradients import value_and_gradient
from bboxbench.losses import get, names

GUARDED = [name for name in names() if name != "iou_unguarded"]
EXACT = {"ciou": 1e-6 if keras.backend.backend() == "jax" else 1e-9}
"""Keras's arctan gives float32 for float64 on JAX."""
UNIT = [0.0, 0.0, 1.0, 1.0]
BOX = [3.0, 5.0, 40.0, 60.0]


def value(name, true, pred, **parameters):
    return float(value_and_gradient(get(name, **parameters), np.array(true, "float64"), np.array(pred, "float64"))[0])


def gradient(name, true, pred, **parameters):
    return value_and_gradient(get(name, **parameters), np.array(true, "float64"), np.array(pred, "float64"))[1]


def test_siou_grows_as_the_box_moves_away():
    path = [value("siou", UNIT, [d, d / 2, d + 1, d / 2 + 1]) for d in np.linspace(0, 10, 41)]
    assert all(np.diff(path) > 0)


@pytest.mark.parametrize("name", ["ciou", "alpha_iou", "inner_iou", "focaler_iou"])
def test_ciou_of_a_perfect_match_is_no_zero_over_zero(name):
    parameters = {} if name == "ciou" else {"base": "ciou"}
    for box in (UNIT, BOX, [0.0] * 4):
        assert value(name, box, box, **parameters) == 0
        assert not gradient(name, box, box, **parameters).any()


def test_the_aspect_term_of_ciou_has_its_factor_once():
    # Concentric, the overlap half of the union; atan(2) - atan(1) is the difference of the angles.
    v = 4 / math.pi**2 * (math.atan(2) - math.atan(1)) ** 2
    expected = 0.5 + v**2 / (0.5 + v)
    assert value("ciou", [-1, -1, 1, 1], [-2, -1, 2, 1]) == pytest.approx(expected, rel=EXACT["ciou"])


def test_the_weight_of_the_aspect_term_gets_no_gradient():
    true, pred, step = [-1.0, -1, 1, 1], [-2.0, -1, 2, 1], 1e-6
    missing, v = 0.5, 4 / math.pi**2 * (math.atan(2) - math.atan(1)) ** 2
    alpha = v / (missing + v)

    def with_constant_weight(xmax):
        width = xmax + 2
        centre, diagonal = (xmax - 2) / 2, (xmax + 2) ** 2 + 4
        angle = math.atan(width / 2) - math.atan(1)
        return 1 - 4 / (2 * width) + centre**2 / diagonal + alpha * 4 / math.pi**2 * angle**2

    expected = (with_constant_weight(2 + step) - with_constant_weight(2 - step)) / (2 * step)
    assert gradient("ciou", true, pred)[2] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", names())
def test_each_box_is_compared_with_its_own_target_alone(name):
    rng = np.random.default_rng(4)
    low = rng.random((2, 2, 5, 2))
    true, pred = np.concatenate([low, low + 0.5 + rng.random(low.shape)], axis=-1)
    together = value_and_gradient(get(name), true, pred)
    for i, j in ((0, 0), (1, 4), (0, 3)):
        alone = value_and_gradient(get(name), true[i, j], pred[i, j])
        np.testing.assert_allclose(together[0][i, j], alone[0], rtol=EXACT.get(name, 1e-12))
        np.testing.assert_allclose(together[1][i, j], alone[1], rtol=EXACT.get(name, 1e-9), atol=1e-15)


def test_the_mean_of_logarithms_is_not_the_logarithm_of_the_mean():
    true, pred = np.array([[0, 0, 4, 4], [0, 0, 4, 4]], "float32"), np.array([[0, 0, 4, 4], [2, 0, 4, 4]], "float32")
    assert float(get("iou")(true, pred)) == pytest.approx((0 + math.log(2)) / 2, rel=1e-5)
    assert float(get("iou")(true, pred)) != pytest.approx(-math.log((1 + 0.5) / 2), rel=1e-2)


def test_a_squared_iou_never_lets_the_worst_box_score_best():
    path = [value("iou_square", UNIT, [d, 0, d + 1, 1]) for d in np.linspace(0, 3, 31)]
    assert all(np.diff(path) >= 0)
    assert path[-1] == max(path)


@pytest.mark.parametrize(
    "name", ["giou", "diou", "ciou", "eiou", "siou", "iou_linear", "box_dice", "sca", "kld", "gcd"]
)
def test_width_and_height_are_treated_alike(name):
    true, pred = [0.1, 0.2, 0.5, 0.9], [0.2, 0.25, 0.8, 0.7]
    turned = [[box[1], box[0], box[3], box[2]] for box in (true, pred)]
    expected = value(name, true, pred)
    # The aspect ratio of CIoU is an angle: turned by a right one, its difference stays.
    assert value(name, *turned) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", ["iou", "iou_linear", "iou_square", "box_dice"])
def test_no_overlap_gives_no_gradient_that_shrinks_the_box(name):
    for box in ([2.0, 0.0, 3.0, 1.0], [1.5, 1.5, 4.0, 4.0]):
        assert not gradient(name, UNIT, box).any()


WITHOUT_A_PULL = ["iou", "iou_linear", "iou_square", "box_dice", "inner_iou", "focaler_iou", "alpha_iou", "focal_eiou"]


def disjoint_boxes(n=2000):
    """Random pairs that do not touch, in [0, 1], float32."""
    boxes = np.random.default_rng(8).random((4 * n, 2, 2, 2)).astype("float32")
    boxes = np.concatenate([boxes.min(axis=2), boxes.max(axis=2)], axis=-1)
    true, pred = boxes[:, 0], boxes[:, 1]
    apart = ((pred[:, :2] > true[:, 2:]) | (true[:, :2] > pred[:, 2:])).any(axis=1)
    return true[apart][:n], pred[apart][:n]


@pytest.mark.parametrize("name", WITHOUT_A_PULL)
def test_without_overlap_not_even_rounding_makes_a_gradient_that_an_optimizer_could_walk_on(name):
    true, pred = disjoint_boxes()
    assert len(true) == 2000
    assert not value_and_gradient(get(name), true, pred)[1].any()


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", WITHOUT_A_PULL)
def test_nor_does_a_compiler(name):
    import tensorflow as tf

    true, pred = disjoint_boxes()
    loss = get(name)

    @tf.function(jit_compile=True)
    def gradient_of(true, pred):
        with tf.GradientTape() as tape:
            tape.watch(pred)
            values = loss.call(true, pred)
        return tape.gradient(values, pred)

    assert not gradient_of(tf.constant(true), tf.constant(pred)).numpy().any()


def test_contained_boxes_leave_nothing_of_the_enclosing_box_that_rounding_could_turn_negative():
    rng = np.random.default_rng(9)
    low = rng.uniform(1, 1500, (4000, 2))
    true = np.concatenate([low, low + rng.uniform(1, 1500, low.shape)], axis=1).astype("float32")
    pred = (true + np.array([0.3, 0.3, -0.3, -0.3])).astype("float32")
    assert value_and_gradient(get("alpha_iou", base="giou", alpha=0.1), true, pred)[0].min() >= 0


@pytest.mark.parametrize("name", [name for name in GUARDED if name != "iou"])
def test_two_identical_boxes_without_area_match(name):
    for box in ([0.0] * 4, [3.0, 3.0, 3.0, 3.0], [1.0, 2.0, 5.0, 2.0]):
        assert value(name, box, box) == 0
    assert value("iou", UNIT, UNIT) == 0


@pytest.mark.parametrize("name", GUARDED)
def test_concentric_boxes_have_a_finite_gradient(name):
    for box in ([0.25, 0.25, 0.75, 0.75], [-1.0, 0.25, 2.0, 0.75], [0.5] * 4):
        for dtype in ("float32", "float64"):
            assert np.isfinite(value_and_gradient(get(name), UNIT, box, dtype)[1]).all()


@pytest.mark.parametrize("name", ["giou", "ciou", "siou", "iou", "kld", "nwd"])
def test_a_side_of_600_pixels_survives_half_precision(name):
    true, pred = np.array([[0, 0, 600, 600]], "float16"), np.array([[0, 0, 600, 480]], "float16")
    half = value_and_gradient(get(name), true, pred, "float16")[0]
    np.testing.assert_allclose(half, value_and_gradient(get(name), true, pred, "float32")[0], rtol=1e-6)
    assert np.isfinite(half).all()


@pytest.mark.parametrize("name", ["iou_linear", "giou", "box_dice", "iou"])
def test_integer_boxes_are_not_divided_as_integers(name):
    function = type(get(name)).function
    whole = keras.ops.convert_to_numpy(function(np.array([0, 0, 4, 4]), np.array([2, 0, 4, 4])))
    assert float(whole) == pytest.approx(value(name, [0, 0, 4, 4], [2, 0, 4, 4]), rel=1e-6)
    assert 0 < float(whole) < 1


@pytest.mark.parametrize("name", GUARDED)
def test_a_padded_row_of_zeros_is_finite_and_counts_for_nothing_at_weight_zero(name):
    true = np.array([[0, 0, 4, 4], [0, 0, 0, 0]], "float32")
    pred = np.array([[1, 0, 4, 4], [0, 0, 0, 0]], "float32")
    loss = get(name, reduction="sum")
    assert float(loss(true, pred, np.array([1.0, 0.0]))) == pytest.approx(float(loss(true[:1], pred[:1])), rel=1e-6)


@pytest.mark.parametrize("name", names())
def test_a_batch_gives_a_number_a_box_and_a_batch_of_one_keeps_its_axis(name):
    boxes = np.array([UNIT] * 3, "float32")
    loss = get(name, reduction="none")
    assert tuple(loss(boxes, boxes).shape) == (3,)
    assert tuple(loss(boxes[:1], boxes[:1]).shape) == (1,)


@pytest.mark.parametrize("name", [name for name in names() if type(get(name)).card.units])
def test_a_loss_with_a_unit_differs_between_pixels_and_the_unit_square_and_its_card_says_so(name):
    true, pred = np.array([0.1, 0.2, 0.5, 0.8]), np.array([0.2, 0.1, 0.6, 0.7])
    scale = np.array([200.0, 100.0, 200.0, 100.0])
    assert value(name, true * scale, pred * scale) != pytest.approx(value(name, true, pred), rel=1e-3)


def test_in_the_unit_of_the_boxes_those_that_take_a_unit_need_no_other():
    true, pred = np.array([0.1, 0.2, 0.5, 0.8]), np.array([0.2, 0.1, 0.6, 0.7])
    for name, parameters in (
        ("nwd", {"constant": 0.128}),
        ("mpdiou", {"width": 1, "height": 1}),
        ("gwd", {"normalize": True}),
    ):
        scaled = {key: entry if entry is True else entry * 100 for key, entry in parameters.items()}
        expected = value(name, true, pred, **parameters)
        assert value(name, true * 100, pred * 100, **scaled) == pytest.approx(expected, rel=1e-9)


def test_the_two_losses_called_eiou_are_two():
    true, pred = [0.0, 0.0, 1.0, 1.0], [0.5, 0.25, 1.75, 1.5]
    assert value("eiou", true, pred) != pytest.approx(value("extended_iou", true, pred), rel=1e-2)
    assert "Extended" in losses.EIoULoss.card.wrong_elsewhere[0]


def test_smooth_l1_still_leads_home_where_giou_sticks_at_one():
    inverted = [0.6, 0.6, 0.4, 0.4]
    assert value("giou", UNIT, inverted) == 1
    assert not gradient("giou", UNIT, inverted).any()
    home = gradient("smooth_l1", UNIT, inverted)
    assert home[0] > 0 > home[2]


def test_the_far_box_does_not_overflow_log_cosh():
    assert value("log_cosh", UNIT, [1e4, 1e4, 1e4, 1e4]) == pytest.approx(1e4 - math.log(2) - 0.5, rel=1e-9)
    assert value("log_cosh", UNIT, [0.0, 0.0, 1.0, 1.5]) == pytest.approx(math.log(math.cosh(0.5)) / 4, rel=1e-12)
    assert value("log_cosh", UNIT, [0.0, 0.0, 1.0, 1 + 1e-6]) == pytest.approx(1e-12 / 8, rel=1e-6)


def test_centre_point_in_its_four_meanings():
    # The centre is off by (3, 4), the size by (6, 8); the enclosing box is 10 x 12, the target 4 x 4.
    true, pred = [0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 10.0, 12.0]
    assert value("centre_point", true, pred) == 25 + 100
    assert value("centre_point", true, pred, distance="euclidean") == 5 + 10
    assert value("centre_point", true, pred, distance="enclosing") == pytest.approx(125 / 244)
    assert value("centre_point", true, pred, distance="target", size_weight=0.5) == pytest.approx((25 + 50) / 32)
    assert value("centre_point", true, pred, distance="euclidean", size_weight=0) == 5
