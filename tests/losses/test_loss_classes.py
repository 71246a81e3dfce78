"""What a loss is to Keras: config, saving, reductions, weights, dtypes."""

from __future__ import annotations

import inspect
import re

import keras
import numpy as np
import pytest
from keras import ops

from bboxbench import losses
from bboxbench.gradients import value_and_gradient
from bboxbench.losses import BoxLoss, FunctionLoss, get, giou_loss, names

# Keras's variables and NumPy 2 disagree about a keyword whenever a model is saved.
ARRAY_COPY = "ignore:__array__ implementation:DeprecationWarning"

# A value for every parameter that is not its default.
OTHER = {
    "bounding_box_format": "rel_yxyx",
    "reduction": "sum",
    "name": "another",
    "dtype": "float64",
    "eps": 1e-5,
    "size_weight": 0.25,
    "distance": "euclidean",
    "beta": 0.5,
    "delta": 0.5,
    "alpha": 2.5,
    "gamma": 1.25,
    "weight_gradient": True,
    "theta": 3.0,
    "width": 64.0,
    "height": 48.0,
    "base": "giou",
    "ratio": 1.25,
    "d": 0.25,
    "u": 0.75,
    "focus": 1.5,
    "a": 0.9,
    "low": 0.5,
    "high": 0.9,
    "iou_mean": 0.25,
    "constant": 2.0,
    "shape": "sqrt",
    "tau": 2.0,
    "normalize": True,
    "direction": "symmetric",
    "mode": "l2",
    "scale": 1.0,
}
PAIRS = {name: type(get(name)).function for name in names()}
GUARDED = [name for name in PAIRS if name != "iou_unguarded"]
TRUE = np.array([[0, 0, 4, 4], [1, 1, 5, 9], [2, 0, 6, 4]], "float32")
PRED = np.array([[1, 0, 5, 4], [1, 1, 5, 8], [2, 2, 7, 5]], "float32")


def dtype_of(tensor):
    return keras.backend.standardize_dtype(tensor.dtype)


def parameters_of(name):
    return list(inspect.signature(type(get(name))).parameters)


@pytest.mark.parametrize("name", names())
def test_the_config_covers_every_parameter_of_the_constructor(name):
    changed = {parameter: OTHER[parameter] for parameter in parameters_of(name)}
    loss = get(name, **{k: v for k, v in changed.items() if k != "name"})
    assert set(loss.get_config()) == set(parameters_of(name))
    loss = type(loss)(**changed)
    assert loss.get_config() == changed
    assert type(loss).from_config(loss.get_config()).get_config() == changed
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(again) is type(loss)
    assert again.get_config() == changed
    assert float(again(TRUE, PRED)) == float(loss(TRUE, PRED))


@pytest.mark.parametrize("name", names())
def test_a_default_config_differs_from_the_changed_one_in_every_parameter(name):
    config = get(name).get_config()
    assert not [parameter for parameter in config if config[parameter] == OTHER[parameter]]


@pytest.mark.parametrize("name", names())
def test_losses_are_registered_for_saving_under_the_package(name):
    assert keras.saving.get_registered_name(type(get(name))) == f"bboxbench>{type(get(name)).__name__}"


@pytest.mark.filterwarnings(ARRAY_COPY)
@pytest.mark.parametrize("name", PAIRS)
def test_a_saved_model_finds_its_loss_again_with_every_parameter(name, tmp_path):
    loss = get(name, **{k: OTHER[k] for k in parameters_of(name) if k != "name"})
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    model.compile(optimizer="sgd", loss=loss)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras").loss
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()


@pytest.mark.parametrize(("name", "function"), PAIRS.items())
def test_the_class_is_the_mean_of_the_function(name, function):
    values = ops.convert_to_numpy(function(TRUE, PRED))
    assert len(set(values.tolist())) == 3
    loss = get(name)
    assert float(loss(TRUE, PRED)) == pytest.approx(values.mean(), rel=1e-6)
    np.testing.assert_allclose(loss.call(TRUE, PRED), values, rtol=1e-6)


OWN_PARAMETERS = [(name, parameter) for name in names() for parameter in type(get(name))._own]
# Small enough for eps to count.
SPECKS = np.array([[0.0, 0.0, 1.0, 1.0]]) / 64, np.array([[2.0, 0.0, 2.25, 1.0]]) / 64


@pytest.mark.parametrize(("name", "parameter"), OWN_PARAMETERS)
def test_a_parameter_reaches_the_function_and_changes_value_or_gradient(name, parameter):
    changed = {parameter: 0.25 if parameter == "eps" else OTHER[parameter]}
    if (name, parameter) == ("gwd", "eps"):
        changed["normalize"] = True
    if (name, parameter) == ("centre_point", "eps"):
        changed["distance"] = "target"
    others = {key: value for key, value in changed.items() if key != parameter}
    pairs = [SPECKS, (TRUE / 8, PRED / 8), (TRUE, PRED), (TRUE, PRED[:, [0, 1, 2, 1]]), (TRUE * 0.01, PRED * 0.01)]
    differs = []
    for true, pred in pairs:
        true, pred = true.astype("float64"), pred.astype("float64")
        loss = get(name, dtype="float64", **changed)
        result = value_and_gradient(loss, true, pred)
        function = value_and_gradient(lambda t, p: PAIRS[name](t, p, **changed), true, pred)
        default = value_and_gradient(get(name, dtype="float64", **others), true, pred)
        for mine, same in zip(result, function, strict=True):
            np.testing.assert_array_equal(mine, same)
        differs += [not np.allclose(mine, other) for mine, other in zip(result, default, strict=True)]
    assert any(differs)


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


class Sharper(losses.GIoULoss):
    """A user's own, with an ordinary parameter."""

    def __init__(self, k=2.0, **options):
        super().__init__(**options)
        self.k = k

    def call(self, y_true, y_pred):
        return super().call(y_true, y_pred) ** self.k


def test_a_subclass_shows_its_own_parameters_beside_those_of_its_parent():
    assert {"k", "reduction", "name", "dtype", "bounding_box_format"} <= set(inspect.signature(Sharper).parameters)
    assert float(Sharper(k=3.0)(TRUE, PRED)) != pytest.approx(float(Sharper()(TRUE, PRED)))


@pytest.mark.parametrize(
    ("function", "wrong", "said"),
    [
        (losses.centre_point_loss, {"distance": "foo"}, "Expected distance to be one of squared, euclidean"),
        (losses.probiou_loss, {"mode": "L1"}, "Expected mode to be one of l1, l2. Received: mode='L1'"),
        (losses.kld_loss, {"direction": "foo"}, "Expected direction to be one of pred_to_true"),
        (losses.gwd_loss, {"shape": "sqrtt"}, "Expected shape to be one of none, sqrt"),
        (losses.kld_loss, {"shape": "sqrtt"}, "Expected shape to be one of none, sqrt"),
    ],
)
def test_a_function_refuses_an_option_it_does_not_know(function, wrong, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        function(TRUE, PRED, **wrong)


@pytest.mark.parametrize(("name", "flag"), [("gwd", "normalize"), ("focal_eiou", "weight_gradient")])
def test_a_text_is_no_flag(name, flag):
    with pytest.raises(ValueError, match=f"Expected {flag} to be True or False. Received: {flag}='false'"):
        get(name, **{flag: "false"})


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


@pytest.mark.parametrize("name", [name for name, parameter in OWN_PARAMETERS if parameter == "eps"])
@pytest.mark.parametrize("eps", [0, -1e-7, 1, float("nan"), float("inf"), "small", None, True, [1e-7]])
def test_an_eps_out_of_range_is_refused(name, eps):
    with pytest.raises(ValueError, match=r"^Expected eps to be a finite number and >= 1e-\d+ and < 1\. Received: eps="):
        get(name, eps=eps)


@pytest.mark.parametrize("size_weight", [-0.1, float("nan"), float("inf"), "1", None])
def test_a_size_weight_below_zero_is_refused(size_weight):
    with pytest.raises(
        ValueError, match=r"^Expected size_weight to be a finite number and >= 0 and <= 1e\+06\. Received: size_weight="
    ):
        get("centre_point", size_weight=size_weight)


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("smooth_l1", {"beta": 0}, "Expected beta to be a finite number and >= 1e-06. Received: beta=0"),
        ("balanced_l1", {"gamma": 41}, "Expected gamma to be a finite number and > 0 and <= 40. Received: gamma=41"),
        ("alpha_iou", {"alpha": 5}, "Expected alpha to be a finite number and > 0 and <= 4. Received: alpha=5"),
        ("focaler_iou", {"d": 0.95}, "Expected d to be a finite number and >= 0 and < 0.95. Received: d=0.95"),
        (
            "dynamic_interpiou",
            {"low": 0.99},
            "Expected low to be a finite number and > 0 and < 0.99. Received: low=0.99",
        ),
        (
            "wiou_v2",
            {"iou_mean": 0},
            "Expected iou_mean to be a finite number and >= 0.001 and <= 1. Received: iou_mean=0",
        ),
        ("wiou_v3", {"alpha": 1}, "Expected alpha to be a finite number and > 1 and <= 10. Received: alpha=1"),
        ("siou", {"theta": 0.5}, "Expected theta to be a finite number and >= 1 and <= 100. Received: theta=0.5"),
        ("gwd", {"tau": 0.5}, "Expected tau to be 0, or a finite number and >= 1. Received: tau=0.5"),
        ("gwd", {"shape": "log"}, "Expected shape to be one of none, sqrt, log1p, log1p_sqrt. Received: shape='log'"),
        (
            "kld",
            {"direction": "both"},
            "Expected direction to be one of pred_to_true, true_to_pred, symmetric. Received: direction='both'",
        ),
        ("probiou", {"mode": 1}, "Expected mode to be one of l1, l2. Received: mode=1"),
        (
            "centre_point",
            {"distance": "diagonal"},
            "Expected distance to be one of squared, euclidean, enclosing, target. Received: distance='diagonal'",
        ),
    ],
)
def test_a_parameter_out_of_its_range_is_refused_in_one_line(name, parameters, said):
    with pytest.raises(ValueError, match="Expected") as caught:
        get(name, **parameters)
    assert str(caught.value) == said


@pytest.mark.parametrize("name", names())
def test_docstrings_state_formula_shapes_formats_units_and_source(name):
    cls, function = type(get(name)), PAIRS[name]
    for doc in (cls.__doc__, function.__doc__):
        assert "shape (...)" in doc.lower()
        assert "BOX_FORMATS" in doc
        assert "unit" in doc
        assert "Raises:\n" in doc
        assert "Args:\n" in doc
        assert ">>> from bboxbench.losses import " in doc
    assert "shape (..., 4)" in function.__doc__
    assert "Source: " in function.__doc__
    assert "Returns:\n" in function.__doc__
    assert "``" in function.__doc__, "the formula"
    assert f"`{function.__name__}`" in cls.__doc__
    for parameter in inspect.signature(function).parameters:
        assert f"{parameter}: " in function.__doc__, parameter
    arguments = cls.__doc__.partition("Args:\n")[2].partition("Raises:")[0]
    for parameter in parameters_of(name):
        assert re.search(rf"^ +(\w+, )*{parameter}(, \w+)*: ", arguments, re.MULTILINE), parameter


@pytest.mark.parametrize("name", names())
def test_the_signature_that_help_shows_has_every_parameter_with_its_default(name):
    cls = type(get(name))
    signature = inspect.signature(cls)
    assert all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in signature.parameters.values())
    assert {k: v for k, v in cls().get_config().items() if k != "dtype"} == {
        k: p.default for k, p in signature.parameters.items() if k != "dtype"
    }
    own = {k: p.default for k, p in inspect.signature(PAIRS[name]).parameters.items() if p.kind is p.KEYWORD_ONLY}
    assert own.items() <= {k: p.default for k, p in signature.parameters.items()}.items()


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
