"""What is said of a network, from boxes made to show it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bboxbench.errors import InputError
from bboxbench.experiments import diagnose
from bboxbench.experiments.diagnosis import Diagnosis
from bboxbench.experiments.diagnosis.advice import ADVICE
from bboxbench.experiments.diagnosis.page import draw_page
from bboxbench.experiments.outcomes import keras_accuracy, measure
from bboxbench.jsonl import json_line

W, H = 200, 100
SIZE = np.array([W, H, W, H], float)
Boxes = npt.NDArray[np.float64]
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def truth() -> Boxes:
    rng = np.random.default_rng(0)
    sides = rng.integers([12, 16], [45, 48], (400, 2))
    low = 1 + rng.uniform(0, 1, (400, 2)) * (SIZE[:2] - sides - 2)
    return np.concatenate([low, low + sides], axis=1)


def of(true: Boxes, predicted: Boxes, finite: bool = True) -> Diagnosis:
    return diagnose(true, predicted, width=W, height=H, finite=finite)


def pinned(true: Boxes) -> Boxes:
    boxes = np.tile([60.0, 20.0, float(W), 80.0], (len(true), 1))
    return boxes + np.random.default_rng(0).normal(0, 1, boxes.shape) * [1, 1, 0, 1]


def test_a_pinned_network_is_named_with_the_side_and_what_rescues_it_first(truth: Boxes) -> None:
    found = of(truth, pinned(truth))
    assert (found.outcome, found.symptom, found.mistake) == ("blind", "pinned", None)
    assert "ignores the picture" in str(found)
    assert "the right side in 100% of the predictions" in " ".join(str(found).split())
    assert found.network.sides[2].pinned == 1
    assert found.advice[:3] == tuple(ADVICE[name] for name in ("lower rate", "centre and size", "wide start"))


def test_a_network_that_gives_one_box_is_told_of_adadelta_and_saturation(truth: Boxes) -> None:
    found = of(truth, np.tile([60.0, 20.0, 120.0, 80.0], (len(truth), 1)))
    assert found.symptom == "constant"
    assert ADVICE["saturation"] in found.advice
    assert found.advice[0] == ADVICE["overfit ten"]
    assert found.advice[3] == ADVICE["adadelta"]
    assert [side.spread for side in found.network.sides] == [0, 0, 0, 0]


def test_inverted_boxes_are_told_of_the_form_of_the_output(truth: Boxes) -> None:
    rng = np.random.default_rng(0)
    found = of(truth, np.tile([120.0, 80.0, 60.0, 20.0], (len(truth), 1)) + rng.normal(0, 20, truth.shape))
    assert found.symptom == "inverted"
    assert found.advice[0] == ADVICE["centre and size"]


def test_a_converged_network_is_told_to_be_trained_again_and_nothing_else(truth: Boxes) -> None:
    found = of(truth, truth + 1)
    assert found.outcome == "converged"
    assert found.advice == (ADVICE["seeds"],)


def test_a_network_that_follows_is_told_where_its_error_lies(truth: Boxes) -> None:
    middle, half = (truth[:, :2] + truth[:, 2:]) / 2, (truth[:, 2:] - truth[:, :2]) / 2
    wide = np.concatenate([middle - 2.5 * half, middle + 2.5 * half], axis=1)
    inside = (wide > 1).all(axis=1) & (wide < SIZE - 1).all(axis=1)
    found = of(truth[inside], wide[inside])
    assert found.outcome == "learning"
    assert "2.5 times as wide and 2.5 times as high" in " ".join(str(found).split())
    assert found.advice[0] == ADVICE["coordinates first"]
    placed = of(truth, truth + np.random.default_rng(0).choice([-15, 15], (400, 2))[:, [0, 1, 0, 1]])
    assert "more in the place than in the size" in " ".join(str(placed).split())


def test_predictions_none_of_which_is_finite_are_diverged_and_have_no_figures(truth: Boxes) -> None:
    found = of(truth, truth * np.nan)
    assert (found.outcome, found.advice[0]) == ("diverged", ADVICE["guard"])
    said = str(found)
    assert "No predicted box is finite." in said
    assert "\nbox accuracy                 - " in said
    assert "\n\n\n" not in said


def test_some_boxes_that_are_not_finite_point_at_their_inputs_and_not_at_the_weights(truth: Boxes) -> None:
    predicted = truth.copy()
    predicted[5, 1] = np.nan
    found = of(truth, predicted)
    assert found.outcome == "diverged"
    said = " ".join(str(found).split())
    assert "1 of 400 boxes is not finite, first in row 6. The other boxes show that the weights are finite" in said
    assert found.advice[0] == ADVICE["those inputs"]
    assert of(truth, predicted, finite=False).advice[0] == ADVICE["guard"]


def test_a_training_that_is_not_finite_is_said_whatever_its_boxes_look_like(truth: Boxes) -> None:
    found = of(truth, truth[:, [2, 3, 0, 1]], finite=False)
    assert (found.outcome, found.mistake) == ("diverged", None)
    assert found.advice[0] == ADVICE["guard"]


def test_predictions_beyond_all_reason_have_exploded_and_stay_in_their_columns(truth: Boxes) -> None:
    for options in ({}, {"width": W, "height": H}):
        found = diagnose(truth, truth * 1e30, **options)
        assert found.mistake is None
        said = str(found)
        assert "the output has exploded" in " ".join(said.split())
        assert max(len(line) for line in said.splitlines() if "https://" not in line) <= 80
        assert "e+30" in said
        assert "00000" not in said


def test_predictions_that_are_all_0_are_a_dead_output_and_no_other_unit(truth: Boxes) -> None:
    for true in (truth, truth / SIZE):
        found = of(true, truth * 0)
        assert found.mistake is None
        assert "All predictions are 0" in str(found)
        assert found.advice[0] == ADVICE["dead output"]


def test_true_boxes_that_are_all_alike_have_no_correlation(truth: Boxes) -> None:
    found = of(np.tile(truth[:1] / 3, (50, 1)), truth[:50])
    said = " ".join(str(found).split())
    assert "All true boxes are alike, so that correlation is undefined" in said
    assert "ignores" not in said
    assert "correlation - -" in said


def test_all_sides_at_the_edge_are_not_more_than_all(truth: Boxes) -> None:
    said = " ".join(str(of(truth, np.tile(SIZE * [0, 0, 1, 1], (len(truth), 1)))).split())
    assert "clings to the picture's edge in all predictions." in said


def test_corners_exchanged_in_every_true_box_are_hinted_at(truth: Boxes) -> None:
    with pytest.raises(InputError, match="second corner comes first: exchange the corners"):
        of(truth[:, [2, 3, 0, 1]], truth)


def test_a_source_in_the_docs_is_named_by_its_heading(truth: Boxes) -> None:
    said = str(of(truth, pinned(truth)))
    assert 'findings.md "Rescue" (bboxbench docs)' in said
    assert "docs/findings.md#" not in said


def test_a_training_that_lost_finiteness_is_diverged_though_its_boxes_are_finite(truth: Boxes) -> None:
    found = of(truth, truth, finite=False)
    assert found.outcome == "diverged"
    assert "A loss or a weight was not finite" in str(found)


def test_the_measures_are_those_of_a_sweep(truth: Boxes) -> None:
    predicted = truth + np.random.default_rng(0).normal(0, 9, truth.shape)
    found = of(truth, predicted)
    assert found.network.measures == measure(truth, predicted, W, H)
    assert np.mean([side.correlation for side in found.network.sides]) == pytest.approx(
        found.network.measures.correlation
    )
    assert np.mean([side.spread for side in found.network.sides]) == pytest.approx(found.network.measures.spread)


def test_the_mean_box_beside_it_looks_at_no_picture(truth: Boxes) -> None:
    found = of(truth, truth)
    np.testing.assert_allclose([side.predicted_mean for side in found.mean_box.sides], truth.mean(axis=0))
    assert (found.mean_box.measures.outcome, found.mean_box.measures.symptom) == ("blind", "constant")


def test_keras_accuracy_is_that_of_the_numbers_as_the_network_gives_them(truth: Boxes) -> None:
    predicted = pinned(truth)
    pixels, relative = of(truth, predicted), of(truth / SIZE, predicted / SIZE)
    assert relative.box_format == "rel_xyxy"
    assert pixels.network.keras_accuracy == keras_accuracy(truth, predicted)
    assert relative.network.keras_accuracy == keras_accuracy(truth / SIZE, predicted / SIZE)
    assert pixels.network.keras_accuracy > relative.network.keras_accuracy + 0.1
    assert relative.network.measures.mean_iou == pytest.approx(pixels.network.measures.mean_iou)


def test_the_trap_says_which_number_is_the_largest_and_what_the_mean_box_reads(truth: Boxes) -> None:
    found = of(truth, pinned(truth))
    share = float(np.mean(np.argmax(truth, axis=1) == 2))
    said = " ".join(str(found).split())
    assert f"in {share:.0%} of the true boxes that is xmax, so the mean box" in said
    assert found.largest == pytest.approx(np.bincount(np.argmax(truth, axis=1), minlength=4) / len(truth))
    assert ADVICE["metric"] in found.advice


@given(st.integers(1, 300), st.integers(0, 1000))
def test_every_box_is_in_each_histogram_once(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 100, (n, 2))
    true = np.concatenate([low, low + rng.uniform(2, 90, (n, 2))], axis=1)
    for options in ({}, {"width": 190, "height": 190}):
        found = diagnose(true, rng.normal(50, 200, (n, 4)), **options)
        for side in found.network.sides:
            assert sum(side.true) == sum(side.predicted) == n
            assert len(side.edges) == len(side.true) + 1


def test_the_ceiling_is_that_of_two_pixels_an_edge() -> None:
    small, large = np.tile([10.0, 10, 18, 18], (300, 1)), np.tile([10.0, 10, 60, 60], (300, 1))
    assert of(large, large).ceiling == 1
    assert of(small, small).ceiling < 0.6


def test_without_the_size_of_the_pictures_two_sides_are_not_known_and_that_is_said(truth: Boxes) -> None:
    found = diagnose(truth, truth)
    assert [side.pinned for side in found.network.sides] == [0, 0, None, None]
    assert any("give width and height" in note for note in found.notes)
    assert found.outcome == "converged"


def test_the_left_and_top_border_are_known_without_the_size(truth: Boxes) -> None:
    boxes = pinned(truth)
    boxes[:, 0] = 0
    assert diagnose(truth, boxes).symptom == "pinned"


@pytest.mark.parametrize(("n", "said"), [(1, "Only 1 box: too few"), (19, "Only 19 boxes: too few")])
def test_few_boxes_are_said_to_be_few(truth: Boxes, n: int, said: str) -> None:
    shown = str(of(truth[:n], truth[:n] * 0 + [50, 40, 60, 60]))
    assert shown.startswith("TOO FEW BOXES TO JUDGE")
    assert said in shown
    assert n > 1 or ("ignores" not in shown and "hardly moves" not in shown)
    assert "too few" not in str(of(truth[:20], truth[:20]))


@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_boxes_are_enough_for_an_answer(truth: Boxes, n: int) -> None:
    assert of(truth[:n], truth[:n] + 1).outcome == "converged"
    assert "1 box," in str(of(truth[:1], truth[:1]))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([[0, 0, 1, 1]], [[0, 0, 1, 1]]), "Expected the pictures' width and height"),
        (([[0, 0, 9, 9]], [[0, 0, 9, 9]] * 2), "as many predicted boxes as true ones"),
        ((np.zeros((0, 4)), np.zeros((0, 4))), "at least one"),
        (([[0, 0, 9]], [[0, 0, 9]]), r"true boxes of shape \(n, 4\), one box a picture\. Received: \(1, 3\)"),
        (([[0, 0, 9, 9]], "boxes"), "predicted boxes as numbers"),
        (([[0, 0, 9, np.nan]], [[0, 0, 9, 9]]), "NaN or infinity in 1 of 1, first in row 1"),
        (([[0, 0, 9, 9], [0, 0, 0, 0]], [[0, 0, 9, 9]] * 2), "first in row 2. Leave rows without a box out"),
    ],
)
def test_what_cannot_be_diagnosed_is_refused_in_one_line(arguments: tuple[object, object], said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        diagnose(*arguments)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"width": 0, "height": 5}, "width of the pictures"),
        ({"width": "640", "height": 5}, "width of the pictures in pixels.* Received: '640'"),
        ({"width": 640}, "give both. Received: width=640 alone"),
        ({"height": 5}, "give both. Received: height=5 alone"),
        ({"iou_threshold": 0}, "IoU threshold above 0"),
        ({"bounding_box_format": "xywy"}, "Unknown box format 'xywy'. Did you mean"),
    ],
)
def test_options_out_of_range_are_refused(option: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        diagnose([[0, 0, 9, 9]], [[0, 0, 9, 9]], **option)  # type: ignore[arg-type]


def test_boxes_with_an_axis_for_the_box_are_understood(truth: Boxes) -> None:
    assert diagnose(truth[:, None], truth[:, None], width=W, height=H).n == len(truth)


@pytest.mark.parametrize("width", [60, 80, 100, 160])
@pytest.mark.parametrize("case", ["pinned", "yxyx", "few", "diverged"])
def test_no_line_of_the_text_is_longer_than_asked_but_for_an_address(truth: Boxes, width: int, case: str) -> None:
    predicted = {"pinned": pinned(truth), "yxyx": truth[:, [1, 0, 3, 2]], "few": truth, "diverged": truth * np.nan}[
        case
    ]
    rows = slice(0, 2 if case == "few" else None)
    lines = of(truth[rows], predicted[rows]).text(width).splitlines()
    assert [line for line in lines if len(line) > width and "https://" not in line] == []
    assert all(line == line.rstrip() for line in lines)


def test_the_plain_values_are_strict_json_and_whole(truth: Boxes) -> None:
    for predicted in (pinned(truth), truth[:, [1, 0, 3, 2]], truth * np.nan):
        found = of(truth, predicted)
        read = json.loads(json_line(found.to_dict()))
        assert read["outcome"] == found.outcome
        assert read["verdict"] in " ".join(str(found).split())
        assert [side["name"] for side in read["network"]["sides"]] == ["left", "top", "right", "bottom"]
        assert sum(read["network"]["iou_histogram"]) == read["n"] == len(truth)
        assert read["advice"][0]["source"]
    assert json.loads(json_line(of(truth, truth[:, [1, 0, 3, 2]]).to_dict()))["mistake"]["kind"] == "format"


def test_the_page_is_one_readable_png(truth: Boxes, tmp_path: Path) -> None:
    path = tmp_path / "page.png"
    of(truth, pinned(truth)).save_png(path)
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.width == 1650
        assert 1700 < image.height < 2600
        colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 20) or []}
    assert {(0, 0x72, 0xB2), (0xD5, 0x5E, 0), (0xE6, 0x9F, 0)} <= colours  # true, predicted, blind


def test_predictions_beyond_the_picture_do_not_look_pinned_on_the_page(truth: Boxes) -> None:
    def triangles(predicted: Boxes) -> int:
        lines = [line for axis in draw_page(of(truth, predicted)).axes for line in axis.get_lines()]
        return sum(len(line.get_xdata()) for line in lines if line.get_marker() in ("^", "v"))

    inside = np.clip(truth + 3, 0, SIZE)
    assert triangles(inside) == 0
    inside[:7, 2], inside[:5, 1] = W + 1, -1
    assert triangles(inside) == 12


@pytest.mark.slow
def test_the_page_is_drawn_of_any_case(truth: Boxes, tmp_path: Path) -> None:
    for k, (true, predicted) in enumerate(
        [(truth, truth * np.nan), (truth[:1], truth[:1]), (truth, truth[:, [1, 0, 3, 2]]), (truth, truth * 1e6)]
    ):
        diagnose(true, predicted).save_png(tmp_path / f"{k}.png")
        assert (tmp_path / f"{k}.png").stat().st_size > 20_000


def test_a_diagnosis_needs_numpy_alone() -> None:
    code = (
        "import sys\n"
        "from bboxbench.experiments import diagnose\n"
        "print(diagnose([[9, 9, 20, 20]], [[9, 9, 20, 21]]))\n"
        "heavy = {'tensorflow', 'keras', 'pandas', 'matplotlib', 'sklearn', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
