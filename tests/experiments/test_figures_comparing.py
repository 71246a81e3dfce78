from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from made_up_sweeps import FOUR, INITIALIZERS, Sweep, one_cell, panels, record, sweep, texts

from bboxbench.errors import InputError
from bboxbench.experiments import figures
from bboxbench.experiments.figures.layout import wrapped
from bboxbench.experiments.names import short


def test_the_trap_names_the_run_that_it_deceives_most() -> None:
    records = [record("mse", "he_normal", 0, "converged"), record("mse", "he_normal", 1, "blind", keras_accuracy=0.94)]
    figure = figures.accuracy_trap(Sweep(records).runs)
    assert "Keras reads 0.94,\n2 % of the boxes are right" in texts(figure)
    honest = [record("mse", "he_normal", 0, "converged", keras_accuracy=0.5)]
    assert not any("Keras reads" in text for text in texts(figures.accuracy_trap(Sweep(honest).runs)))


def test_baselines_are_marked_in_the_trap() -> None:
    there = one_cell("converged")
    baselines = pd.DataFrame({"box_accuracy": [0.03], "keras_accuracy": [0.65]})
    stars = [line for line in panels(figures.accuracy_trap(there.runs, baselines))[0].lines if line.get_marker() == "*"]
    assert [(list(each.get_xdata()), list(each.get_ydata())) for each in stars] == [([0.03], [0.65])]


def test_a_profile_is_the_share_of_boxes_that_the_table_has() -> None:
    there = one_cell("converged", "blind", "failed")
    (axis,) = panels(figures.performance_profiles(there.histogram, there.runs))
    curve = next(line for line in axis.lines if len(line.get_xdata()) == 19)
    at = dict(zip(np.round(curve.get_xdata(), 2), curve.get_ydata(), strict=True))
    for column in ("profile_05", "profile_50", "profile_90"):
        assert at[int(column[-2:]) / 100] == pytest.approx(there.distribution.iloc[0][column])


def test_the_winner_of_a_pair_is_named_first_with_its_own_probability() -> None:
    records = [record("iou", "he_normal", seed, "blind") for seed in range(6)]
    records += [record("mse", "he_normal", seed, "converged") for seed in range(6)]
    there = Sweep(records)
    row = there.comparisons.iloc[0]
    assert (row["a"], row["probability_of_improvement"]) == ("iou", 0.0)
    (axis,) = panels(figures.comparisons(there.comparisons))
    assert [label.get_text() for label in axis.get_yticklabels()] == ["mse over iou"]
    lines = [list(line.get_xdata()) for line in axis.lines]
    assert [1 - row["probability_of_improvement_high"], 1.0] in lines
    assert [1.0] in lines


def test_many_losses_are_compared_in_a_square_in_which_both_halves_agree() -> None:
    there = sweep([f"loss_{k}" for k in range(8)], INITIALIZERS[:1], 6)
    axis = next(axis for axis in figures.comparisons(there.comparisons).axes if axis.images)
    values = np.ma.filled(axis.images[0].get_array(), np.nan)
    off = ~np.eye(8, dtype=bool)
    np.testing.assert_allclose((values + values.T)[off], 1.0)
    wins = np.nanmean(np.where(off, values, np.nan), axis=1)
    assert (np.diff(wins) <= 1e-12).all()  # best first


def test_comparisons_know_two_ways_only() -> None:
    with pytest.raises(InputError, match=r"Expected by to be loss or initializer\. Received: 'seed'"):
        figures.comparisons(one_cell("blind").comparisons, by="seed")


@pytest.mark.parametrize("name", [*FOUR, *INITIALIZERS, "focaler_iou(base=giou,low=0.2,high=0.9)", "a" * 40])
def test_a_name_is_broken_without_losing_a_letter_of_its_short_form(name: str) -> None:
    lines = wrapped(name, 20).split("\n")
    assert "".join(lines) == short(name)
    assert all(len(line) <= 20 or not re.search(r"[,(]", line[1:-1]) for line in lines)
