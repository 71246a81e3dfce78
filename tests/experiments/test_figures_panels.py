from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from made_up_sweeps import dots, one_cell, panels
from matplotlib.figure import Figure

from bboxbench.experiments import figures
from bboxbench.experiments.figures import style


def test_the_last_three_epochs_are_measured_and_shorter_runs_left_out() -> None:
    epochs = pd.DataFrame(
        {
            "run_id": ["a"] * 4 + ["b"] * 2 + ["c"] * 3,
            "epoch": [4, 2, 3, 1, 1, 2, 1, 2, 3],
            "val_box_accuracy": [0.7, 0.9, 0.5, 0.0, 0.1, 0.2, np.nan, np.nan, np.nan],
        }
    )
    table = figures.last_epochs_table(epochs)
    assert table.to_dict("index") == {"a": {"last": 0.7, "low": 0.5, "high": 0.9}}


def test_a_curve_ends_at_the_last_epoch_of_each_seed() -> None:
    there = one_cell("converged", "blind")
    with style():
        axis = Figure().subplots()
        figures.draw_curves(axis, there.epochs, there.runs)
    np.testing.assert_allclose(dots(axis), [(5.0, 0.021), (5.0, 0.95)])


def test_a_bin_that_is_cut_off_says_what_it_holds() -> None:
    there = one_cell("blind", "blind")
    with style():
        axis = Figure().subplots()
        figures.draw_iou_histogram(axis, there.histogram, there.runs)
    assert "100 % in 0 to 0.05" in [text.get_text() for text in axis.texts]
    assert axis.get_ylim()[1] == pytest.approx(0.3)


def test_sides_pinned_to_the_border_say_how_many() -> None:
    there = one_cell("blind")
    with style():
        axis = Figure().subplots()
        figures.draw_sides(axis, there.sides())
    assert [text.get_text() for text in axis.texts] == ["61 %"] * 4


def test_neighbours_that_are_cut_off_are_counted_together_wherever_they_stand() -> None:
    shares = np.full(40, 0.01)
    shares[[0, 1, 20, 21]] = 0.3, 0.11, 0.12, 0.13
    with style():
        axis = Figure().subplots()
        figures.draw_sides(axis, one_cell("blind").sides().assign(predicted=np.tile(shares, 4)))
    assert sorted({text.get_text() for text in axis.texts}) == ["25 %", "41 %"]
    tops = [np.abs(patch.get_path().vertices[:, 1] - row).max() for row, patch in enumerate(axis.patches[::2])]
    numbers = [abs(text.get_position()[1] - round(text.get_position()[1])) for text in axis.texts]
    assert min(numbers) > max(tops), "a number covers no bar"


def test_a_single_epoch_stands_in_the_middle_of_its_axis() -> None:
    there = one_cell("blind", "converged")
    (axis,) = panels(figures.learning_curves(there.epochs[there.epochs["epoch"] == 1], there.runs))
    assert axis.get_xlim() == (0.5, 1.5)
