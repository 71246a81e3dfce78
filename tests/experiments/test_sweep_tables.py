"""What a finished sweep leaves."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from bboxbench.boxes import to_pixels
from bboxbench.data_gen import open_dataset
from bboxbench.experiments import tables
from bboxbench.experiments.outcomes import measure
from bboxbench.experiments.results import read_predictions
from bboxbench.experiments.sweep import SweepResult


def test_every_run_is_a_row_with_the_documented_columns(undisturbed: SweepResult) -> None:
    runs = pd.read_csv(undisturbed.folder / "runs.csv")
    assert list(runs.columns) == list(tables.RUNS)
    assert len(runs) == 4
    assert runs["run_id"].is_unique
    assert set(runs["status"]) == {"ok"}
    assert set(runs["loss"]) == {"mse", "iou_unguarded"}
    assert set(runs["n_train"]) == {12}
    assert set(runs["n_test"]) == {20}


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("distribution", tables.DISTRIBUTION),
        ("comparisons", tables.COMPARISONS),
        ("baselines", tables.BASELINES),
        ("epochs", tables.EPOCHS),
        ("iou_histogram", tables.IOU_HISTOGRAM),
    ],
)
def test_every_table_has_the_documented_columns(undisturbed: SweepResult, name: str, columns: dict[str, str]) -> None:
    assert list(pd.read_csv(undisturbed.folder / f"{name}.csv").columns) == list(columns)


def test_the_bare_logarithm_diverges_where_mse_does_not(undisturbed: SweepResult) -> None:
    runs = undisturbed.runs.set_index("loss")["outcome"]
    assert set(runs["iou_unguarded"]) == {"diverged"}
    assert "diverged" not in set(runs["mse"])


def test_measures_can_be_made_again_from_the_kept_predictions(undisturbed: SweepResult) -> None:
    row = undisturbed.runs[undisturbed.runs["loss"] == "mse"].iloc[0]
    dataset = open_dataset(json.loads((undisturbed.folder / "sweep.json").read_text())["spec"]["data"])
    boxes = to_pixels(read_predictions(undisturbed.folder, row["run_id"]), 200, 100)
    again = measure(dataset.boxes("test"), boxes, 200, 100)
    # Predictions are kept as float16: a tenth of a pixel at 200.
    assert again.mean_iou == pytest.approx(row["mean_iou"], abs=5e-3)
    assert again.edge_error_px == pytest.approx(row["edge_error_px"], abs=0.1)


def test_the_histogram_counts_every_test_picture_once(undisturbed: SweepResult) -> None:
    histogram = pd.read_csv(undisturbed.folder / "iou_histogram.csv")
    assert set(histogram.groupby("run_id")["count"].sum()) == {20}
    assert set(histogram.groupby("run_id").size()) == {20}


def test_the_sweep_file_says_how_it_was_made(undisturbed: SweepResult) -> None:
    content = json.loads((undisturbed.folder / "sweep.json").read_text(encoding="utf-8"))
    assert content["settings"]["epochs"] == 2
    assert content["settings"]["dataset_sha256"] == undisturbed.runs["dataset_sha256"].iloc[0]
    assert content["spec_sha256"] == undisturbed.runs["spec_sha256"].iloc[0]
    assert {"tensorflow", "keras", "numpy"} <= set(content["environment"]["packages"])


def test_the_figure_is_a_picture(undisturbed: SweepResult) -> None:
    from PIL import Image

    with Image.open(undisturbed.folder / "report" / "box_accuracy.png") as picture:
        assert picture.width > 500
        assert len(picture.convert("RGB").getcolors(maxcolors=100_000) or []) > 10


def test_baselines_are_blind(undisturbed: SweepResult) -> None:
    assert set(undisturbed.baselines["baseline"]) == {"mean", "median"}
    assert set(undisturbed.baselines["outcome"]) == {"blind"}
    assert set(undisturbed.baselines["symptom"]) == {"constant"}


def test_quantiles_are_over_all_runs_and_failed_ones_count_zero() -> None:
    base = dict.fromkeys(tables.CELL, "x")
    rows = [
        {**base, "seed": seed, "status": "ok", "outcome": "converged", "symptom": "", "box_accuracy": a, "mean_iou": a}
        for seed, a in enumerate((0.9, 1.0))
    ]
    rows.append({**base, "seed": 2, "status": "failed"})
    frame = tables.distribution_table(tables.runs_table([{"row": row} for row in rows]))
    cell = frame.iloc[0]
    assert (cell["runs"], cell["converged"], cell["failed"]) == (3, 2, 1)
    assert (cell["box_accuracy_min"], cell["box_accuracy_median"], cell["box_accuracy_max"]) == (0.0, 0.9, 1.0)
    assert cell["converged_rate"] == pytest.approx(2 / 3)
    assert np.isnan(cell["keras_accuracy_median"])
