from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_up_runs import made_up_runs

from bboxbench.experiments.recorded import RecordedSweep
from bboxbench.experiments.report.cells import cells_of as report_cells
from bboxbench.experiments.report.ranking import rankings
from bboxbench.experiments.summary import baseline_lines, caption, cell_lines, leaders, markdown_summary, notes
from bboxbench.experiments.tables import BASELINES, distribution_table, histogram_table, runs_table


@dataclass
class Sweep:
    runs: pd.DataFrame
    distribution: pd.DataFrame
    baselines: pd.DataFrame


def sweep(*cells: dict[str, Any], seeds: int = 8) -> Sweep:
    runs = made_up_runs(*({"iou_threshold": 0.75, **cell} for cell in cells), seeds=seeds)
    baselines = pd.DataFrame([{"baseline": "mean", "box_accuracy": 0.02, "keras_accuracy": 0.6}])
    return Sweep(runs, distribution_table(runs), baselines)


RISING = np.linspace(0.1, 0.8, 8)


def test_a_line_says_how_many_converged_with_wilsons_interval_and_the_median_with_its_own() -> None:
    given = sweep({"accuracy": [0.95] * 6 + [0.03] * 2, "symptom": "pinned"})
    (line,) = cell_lines(given)
    cell = given.distribution.iloc[0]
    assert (line.converged, line.rate) == ("6 of 8", "0.41 to 0.93")
    assert line.median == "0.950"
    assert line.interval == f"{cell['box_accuracy_median_low']:.3f} to {cell['box_accuracy_median_high']:.3f}"
    assert line.otherwise == "2 blind (8 pinned)"
    assert line.keras_accuracy == "0.95"
    assert sorted(line.accuracies) == [0.03] * 2 + [0.95] * 6


def test_a_cell_of_failed_runs_has_a_line_with_zeros_and_no_keras_accuracy() -> None:
    nothing = {"status": "failed", "outcome": None, "box_accuracy": None, "mean_iou": None, "keras_accuracy": None}
    (line,) = cell_lines(sweep(nothing))
    assert (line.converged, line.median, line.otherwise) == ("0 of 8", "0.000", "8 failed")
    assert line.keras_accuracy == "-"
    assert line.accuracies == (0.0,) * 8


def test_a_single_run_has_no_interval_of_its_median() -> None:
    (line,) = cell_lines(sweep({}, seeds=1))
    assert (line.converged, line.interval) == ("0 of 1", "")


def test_lines_stand_under_their_conditions_the_strongest_first() -> None:
    cells = [
        {"loss": loss, "initializer": name, "accuracy": accuracy}
        for loss, accuracy in (("iou", 0.1), ("mse", 0.95), ("giou", 0.5))
        for name in ("he_normal", "he_uniform")
    ]
    found = [(line.group, line.name) for line in cell_lines(sweep(*cells))]
    assert found == [(name, loss) for name in ("he_normal", "he_uniform") for loss in ("mse", "giou", "iou")]


def test_one_loss_alone_is_the_heading_over_its_conditions() -> None:
    lines = cell_lines(sweep({"initializer": "he_normal"}, {"initializer": "he_uniform", "accuracy": 0.6}))
    assert [(line.group, line.name) for line in lines] == [("mse", "he_uniform"), ("mse", "he_normal")]


def test_the_caption_names_seeds_and_threshold() -> None:
    assert caption(sweep({})).startswith("Box accuracy, 8 seeds: share of test pictures with IoU >= 0.75")
    assert ", 1 seed:" in caption(sweep({}, seeds=1))
    uneven = sweep({}, {"loss": "iou"})
    runs = uneven.runs.iloc[3:]
    assert ", 5 to 8 seeds:" in caption(Sweep(runs, distribution_table(runs), uneven.baselines))


def test_the_leader_is_named_with_its_wins_and_how_sure_that_is() -> None:
    better = RISING + np.array([1, 2, -3, 4, 5, 6, 7, 8]) / 100
    (sentence,) = leaders(sweep({"loss": "giou", "accuracy": better}, {"loss": "mse", "accuracy": RISING}))
    assert sentence == (
        "Under glorot_uniform giou is ahead of mse: better in 7 of 8 seeds (0.88, 0.53 to 0.98), p 0.039."
    )


def test_ties_are_said() -> None:
    better = RISING + np.array([0, 0, 1, 1, 1, 1, 1, 1]) / 100
    (sentence,) = leaders(sweep({"loss": "giou", "accuracy": better}, {"loss": "mse", "accuracy": RISING}))
    assert "better in 6 of 8 seeds, 2 tied (0.88, " in sentence


def test_what_the_seeds_do_not_tell_apart_is_said_to_be_so() -> None:
    other = RISING[::-1] + 0.01
    (sentence,) = leaders(sweep({"loss": "giou", "accuracy": other}, {"loss": "mse", "accuracy": RISING}))
    assert sentence.startswith("Under glorot_uniform giou and mse are not told apart: giou better in ")


def test_who_converges_most_often_and_loses_seed_by_seed_is_said_to() -> None:
    steady, higher = {"loss": "mse", "accuracy": 0.91}, {"loss": "giou", "accuracy": [0.99] * 16 + [0.89] * 4}
    (sentence,) = leaders(sweep(steady, higher, seeds=20))
    assert sentence.startswith("Under glorot_uniform mse is behind giou: better in 4 of 20 seeds (0.20, ")


def test_few_seeds_are_not_told_apart_and_get_the_reason() -> None:
    *said, why = leaders(sweep({"loss": "giou", "accuracy": 0.9}, {"loss": "mse"}, seeds=3))
    apart, figures = said[0].split(": ")
    assert apart == "Under glorot_uniform giou and mse are not told apart"
    assert figures == "giou better in 3 of 3 seeds (1.00, 0.44 to 1.00), no test."
    assert why.startswith("3 seeds are too few for a test, which needs 6; 20 show")


def test_equal_losses_are_said_to_be_equal() -> None:
    (sentence,) = leaders(sweep({"loss": "giou", "accuracy": 0.0}, {"loss": "mse", "accuracy": 0.0}))
    assert sentence == "Under glorot_uniform giou and mse are equal in all 8 seeds."


def test_one_seed_has_no_leader() -> None:
    given = sweep({"loss": "giou", "accuracy": 0.9}, {"loss": "mse"}, seeds=1)
    (why,) = leaders(given)
    assert why.startswith("1 seed is too few for a test")
    assert not any("brackets" in note for note in notes(given))


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (
            [{"learning_rate": 0.001}, {"loss": "iou", "learning_rate": 0.0002}],
            "Learning rates: mse 0.001, iou 0.0002.",
        ),
        ([{}, {"loss": "iou"}], "All losses trained at a learning rate of 0.0005: "),
        ([{"loss": f"m:L{i}", "learning_rate": 0.1 + i} for i in range(9)], "Each loss has a learning rate of its own"),
    ],
)
def test_the_learning_rates_behind_the_losses_are_said(cells: list[dict[str, Any]], said: str) -> None:
    assert notes(sweep(*cells))[0].startswith(said)
    assert said in markdown_summary(sweep(*cells))


def test_learning_rates_that_are_conditions_are_not_said_twice() -> None:
    assert len(notes(sweep({"learning_rate": 0.1}, {"learning_rate": 0.2}, {"loss": "iou", "learning_rate": 0.1}))) == 2


def test_one_loss_alone_has_no_leader_and_no_note_about_it() -> None:
    given = sweep({"initializer": "he_normal"}, {"initializer": "he_uniform"})
    assert leaders(given) == []
    assert len(notes(given)) == 1


def under_way(runs: dict[str, list[float]]) -> Sweep:
    """A sweep whose losses have so many seeds each."""
    longest = max(map(len, runs.values()))
    cells = [{"loss": loss, "accuracy": scores + [0.0] * (longest - len(scores))} for loss, scores in runs.items()]
    whole = sweep(*cells, seeds=longest).runs
    kept = whole[[seed < len(runs[loss]) for loss, seed in zip(whole["loss"], whole["seed"], strict=True)]]
    return Sweep(kept, distribution_table(kept), pd.DataFrame(columns=list(BASELINES)))


@pytest.mark.parametrize(
    "few", [[0.99], [0.99] * 2, [0.99] * 10], ids=["one of one", "two of two", "half as many, all converged"]
)
def test_a_few_converged_runs_do_not_stand_above_19_of_20(few: list[float]) -> None:
    given = under_way({"giou": few, "mse": [0.95] * 19 + [0.1], "iou": [0.1] * 20})
    assert next(iter(cell_lines(given))).name == "mse"
    (sentence,) = leaders(given)
    assert sentence.startswith("Under glorot_uniform mse ")
    rivals = given.distribution.set_index("loss")["rival"]
    assert rivals["iou"] == "mse"


def test_a_loss_that_waits_for_its_last_seed_may_lead() -> None:
    given = under_way({"giou": [0.95] * 19, "mse": [0.1] * 20})
    assert [line.name for line in cell_lines(given)] == ["giou", "mse"]


@pytest.mark.parametrize("seeds", [3, 5, 8, 20])
@pytest.mark.parametrize("shift", [-0.3, 0.0, 0.3])
def test_the_summary_and_the_page_say_the_same_of_the_leader(seeds: int, shift: float) -> None:
    scores = np.random.default_rng(seeds).uniform(0.3, 0.6, seeds)
    noise = np.random.default_rng(7).uniform(-0.05, 0.05, seeds)
    given = sweep(
        {"loss": "giou", "accuracy": scores + shift + noise}, {"loss": "mse", "accuracy": scores}, seeds=seeds
    )
    nothing = pd.DataFrame(columns=["run_id", "epoch"])
    page = RecordedSweep(Path(), {}, given.runs, nothing, histogram_table([]), given.baselines, {})
    (ranking,) = rankings(report_cells(page), page.comparisons)
    sentence = leaders(given)[0]
    (said,) = ranking.verdicts
    assert f" {said.head.lower()}" in sentence
    wins = re.search(r"in \d+ of \d+ seeds", said.sentence)
    assert wins is not None
    assert wins.group() in sentence


# --- Markdown ---


def cells_of(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").replace("\\|", "\0").split("|")]


def test_every_row_of_the_markdown_table_has_every_cell() -> None:
    text = markdown_summary(sweep({}, {"loss": "iou"}, {"loss": "a:B", "initializer": "own(names='x|y')"}))
    rows = [cells_of(line) for line in text.splitlines() if line.startswith("|")]
    assert {len(row) for row in rows} == {6}
    assert len(rows) == 2 + 3 + 1
    assert rows[-1][:4] == ["one box for every picture", "mean box", "", "0.020"]


def test_the_markdown_table_holds_the_same_words_as_the_lines() -> None:
    given = sweep({"accuracy": [0.95] * 6 + [0.03] * 2}, {"loss": "giou"})
    text = markdown_summary(given)
    for line in cell_lines(given):
        row = next(row for row in text.splitlines() if f"`{line.name}`" in row)
        assert f"{line.converged} ({line.rate})" in row
        assert f"{line.median} ({line.interval})" in row
    assert f"**{caption(given)}**" in text
    assert text.endswith("\n")


def test_nothing_in_a_sentence_turns_into_markup() -> None:
    text = markdown_summary(sweep({"loss": "own:a*b*", "accuracy": 0.9}, {}))
    assert "Under glorot\\_uniform own:a\\*b\\* is ahead of mse" in text


def test_a_sweep_without_runs_has_no_lines_and_still_a_caption() -> None:
    runs = runs_table([])
    empty = Sweep(runs, distribution_table(runs), pd.DataFrame(columns=list(BASELINES)))
    assert cell_lines(empty) == baseline_lines(empty) == leaders(empty) == []
    assert caption(empty).startswith("Box accuracy, 0 seeds")
    assert markdown_summary(empty).startswith("**Box accuracy")


@pytest.mark.parametrize("name", ["rival", "p_value"])
def test_a_distribution_read_from_its_file_says_the_same(name: str, tmp_path: Any) -> None:
    given = sweep({"loss": "giou", "accuracy": RISING}, {"loss": "mse"}, {"loss": "iou", "initializer": "he_normal"})
    given.distribution.to_csv(tmp_path / "d.csv", index=False)
    given.runs.to_csv(tmp_path / "r.csv", index=False)
    read = Sweep(pd.read_csv(tmp_path / "r.csv"), pd.read_csv(tmp_path / "d.csv"), given.baselines)
    assert given.distribution[name].isna().any()
    assert markdown_summary(read) == markdown_summary(given)
