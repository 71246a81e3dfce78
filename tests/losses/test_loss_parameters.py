"""The parameters of a loss: config, saving, ranges, what help shows."""

from __future__ import annotations

import inspect
import re

import keras
import numpy as np
import pytest
from loss_samples import ARRAY_COPY, PAIRS, PRED, TRUE

from bboxbench import losses
from bboxbench.gradients import value_and_gradient
from bboxbench.losses import get, names

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
