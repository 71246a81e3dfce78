"""Losses by name and by import path, and what is said when there is none."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from bboxbench import losses
from bboxbench.losses import get, names, register, registry

OWN_LOSSES = """
import keras

class Own(keras.losses.Loss):
    def __init__(self, weight=1.0, reduction="sum_over_batch_size", name="own"):
        super().__init__(name=name, reduction=reduction)
        self.weight = weight

    def call(self, y_true, y_pred):
        return self.weight * keras.ops.sum(keras.ops.abs(y_true - y_pred), axis=-1)

def taxicab(y_true, y_pred, weight=1.0):
    return weight * keras.ops.sum(keras.ops.abs(y_true - y_pred), axis=-1)

def anything(y_true, y_pred, **parameters):
    return keras.ops.sum(y_pred - y_true, axis=-1) * parameters.get("factor", 1)

NUMBER = 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_losses.py").write_text(OWN_LOSSES)
    (tmp_path / "broken_losses.py").write_text("import a_module_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.fixture
def clean_registry(monkeypatch):
    monkeypatch.setattr(registry, "_LOSSES", dict(registry._LOSSES))


def message_of(call):
    with pytest.raises(ValueError, match=r"\w") as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


NAMES = """
mse l1 smooth_l1 huber balanced_l1 log_cosh
iou iou_linear iou_square iou_unguarded
giou diou ciou eiou focal_eiou siou mpdiou sca extended_iou
alpha_iou wiou_v1 wiou_v2 wiou_v3 focaler_iou piou_v1 piou_v2 inner_iou shape_iou interpiou dynamic_interpiou
nwd kld gwd probiou gcd
bounded_iou box_dice centre_point
"""


def test_the_names_of_the_command_line():
    assert names() == sorted(NAMES.split())


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("mse", losses.MSELoss),
        ("iou", losses.IoULoss),
        ("iou_unguarded", losses.UnguardedIoULoss),
        ("giou", losses.GIoULoss),
        ("centre_point", losses.CentrePointLoss),
        ("smooth_l1", losses.SmoothL1Loss),
        ("iou_linear", losses.LinearIoULoss),
        ("focal_eiou", losses.FocalEIoULoss),
        ("wiou_v3", losses.WIoUv3Loss),
        ("dynamic_interpiou", losses.DynamicInterpIoULoss),
        ("box_dice", losses.BoxDiceLoss),
    ],
)
def test_a_name_gives_the_instance_of_its_class(name, cls):
    assert type(get(name)) is cls
    assert get(name) is not get(name)


def test_parameters_reach_the_constructor():
    assert get("centre_point", size_weight=0.5, reduction="none").get_config()["size_weight"] == 0.5


def test_an_unknown_name_is_answered_by_the_nearest_one():
    assert message_of(lambda: get("goiu")).startswith("Unknown loss 'goiu'. Did you mean 'giou'? Expected one of: ")
    assert "Did you mean 'giou'?" in message_of(lambda: get("GIoU"))
    assert "Did you mean 'centre_point'?" in message_of(lambda: get("center_point"))
    nothing_near = message_of(lambda: get("banana"))
    assert "Did you mean" not in nothing_near
    assert all(name in nothing_near for name in names())
    assert "Received: 3" in message_of(lambda: get(3))


def test_a_wrong_parameter_is_named_with_its_loss_and_those_that_exist():
    message = message_of(lambda: get("centre_point", size_wieght=1))
    assert message.startswith("Loss 'centre_point' has no parameter 'size_wieght'. Did you mean 'size_weight'?")
    for parameter in ("size_weight", "bounding_box_format", "reduction", "name", "dtype"):
        assert parameter in message.partition("Expected one of: ")[2]
    assert "self" not in message
    assert "has no parameter 'eps'" in message_of(lambda: get("mse", eps=1e-7))


@pytest.mark.usefixtures("own")
def test_a_class_of_ones_own_is_found_by_its_path():
    loss = get("own_losses:Own", weight=2.0)
    assert float(loss(np.zeros((2, 4)), np.ones((2, 4)))) == 8
    assert "has no parameter 'wait'. Did you mean 'weight'?" in message_of(lambda: get("own_losses:Own", wait=1))


@pytest.mark.usefixtures("own")
def test_a_function_of_ones_own_is_found_by_its_path():
    true, pred = np.zeros((2, 3, 4)), np.ones((2, 3, 4))
    assert float(get("own_losses:taxicab")(true, pred)) == 4
    loss = get("own_losses:taxicab", weight=3.0, reduction="none", name="mine", dtype="float64")
    np.testing.assert_array_equal(loss(true, pred), np.full((2, 3), 12.0))
    assert loss.name == "mine"
    assert float(get("own_losses:anything", factor=2)(true, pred)) == 8
    message = message_of(lambda: get("own_losses:taxicab", weigth=1))
    assert "'own_losses:taxicab' has no parameter 'weigth'. Did you mean 'weight'?" in message
    assert "y_true" not in message


@pytest.mark.usefixtures("own")
def test_a_path_that_leads_nowhere_says_where_it_ends():
    assert "No module named 'no_such_module'" in message_of(lambda: get("no_such_module:Loss"))
    assert "a_module_that_is_not_there" in message_of(lambda: get("broken_losses:Loss"))
    assert "has no 'Onw'. Did you mean 'Own'?" in message_of(lambda: get("own_losses:Onw"))
    assert "Received: 3" in message_of(lambda: get("own_losses:NUMBER"))
    assert "subclass or a function" in message_of(lambda: get("keras.layers:Dense"))
    for path in (":Own", "own_losses:", "own_losses:Own:more"):
        message_of(lambda path=path: get(path))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def loss(y_true, y_pred)\n    return 0\n", "SyntaxError: expected ':' (spoilt_losses.py, line 1)."),
        ("loss = keras.losses.Loss\n", "NameError: name 'keras' is not defined."),
        ("weights = open('no_such_file.txt')\n", "FileNotFoundError: [Errno 2] No such file"),
        ("import a_module_that_is_not_there\n", "ModuleNotFoundError: No module named 'a_module_that_is_not_there'."),
        ("1 / 0\n", "ZeroDivisionError: division by zero."),
        ("raise RuntimeError('two\\nlines')\n", "RuntimeError: two lines."),
    ],
)
def test_a_module_that_fails_while_it_is_imported_says_how_in_one_line(source, said, tmp_path, monkeypatch):
    (tmp_path / "spoilt_losses.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    assert message_of(lambda: get("spoilt_losses:loss")).startswith(
        f"Cannot import the loss 'spoilt_losses:loss': {said}"
    )


@pytest.mark.usefixtures("clean_registry")
def test_registering_adds_a_name_by_decorator_or_call():
    @register("first")
    class First(losses.MSELoss):
        pass

    class Second(losses.MSELoss):
        pass

    assert register("second", Second) is Second
    assert type(get("first")) is First
    assert type(get("second")) is Second
    assert {"first", "second"} < set(names())


@pytest.mark.usefixtures("clean_registry")
def test_a_taken_name_is_refused_and_kept():
    assert "'giou' is already registered, as GIoULoss" in message_of(lambda: register("giou", losses.MSELoss))
    assert type(get("giou")) is losses.GIoULoss


@pytest.mark.usefixtures("clean_registry")
def test_what_is_no_loss_or_no_name_is_refused():
    for name in ("GIoU", "a:b", "", "2nd", "with space", None):
        assert "Received: name=" in message_of(lambda name=name: register(name, losses.MSELoss))
    for thing in (keras.layers.Dense, losses.mse_loss, losses.MSELoss()):
        assert "subclass of keras.losses.Loss" in message_of(lambda thing=thing: register("thing", thing))
    assert "thing" not in names()
