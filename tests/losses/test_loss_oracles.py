"""Values and gradients of published implementations, as numbers, on 64 pairs of boxes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from keras import ops

from bboxbench.losses import get, kld_loss, names

ORACLES = json.loads((Path(__file__).parent / "data" / "box_loss_oracles.json").read_text())
TRUE, PRED = (np.array([pair[i] for pair in ORACLES["pairs"]], "float64") for i in (0, 1))
CATEGORIES = [pair[2] for pair in ORACLES["pairs"]]
PIXELS = np.array([200.0, 100.0, 200.0, 100.0])

# What an entry of the file is called here. An entry that is not named is a loss's own name, at its default parameters.
CALLED = {
    "iou_log": ("iou", {}),
    "focal_eiou_full_grad": ("focal_eiou", {"weight_gradient": True}),
    "alpha_giou": ("alpha_iou", {"base": "giou"}),
    "alpha_diou": ("alpha_iou", {"base": "diou"}),
    "alpha_ciou": ("alpha_iou", {"base": "ciou"}),
    "mpdiou_unit": ("mpdiou", {"width": 1, "height": 1}),
    "inner_giou": ("inner_iou", {"base": "giou"}),
    "inner_ciou": ("inner_iou", {"base": "ciou"}),
    "inner_siou": ("inner_iou", {"base": "siou"}),
    "shape_iou_scale1": ("shape_iou", {"scale": 1}),
    "wiou_v3_a1.9_d3": ("wiou_v3", {"alpha": 1.9, "delta": 3}),
    "focaler_giou": ("focaler_iou", {"base": "giou"}),
    "focaler_ciou": ("focaler_iou", {"base": "ciou"}),
    "balanced_l1_unit": ("balanced_l1", {}),
    "smooth_l1_unit": ("smooth_l1", {"beta": 0.1}),
    "huber_unit": ("huber", {"delta": 0.1}),
    "probiou_l2": ("probiou", {"mode": "l2"}),
    "gwd_sqrt": ("gwd", {"shape": "sqrt", "tau": 2}),
    "gwd_distance": ("gwd", {"shape": "sqrt", "tau": 0}),
    "gwd_normalized": ("gwd", {"shape": "log1p_sqrt", "tau": 0, "normalize": True}),
    "kld_distance_pt": ("kld", {"shape": "none", "tau": 0}),
    "kld_distance_tp": ("kld", {"shape": "none", "tau": 0, "direction": "true_to_pred"}),
    "kld_log1p_sqrt": ("kld", {"shape": "log1p_sqrt", "tau": 0, "direction": "true_to_pred"}),
    "jd_distance": ("kld", {"shape": "none", "tau": 0, "direction": "symmetric"}),
    "scaloss": ("sca", {}),
    "d_interpiou": ("dynamic_interpiou", {}),
}
WITHOUT_ORACLE = {"iou_unguarded", "log_cosh", "centre_point"}
"""The bare logarithm is `iou` where it is finite; the other two are held by hand-worked numbers."""

# Relative and absolute room of a value, and room of a gradient.
TOLERANCES = {"float64": (1e-5, 2e-6, 2e-5), "float32": (1e-4, 1e-5, 1e-3)}


def twice_the_divergence(y_true, y_pred):
    """A known wrong version: the factor 1/2 of the divergence is missing."""
    distance = 2 * kld_loss(y_true, y_pred, shape="none", tau=0)
    return 1 - 1 / (1 + ops.log1p(distance))


def loss_of(entry):
    """The loss that an entry is to be compared with, one value a box in the dtype of the boxes."""
    if entry == "kld_v1":
        return twice_the_divergence
    name, parameters = CALLED.get(entry, (entry, {}))
    return get(name, **parameters)


def column(entry, key, rows):
    """The rows of a column that are to be compared; the others may hold null."""
    return np.array([value for value, keep in zip(ORACLES["losses"][entry][key], rows, strict=True) if keep], "float64")


def compare(entry, values, gradient, masks, dtype, scale=1.0):
    relative, absolute, slope = TOLERANCES[dtype]
    rows, slopes = (np.array(ORACLES["losses"][entry][name]) for name in masks)
    assert rows.sum() >= 41
    assert slopes.sum() >= 30
    reference = column(entry, "values", rows)
    assert (np.abs(values[rows] - reference) <= relative * np.abs(reference) + absolute).all()
    reference = column(entry, "gradients", slopes)
    room = slope * np.maximum(1, np.abs(reference).max(axis=-1, keepdims=True))
    assert (np.abs(gradient[slopes] * scale - reference) <= room).all()


def boxes_of(entry, scale=1.0):
    unit = PIXELS if ORACLES["losses"][entry]["units"] == "pixels" else 1.0
    return TRUE * unit * scale, PRED * unit * scale


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("entry", ORACLES["losses"])
def test_values_and_gradients_agree_with_the_reference(entry, dtype, value_and_gradient):
    values, gradient = value_and_gradient(loss_of(entry), *boxes_of(entry), dtype)
    compare(entry, values, gradient, ("mask", "gradient_mask"), dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("entry", [name for name, entry in ORACLES["losses"].items() if "mask_x1024" in entry])
def test_tiny_and_thin_boxes_agree_once_enlarged(entry, dtype, value_and_gradient):
    values, gradient = value_and_gradient(loss_of(entry), *boxes_of(entry, 1024.0), dtype)
    compare(entry, values, gradient, ("mask_x1024", "gradient_mask_x1024"), dtype, scale=1024.0)


def test_every_loss_is_held_to_a_reference():
    compared = {CALLED.get(entry, (entry, {}))[0] for entry in ORACLES["losses"]} - {"kld_v1"}
    assert compared | WITHOUT_ORACLE == {name for name in names() if type(get(name)).__module__.startswith("bboxbench")}
    assert not compared & WITHOUT_ORACLE


def test_where_it_is_finite_the_unguarded_logarithm_agrees_with_the_guarded_one(value_and_gradient):
    values, gradient = value_and_gradient(get("iou_unguarded"), TRUE, PRED)
    compare("iou_log", values, gradient, ("mask", "gradient_mask"), "float64")


def test_at_a_fourth_of_the_size_the_centre_point_loss_is_twice_the_mean_squared_error(value_and_gradient):
    values, gradient = value_and_gradient(get("centre_point", size_weight=0.25), TRUE, PRED)
    compare("mse", values / 2, gradient / 2, ("mask", "gradient_mask"), "float64")


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        ("kld", twice_the_divergence),
        ("smooth_l1_unit", get("huber", delta=0.1)),
        ("focal_eiou", get("focal_eiou", weight_gradient=True)),
        ("eiou", get("extended_iou")),
    ],
)
def test_the_comparison_tells_a_wrong_version(entry, wrong, value_and_gradient):
    values, gradient = value_and_gradient(wrong, *boxes_of(entry))
    with pytest.raises(AssertionError):
        compare(entry, values, gradient, ("mask", "gradient_mask"), "float64")


@pytest.mark.parametrize("name", [name for name in names() if name != "iou_unguarded"])
def test_the_degenerate_pairs_are_finite_here(name, value_and_gradient):
    degenerate = [c in ("zero_area_pred", "zero_area_target", "inverted_pred", "all_zero") for c in CATEGORIES]
    assert sum(degenerate) == 6
    for unit in (1.0, PIXELS):
        values, gradient = value_and_gradient(get(name), TRUE[degenerate] * unit, PRED[degenerate] * unit, "float32")
        assert np.isfinite(values).all()
        assert np.isfinite(gradient).all()
