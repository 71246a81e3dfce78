"""The order of a box's four numbers: told by name, never guessed."""

from __future__ import annotations

import numpy as np
import pytest

from bboxbench.losses import BOX_FORMATS, get, mse_loss, names
from bboxbench.losses.geometry import computing_dtype, to_corners

FUNCTIONS = [type(get(name)).function for name in names() if name != "iou_unguarded"]

# One box, xmin 1, ymin 2, xmax 4, ymax 8, so width 3, height 6, centre (2.5, 5), written in every way.
WRITTEN = {
    "xyxy": [1, 2, 4, 8],
    "yxyx": [2, 1, 8, 4],
    "xywh": [1, 2, 3, 6],
    "center_xywh": [2.5, 5, 3, 6],
    "center_yxhw": [5, 2.5, 6, 3],
}


def test_every_format_of_keras_is_known():
    assert set(BOX_FORMATS) == {*WRITTEN, *(f"rel_{name}" for name in WRITTEN)}


@pytest.mark.parametrize("box_format", BOX_FORMATS)
def test_each_format_reads_the_same_corners(box_format):
    box = np.array(WRITTEN[box_format.removeprefix("rel_")], "float64")
    for corners in to_corners(box, box, box_format):
        assert [float(side) for side in corners] == [1, 2, 4, 8]


@pytest.mark.parametrize("box_format", BOX_FORMATS)
@pytest.mark.parametrize("loss", FUNCTIONS)
def test_a_loss_is_the_same_in_every_format(loss, box_format):
    written = np.array(WRITTEN[box_format.removeprefix("rel_")], "float64")
    whole = {"xyxy": [0, 0, 8, 8], "yxyx": [0, 0, 8, 8], "xywh": [0, 0, 8, 8]}.get(
        box_format.removeprefix("rel_"), [4, 4, 8, 8]
    )
    expected = loss(np.array([0.0, 0, 8, 8]), np.array(WRITTEN["xyxy"], "float64"))
    np.testing.assert_allclose(loss(np.array(whole, "float64"), written, bounding_box_format=box_format), expected)


@pytest.mark.parametrize("name", names())
def test_the_class_hands_its_format_on(name):
    true, pred = np.array([[1.0, 2, 3, 6]]), np.array([[2.0, 2, 3, 5]])
    loss = get(name, bounding_box_format="xywh", dtype="float64")
    as_corners = get(name, dtype="float64")(np.array([[1.0, 2, 4, 8]]), np.array([[2.0, 2, 5, 7]]))
    assert float(loss(true, pred)) == pytest.approx(float(as_corners))
    assert float(loss(true, pred)) != pytest.approx(float(get(name, dtype="float64")(true, pred)))


@pytest.mark.parametrize("loss", FUNCTIONS)
def test_swapping_x_and_y_in_both_boxes_changes_no_loss(loss):
    # Boxes written (x, y, x, y), unpacked as (ymin, xmin, ymax, xmax): wrong, and without effect on these losses.
    rng = np.random.default_rng(1)
    true, pred = (np.concatenate([low := rng.random((20, 2)), low + rng.random((20, 2))], -1) for _ in range(2))
    np.testing.assert_allclose(
        loss(true, pred, bounding_box_format="yxyx"), loss(true, pred, bounding_box_format="xyxy"), rtol=1e-12
    )
    # Swapped in one of the two only, every one of them cares.
    swapped = pred[:, [1, 0, 3, 2]]
    assert not np.allclose(loss(true, swapped), loss(true, pred))


@pytest.mark.parametrize("wrong", ["xxyy", "XYXY", "rel_", "", None, 3])
def test_an_unknown_format_is_refused_in_one_line(wrong):
    message = "Expected bounding_box_format to be one of xyxy, .* Received: bounding_box_format="
    for attempt in (
        lambda: mse_loss(np.zeros(4), np.zeros(4), bounding_box_format=wrong),
        lambda: get("giou", bounding_box_format=wrong),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            attempt()
        assert "\n" not in str(caught.value)


def test_computing_dtypes():
    assert [computing_dtype(d) for d in (None, "float16", "bfloat16", "float64")] == ["float32"] * 3 + ["float64"]
    with pytest.raises(ValueError, match="floating"):
        computing_dtype("int32")
