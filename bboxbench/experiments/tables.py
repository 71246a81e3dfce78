"""The CSV files of a results folder: their columns, and how each is made from the journal's records.

Columns are the same whatever ran. Lengths are in pixels, shares and accuracies in [0, 1], times in seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bboxbench.experiments.outcomes import HISTOGRAM_EDGES, OUTCOMES, SYMPTOMS
from bboxbench.files import write_atomically

__all__ = [
    "BASELINES",
    "CELL",
    "DISTRIBUTION",
    "EPOCHS",
    "IOU_HISTOGRAM",
    "RUNS",
    "distribution_table",
    "epochs_table",
    "histogram_table",
    "runs_table",
    "write_views",
]

CELL = {
    "loss": "as on the command line, with its parameters",
    "initializer": "of all four kernels, with its parameters",
    "optimizer": "with its parameters",
    "learning_rate": "the optimizer's",
    "head": "how four numbers become a box: corners, centre_size, ordered",
    "start": "output bias: zeros, wide",
}
"""What tells one cell from another."""

MEASURES = {
    "outcome": "converged, learning, blind or diverged: see bboxbench.experiments.outcomes",
    "symptom": "pinned, inverted, constant, or empty",
    "box_accuracy": "share of test pictures with IoU >= iou_threshold",
    "box_accuracy_75": "the same at 0.75",
    "box_accuracy_90": "the same at 0.9",
    "iou_threshold": "of box_accuracy",
    "mean_iou": "mean IoU over the test pictures",
    "iou_p05": "5th percentile of the IoU",
    "iou_p25": "25th percentile",
    "iou_p50": "median",
    "iou_p75": "75th percentile",
    "iou_p95": "95th percentile",
    "centre_error_px": "mean distance of predicted and true centre",
    "size_error_px": "mean absolute error of width and height",
    "edge_error_px": "mean absolute error of the four edges",
    "correlation": "mean over the four sides of Pearson's r of predicted and true; a constant side counts 0",
    "spread": "mean over the four sides of predicted / true standard deviation",
    "pinned_left": "share of predictions with xmin within half a pixel of the picture's edge where the true one is not",
    "pinned_top": "the same for ymin",
    "pinned_right": "the same for xmax",
    "pinned_bottom": "the same for ymax",
    "inverted": "share of predictions with xmax <= xmin or ymax <= ymin",
    "keras_accuracy": "what Keras shows for metrics=['accuracy'] on the test pictures: not an accuracy of boxes",
}
"""What is measured on the test pictures."""

RUNS = {
    "run_id": "names the run and its file of predictions",
    "loss": CELL["loss"],
    "initializer": CELL["initializer"],
    "seed": "of starting weights, sample order and dropout masks: see vary",
    "optimizer": CELL["optimizer"],
    "learning_rate": CELL["learning_rate"],
    "head": CELL["head"],
    "start": CELL["start"],
    "epochs": "asked for; a diverged run ends with the epoch in which it diverged",
    "batch_size": "pictures a step",
    "vary": "what the seed changes",
    "precision": "of the computation; weights and the optimizer's state are float32",
    "engine": "what trained the run: fit also where lockstep was asked for and cannot",
    "threads": "of one TensorFlow operation",
    "network": "letter_box, or the import path of the user's own",
    "n_train": "training pictures",
    "n_validation": "validation pictures looked at after each epoch",
    "n_test": "test pictures, read once after the last epoch",
    "dataset_sha256": "identity of the data set",
    "spec_sha256": "identity of the settings that all runs of the sweep share",
    "status": "ok, or failed when training raised",
    **MEASURES,
    "train_loss": "mean over the last epoch, with dropout",
    "seconds": "of training and evaluation; of runs that train together each has an equal share",
    "device": "the processor",
    "bboxbench_version": "of this package",
    "tensorflow_version": "of TensorFlow",
    "keras_version": "of Keras",
    "error": "of a failed run, on one line",
}
"""``runs.csv``: a row a run. A failed run has no measures."""

DISTRIBUTION = {
    **CELL,
    "runs": "finished runs of the cell, failed and diverged ones included",
    **{name: f"runs with the outcome {name}" for name in OUTCOMES},
    "failed": "runs whose training raised",
    **{name: f"runs with the symptom {name}" for name in SYMPTOMS},
    "converged_rate": "converged / runs",
    "box_accuracy_min": "over the runs; a failed run counts 0",
    "box_accuracy_p25": "25th percentile",
    "box_accuracy_median": "median",
    "box_accuracy_p75": "75th percentile",
    "box_accuracy_max": "maximum",
    "box_accuracy_mean": "mean: for a cell of converged and pinned runs it describes neither",
    "mean_iou_median": "median over the runs of mean_iou; a failed run counts 0",
    "keras_accuracy_median": "median over the runs that did not fail",
    "seconds_median": "median over the runs",
}
"""``distribution.csv``: a row a cell, over all its seeds."""

BASELINES = {
    "baseline": "mean or median: scikit-learn's DummyRegressor, which gives that training box for every picture",
    **MEASURES,
    "n_train": "training pictures",
    "n_test": "test pictures",
    "dataset_sha256": "identity of the data set",
}
"""``baselines.csv``: a row a baseline. A network that is no better ignores the picture."""

EPOCHS = {
    "run_id": "the run",
    "epoch": "from 1",
    "train_loss": "mean over the epoch, with dropout",
    "val_box_accuracy": "share of the validation pictures with IoU >= iou_threshold",
    "val_mean_iou": "mean IoU over them",
    "val_keras_accuracy": "what Keras shows for metrics=['accuracy'] on them",
    "seconds": "of training and validation, shared likewise",
}
"""``epochs.csv``: a row a run and epoch."""

IOU_HISTOGRAM = {
    "run_id": "the run",
    "iou_from": "lower edge of the bin",
    "iou_to": "upper edge, excluded but for 1",
    "count": "test pictures in the bin",
}
"""``iou_histogram.csv``: a row a run and bin."""

Records = Sequence[dict[str, Any]]


def runs_table(records: Records) -> pd.DataFrame:
    """A row a run, with the columns `RUNS`."""
    return pd.DataFrame([{name: record["row"].get(name) for name in RUNS} for record in records], columns=list(RUNS))


def epochs_table(records: Records) -> pd.DataFrame:
    """A row a run and epoch, with the columns `EPOCHS`."""
    rows = [{"run_id": record["run_id"], **epoch} for record in records for epoch in record["epochs"]]
    return pd.DataFrame(rows, columns=list(EPOCHS))


def histogram_table(records: Records) -> pd.DataFrame:
    """A row a run and bin, with the columns `IOU_HISTOGRAM`; failed runs have no rows."""
    edges = [round(float(edge), 2) for edge in HISTOGRAM_EDGES]
    rows = [
        (record["run_id"], low, high, count)
        for record in records
        for low, high, count in zip(edges, edges[1:], record["histogram"], strict=False)
    ]
    return pd.DataFrame(rows, columns=list(IOU_HISTOGRAM))


def distribution_table(runs: pd.DataFrame) -> pd.DataFrame:
    """A row a cell, with the columns `DISTRIBUTION`, in the order in which cells first occur in ``runs``.

    Failed and diverged runs stay in every count; for quantiles of box accuracy and IoU a failed run counts 0, for it
    gave no box.
    """
    rows = []
    for cell, group in runs.groupby(list(CELL), sort=False, dropna=False):
        ok = group["status"] == "ok"
        accuracy = group["box_accuracy"].astype(float).where(ok, 0.0)
        quantiles = np.quantile(accuracy, [0, 0.25, 0.5, 0.75, 1])
        outcomes, symptoms = group["outcome"][ok], group["symptom"][ok]
        rows.append(
            {
                **dict(zip(CELL, cell, strict=True)),
                "runs": len(group),
                **{name: int((outcomes == name).sum()) for name in OUTCOMES},
                "failed": int((~ok).sum()),
                **{name: int((symptoms == name).sum()) for name in SYMPTOMS},
                "converged_rate": float((outcomes == "converged").sum() / len(group)),
                **{
                    f"box_accuracy_{q}": v
                    for q, v in zip(("min", "p25", "median", "p75", "max"), quantiles, strict=True)
                },
                "box_accuracy_mean": accuracy.mean(),
                "mean_iou_median": group["mean_iou"].astype(float).where(ok, 0.0).median(),
                "keras_accuracy_median": group["keras_accuracy"][ok].astype(float).median(),
                "seconds_median": group["seconds"].astype(float).median(),
            }
        )
    return pd.DataFrame(rows, columns=list(DISTRIBUTION))


def write_views(folder: Path, records: Records) -> None:
    """Write runs.csv, distribution.csv, epochs.csv and iou_histogram.csv, each replaced whole.

    Raises:
        CannotWrite: disk full, no permission.
    """
    runs = runs_table(records)
    tables = {
        "runs": runs,
        "distribution": distribution_table(runs),
        "epochs": epochs_table(records),
        "iou_histogram": histogram_table(records),
    }
    for name, table in tables.items():
        write_atomically(folder / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))
