from __future__ import annotations

import math
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_runs import made_up_runs

from bboxbench.data_gen import Dataset
from bboxbench.experiments.cells import conditions
from bboxbench.experiments.comparisons import comparisons_table, told_apart
from bboxbench.experiments.learning_rates import tuned_rate
from bboxbench.experiments.recorded import RecordedSweep, read_sweep
from bboxbench.experiments.report.answers import headline, last_epochs, lead, trap
from bboxbench.experiments.report.cautions import cautions
from bboxbench.experiments.report.cells import Cell, cells_of
from bboxbench.experiments.report.pictures import overlays, preview_pictures, test_pictures
from bboxbench.experiments.report.provenance import commands
from bboxbench.experiments.report.ranking import Ranking, comparison_summary, rankings
from bboxbench.experiments.report.rows import distribution_rows, trap_rows, value
from bboxbench.experiments.report.words import SURE, count, listed, number
from bboxbench.experiments.spec import SweepSpec
from bboxbench.experiments.tables import distribution_table

WriteSweep = Callable[..., Path]

# Named like a test by what it does; it is none.
test_pictures.__test__ = False  # type: ignore[attr-defined]


def runs_of(scores: dict[tuple[str, str], list[float]], **columns: Any) -> pd.DataFrame:
    """Runs with these box accuracies by loss and initializer, seed after seed; below 0 a run failed."""
    cells = [
        {"loss": loss, "initializer": initializer, "accuracy": values, **columns}
        for (loss, initializer), values in scores.items()
    ]
    runs = made_up_runs(*cells)
    runs["run_id"] = [f"{loss}-{name}-{seed}" for loss, name, seed in runs[["loss", "initializer", "seed"]].to_numpy()]
    runs["symptom"] = np.where(runs["outcome"] == "blind", "pinned", "")
    return runs


def sweep_of(runs: pd.DataFrame, epochs: pd.DataFrame | None = None) -> RecordedSweep:
    empty = pd.DataFrame(columns=["run_id", "epoch", "val_box_accuracy"])
    histogram = pd.DataFrame(columns=["run_id", "iou_from", "iou_to", "count"])
    return RecordedSweep(Path(), {}, runs, empty if epochs is None else epochs, histogram, pd.DataFrame(), {})


def cells(scores: dict[tuple[str, str], list[float]], **columns: Any) -> list[Cell]:
    return cells_of(sweep_of(runs_of(scores, **columns)))


U, N = "glorot_uniform", "glorot_normal"


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ({}, "No run has finished yet"),
        ({("mse", U): [0.95, 0.1]}, "1 of 2 runs converged"),
        ({("mse", U): [0.95, 0.95, 0.1], ("iou", U): [0.0, 0.0, 0.0]}, "1 of 2 combinations converged in most"),
        ({("mse", U): [0.95, 0.1], ("iou", U): [0.0, 0.0]}, "None of 2 combinations converged in most"),
        ({("mse", U): [0.5, 0.1], ("iou", U): [0.0, -1]}, "None of 2 combinations converged, under any seed"),
        ({("mse", U): [0.95] * 2, ("iou", U): [0.95] * 2}, "All 2 combinations converged in most"),
        ({("mse", U): [0.95], ("iou", U): [0.1]}, "1 of 2 combinations converged, with one seed each"),
    ],
)
def test_the_headline_counts_combinations_that_converged_in_most_seeds(
    scores: dict[tuple[str, str], list[float]], said: str
) -> None:
    found = headline(cells(scores)) if scores else headline([])
    assert found.startswith(said)


def test_the_headline_of_a_sweep_under_way_is_not_its_last_word() -> None:
    two = cells({("mse", U): [0.95], ("iou", U): [0.1]})
    assert headline(two, planned=3) == "So far: 1 of 2 combinations converged, with one seed each"
    assert headline(two, planned=2) == headline(two)


def test_the_lead_names_the_strongest_with_its_interval_and_the_usual_failure() -> None:
    said = " ".join(lead(cells({("mse", U): [0.95, 0.95, 0.93, 0.4], ("iou", U): [0.0, 0.1, -1, 0.0]})))
    assert "mse under glorot_uniform converged most often: in 3 of 4 seeds" in said
    assert f"({SURE} interval of the rate 0.30 to 0.95), median box accuracy 0.94." in said
    assert "3 of all 8 runs ended blind" in said
    assert "3 have a side pinned" in said


def test_the_lead_of_a_sweep_in_which_nothing_converged_says_what_converging_is() -> None:
    said = " ".join(lead(cells({("mse", U): [0.5, 0.4], ("iou", U): [0.0, 0.0]})))
    assert "The strongest, mse under glorot_uniform, reached a median box accuracy of 0.45" in said
    assert "to converge is to reach 0.9" in said


def test_the_lead_counts_every_way_of_failing_and_says_one_run_as_one() -> None:
    runs = runs_of({("mse", U): [0.95, 0.0, -1, 0.0], ("iou", U): [0.5, 0.5, -1, -1]})
    runs["symptom"] = ["", "pinned", "", "", "", "", "", ""]
    said = " ".join(lead(cells_of(sweep_of(runs))))
    assert "3 of all 8 runs failed with an error" in said
    assert "2 of all 8 runs ended blind" in said
    assert "1 has a side pinned" in said


def test_a_lone_combination_is_not_called_the_strongest_and_two_runs_are_both() -> None:
    said = " ".join(lead(cells({("mse", U): [0.0, 0.1]})))
    assert said.startswith("mse under glorot_uniform reached a median box accuracy of 0.05")
    assert "Both runs ended blind" in said
    assert "The run ended blind" in " ".join(lead(cells({("mse", U): [0.1]})))


def test_one_seed_has_no_rates() -> None:
    said = lead(cells({("mse", U): [0.95], ("iou", U): [0.1]}))[0]
    assert said.startswith("mse under glorot_uniform reached the highest box accuracy, 0.95; one seed each")


def test_equally_strong_ones_are_not_passed_over() -> None:
    said = lead(cells({("mse", U): [0.95, 0.1], ("iou", U): [0.0, 0.92], ("l1", U): [0.0, 0.0]}))[0]
    assert said.startswith("mse under glorot_uniform and 1 other converged most often: in 1 of 2 seeds")


def test_the_run_in_the_middle_is_the_lower_median_and_failed_runs_stand_below_all() -> None:
    (four,) = cells({("mse", U): [0.9, 0.1, 0.5, 0.3]})
    assert four.middle["box_accuracy"] == 0.3
    (failed,) = cells({("mse", U): [0.9, -1, -1]})
    assert failed.middle["status"] == "failed"
    assert failed.fails
    (good,) = cells({("mse", U): [0.95, 0.0, 0.92]})
    assert not good.fails


def ranked(scores: dict[tuple[str, str], list[float]]) -> list[Ranking]:
    sweep = sweep_of(runs_of(scores))
    return rankings(cells_of(sweep), sweep.comparisons)


AHEAD = {("mse", N): [0.1] * 18 + [0.8, 0.9], ("giou", N): [0.95] * 18 + [0.2, 0.3]}


def test_a_ranking_reads_as_one_sentence_with_its_uncertainty() -> None:
    (ranking,) = ranked(AHEAD)
    (verdict,) = ranking.verdicts
    assert f"{ranking.title} {verdict.sentence}" == (
        "Under glorot_normal giou beats mse in 18 of 20 seeds; probability of improvement 0.90, "
        f"{SURE} interval 0.70 to 0.97; corrected p < 0.001."
    )
    assert verdict.head == "Ahead"
    assert ranking.order == "Converged: giou in 18 of 20 (0.70 to 0.97) and mse in 1 of 20 (0.01 to 0.24)."


def test_a_ranking_is_the_same_from_whichever_side_the_pair_was_counted() -> None:
    turned = dict(reversed(AHEAD.items()))
    assert [r.verdicts for r in ranked(turned)] == [r.verdicts for r in ranked(AHEAD)]


def test_who_converges_most_often_and_loses_seed_by_seed_is_not_said_to_be_ahead() -> None:
    (ranking,) = ranked({("mse", N): [0.91] * 20, ("giou", N): [0.99] * 16 + [0.89] * 4})
    (verdict,) = ranking.verdicts
    assert verdict.head == "Behind"
    assert verdict.sentence.startswith("mse beats giou in 4 of 20 seeds; probability of improvement 0.20")


def test_seeds_that_all_tie_are_said_to_tie() -> None:
    (ranking,) = ranked({("mse", N): [0.0] * 3, ("giou", N): [0.0] * 3})
    assert ranking.verdicts[0].sentence.startswith("mse ties with giou in all 3 seeds; probability of improvement 0.50")


def test_few_seeds_tell_nothing_apart_and_give_no_p_value() -> None:
    sweep = sweep_of(runs_of({("mse", U): [0.9] * 5, ("iou", U): [0.0] * 5}))
    (ranking,) = rankings(cells_of(sweep), sweep.comparisons)
    assert [verdict.head for verdict in ranking.verdicts] == ["Not told apart"]
    assert "p " not in ranking.verdicts[0].sentence
    assert comparison_summary(sweep.comparisons).startswith("The one pair is not told apart. No test was made")


def test_initializers_are_ranked_with_each_loss() -> None:
    found = ranked({(loss, i): [0.5 + (i == N) * 0.45] * 3 for loss in ("mse", "iou") for i in (U, N)})
    assert [r.title for r in found] == [f"Under {U}", f"Under {N}", "With mse", "With iou"]
    assert found[2].verdicts[0].sentence.startswith("glorot_normal beats glorot_uniform in 3 of 3 seeds")


def test_with_many_losses_the_nearest_rivals_are_named_and_the_rest_counted() -> None:
    (ranking,) = ranked({(f"loss{k}", U): [0.9 - k / 20] * 2 for k in range(9)})
    assert len(ranking.verdicts) == 5
    assert ranking.verdicts[0].sentence.startswith("loss0 beats loss1")
    assert ranking.order.endswith("and 3 others as often or less.")


def test_a_pair_is_told_apart_by_test_and_interval_together() -> None:
    row = {"p_value_holm": 0.01, "probability_of_improvement_low": 0.6, "probability_of_improvement_high": 0.9}
    row["mean_difference"] = 0.1
    behind = {**row, "probability_of_improvement_low": 0.1, "probability_of_improvement_high": 0.4}
    assert told_apart(row)
    assert told_apart({**behind, "mean_difference": -0.1})
    assert not told_apart(behind)
    assert not told_apart({**row, "p_value_holm": 0.06})
    assert not told_apart({**row, "probability_of_improvement_low": 0.45})
    assert not told_apart({**row, "p_value_holm": math.nan})


def titles(scores: dict[tuple[str, str], list[float]], planned: int = 0, **columns: Any) -> list[str]:
    runs = runs_of(scores, **columns)
    sweep = sweep_of(runs)
    return [title for title, _ in cautions(cells_of(sweep), runs, sweep.epochs, planned)]


def test_what_may_not_be_concluded_depends_on_the_sweep() -> None:
    few = titles({("mse", U): [0.9, 0.8], ("iou", U): [0.1, 0.1]}, planned=10)
    assert "It is not finished" in few
    assert "2 seeds a combination prove little" in few
    assert "One learning rate for all losses" in few
    assert "Many comparisons" not in few
    many = titles({(loss, U): [0.5] * 8 for loss in ("mse", "iou", "giou")}, planned=24)
    assert "It is not finished" not in many
    assert not [title for title in many if "prove little" in title]
    assert "Many comparisons" in many
    assert "One data set" in many


def test_combinations_with_few_seeds_do_not_speak_for_those_with_many() -> None:
    some = titles({("mse", U): [0.5] * 20, ("iou", U): [0.5] * 20, ("giou", U): [0.9]})
    assert "1 of 3 combinations has few seeds" in some
    assert not [title for title in some if "prove" in title]
    assert "2 to 3 seeds a combination prove little" in titles({("mse", U): [0.5] * 3, ("iou", U): [0.5] * 2})


def test_a_single_seed_is_spoken_of_as_one() -> None:
    assert "1 seed a combination proves little" in titles({("mse", U): [0.9], ("iou", U): [0.1]})


def test_one_rate_of_one_loss_is_one() -> None:
    assert "One learning rate" in titles({("mse", U): [0.9, 0.8]})


def test_a_rate_of_its_own_for_each_loss_is_another_caution() -> None:
    runs = runs_of({("mse", U): [0.9, 0.8], ("iou", U): [0.1, 0.1]})
    runs["learning_rate"] = np.where(runs["loss"] == "mse", 0.0007, 0.0001)
    sweep = sweep_of(runs)
    said = dict(cautions(cells_of(sweep), runs, sweep.epochs, 4))
    assert "Each loss at one learning rate" in said
    assert "One learning rate for all losses" not in said


def test_rates_that_were_tuned_are_told_from_others() -> None:
    runs = runs_of({("mse", U): [0.9, 0.8], ("centre_point(size_weight=1.0)", U): [0.1, 0.1]})
    runs["learning_rate"] = [tuned_rate("adam", loss.partition("(")[0]) for loss in runs["loss"]]
    sweep = sweep_of(runs)
    assert "Rates tuned elsewhere" in dict(cautions(cells_of(sweep), runs, sweep.epochs, 4))


def test_the_last_three_epochs_of_runs_that_learned_are_measured_and_no_others() -> None:
    runs = runs_of({("mse", U): [0.95, 0.5], ("iou", U): [0.0, 0.0]})
    values = {"mse-glorot_uniform-0": [0.1, 0.9, 0.7, 0.8], "mse-glorot_uniform-1": [0.5, 0.5, 0.5, 0.6]}
    values |= {"iou-glorot_uniform-0": [0.0, 0.9, 0.0, 0.0]}
    rows = [(run, k + 1, v) for run, vs in values.items() for k, v in enumerate(vs)]
    epochs = pd.DataFrame(rows, columns=["run_id", "epoch", "val_box_accuracy"])
    assert "moves by 0.15 in the median and by up to 0.20" in last_epochs(runs, epochs)
    assert last_epochs(runs, epochs[epochs["epoch"] < 3]) == ""


def test_the_trap_counts_runs_that_read_high_and_are_wrong() -> None:
    runs = runs_of({("mse", U): [0.95, 0.2, 0.1, -1]})
    said = trap(runs, pd.DataFrame(columns=["baseline"]), conditions(runs))
    assert "2 of 4 runs read 0.80 or more there while fewer than half" in said
    assert "mse under glorot_uniform, seed 2, reads 0.95 with a box accuracy of 0.10" in said
    assert "One and the same box" not in said
    (row,) = trap_rows(runs, conditions(runs)).rows
    assert row[1].text == "2"


def test_no_gap_is_told_where_keras_reads_below_box_accuracy() -> None:
    runs = runs_of({("mse", U): [0.95, 0.92]}, keras_accuracy=0.7)
    assert "gap" not in trap(runs, pd.DataFrame(columns=["baseline"]), conditions(runs))


def test_the_tables_hold_what_the_csv_holds() -> None:
    runs = runs_of({("mse", U): [0.95, 0.2, 0.1, -1], ("iou", U): [0.0, 0.0, 0.0, 0.0]})
    table = distribution_rows(cells_of(sweep_of(runs)))
    expected = distribution_table(runs)
    names = [column.name for column in table.columns]
    for row, (_, wanted) in zip(table.rows, expected.iterrows(), strict=True):
        assert row[names.index("median")].text == f"{wanted['box_accuracy_median']:.2f}"
        assert row[names.index("converged")].text == str(wanted["converged"])
        assert float(row[names.index("starts until one converges")].sort) == wanted["expected_restarts"]
    assert comparisons_table(runs)["seeds"].tolist() == [4]


@pytest.mark.parametrize(
    ("given_value", "said"),
    [(0.5, "0.50"), (-0.001, "0.00"), (-1.25, "\N{MINUS SIGN}1.25"), (math.inf, "\N{INFINITY}"), (None, "\N{EN DASH}")],
)
def test_numbers_are_written_alike(given_value: float | None, said: str) -> None:
    assert number(given_value) == said
    assert number(math.nan) == "\N{EN DASH}"


@given(st.floats(allow_nan=False, allow_infinity=False, width=32), st.floats(allow_nan=False, width=32))
def test_numbers_sort_as_they_are(a: float, b: float) -> None:
    if abs(a - b) > 1e-5:
        assert (float(value(a).sort) < float(value(b).sort)) == (a < b)


def test_counts_and_lists_read_as_a_person_writes_them() -> None:
    assert [count(1, "run"), count(1200, "run"), count(2, "box", "boxes")] == ["1 run", "1,200 runs", "2 boxes"]
    assert [listed([]), listed(["a"]), listed(["a", "b"]), listed("abc")] == ["", "a", "a and b", "a, b and c"]


def test_one_test_picture_of_each_quarter_is_chosen_by_the_truth(small_dataset: Dataset) -> None:
    pictures = test_pictures(small_dataset, [np.arange(20, 40)])
    width, height = small_dataset.spec.width, small_dataset.spec.height
    boxes = small_dataset.boxes("test")
    quarters = []
    for picture in pictures:
        assert list(picture.box) == boxes[picture.index - small_dataset.split("test").start].tolist()
        xmin, ymin, xmax, ymax = picture.box
        quarters.append(((xmin + xmax) / 2 >= width / 2, (ymin + ymax) / 2 >= height / 2))
    assert len(set(quarters)) == len(quarters) == 4
    assert [p.index for p in preview_pictures(small_dataset)] == list(range(8))


def test_a_box_with_its_corners_exchanged_is_drawn_and_said(
    write_sweep: WriteSweep, small_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = read_sweep(write_sweep(tmp_path / "r", {"mse": "good"}, seeds=1))
    pictures = test_pictures(small_dataset, [np.arange(20, 40)])
    swapped = sweep.predictions("mse-glorot_uniform-s0")[:, [2, 3, 0, 1]]
    monkeypatch.setattr(RecordedSweep, "predictions", lambda *_: swapped)
    shown = overlays(sweep, sweep.runs.iloc[0], pictures)
    assert all(each.inverted and each.iou == 0 and "corners exchanged" in each.text for each in shown)
    assert all(p is not None and p[0] < p[2] and p[1] < p[3] for p in (each.predicted for each in shown))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"seeds": (3,), "losses": ("mse", "centre_point(size_weight=1)"), "optimizers": ("adam:0.001", "sgd:0.1")},
        {"seeds": (1, 5, 8), "epochs": 3, "dropout": 0.0, "precision": "bfloat16"},
        {"preset": "quick", "n": 500, "data_seed": 4, "threads": 2},
    ],
)
def test_the_command_on_the_page_makes_the_same_spec_again(changes: dict[str, Any], tmp_path: Path) -> None:
    spec = SweepSpec.from_preset(changes.pop("preset", "default"), **changes)
    manifest = {"spec": spec.to_dict(), "settings": {"pictures": spec.dataset_spec().to_dict()}}
    sweep = replace(sweep_of(pd.DataFrame()), manifest=manifest, folder=tmp_path / "mine")
    first, last = commands(sweep)
    assert last == "bboxbench report results/mine"
    words = shlex.split(first)
    assert words[:2] == ["bboxbench", "sweep"]
    given_options = {name[2:].replace("-", "_"): text for name, text in zip(words[2::2], words[3::2], strict=True)}
    assert given_options.pop("out") == "results/mine"
    kinds = {name: type(default) for name, default in SweepSpec().__dict__.items()}
    typed = {name: kinds[name](text) if kinds[name] in (int, float) else text for name, text in given_options.items()}
    assert replace(SweepSpec.from_preset(**typed), threads=spec.threads) == spec
    assert sweep.planned == np.prod([len(axis) for axis in spec.cell_axes().values()]) * len(spec.seeds)


def test_a_sweep_on_a_folder_of_pictures_says_how_they_are_drawn(write_sweep: WriteSweep, tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path / "r", {"mse": "good"}, seeds=1))
    drawn, swept, _ = commands(sweep)
    assert drawn.startswith("bboxbench generate --n 40 --seed 3 --out ")
    assert f"--data {sweep.manifest['spec']['data']}" in swept
    assert "--n " not in swept
