"""Slips are found when they are made, and never where a network is merely bad."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bboxbench.boxes import BOX_FORMATS, from_xyxy, to_xyxy
from bboxbench.errors import InputError
from bboxbench.experiments.diagnosis import Diagnosis, diagnose

W, H = 200, 100
Boxes = npt.NDArray[np.float64]
SIZE = np.array([W, H, W, H], float)


def truth(seed: int = 0, n: int = 400) -> Boxes:
    rng = np.random.default_rng(seed)
    sides = rng.integers([12, 16], [45, 48], (n, 2))
    low = rng.uniform(0, 1, (n, 2)) * (SIZE[:2] - sides)
    return np.concatenate([low, low + sides], axis=1)


def good(true: Boxes, seed: int = 1, error: float = 2.0) -> Boxes:
    """What a network gives that has learnt: every edge off by a few pixels, within the picture."""
    return np.clip(true + np.random.default_rng(seed).normal(0, error, true.shape), 0, SIZE)


def of(true: Boxes, predicted: Boxes, box_format: str = "xyxy", size: bool = True) -> Diagnosis:
    lengths = {"width": W, "height": H} if size else {}
    return diagnose(true, predicted, bounding_box_format=box_format, **lengths)


@pytest.mark.parametrize("true_format", ["xyxy", "rel_xyxy", "center_xywh", "rel_yxyx"])
@pytest.mark.parametrize("predicted_format", BOX_FORMATS)
def test_predictions_in_another_format_or_unit_are_read_right(true_format: str, predicted_format: str) -> None:
    true = truth()
    boxes = good(true)
    found = of(from_xyxy(true, true_format, W, H), from_xyxy(boxes, predicted_format, W, H), true_format)
    if predicted_format == true_format:
        assert found.mistake is None
        assert found.outcome == "converged"
        return
    assert found.mistake is not None
    same_unit = predicted_format.startswith("rel_") == true_format.startswith("rel_")
    assert found.mistake.kind == ("format" if same_unit else "unit")
    assert predicted_format.removeprefix("rel_") in found.mistake.text + found.mistake.remedy
    assert found.mistake.certain
    np.testing.assert_allclose(found.mistake.mended, boxes, atol=1e-9)
    assert found.mistake.box_accuracy == pytest.approx(of(true, boxes).network.measures.box_accuracy)


SLIPS: dict[str, tuple[str, Callable[[Boxes], Boxes], str]] = {
    "xmin, xmax, ymin, ymax": ("format", lambda b: b[:, [0, 2, 1, 3]], "xmin, xmax, ymin, ymax"),
    "corners exchanged": ("corners", lambda b: b[:, [2, 3, 0, 1]], "smaller number first"),
    "x corners exchanged": ("corners", lambda b: b[:, [2, 1, 0, 3]], "smaller number first"),
    "left and right": (
        "mirrored",
        lambda b: np.stack([W - b[:, 2], b[:, 1], W - b[:, 0], b[:, 3]], 1),
        "left to right",
    ),
    "upside down": ("mirrored", lambda b: np.stack([b[:, 0], H - b[:, 3], b[:, 2], H - b[:, 1]], 1), "top to bottom"),
    "divided by height and width": ("size", lambda b: b * [W / H, H / W, W / H, H / W], "height and width"),
    "resized pictures": ("stretched", lambda b: b * [1.6, 1.6, 1.6, 1.6] + [0, 40, 0, 40], "stretched or shifted"),
    "reversed": ("rows", lambda b: b[::-1], "reverse"),
    "three rows late": ("rows", lambda b: np.roll(b, 3, axis=0), "3 rows late"),
    "one row early": ("rows", lambda b: np.roll(b, -1, axis=0), "1 row early"),
    "names sorted as text": ("rows", lambda b: b[sorted(range(len(b)), key=str)], "sorted as text"),
    "names from 1 sorted as text": (
        "rows",
        lambda b: b[np.array(sorted(range(1, len(b) + 1), key=str)) - 1],
        "as text",
    ),
}


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_is_named_and_undone(name: str) -> None:
    kind, slip, words = SLIPS[name]
    true = truth()
    boxes = good(true)
    found = of(true, slip(boxes)).mistake
    assert found is not None
    assert (found.kind, found.certain) == (kind, True)
    assert words in found.text
    assert found.box_accuracy is not None
    assert found.box_accuracy > 0.9


@pytest.mark.parametrize("name", sorted(set(SLIPS) - {"left and right", "upside down", "divided by height and width"}))
def test_most_slips_are_found_without_the_size_of_the_pictures(name: str) -> None:
    kind, slip, _ = SLIPS[name]
    true = truth()
    found = of(true, slip(good(true)), size=False).mistake
    assert found is not None
    assert found.kind == kind


def test_width_and_height_exchanged_are_found_where_boxes_are_not_square() -> None:
    true = truth()
    true[:, 2] = true[:, 0] + 2.5 * (true[:, 3] - true[:, 1])
    boxes = from_xyxy(good(np.clip(true, 0, SIZE)), "center_xywh")
    found = diagnose(from_xyxy(true, "center_xywh"), boxes[:, [0, 1, 3, 2]], bounding_box_format="center_xywh").mistake
    assert found is not None
    assert "width and height exchanged" in found.text


def test_a_missing_sigmoid_is_found() -> None:
    true = truth()
    relative = np.clip(good(true) / SIZE, 1e-3, 1 - 1e-3)
    found = of(true / SIZE, np.log(relative / (1 - relative)), "rel_xyxy").mistake
    assert found is not None
    assert found.kind == "sigmoid"


def test_boxes_between_minus_1_and_1_are_found() -> None:
    true = truth()
    found = of(true / SIZE, good(true) / SIZE * 2 - 1, "rel_xyxy").mistake
    assert found is not None
    assert (found.kind, "-1 and 1" in found.text) == ("unit", True)


def test_a_slip_is_found_though_the_network_is_half_trained() -> None:
    true = truth()
    boxes = good(true, error=8.0)
    assert of(true, boxes).mistake is None
    assert 0.05 < of(true, boxes).network.measures.box_accuracy < 0.6
    found = of(true, boxes[:, [1, 0, 3, 2]]).mistake
    assert found is not None
    assert "yxyx" in found.text


@pytest.mark.parametrize("error", [2.0, 7.0])
def test_boxes_in_no_order_are_a_suspicion_and_not_a_certainty(error: float) -> None:
    true = truth()
    found = of(true, np.random.default_rng(5).permutation(good(true, error=error)))
    assert found.mistake is not None
    assert (found.mistake.kind, found.mistake.certain, found.mistake.mended) == ("rows", False, None)
    assert found.outcome == "blind"
    assert "it seems" in str(found).lower()
    assert "may belong to other pictures" in found.to_dict()["verdict"]


def test_predictions_below_1_for_boxes_in_pixels_are_of_another_unit_though_nothing_mends_them() -> None:
    true = truth()
    found = of(true, np.random.default_rng(0).uniform(0.9, 1.0, true.shape), size=False).mistake
    assert found is not None
    assert (found.kind, found.certain) == ("unit", False)
    assert "sigmoid" in found.text


def test_pixels_for_relative_boxes_are_of_another_unit_though_nothing_mends_them() -> None:
    true = truth()
    found = of(true / SIZE, np.tile([50.0, 25.0, 150.0, 75.0], (len(true), 1)), "rel_xyxy").mistake
    assert found is not None
    assert (found.kind, found.certain) == ("unit", False)


def test_true_boxes_that_leave_the_picture_are_said_with_the_format_in_which_they_do_not() -> None:
    true = truth()
    found = of(true, good(true), "xywh").mistake
    assert found is not None
    assert (found.kind, found.certain) == ("true boxes", False)
    assert "as xyxy" in found.remedy


def test_exchanged_width_and_height_of_the_pictures_are_said() -> None:
    true = truth()
    found = diagnose(true, good(true), width=H, height=W).mistake
    assert found is not None
    assert "200 x 100" in found.remedy


def test_true_boxes_without_area_are_refused_with_the_format_in_which_they_have_one() -> None:
    true = truth()
    sized = from_xyxy(true, "xywh")
    with pytest.raises(InputError, match=r"without, read as xyxy, first in row \d+\. As xywh all have"):
        diagnose(sized, sized, width=W, height=H)


networks = st.sampled_from(["noise", "constant", "whole picture", "random", "centre only", "size only", "half pinned"])


def bad_network(kind: str, true: Boxes, strength: float, rng: np.random.Generator) -> Boxes:
    n = len(true)
    if kind == "noise":
        return np.clip(true + rng.normal(0, 60 * strength, true.shape), 0, SIZE)
    if kind == "constant":
        return np.tile(rng.uniform(0, 1, 4) * SIZE, (n, 1))
    if kind == "whole picture":
        return np.clip(np.array([0, 0, W, H]) + rng.normal(0, 5 * strength, true.shape), 0, SIZE)
    if kind == "random":
        return rng.uniform(0, 1, true.shape) * SIZE
    centre, sides = (true[:, :2] + true[:, 2:]) / 2, true[:, 2:] - true[:, :2]
    if kind == "centre only":
        sides = np.tile(sides.mean(axis=0) * (0.3 + strength), (n, 1))
    elif kind == "size only":
        centre = np.tile(centre.mean(axis=0), (n, 1)) + rng.normal(0, 10 * strength, (n, 2))
    boxes = np.concatenate([centre - sides / 2, centre + sides / 2], axis=1)
    if kind == "half pinned":
        boxes[: n // 2, 0], boxes[: n // 3, 2] = 0, W
    return boxes


@given(networks, st.integers(0, 10_000), st.floats(0, 1), st.sampled_from(["xyxy", "rel_xyxy", "center_xywh"]))
def test_a_network_that_is_merely_bad_is_never_called_a_slip(kind: str, seed: int, strength: float, name: str) -> None:
    true = truth(seed, n=200)
    boxes = bad_network(kind, true, strength, np.random.default_rng(seed))
    given_boxes = (from_xyxy(each, name, W, H) for each in (true, boxes))
    assert of(*given_boxes, name).mistake is None


@given(st.integers(0, 10_000), st.sampled_from(sorted(SLIPS)), st.floats(0.5, 3))
def test_every_slip_is_found_on_any_boxes(seed: int, name: str, error: float) -> None:
    true = truth(seed, n=150)
    found = of(true, SLIPS[name][1](good(true, seed, error))).mistake
    assert found is not None
    assert found.certain
    assert found.mean_iou is not None
    assert found.mean_iou > 0.5


def test_predictions_that_are_not_finite_hide_no_slip() -> None:
    true = truth()
    boxes = good(true)[:, [1, 0, 3, 2]]
    boxes[::7] = np.nan
    found = of(true, boxes)
    assert found.mistake is not None
    assert "yxyx" in found.mistake.text
    assert to_xyxy(boxes, "yxyx").shape == found.mistake.mended.shape  # type: ignore[union-attr]
