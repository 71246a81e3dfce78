"""Losses over any base: the parts are the base's, changed in one place, and they nest."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from bboxbench import losses
from bboxbench.gradients import value_and_gradient
from bboxbench.losses import (
    AlphaIoULoss,
    CIoULoss,
    FocalerIoULoss,
    GIoULoss,
    InnerIoULoss,
    MSELoss,
    SIoULoss,
    bases,
    get,
)

RNG = np.random.default_rng(5)
LOW = RNG.uniform(0, 0.5, (2, 60, 2))
TRUE, PRED = np.concatenate([LOW, LOW + RNG.uniform(0.2, 0.6, LOW.shape)], axis=-1)


def values(loss):
    return value_and_gradient(loss, TRUE, PRED)[0]


def iou(ratio=1.0):
    boxes = []
    for box in (TRUE, PRED):
        centre, half = (box[:, :2] + box[:, 2:]) / 2, (box[:, 2:] - box[:, :2]) * ratio / 2
        boxes.append(np.concatenate([centre - half, centre + half], axis=1))
    return 1 - values_of(*boxes)


def values_of(true, pred):
    return value_and_gradient(get("iou_linear"), true, pred)[0]


def test_the_bases_are_the_losses_of_the_form_one_minus_iou_plus_penalties():
    assert {"iou_linear", "giou", "diou", "ciou", "eiou", "siou", "mpdiou", "shape_iou", "piou_v1"} < set(bases())
    assert not {"mse", "iou", "kld", "box_dice", "wiou_v1", "focal_eiou"} & set(bases())


@pytest.mark.parametrize("base", bases())
def test_inner_iou_is_the_base_plus_iou_minus_inner_iou(base):
    for ratio in (0.5, 1.25):
        wrapped = values(InnerIoULoss(base=base, ratio=ratio))
        # A wrapped base's own overlap is replaced, too.
        if base in ("alpha_iou", "inner_iou", "focaler_iou"):
            np.testing.assert_allclose(wrapped, 1 - iou(ratio), atol=1e-12)
        else:
            np.testing.assert_allclose(wrapped, values(get(base)) + iou() - iou(ratio), atol=1e-12)


@pytest.mark.parametrize("base", ["iou_linear", "giou", "ciou", "siou", "interpiou"])
def test_focaler_iou_is_the_base_plus_iou_minus_the_stretched_iou(base):
    stretched = np.clip((iou() - 0.2) / 0.5, 0, 1)
    wrapped = values(FocalerIoULoss(base=base, d=0.2, u=0.7))
    np.testing.assert_allclose(wrapped, values(get(base)) + iou() - stretched, atol=1e-12)


def test_alpha_iou_raises_each_part_to_the_power():
    empty = values(get("giou")) - (1 - iou())
    np.testing.assert_allclose(values(AlphaIoULoss(base="giou", alpha=2)), 1 - iou() ** 2 + empty**2, atol=1e-9)
    np.testing.assert_allclose(values(AlphaIoULoss(alpha=2)), values(get("iou_square")), atol=1e-12)
    np.testing.assert_allclose(values(AlphaIoULoss(base="ciou", alpha=1)), values(get("ciou")), atol=1e-12)


def test_wrappers_nest_in_any_order():
    inside = AlphaIoULoss(base=InnerIoULoss(base=GIoULoss(), ratio=0.8), alpha=2)
    empty = values(get("giou")) - (1 - iou())
    np.testing.assert_allclose(values(inside), 1 - iou(0.8) ** 2 + empty**2, atol=1e-9)
    outside = FocalerIoULoss(base=AlphaIoULoss(alpha=2), d=0, u=0.5)
    np.testing.assert_allclose(values(outside), 1 - np.clip(iou() ** 2 / 0.5, 0, 1), atol=1e-9)


def test_a_base_by_name_and_by_instance_are_one_loss():
    np.testing.assert_array_equal(values(InnerIoULoss(base="siou")), values(InnerIoULoss(base=SIoULoss())))
    assert (values(InnerIoULoss(base=SIoULoss(theta=2))) != values(InnerIoULoss(base="siou"))).any()
    np.testing.assert_array_equal(
        values(lambda t, p: losses.alpha_iou_loss(t, p, base=CIoULoss())), values(AlphaIoULoss(base="ciou"))
    )


def test_of_a_base_only_the_formula_counts():
    base = GIoULoss(bounding_box_format="xywh", reduction="sum", dtype="float64")
    as_xyxy = InnerIoULoss(base=base, reduction="none", dtype="float64")
    np.testing.assert_array_equal(as_xyxy(TRUE, PRED), values(InnerIoULoss(base="giou")))


@pytest.mark.parametrize("wrapper", [AlphaIoULoss, InnerIoULoss, FocalerIoULoss])
@pytest.mark.parametrize(
    ("base", "received"),
    [("mse", "'mse'"), (MSELoss(), "mse_loss"), (3, "3"), (keras.losses.MeanSquaredError, "<class")],
)
def test_a_base_of_another_form_is_refused_with_those_that_fit(wrapper, base, received):
    with pytest.raises(ValueError, match="Expected base to be a loss of the form 1 - IoU") as caught:
        wrapper(base=base)
    assert "one of: " + ", ".join(bases()) in str(caught.value)
    assert f"Received: base={received}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_base_is_answered_by_the_nearest_name():
    with pytest.raises(ValueError, match=r"Unknown loss 'cio'\. Did you mean 'ciou'\?"):
        InnerIoULoss(base="cio")


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # NumPy 2 about saving in Keras
def test_a_saved_model_finds_nested_losses_again_with_every_parameter(tmp_path):
    loss = AlphaIoULoss(base=InnerIoULoss(base=SIoULoss(theta=3.0), ratio=0.6), alpha=2.0, bounding_box_format="xywh")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    model.compile(optimizer="sgd", loss=loss)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras").loss
    assert again.get_config() == loss.get_config()
    assert (again.base.ratio, again.base.base.theta) == (0.6, 3.0)
    np.testing.assert_array_equal(values(again), values(loss))
