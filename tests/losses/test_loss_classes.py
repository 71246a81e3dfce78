"""What a loss is to Keras: reductions, weights, masks, dtypes."""

from __future__ import annotations

import inspect

import keras
import numpy as np
import pytest
from keras import ops
from loss_samples import ARRAY_COPY, PAIRS, PRED, TRUE

from bboxbench import losses
from bboxbench.gradients import value_and_gradient
from bboxbench.losses import BoxLoss, FunctionLoss, get, giou_loss

GUARDED = [name for name in PAIRS if name != "iou_unguarded"]


def dtype_of(tensor):
    return keras.backend.standardize_dtype(tensor.dtype)


@pytest.mark.parametrize(("name", "function"), PAIRS.items())
def test_the_class_is_the_mean_of_the_function(name, function):
    values = ops.convert_to_numpy(function(TRUE, PRED))
    assert len(set(values.tolist())) == 3
    loss = get(name)
    assert float(loss(TRUE, PRED)) == pytest.approx(values.mean(), rel=1e-6)
    np.testing.assert_allclose(loss.call(TRUE, PRED), values, rtol=1e-6)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(
    ("reduction", "expected"),
    [
        ("sum_over_batch_size", lambda values, weights: (values * weights).sum() / 3),
        ("mean", lambda values, weights: (values * weights).sum() / 3),
        ("sum", lambda values, weights: (values * weights).sum()),
        ("mean_with_sample_weight", lambda values, weights: (values * weights).sum() / weights.sum()),
        ("none", lambda values, weights: values * weights),
        (None, lambda values, weights: values * weights),
    ],
)
def test_every_reduction_of_keras_means_what_it_says(name, reduction, expected):
    values, weights = ops.convert_to_numpy(PAIRS[name](TRUE, PRED)), np.array([1.0, 0.5, 3.0], "float32")
    loss = get(name, reduction=reduction)
    np.testing.assert_allclose(ops.convert_to_numpy(loss(TRUE, PRED, weights)), expected(values, weights), rtol=1e-5)


@pytest.mark.parametrize("name", GUARDED)
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean", "sum", "mean_with_sample_weight"])
@pytest.mark.parametrize("shape", [(0, 4), (0, 3, 4), (3, 0, 4)])
def test_an_empty_batch_costs_zero(name, reduction, shape):
    boxes = np.zeros(shape, "float32")
    for weights in (None, np.ones(shape[:-1], "float32")):
        result = get(name, reduction=reduction)(boxes, boxes, weights)
        assert result.shape == ()
        assert float(result) == 0


@pytest.mark.parametrize("name", PAIRS)
def test_a_batch_of_one_keeps_its_axis(name):
    values = get(name, reduction="none")(TRUE[:1], PRED[:1])
    assert values.shape == (1,)
    assert get(name, reduction="none")(TRUE[None, :1], PRED[None, :1]).shape == (1, 1)


@pytest.mark.parametrize("b", [2, 3])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean_with_sample_weight", "none"])
def test_a_weight_for_a_sample_counts_for_all_its_boxes(b, reduction):
    rng = np.random.default_rng(5)
    true, pred = (np.concatenate([low := rng.random((b, 3, 2)), low + 1], -1).astype("float32") for _ in range(2))
    per_sample = np.arange(1, b + 1, dtype="float32")
    per_box = np.repeat(per_sample[:, None], 3, axis=1)
    loss = get("giou", reduction=reduction)
    expected = np.asarray(loss(true.reshape(-1, 4), pred.reshape(-1, 4), per_box.reshape(-1)))
    for weights in (per_sample, per_sample[:, None], per_box, per_box[..., None]):
        np.testing.assert_allclose(np.asarray(loss(true, pred, weights)).reshape(expected.shape), expected, rtol=1e-6)


@pytest.mark.parametrize("name", GUARDED)
@pytest.mark.parametrize("padding", [0.0, np.nan, np.inf, -1.0])
def test_padding_of_weight_zero_reaches_neither_value_nor_gradient(name, padding):
    true = np.concatenate([TRUE, np.full((1, 4), padding, "float32")])
    pred = np.concatenate([PRED, [[0.0, 0.0, 0.0, 0.0]]]).astype("float32")
    loss = get(name, reduction="sum")
    value, gradient = value_and_gradient(
        lambda _, boxes: loss(true, boxes, np.array([1, 1, 1, 0])), np.zeros_like(true), pred
    )
    assert float(value) == pytest.approx(float(loss(TRUE, PRED)), rel=1e-6)
    assert np.isfinite(gradient).all()
    np.testing.assert_array_equal(gradient[3], 0)


def test_masks_of_keras_are_kept():
    boxes = keras.ops.convert_to_tensor(PRED[None])
    keras_mask = keras.ops.convert_to_tensor([[True, False, True]])
    boxes._keras_mask = keras_mask
    values = ops.convert_to_numpy(giou_loss(TRUE, PRED))
    assert float(get("giou")(TRUE[None], boxes)) == pytest.approx((values[0] + values[2]) / 2, rel=1e-6)
    weights = np.array([[1.0, 1.0, 0.0]], "float32")
    assert float(get("giou", reduction="sum")(TRUE[None], boxes, weights)) == pytest.approx(values[0], rel=1e-6)


@pytest.mark.filterwarnings(ARRAY_COPY)
@pytest.mark.parametrize("name", PAIRS)
def test_a_model_compiled_with_the_function_itself_is_found_again_too(name, tmp_path):
    for given in (PAIRS[name], FunctionLoss(PAIRS[name])):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
        model.compile(optimizer="sgd", loss=given)
        model.save(tmp_path / "model.keras")
        again = keras.saving.load_model(tmp_path / "model.keras").loss
        assert again is given or again.function is PAIRS[name]


def test_padding_that_keras_masks_may_be_nan():
    true = np.concatenate([TRUE, np.full((1, 4), np.nan, "float32")])[None]
    boxes = ops.convert_to_tensor(np.concatenate([PRED, np.zeros((1, 4), "float32")])[None])
    boxes._keras_mask = ops.convert_to_tensor([[True, True, True, False]])
    assert float(get("giou")(true, boxes)) == pytest.approx(float(get("giou")(TRUE, PRED)), rel=1e-6)
    weights = np.array([[1.0, 0.0, 1.0, 1.0]], "float32")
    kept = ops.convert_to_numpy(giou_loss(TRUE, PRED))[[0, 2]]
    assert float(get("giou", reduction="sum")(true, boxes, weights)) == pytest.approx(kept.sum(), rel=1e-6)


def test_the_mean_of_wise_iou_may_be_a_tensor_of_another_dtype():
    true, pred = TRUE.astype("float64"), PRED.astype("float64")
    for function in (losses.wiou_v2_loss, losses.wiou_v3_loss):
        mean = ops.convert_to_tensor(np.float32(0.25))
        values = ops.convert_to_numpy(function(true, pred, iou_mean=mean))
        np.testing.assert_allclose(values, ops.convert_to_numpy(function(true, pred, iou_mean=0.25)), rtol=1e-12)


@pytest.mark.parametrize("name", PAIRS)
def test_a_class_computes_in_the_dtype_it_was_given(name):
    true, pred = np.array([[0.1, 0.2, 0.7, 0.9]]), np.array([[0.15, 0.2, 0.75, 0.8]])
    exact = float(PAIRS[name](true, pred)[0])
    values = get(name, dtype="float64", reduction="none")(true, pred)
    assert float(values[0]) == exact
    assert dtype_of(values) == "float64"
    mean = get(name, dtype="float64")(true, pred)
    if keras.backend.backend() == "torch":
        assert float(mean) == pytest.approx(exact, rel=1e-6), "Keras's reductions round to float32 there"
    else:
        assert float(mean) == exact
        assert dtype_of(mean) == "float64"
    for dtype in (None, "float32", "float16", "bfloat16", keras.DTypePolicy("mixed_float16")):
        loss = get(name, dtype=dtype)
        assert dtype_of(loss(true, pred)) == "float32"
        assert loss.get_config()["dtype"] == "float32"
        assert float(loss(true, pred)) == pytest.approx(exact, rel=1e-5)
    with pytest.raises(ValueError, match=r"Expected dtype to be a floating dtype\. Received"):
        get(name, dtype="int32")


@keras.saving.register_keras_serializable(package="tests")
def distance(y_true, y_pred, scale=1.0):
    return scale * keras.ops.sum(keras.ops.abs(y_true - y_pred), axis=-1)


def test_a_function_becomes_a_loss_that_can_be_saved():
    loss = FunctionLoss(distance, parameters={"scale": 2.0}, reduction="sum", dtype="float64")
    assert isinstance(loss, BoxLoss)
    assert float(loss(TRUE, PRED)) == 2 * np.abs(TRUE - PRED).sum()
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert again.get_config() == loss.get_config()
    assert again.name == "distance"
    assert float(again(TRUE, PRED)) == float(loss(TRUE, PRED))
    assert float(loss(TRUE.tolist(), PRED.tolist())) == float(loss(TRUE, PRED))
    own = [p for p in inspect.signature(FunctionLoss.__init__).parameters if p != "self"]
    assert set(loss.get_config()) == set(own)


@pytest.mark.parametrize(
    "function",
    [
        lambda t, p: keras.ops.norm(t - p),
        lambda t, p: keras.ops.mean(keras.ops.square(t - p)),
        lambda t, p: keras.ops.square(t - p),
        lambda t, p: keras.ops.sum(t - p, axis=-1, keepdims=True),
    ],
)
def test_a_function_without_one_value_a_box_is_refused(function):
    with pytest.raises(ValueError, match=r"one value a box, shape \(3,\) for boxes \(3, 4\)\. Received: shape="):
        FunctionLoss(function)(TRUE, PRED)
