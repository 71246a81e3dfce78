"""No finite box, however odd, gives a value or a gradient that is not finite; a diverged prediction does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bboxbench.gradients import value_and_gradient
from bboxbench.losses import MPDIoULoss, bases, get, names

GUARDED = [name for name in names() if name != "iou_unguarded"]
VARIANTS = [
    *((name, {}) for name in GUARDED),
    *(("alpha_iou", {"base": base}) for base in bases()),
    *(("alpha_iou", {"base": base, "alpha": 0.5}) for base in ("iou_linear", "ciou", "siou")),
    *(("inner_iou", {"base": base}) for base in bases()),
    *(("focaler_iou", {"base": base}) for base in ("ciou", "alpha_iou", "interpiou")),
    ("focal_eiou", {"weight_gradient": True}),
    ("mpdiou", {"width": 1, "height": 1}),
    ("nwd", {"constant": 0.1}),
    ("gwd", {"shape": "sqrt", "tau": 2}),
    ("gwd", {"shape": "log1p_sqrt", "tau": 0, "normalize": True}),
    ("kld", {"direction": "true_to_pred"}),
    ("kld", {"shape": "none", "tau": 0, "direction": "symmetric"}),
    ("probiou", {"mode": "l2"}),
    ("shape_iou", {"scale": 1}),
    ("wiou_v2", {"iou_mean": 1e-3}),
    ("wiou_v3", {"iou_mean": 1e-3}),
    *(("centre_point", {"distance": distance}) for distance in ("euclidean", "enclosing", "target")),
    # The ends of the ranges that the docstrings give.
    ("alpha_iou", {"base": "giou", "alpha": 0.1}),
    ("alpha_iou", {"base": MPDIoULoss(width=1, height=1), "alpha": 4}),
    *((name, {"eps": 1e-10}) for name in ("giou", "ciou", "siou", "shape_iou", "sca", "gcd", "piou_v1", "bounded_iou")),
    ("kld", {"shape": "none", "tau": 0, "direction": "symmetric", "eps": 1e-10}),
    ("probiou", {"mode": "l2", "eps": 1e-10}),
    ("gwd", {"normalize": True, "eps": 1e-7}),
    ("centre_point", {"distance": "target", "eps": 1e-10, "size_weight": 1e6}),
    *((name, {"beta": 1e-6}) for name in ("smooth_l1", "balanced_l1", "bounded_iou", "extended_iou")),
    ("nwd", {"constant": 1e-6}),
    ("wiou_v2", {"iou_mean": 1e-3, "gamma": 4}),
    ("wiou_v3", {"iou_mean": 1e-3, "alpha": 10, "delta": 10}),
    ("piou_v2", {"focus": 100}),
    ("shape_iou", {"scale": 100, "theta": 100}),
    ("sca", {"alpha": 1e6}),
]
IDS = [
    "-".join([name, *(getattr(value, "name", str(value)) for value in parameters.values())])
    for name, parameters in VARIANTS
]

COORDINATE = st.one_of(
    st.floats(-1e4, 1e4, width=32),
    st.floats(-1.0, 1.0, width=32),
    st.sampled_from([0.0, -0.0, 1e-45, 1e-38, 1e-30, 1e-20, 1e-10, 1e-7, 3e-4, 0.5, 1.0, 5.0, 5.0000005, 1e4, -1e4]),
)
# Filled with one coordinate where nothing was drawn, so that sides coincide often.
PAIRS = hnp.arrays("float64", (40, 2, 4), elements=COORDINATE, fill=COORDINATE)

HANDMADE = np.array(
    [
        ([0.0] * 4, [0.0] * 4),
        ([0.0] * 4, [1e-30, 1e-30, 2e-30, 2e-30]),
        ([-1e4, -1e4, 1e4, 1e4], [1e4, 1e4, -1e4, -1e4]),
        ([1e4, 1e4, -1e4, -1e4], [1e4, 1e4, -1e4, -1e4]),
        ([5.0] * 4, [7.0] * 4),
        ([5.0, 0.0, 1.0, 3.0], [5.0, 0.0, 1.0, 3.0]),
        ([0.2, 0.2, 0.6, 0.6], [0.4, 0.4, 0.4, 0.4]),
        ([0.2, 0.2, 0.6, 0.6], [0.3, 0.3, 0.5, 0.5]),
        ([0.2, 0.2, 0.6, 0.6], [0.5, 0.5, 0.3, 0.3]),
        ([0.0, 0.0, 1e4, 1e-7], [0.0, 0.0, 1e-7, 1e4]),
        ([-1e4, -1e4, -1e4 + 1e-3, -1e4 + 1e-3], [1e4 - 1e-3, 1e4 - 1e-3, 1e4, 1e4]),
    ]
)


def assert_finite(name, parameters, pairs):
    for dtype in ("float32", "float64"):
        values, gradient = value_and_gradient(get(name, **parameters), pairs[:, 0], pairs[:, 1], dtype)
        broken = ~(np.isfinite(values) & np.isfinite(gradient).all(-1))
        assert not broken.any(), (dtype, pairs[broken][0], values[broken][0], gradient[broken][0])
        assert values.min(initial=0) >= -1e-6, dtype


@pytest.mark.parametrize(("name", "parameters"), VARIANTS, ids=IDS)
@settings(max_examples=6)
@given(pairs=PAIRS)
def test_values_and_gradients_are_finite_for_all_finite_boxes(name, parameters, pairs):
    assert_finite(name, parameters, pairs)


@pytest.mark.parametrize(("name", "parameters"), VARIANTS, ids=IDS)
def test_values_and_gradients_are_finite_for_the_boxes_that_broke_others(name, parameters):
    assert_finite(name, parameters, HANDMADE)
    assert_finite(name, parameters, HANDMADE[:, ::-1])
    assert_finite(name, parameters, np.repeat(HANDMADE[:, :1], 2, axis=1))


@pytest.mark.slow
@pytest.mark.parametrize("name", GUARDED)
def test_two_hundred_thousand_random_boxes_of_all_magnitudes_are_finite(name):
    rng = np.random.default_rng(11)
    shape = (200_000, 2, 4)
    magnitudes = 10.0 ** rng.uniform(-40, 4, shape) * rng.choice([-1, 1], shape)
    pairs = np.where(rng.random(shape) < 0.5, magnitudes, rng.uniform(-1e4, 1e4, shape))
    same = rng.random((shape[0], 4)) < 0.2
    pairs[:, 1][same] = pairs[:, 0][same]
    assert_finite(name, {}, pairs)


def test_this_test_can_fail():
    with pytest.raises(AssertionError):
        assert_finite("iou_unguarded", {}, HANDMADE)


@pytest.mark.parametrize(("name", "parameters"), VARIANTS, ids=IDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_perfect_match_is_a_resting_point(name, parameters, dtype):
    boxes = np.array([[0.2, 0.2, 0.6, 0.6], [0.1, 0.3, 0.9, 0.35], [0.0, 0.0, 1.0, 1.0], [3.0, 5.0, 40.0, 60.0]])
    values, gradient = value_and_gradient(get(name, **parameters), boxes, boxes, dtype)
    if parameters.get("alpha") == 0.1:
        # A root so steep makes a gradient of the last bit of an area.
        gradient = gradient * 1e-8
    np.testing.assert_allclose(values, 0.5 if parameters.get("tau") == 2 else 0, atol=0)
    np.testing.assert_allclose(gradient, 0, atol=1e-7)
    assert not np.signbit(values).any(), "reads -0.0"


@pytest.mark.parametrize("name", names())
def test_a_diverged_prediction_shows_as_nan(name):
    box = [0.0, 0.0, 1.0, 1.0]
    for place in range(4):
        pred = np.array(box)
        pred[place] = np.nan
        assert np.isnan(np.asarray(get(name, dtype="float64", reduction="none")([box], pred[None]))).all(), place


@pytest.mark.parametrize("name", GUARDED)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_predictions_receive_finite_gradients(name, dtype):
    boxes = np.array([[0, 0, 600, 600], [10, 10, 300, 500], [0, 0, 0, 0], [700, 700, 800, 800]], "float32")
    values, gradient = value_and_gradient(get(name), np.array([[0, 0, 600, 500]] * 4, "float32"), boxes, dtype)
    assert np.isfinite(values).all()
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("shape", [(0, 4), (0, 3, 4)])
def test_an_empty_batch_has_an_empty_gradient(name, shape):
    values, gradient = value_and_gradient(get(name), np.zeros(shape), np.zeros(shape))
    assert values.shape == shape[:-1]
    assert gradient.shape == shape
