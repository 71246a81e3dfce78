"""Values and gradients of published implementations, as numbers, where they say the same as these losses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bboxbench.losses import centre_point_loss, giou_loss, iou_loss, mse_loss, unguarded_iou_loss

ORACLES = json.loads((Path(__file__).parent / "data" / "box_loss_oracles.json").read_text())
TRUE, PRED = (np.array([pair[i] for pair in ORACLES["pairs"]], "float64") for i in (0, 1))
CASES = {
    "mse": (mse_loss, {}),
    "iou_log": (iou_loss, {}),
    "iou_log, bare": (unguarded_iou_loss, {}),
    "giou": (giou_loss, {}),
}
# At a fourth of the size, the centre-point loss is twice the mean squared error.
TWICE_MSE = (centre_point_loss, {"size_weight": 0.25})
TOLERANCES = {"float64": (1e-5, 2e-6, 2e-5), "float32": (1e-4, 1e-5, 1e-3)}


def column(entry, key):
    return np.array(ORACLES["losses"][entry][key])


def numbers(entry, key, rows):
    """The rows of a column that are to be compared; the others may hold null."""
    return np.array([value for value, keep in zip(ORACLES["losses"][entry][key], rows, strict=True) if keep], "float64")


def compare(entry, values, gradient, masks, dtype, scale=1.0):
    relative, absolute, slope = TOLERANCES[dtype]
    rows, slopes = (column(entry, name) for name in masks)
    assert rows.sum() > 40
    assert slopes.sum() > 35
    reference = numbers(entry, "values", rows)
    assert (np.abs(values[rows] - reference) <= relative * np.abs(reference) + absolute).all()
    reference = numbers(entry, "gradients", slopes)
    room = slope * np.maximum(1, np.abs(reference).max(axis=-1, keepdims=True))
    assert (np.abs(gradient[slopes] * scale - reference) <= room).all()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_agree_with_the_reference(case, dtype, value_and_gradient):
    loss, parameters = CASES[case]
    values, gradient = value_and_gradient(loss, TRUE, PRED, dtype, **parameters)
    compare(case.partition(",")[0], values, gradient, ("mask", "gradient_mask"), dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", ["iou_log", "iou_log, bare", "giou"])
def test_tiny_and_thin_boxes_agree_once_enlarged(case, dtype, value_and_gradient):
    loss, parameters = CASES[case]
    values, gradient = value_and_gradient(loss, TRUE * 1024, PRED * 1024, dtype, **parameters)
    compare(case.partition(",")[0], values, gradient, ("mask_x1024", "gradient_mask_x1024"), dtype, scale=1024.0)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_centre_point_agrees_with_twice_the_mean_squared_error(dtype, value_and_gradient):
    loss, parameters = TWICE_MSE
    values, gradient = value_and_gradient(loss, TRUE, PRED, dtype, **parameters)
    compare("mse", values / 2, gradient / 2, ("mask", "gradient_mask"), dtype)


@pytest.mark.parametrize("loss", [mse_loss, iou_loss, giou_loss, centre_point_loss])
def test_the_degenerate_pairs_are_finite_here(loss, value_and_gradient):
    degenerate = [p[2] in ("zero_area_pred", "zero_area_target", "inverted_pred", "all_zero") for p in ORACLES["pairs"]]
    assert sum(degenerate) == 6
    values, gradient = value_and_gradient(loss, TRUE[degenerate], PRED[degenerate], "float32")
    assert np.isfinite(values).all()
    assert np.isfinite(gradient).all()
