"""The columns of every CSV file of a results folder, each with its meaning: the same whatever ran.

Lengths are in pixels, shares and accuracies in [0, 1], times in seconds. `bboxbench.experiments.tables` fills them.
"""

from __future__ import annotations

from bboxbench.experiments.cells import CELL
from bboxbench.experiments.outcomes import HISTOGRAM_EDGES, OUTCOMES, SYMPTOMS

__all__ = [
    "BASELINES",
    "COMPARED",
    "COMPARISONS",
    "DISTRIBUTION",
    "EPOCHS",
    "IOU_HISTOGRAM",
    "MEASURES",
    "OUTCOME_RATES",
    "PROFILE",
    "RIVAL",
    "RUNS",
]

OUTCOME_RATES = {
    **{name: f"{name}_rate" for name in OUTCOMES},
    # learning_rate is the optimizer's.
    "learning": "still_learning_rate",
    "failed": "failed_rate",
}
"""Each outcome, and ``failed``, with the column of its rate; bounds are in ``<column>_low``, ``<column>_high``."""

PROFILE = {f"profile_{round(100 * edge):02d}": round(float(edge), 2) for edge in HISTOGRAM_EDGES[1:-1]}
"""The columns of a cell's performance profile, each with its IoU threshold: ``profile_05`` at 0.05 and so on."""

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
    "seed": "of whatever vary names",
    "optimizer": CELL["optimizer"],
    "learning_rate": CELL["learning_rate"],
    "head": CELL["head"],
    "start": CELL["start"],
    "epochs": "asked for",
    "epochs_trained": "done: fewer where the run diverged, or stopped by patience",
    "kept_epoch": "whose weights were tested: the last, or with patience the one with the highest val_mean_iou",
    "batch_size": CELL["batch_size"],
    "vary": "what the seed changes: init, order, dropout, split; all else is as under seed 0",
    "precision": "of the computation; weights and the optimizer's state are float32",
    "engine": "what trained the run: fit also where lockstep was asked for and cannot",
    "threads": "of one TensorFlow operation",
    "deterministic": "whether the same sweep gives the same bits on the same kind of processor",
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
    "log": "of a failed run: the file with its traceback and what its process wrote, as logs/<run_id>.log",
}
"""``runs.csv``: a row a run. A failed run has no measures."""

COMPARED = {
    "mean_difference": "mean over the seeds of {a}'s box accuracy less {b}'s: what the p-value is about",
    "probability_of_improvement": "share of the seeds in which {a} is better than {b}, ties counted half",
    "probability_of_improvement_low": "lower end of its 95 % interval (Wilson)",
    "probability_of_improvement_high": "upper end",
    "p_value": "of the paired sign-flip test of the mean difference, two-sided; empty below 6 seeds",
    "p_value_holm": "the same, corrected by Holm for all comparisons {family} of the sweep",
    "power": "chance that so many seeds show a loss that is better in 8 of 10 (sign test, two-sided, 5 %)",
}
"""What every comparison has, whether of a pair or of a cell and its rival."""

RIVAL = {
    "rival": "strongest other loss under the same conditions: highest converged_rate_low, then box_accuracy_median; "
    "a cell with at most half as many runs as another stands behind",
    "rival_seeds": "seeds that both have",
    "rival_wins": "seeds in which the rival's box accuracy is higher",
    "rival_ties": "in which they are equal",
    "rival_losses": "in which the rival's is lower",
    **{k: v.format(a="the cell", b="its rival", family="between losses") for k, v in COMPARED.items()},
}
"""A cell against the strongest other loss."""

COMPARISONS = {
    "by": "in what the two cells differ: loss or initializer",
    "where": "in what they agree: the initializer or the loss, and whatever else differs between cells of the sweep",
    "a": "one loss or initializer",
    "b": "the other",
    "seeds": "seeds that both have; runs are compared seed by seed",
    "a_wins": "seeds in which a's box accuracy is higher; a failed run counts 0",
    "ties": "in which they are equal",
    "b_wins": "in which b's is higher",
    "median_difference": "median over the seeds of a's box accuracy less b's",
    **{k: v.format(a="a", b="b", family="between losses, or all between initializers,") for k, v in COMPARED.items()},
}
"""``comparisons.csv``: a row a pair of cells that differ in one thing."""


def _rates() -> dict[str, str]:
    said: dict[str, str] = {}
    for name, column in OUTCOME_RATES.items():
        said |= {column: f"{name} / runs", f"{column}_low": "lower end of its 95 % Wilson interval"}
        said[f"{column}_high"] = "upper end"
    return said


DISTRIBUTION = {
    **CELL,
    "runs": "finished runs of the cell, failed and diverged ones included; of two of one seed the later",
    **{name: f"runs with the outcome {name}" for name in OUTCOMES},
    "failed": "runs whose training raised",
    **{name: f"runs with the symptom {name}" for name in SYMPTOMS},
    **_rates(),
    "expected_restarts": "1 / converged_rate: runs to start on average until one converges; inf where none did",
    "expected_restarts_low": "lower end of its 95 % interval: 1 / converged_rate_high",
    "expected_restarts_high": "upper end: 1 / converged_rate_low",
    "box_accuracy_min": "over the runs; a failed run counts 0",
    "box_accuracy_p25": "25th percentile",
    "box_accuracy_median": "median",
    "box_accuracy_median_low": "lower end of its 95 % interval (percentile bootstrap)",
    "box_accuracy_median_high": "upper end",
    "box_accuracy_p75": "75th percentile",
    "box_accuracy_max": "maximum",
    "box_accuracy_mean": "mean: for a cell of converged and pinned runs it describes neither",
    "box_accuracy_iqm": "interquartile mean: mean of the middle half of the runs",
    "box_accuracy_iqm_low": "lower end of its 95 % interval (percentile bootstrap)",
    "box_accuracy_iqm_high": "upper end",
    "mean_iou_median": "median over the runs of mean_iou; a failed run counts 0",
    "keras_accuracy_median": "median over the runs that did not fail",
    "seconds_median": "median over the runs",
    **{column: f"mean over the runs of the share of boxes with IoU >= {at:g}" for column, at in PROFILE.items()},
    **RIVAL,
}
"""``distribution.csv``: a row a cell, over all its seeds."""

BASELINES = {
    "baseline": "mean or median: scikit-learn's DummyRegressor, which gives that training box for every picture",
    **MEASURES,
    "n_train": "training pictures",
    "n_test": "test pictures",
    "dataset_sha256": "identity of the data set",
}
"""``baselines.csv``: a row a baseline, of the data set's own split. A network that is no better ignores the picture."""

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
