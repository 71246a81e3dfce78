from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_up_sweeps import FOUR, Sweep, dots, one_cell, panels, record, texts
from matplotlib.colors import to_rgb
from PIL import Image

from bboxbench.experiments import figures
from bboxbench.experiments.figures import INK, OUTCOME_STYLE


def pixels_of(path: Path, colour: str) -> int:
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"), int)
    wanted = np.array([round(255 * part) for part in to_rgb(colour)])
    return int((np.abs(pixels - wanted).max(axis=-1) <= 2).sum())


@pytest.mark.parametrize("outcome", ["converged", "learning", "blind", "diverged"])
def test_each_outcome_is_drawn_in_its_colour_and_no_other_is(outcome: str, tmp_path: Path) -> None:
    figures.box_accuracy_figure(one_cell(outcome, outcome).runs, tmp_path / "figure.png")
    found = {name for name, (colour, _) in OUTCOME_STYLE.items() if pixels_of(tmp_path / "figure.png", colour) > 20}
    assert found - {"failed"} == {outcome}  # ink is the colour of text, too


def test_every_run_is_a_dot_and_a_failed_one_stands_at_0() -> None:
    (axis,) = panels(figures.box_accuracy(one_cell("converged", "failed", "learning").runs))
    assert [x for x, _ in dots(axis)] == pytest.approx([0.0, 0.602, 0.95])


def test_a_seed_stands_at_the_same_height_in_all_cells() -> None:
    records = [record("mse", "he_normal", seed, "blind") for seed in (0, 1, 2)]
    records += [record("mse", "zeros", seed, "blind") for seed in (1,)]
    first, second = panels(figures.box_accuracy(Sweep(records).runs))
    assert dots(second)[0] in dots(first)


def test_cells_that_differ_in_another_axis_get_a_panel_each() -> None:
    records = [record("mse", "he_normal", 0, "blind", head=head) for head in ("corners", "ordered")]
    figure = figures.box_accuracy(Sweep(records).runs)
    assert len(panels(figure)) == 2
    assert {"he_normal, head corners", "he_normal, head ordered"} <= set(texts(figure))


def test_a_learning_rate_of_the_losses_own_gets_no_panel() -> None:
    records = [record(loss, "he_normal", 0, "blind", learning_rate=k) for k, loss in enumerate(FOUR, 1)]
    assert len(panels(figures.box_accuracy(Sweep(records).runs))) == 1


@pytest.mark.parametrize(("count", "first"), [(8, "loss_0"), (9, "loss_7")])
def test_many_losses_stand_best_first_and_few_in_their_own_order(count: int, first: str) -> None:
    records = [
        record(f"loss_{k}", "he_normal", seed, "converged" if k == 7 else "blind")
        for k in range(count)
        for seed in range(2)
    ]
    there = Sweep(records)
    for figure in (figures.box_accuracy(there.runs), figures.outcomes(there.distribution)):
        (axis,) = panels(figure)
        assert axis.get_yticklabels()[0].get_text() == first


def test_bars_of_outcomes_fill_the_row_and_the_interval_is_that_of_the_table() -> None:
    there = one_cell("converged", "converged", "blind", "diverged", "failed")
    (axis,) = panels(figures.outcomes(there.distribution))
    bars = [patch for patch in axis.patches if patch.get_height() == pytest.approx(0.4)]
    assert [bar.get_width() for bar in bars] == pytest.approx([0.4, 0.2, 0.2, 0.2])
    cell = there.distribution.iloc[0]
    assert [cell["converged_rate_low"], cell["converged_rate_high"]] in [list(line.get_xdata()) for line in axis.lines]
    (pinned,) = [patch for patch in axis.patches if patch.get_hatch()]
    assert pinned.get_width() == pytest.approx(0.2)


def test_no_dot_is_hidden_by_the_median_and_equal_runs_are_apart() -> None:
    (axis,) = panels(figures.box_accuracy(one_cell("converged", "converged", "failed").runs))
    median = next(line for line in axis.lines if line.get_color() == INK and len(line.get_xdata()) == 2)
    assert all(line.get_zorder() > median.get_zorder() for line in axis.lines if line.get_marker() in set("osDXx"))
    equal = [record("mse", "he_normal", seed, "blind", box_accuracy=0.0) for seed in range(3)]
    assert len(set(dots(panels(figures.box_accuracy(Sweep(equal).runs))[0]))) == 3


def test_both_ends_of_box_accuracy_are_marked_and_where_a_run_converges() -> None:
    (axis,) = panels(figures.box_accuracy(one_cell("converged").runs))
    assert [label.get_text() for label in axis.get_xticklabels()] == ["0", "0.5", "0.9", "1"]


def test_a_cell_without_last_epochs_says_why() -> None:
    records = [record("mse", "he_normal", seed, "blind") for seed in range(2)]
    records += [{**record("iou", "he_normal", seed, "diverged"), "epochs": []} for seed in range(2)]
    there = Sweep(records)
    assert "diverged before" in texts(figures.last_epochs(there.epochs, there.runs))
