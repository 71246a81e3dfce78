"""Each outcome and symptom, from boxes made to show it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.dummy import DummyRegressor

from bboxbench.errors import InputError
from bboxbench.experiments.outcomes import OUTCOMES, SYMPTOMS, Measures, keras_accuracy, measure

W, H = 200, 100
Boxes = npt.NDArray[np.float64]


@pytest.fixture
def truth() -> Boxes:
    rng = np.random.default_rng(0)
    low = rng.integers([1, 1], [140, 50], (400, 2)).astype(float)
    return np.concatenate([low, low + rng.integers(20, 50, (400, 2))], axis=1)


def of(truth: Boxes, predicted: Boxes, **options: bool) -> Measures:
    return measure(truth, predicted, W, H, **options)


def test_the_true_boxes_themselves_converge(truth: Boxes) -> None:
    m = of(truth, truth)
    assert (m.outcome, m.symptom, m.box_accuracy, m.mean_iou) == ("converged", "", 1.0, 1.0)
    assert m.correlation == pytest.approx(1)
    assert m.spread == pytest.approx(1)
    assert (m.edge_error_px, m.centre_error_px, m.size_error_px, m.keras_accuracy) == (0, 0, 0, 1)
    assert m.histogram == (*[0] * 19, len(truth))


def test_a_box_that_follows_the_letter_from_afar_is_learning(truth: Boxes) -> None:
    m = of(truth, truth + 25)
    assert (m.outcome, m.symptom) == ("learning", "")
    assert m.centre_error_px == pytest.approx(25 * np.sqrt(2))
    assert m.edge_error_px == pytest.approx(25)
    assert m.size_error_px == 0


def test_random_boxes_are_blind(truth: Boxes) -> None:
    m = of(truth, np.random.default_rng(1).permutation(truth))
    assert (m.outcome, m.symptom) == ("blind", "")


def test_one_box_for_every_picture_is_blind_and_constant(truth: Boxes) -> None:
    m = of(truth, np.tile([50.0, 25.0, 150.0, 75.0], (len(truth), 1)))
    assert (m.outcome, m.symptom, m.correlation, m.spread) == ("blind", "constant", 0, 0)


@pytest.mark.parametrize(("side", "value"), [(0, 0.0), (1, 0.4), (2, W - 0.5), (3, H)])
def test_a_side_at_the_border_is_pinned(truth: Boxes, side: int, value: float) -> None:
    predicted = truth.copy()
    predicted[:, side] = value
    m = of(truth, predicted)
    assert m.symptom == "pinned"
    assert [m.pinned_left, m.pinned_top, m.pinned_right, m.pinned_bottom][side] == 1


def test_a_side_at_the_border_where_the_true_one_is_too_is_not_pinned() -> None:
    truth = np.array([[0.0, 0.0, 200.0, 100.0], [0.0, 0.0, 200.0, 100.0]])
    assert of(truth, truth).symptom == ""


def test_half_the_predictions_pinned_is_enough_and_less_is_not(truth: Boxes) -> None:
    half, less = truth.copy(), truth.copy()
    half[: len(truth) // 2, 0] = 0
    less[: len(truth) // 2 - 1, 0] = 0
    assert of(truth, half).symptom == "pinned"
    assert of(truth, less).symptom == ""


def test_exchanged_corners_are_inverted(truth: Boxes) -> None:
    m = of(truth, truth[:, [2, 3, 0, 1]])
    assert (m.symptom, m.inverted, m.box_accuracy) == ("inverted", 1.0, 0.0)


def test_a_box_without_area_counts_as_inverted(truth: Boxes) -> None:
    flat = truth.copy()
    flat[:, 3] = flat[:, 1]
    assert of(truth, flat).symptom == "inverted"


def test_training_that_lost_finiteness_is_diverged_whatever_it_predicts(truth: Boxes) -> None:
    assert of(truth, truth, finite=False).outcome == "diverged"


def test_one_box_is_not_called_constant(truth: Boxes) -> None:
    assert of(truth[:1], truth[:1] + 3).symptom == ""
    nearly_all_lost = np.full_like(truth, np.nan)
    nearly_all_lost[0] = truth[0]
    assert of(truth, nearly_all_lost).symptom == ""
    assert of(truth[:2], np.tile(truth[:1].mean(axis=0), (2, 1))).symptom == "constant"


@pytest.mark.parametrize("side", [10.0, 33.1, 0.1 + 0.2])
def test_a_truth_without_spread_asks_for_none(side: float) -> None:
    true = np.tile([side, side, side + 20.7, side + 20.3], (7, 1))
    m = of(true, true + 5)
    assert (m.symptom, m.spread, m.correlation) == ("", 1, 0)


@pytest.mark.parametrize("size", [1e155, 1e200, 8e307])
def test_coordinates_whose_squares_overflow_are_diverged_and_nothing_is_nan(truth: Boxes, size: float) -> None:
    predicted = truth.copy()
    predicted[::3] = np.random.default_rng(1).uniform(-size, size, predicted[::3].shape)
    m = of(truth, predicted)
    assert m.outcome == "diverged"
    assert np.isfinite([v for v in m.row().values() if isinstance(v, float)]).all()
    assert m.correlation == pytest.approx(1)
    assert of(truth, truth + 1e149).correlation == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_predictions_that_are_not_numbers_are_diverged_and_overlap_nothing(truth: Boxes, bad: float) -> None:
    predicted = np.full_like(truth, bad)
    m = of(truth, predicted)
    assert (m.outcome, m.symptom, m.box_accuracy, m.mean_iou) == ("diverged", "", 0, 0)
    predicted[1:] = truth[1:]
    m = of(truth, predicted)
    assert m.outcome == "diverged"
    assert m.box_accuracy == pytest.approx(1 - 1 / len(truth))


@pytest.mark.parametrize("strategy", ["mean", "median"])
def test_the_yardstick_of_collapse_is_blind(truth: Boxes, strategy: str) -> None:
    dummy = DummyRegressor(strategy=strategy).fit(np.zeros((len(truth), 1)), truth)
    assert of(truth, dummy.predict(np.zeros((len(truth), 1)))).outcome == "blind"


def test_the_threshold_decides_what_counts_as_right(truth: Boxes) -> None:
    wider = truth.copy()
    wider[:, 2] += truth[:, 2] - truth[:, 0]  # twice as wide: IoU exactly 0.5
    assert measure(truth, wider, W, H, iou_threshold=0.5).box_accuracy == 1
    assert measure(truth, wider, W, H, iou_threshold=0.51).box_accuracy == 0


def test_keras_accuracy_compares_the_largest_coordinate() -> None:
    truth = [[0.1, 0.2, 0.5, 0.6], [0.1, 0.2, 0.7, 0.3]]
    blind = [[0.0, 0.0, 0.8, 0.9], [0.0, 0.0, 0.8, 0.9]]
    assert keras_accuracy(truth, blind) == 0.5


def test_keras_accuracy_is_what_keras_itself_reports() -> None:
    import keras

    rng = np.random.default_rng(0)
    truth, predicted = rng.random((200, 4), np.float32), rng.random((200, 4), np.float32)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Identity()])
    model.compile(loss="mse", metrics=["accuracy"])
    reported = model.evaluate(predicted, truth, verbose=0, return_dict=True)["accuracy"]
    assert keras_accuracy(truth, predicted) == pytest.approx(reported, abs=1e-6)


@pytest.mark.parametrize(
    ("truth", "predicted"),
    [(np.zeros((3, 4)), np.zeros((2, 4))), (np.zeros((0, 4)), np.zeros((0, 4))), (np.zeros(4), np.zeros(4))],
)
def test_shapes_that_do_not_fit_are_refused(truth: Boxes, predicted: Boxes) -> None:
    with pytest.raises(InputError, match="Expected true and predicted boxes of one shape"):
        of(truth, predicted)


@pytest.mark.parametrize(("change", "said"), [([2, 1, 0, 3], "second corner"), ([0, 1, 2, 1], "second corner")])
def test_a_true_box_that_is_none_is_refused(truth: Boxes, change: list[int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        of(truth[:, change], truth)


def test_relative_true_boxes_are_refused_with_the_way_to_pixels(truth: Boxes) -> None:
    relative = truth / [W, H, W, H]
    with pytest.raises(InputError, match="to_pixels"):
        of(relative, relative)


def test_a_true_box_that_is_not_finite_is_refused(truth: Boxes) -> None:
    truth[0, 0] = np.nan
    with pytest.raises(InputError, match="finite true boxes"):
        of(truth, truth)


@given(
    st.lists(
        st.tuples(*[st.one_of(st.floats(-300, 500), st.floats()) for _ in range(4)]),
        min_size=1,
    )
)
def test_any_predictions_get_a_name_and_shares_between_0_and_1(predicted: list[tuple[float, ...]]) -> None:
    rng = np.random.default_rng(len(predicted))
    low = rng.integers(0, 50, (len(predicted), 2))
    m = of(np.concatenate([low, low + 20], axis=1).astype(float), np.array(predicted))
    assert m.outcome in OUTCOMES
    assert m.symptom in (*SYMPTOMS, "")
    for share in (m.box_accuracy, m.box_accuracy_75, m.mean_iou, m.inverted, m.pinned_left, m.keras_accuracy):
        assert 0 <= share <= 1
    assert -1.000001 <= m.correlation <= 1.000001
    assert sum(m.histogram) == len(predicted)
