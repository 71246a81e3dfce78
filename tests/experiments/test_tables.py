from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bboxbench.experiments.columns import DISTRIBUTION, OUTCOME_RATES, PROFILE
from bboxbench.experiments.outcomes import HISTOGRAM_EDGES
from bboxbench.experiments.statistics import iqm_interval, median_interval, performance_profile, wilson
from bboxbench.experiments.tables import (
    COMPARISONS,
    comparisons_table,
    distribution_table,
    histogram_table,
    runs_table,
    write_views,
)

STATES = ("converged", "learning", "blind", "diverged", "failed")


def record(seed: int, state: str, overlaps: list[float], loss: str = "mse") -> dict[str, Any]:
    """A journal line of a run whose boxes have these overlaps; a failed one has no boxes."""
    failed = state == "failed"
    accuracy = None if failed else float(np.mean(np.array(overlaps) >= 0.5))
    row = {
        "run_id": f"{loss}-s{seed}",
        "loss": loss,
        "initializer": "he_normal",
        "optimizer": "adam",
        "batch_size": 100,
        "learning_rate": 0.0005,
        "head": "corners",
        "start": "wide",
        "seed": seed,
        "status": "failed" if failed else "ok",
        "outcome": None if failed else state,
        "symptom": None if failed else "",
        "box_accuracy": accuracy,
        "mean_iou": accuracy,
        "keras_accuracy": accuracy,
        "seconds": 2.0,
    }
    histogram = [] if failed else np.histogram(overlaps, HISTOGRAM_EDGES)[0].tolist()
    return {"run_id": row["run_id"], "row": row, "epochs": [], "histogram": histogram}


def overlaps(seed: int) -> list[float]:
    return [float(x) for x in np.random.default_rng(seed).beta(3, 2, 200)]


MIXED = [record(seed, state, overlaps(seed)) for seed, state in enumerate((*STATES, "converged", "converged"))]


def row_of(records: list[dict[str, Any]]) -> dict[str, Any]:
    (row,) = distribution_table(runs_table(records), histogram_table(records)).to_dict("records")
    return {str(name): value for name, value in row.items()}


def test_each_state_has_its_rate_with_wilsons_interval_over_all_runs() -> None:
    row = row_of(MIXED)
    for state in STATES:
        rate, column = wilson(row[state], 7), OUTCOME_RATES[state]
        assert (row[column], row[f"{column}_low"], row[f"{column}_high"]) == (rate.value, rate.low, rate.high)
    assert sum(row[column] for column in OUTCOME_RATES.values()) == pytest.approx(1)


def test_the_rate_of_runs_that_still_learn_does_not_hide_the_learning_rate() -> None:
    row = row_of(MIXED)
    assert row["learning_rate"] == 0.0005
    assert row["still_learning_rate"] == pytest.approx(1 / 7)


def test_restarts_are_the_rate_of_convergence_turned_over() -> None:
    row = row_of(MIXED)
    assert row["expected_restarts"] == pytest.approx(7 / 3)
    assert row["expected_restarts_low"] == pytest.approx(1 / row["converged_rate_high"])
    assert row["expected_restarts_high"] == pytest.approx(1 / row["converged_rate_low"])


def test_medians_and_interquartile_means_are_over_all_runs_and_a_failed_one_counts_zero() -> None:
    row = row_of(MIXED)
    accuracies = [record["row"]["box_accuracy"] or 0.0 for record in MIXED]
    assert 0.0 in accuracies
    for name, interval in (("median", median_interval(accuracies)), ("iqm", iqm_interval(accuracies))):
        column = f"box_accuracy_{name}"
        found = (row[column], row[f"{column}_low"], row[f"{column}_high"])
        assert found == pytest.approx((interval.value, interval.low, interval.high))


def test_the_profile_is_that_of_the_statistics_with_failed_runs_at_zero() -> None:
    row = row_of(MIXED)
    counts = [record["histogram"] or [0] * 20 for record in MIXED]
    assert [row[column] for column in PROFILE] == pytest.approx(performance_profile(counts, HISTOGRAM_EDGES).value)


def test_the_profile_at_one_half_is_the_mean_box_accuracy() -> None:
    row = row_of(MIXED)
    assert row["profile_50"] == pytest.approx(row["box_accuracy_mean"])


def test_without_histograms_the_profile_is_empty_and_all_else_the_same() -> None:
    with_them = distribution_table(runs_table(MIXED), histogram_table(MIXED))
    without = distribution_table(runs_table(MIXED))
    assert without[list(PROFILE)].isna().all(axis=None)
    rest = [name for name in DISTRIBUTION if name not in PROFILE]
    pd.testing.assert_frame_equal(without[rest], with_them[rest])


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("runs", [1, 6])
def test_a_cell_of_like_runs_has_intervals_and_no_nan(state: str, runs: int) -> None:
    records = [record(seed, state, [0.0] * 4, loss) for loss in ("mse", "giou") for seed in range(runs)]
    table = distribution_table(runs_table(records), histogram_table(records))
    allowed = {"keras_accuracy_median"} if state == "failed" else set()
    allowed |= {"p_value", "p_value_holm"} if runs < 6 else set()
    assert set(table.columns[table.isna().any()]) == allowed


def test_the_tables_come_back_from_their_files_as_they_were(tmp_path: Path) -> None:
    records = [*MIXED, *(record(seed, "blind", [0.1, 0.2], "giou") for seed in range(7))]
    write_views(tmp_path, records)
    runs = runs_table(records)
    comparisons = comparisons_table(runs)
    expected = {
        "distribution": distribution_table(runs, histogram_table(records), comparisons),
        "comparisons": comparisons,
        "iou_histogram": histogram_table(records),
    }
    for name, table in expected.items():
        pd.testing.assert_frame_equal(pd.read_csv(tmp_path / f"{name}.csv"), table, check_dtype=False)


def test_the_distribution_can_be_made_again_from_the_files(tmp_path: Path) -> None:
    write_views(tmp_path, MIXED)
    again = distribution_table(pd.read_csv(tmp_path / "runs.csv"), pd.read_csv(tmp_path / "iou_histogram.csv"))
    read = pd.read_csv(tmp_path / "distribution.csv")
    pd.testing.assert_frame_equal(again.reset_index(drop=True), read, check_dtype=False)


def test_tables_of_no_runs_have_their_columns(tmp_path: Path) -> None:
    write_views(tmp_path, [])
    assert list(pd.read_csv(tmp_path / "distribution.csv").columns) == list(DISTRIBUTION)
    assert list(pd.read_csv(tmp_path / "comparisons.csv").columns) == list(COMPARISONS)


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    contents = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_views(tmp_path / name, json.loads(json.dumps(MIXED)))
        contents.append({file.name: file.read_bytes() for file in (tmp_path / name).iterdir()})
    assert contents[0] == contents[1]


def test_restarts_of_what_never_converged_are_infinite_in_the_file(tmp_path: Path) -> None:
    write_views(tmp_path, [record(seed, "blind", [0.1]) for seed in range(3)])
    read = pd.read_csv(tmp_path / "distribution.csv")
    assert math.isinf(read.loc[0, "expected_restarts"])
    assert np.isfinite(read.loc[0, "expected_restarts_low"])
