from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_runs import made_up_runs as runs

from bboxbench.experiments.columns import COMPARISONS
from bboxbench.experiments.comparisons import comparisons_table, seen_from, told_apart
from bboxbench.experiments.recorded import RecordedSweep
from bboxbench.experiments.report.cells import cells_of
from bboxbench.experiments.statistics import holm, paired_sign_flip, probability_of_improvement
from bboxbench.experiments.summary import cell_lines
from bboxbench.experiments.tables import conditions, distribution_table, histogram_table, runs_table

RISING = np.linspace(0.1, 0.8, 8)
STEPS = np.array([1, 2, -3, 4, 5, 6, 7, 8]) / 100


# --- conditions ---


def test_conditions_name_the_initializer_alone_where_nothing_else_differs() -> None:
    labels = conditions(runs({"loss": "mse"}, {"loss": "giou"}))
    assert set(labels["loss"]) == {"mse", "giou"}
    assert set(labels["group"]) == {"glorot_uniform"}


def test_conditions_name_whatever_else_differs() -> None:
    labels = conditions(runs({"start": "zeros"}, {"start": "wide", "head": "ordered"}))
    assert set(labels["group"]) == {
        "glorot_uniform, head corners, start zeros",
        "glorot_uniform, head ordered, start wide",
    }


def test_a_learning_rate_tuned_for_each_loss_belongs_to_the_loss() -> None:
    tuned = runs({"loss": "mse", "learning_rate": 0.0005}, {"loss": "giou", "learning_rate": 0.0002})
    assert set(conditions(tuned)["group"]) == {"glorot_uniform"}
    assert len(comparisons_table(tuned)) == 1


def test_a_learning_rate_tuned_for_each_loss_and_optimizer_belongs_to_them() -> None:
    cells = [
        {"loss": loss, "optimizer": optimizer, "learning_rate": rate}
        for loss, optimizer, rate in [
            ("mse", "adam", 1e-3),
            ("mse", "sgd", 0.1),
            ("iou", "adam", 1e-4),
            ("iou", "sgd", 1),
        ]
    ]
    assert set(conditions(runs(*cells))["group"]) == {"glorot_uniform, optimizer adam", "glorot_uniform, optimizer sgd"}


def test_two_learning_rates_of_one_loss_are_two_conditions() -> None:
    labels = conditions(runs({"learning_rate": 0.0005}, {"learning_rate": 0.0002}, {"loss": "giou"}))
    assert set(labels["group"]) == {"glorot_uniform, learning rate 0.0005", "glorot_uniform, learning rate 0.0002"}


@pytest.mark.parametrize("index", [range(100, 116), [f"r{i}" for i in range(16)]])
def test_conditions_are_indexed_like_the_runs(index: Any) -> None:
    frame = runs({"start": "zeros"}, {"start": "wide"}).set_axis(index)
    assert list(conditions(frame).index) == list(index)


def test_conditions_of_no_runs_are_none() -> None:
    empty = runs_table([])
    assert conditions(empty).empty
    assert list(comparisons_table(empty).columns) == list(COMPARISONS)


def test_no_two_cells_of_a_loss_share_a_condition() -> None:
    axes = {"initializer": ["a", "b"], "learning_rate": [1e-3, 1e-4], "head": ["corners", "ordered"]}
    cells = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    assert conditions(runs(*cells)).drop_duplicates()["group"].is_unique


# --- pairs of cells ---


def test_a_row_holds_what_the_statistics_say_of_the_two_cells() -> None:
    a, b = RISING + STEPS, RISING
    (row,) = comparisons_table(runs({"loss": "giou", "accuracy": a}, {"loss": "mse", "accuracy": b})).to_dict("records")
    chance = probability_of_improvement(a, b)
    assert (row["by"], row["where"], row["a"], row["b"]) == ("loss", "glorot_uniform", "giou", "mse")
    assert (row["seeds"], row["a_wins"], row["ties"], row["b_wins"]) == (8, 7, 0, 1)
    assert row["median_difference"] == pytest.approx(0.045)
    assert row["mean_difference"] == pytest.approx(STEPS.mean())
    assert row["probability_of_improvement"] == chance.value == 7 / 8
    assert row["probability_of_improvement_low"] == chance.low
    assert row["p_value"] == row["p_value_holm"] == paired_sign_flip(a, b)


def test_every_pair_of_losses_and_of_initializers_is_compared_once_and_no_other() -> None:
    losses, initializers = ("mse", "iou", "giou"), ("he_normal", "he_uniform")
    grid = [{"loss": loss, "initializer": name} for loss in losses for name in initializers]
    table = comparisons_table(runs(*grid))
    found = [tuple(row) for row in table[["by", "where", "a", "b"]].to_numpy()]
    expected = [("loss", name, a, b) for name in initializers for a, b in itertools.combinations(losses, 2)]
    assert found == expected + [("initializer", loss, *initializers) for loss in losses]


def test_initializers_are_compared_within_one_loss_and_one_start() -> None:
    axes = {"loss": ["mse", "giou"], "initializer": ["he_normal", "he_uniform"], "start": ["zeros", "wide"]}
    cells = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    table = comparisons_table(runs(*cells))
    where = set(table.loc[table["by"] == "initializer", "where"])
    assert where == {"mse, start zeros", "mse, start wide", "giou, start zeros", "giou, start wide"}


def test_runs_meet_by_seed_and_not_by_their_order() -> None:
    frame = runs({"loss": "giou", "accuracy": RISING}, {"loss": "mse", "accuracy": RISING - 0.05})
    shuffled = frame.sample(frac=1, random_state=1)
    row = comparisons_table(shuffled).iloc[0]
    assert {row["a_wins"], row["b_wins"]} == {0, 8}


def test_only_seeds_that_both_have_are_compared() -> None:
    frame = runs({"loss": "giou", "accuracy": RISING}, {"loss": "mse", "accuracy": 0.0})
    assert comparisons_table(frame.iloc[2:11])["seeds"].tolist() == [1]  # giou 2 to 7, mse 0 to 2
    assert comparisons_table(frame[(frame["loss"] == "giou") ^ (frame["seed"] > 3)]).empty


def test_a_failed_run_takes_part_with_no_box_right() -> None:
    failed = {"loss": "giou", "status": "failed", "outcome": None, "accuracy": None, "mean_iou": None}
    row = comparisons_table(runs(failed, {"loss": "mse", "accuracy": 0.25})).iloc[0]
    assert (row["seeds"], row["b_wins"], row["median_difference"]) == (8, 8, -0.25)


def test_of_two_runs_of_a_cell_and_seed_the_later_counts() -> None:
    frame = runs({"loss": "m:Own", "accuracy": 0.1}, {"loss": "mse"}, {"loss": "m:Own", "accuracy": 0.9})
    row = comparisons_table(frame).iloc[0]
    assert (row["seeds"], row["a_wins"]) == (8, 8)
    own = distribution_table(frame).set_index("loss").loc["m:Own"]
    assert (own["runs"], own["box_accuracy_min"], own["rival_seeds"]) == (8, 0.9, 8)
    sweep = RecordedSweep(Path(), {}, frame, pd.DataFrame(), histogram_table([]), pd.DataFrame(), {})
    assert [cell.n for cell in cells_of(sweep)] == [8, 8]
    assert {line.name: line.accuracies for line in cell_lines(sweep)}["m:Own"] == (0.9,) * 8


def test_equal_cells_and_cells_of_zeros_have_intervals_and_no_nan() -> None:
    row = comparisons_table(runs({"loss": "giou", "accuracy": 0.0}, {"loss": "mse", "accuracy": 0.0})).iloc[0]
    assert row.notna().all()
    assert (row["ties"], row["probability_of_improvement"], row["p_value"]) == (8, 0.5, 1)


def test_below_six_seeds_there_is_no_p_value_and_the_power_says_why() -> None:
    table = comparisons_table(runs({"loss": "giou", "accuracy": 0.9}, {"loss": "mse"}, seeds=5))
    assert table[["p_value", "p_value_holm"]].isna().all(axis=None)
    assert table["power"].tolist() == [0]
    assert table["p_value"].dtype == float


def test_p_values_are_corrected_within_losses_and_within_initializers() -> None:
    rng = np.random.default_rng(0)
    grid = [
        {"loss": loss, "initializer": name, "accuracy": rng.uniform(size=8) * scale}
        for loss, scale in (("mse", 1.0), ("iou", 0.5), ("giou", 0.2))
        for name in ("he_normal", "he_uniform")
    ]
    table = comparisons_table(runs(*grid))
    for _, family in table.groupby("by"):
        assert family["p_value_holm"].to_numpy() == pytest.approx(holm(family["p_value"]))
    assert (table["p_value_holm"] > table["p_value"]).any()


# --- who is told apart ---


def compared(a: Any, b: Any) -> dict[Any, Any]:
    cells = {"loss": "giou", "accuracy": a}, {"loss": "mse", "accuracy": b}
    (row,) = comparisons_table(runs(*cells, seeds=len(a))).to_dict("records")
    return dict(row)


def test_a_few_large_wins_beside_many_small_losses_are_not_told_apart() -> None:
    row = compared([0.9] * 8 + [0.28] * 32, [0.3] * 40)
    assert row["p_value_holm"] < 0.05
    assert row["probability_of_improvement_high"] < 0.5
    assert row["mean_difference"] > 0
    assert not told_apart(row)
    assert told_apart(compared([0.3] * 32 + [0.31] * 8, [0.31] * 32 + [0.3] * 8))


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=6, max_size=14))
def test_who_is_told_apart_wins_more_often_and_by_the_mean(pairs: list[tuple[int, int]]) -> None:
    a, b = (np.array(side) / 8 for side in zip(*pairs, strict=True))
    row = compared(a, b)
    if told_apart(row):
        assert np.sign(row["mean_difference"]) == np.sign(row["a_wins"] - row["b_wins"]) != 0
        assert row["p_value_holm"] < 0.05


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=12))
def test_a_pair_says_the_same_from_either_side(pairs: list[tuple[int, int]]) -> None:
    a, b = (np.array(side) / 8 for side in zip(*pairs, strict=True))
    row = compared(a, b)
    turned = seen_from("mse", row)
    assert seen_from("giou", row) == row
    assert told_apart(turned) == told_apart(row)
    other = comparisons_table(
        runs({"loss": "mse", "accuracy": b}, {"loss": "giou", "accuracy": a}, seeds=len(a))
    ).to_dict("records")[0]
    for name, value in other.items():
        assert turned[name] == (value if isinstance(value, str) else pytest.approx(value, nan_ok=True))


# --- a cell against its rival ---


def distribution(*cells: dict[str, Any]) -> pd.DataFrame:
    return distribution_table(runs(*cells)).set_index("loss")


def test_the_rival_is_the_strongest_other_loss_seen_from_the_cell() -> None:
    table = distribution(
        {"loss": "mse", "accuracy": RISING},
        {"loss": "giou", "accuracy": RISING + STEPS},
        {"loss": "iou", "accuracy": 0.0},
    )
    assert table["rival"].to_dict() == {"mse": "giou", "giou": "mse", "iou": "giou"}
    assert table[["rival_wins", "rival_ties", "rival_losses"]].to_numpy().tolist() == [[7, 0, 1], [1, 0, 7], [8, 0, 0]]
    chances = table["probability_of_improvement"]
    assert chances["giou"] == pytest.approx(1 - chances["mse"]) == 7 / 8
    assert table.loc["giou", "probability_of_improvement_low"] == pytest.approx(
        1 - table.loc["mse", "probability_of_improvement_high"]
    )
    assert table.loc["giou", "p_value"] == table.loc["mse", "p_value"]
    assert table.loc["giou", "mean_difference"] == pytest.approx(STEPS.mean())
    assert table.loc["mse", "mean_difference"] == pytest.approx(-STEPS.mean())


def test_the_rival_is_sought_under_the_same_conditions() -> None:
    table = distribution(
        {"loss": "mse", "initializer": "he_normal"},
        {"loss": "giou", "initializer": "he_normal", "accuracy": 0.1},
        {"loss": "iou", "initializer": "he_uniform", "accuracy": 0.9},
    )
    assert table.loc["mse", "rival"] == "giou"
    assert table.loc[["iou"], ["rival", "rival_seeds", "p_value", "power"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("iou", "giou"),
    [
        ({"outcome": "learning", "accuracy": 0.8}, {"outcome": "converged", "accuracy": 0.7}),
        ({"accuracy": 0.7}, {"accuracy": 0.8}),
        ({"accuracy": 0.0, "mean_iou": 0.1}, {"accuracy": 0.0, "mean_iou": 0.2}),
    ],
)
def test_most_converged_then_the_median_then_the_iou_make_the_rival(iou: dict[str, Any], giou: dict[str, Any]) -> None:
    table = distribution({"loss": "mse"}, {"loss": "iou", **iou}, {"loss": "giou", **giou})
    assert table.loc["mse", "rival"] == "giou"
