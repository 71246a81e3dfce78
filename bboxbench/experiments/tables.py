"""The CSV files of a results folder: how each is made from the journal's records.

Their columns stand in `bboxbench.experiments.columns`, and are the same whatever ran.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bboxbench.experiments.cells import CELL, box_accuracies, conditions, latest_runs
from bboxbench.experiments.columns import (
    BASELINES,
    COMPARISONS,
    DISTRIBUTION,
    EPOCHS,
    IOU_HISTOGRAM,
    OUTCOME_RATES,
    PROFILE,
    RIVAL,
    RUNS,
)
from bboxbench.experiments.comparisons import against_rival, comparisons_table
from bboxbench.experiments.outcomes import HISTOGRAM_EDGES, OUTCOMES, SYMPTOMS
from bboxbench.experiments.statistics import expected_restarts, iqm_interval, median_interval, wilson
from bboxbench.files import write_atomically

__all__ = [
    "BASELINES",
    "CELL",
    "COMPARISONS",
    "DISTRIBUTION",
    "EPOCHS",
    "IOU_HISTOGRAM",
    "OUTCOME_RATES",
    "PROFILE",
    "RUNS",
    "comparisons_table",
    "conditions",
    "distribution_table",
    "epochs_table",
    "histogram_table",
    "runs_table",
    "write_views",
]

Records = Sequence[dict[str, Any]]


def runs_table(records: Records) -> pd.DataFrame:
    """A row a run, with the columns `RUNS`."""
    # Column by column: as dictionaries the rows of a million runs would take ten times the memory of the table.
    columns: dict[str, list[Any]] = {name: [] for name in RUNS}
    for record in records:
        for name, column in columns.items():
            column.append(record["row"].get(name))
    return pd.DataFrame(columns)


def epochs_table(records: Records) -> pd.DataFrame:
    """A row a run and epoch, with the columns `EPOCHS`."""
    columns: dict[str, list[Any]] = {name: [] for name in EPOCHS}
    for record in records:
        for epoch in record["epochs"]:
            columns["run_id"].append(record["run_id"])
            for name in EPOCHS:
                if name != "run_id":
                    columns[name].append(epoch.get(name))
    return pd.DataFrame(columns)


def histogram_table(records: Records) -> pd.DataFrame:
    """A row a run and bin, with the columns `IOU_HISTOGRAM`; failed runs have no rows."""
    edges = np.round(HISTOGRAM_EDGES, 2)
    run_ids: list[str] = []
    counts: list[list[int]] = []
    for record in records:
        if record["histogram"]:
            run_ids.append(record["run_id"])
            counts.append(record["histogram"])
    bins = len(edges) - 1
    columns = (
        np.repeat(np.array(run_ids, object), bins),
        np.tile(edges[:-1], len(run_ids)),
        np.tile(edges[1:], len(run_ids)),
        np.array(counts, np.int64).reshape(-1),
    )
    return pd.DataFrame(dict(zip(IOU_HISTOGRAM, columns, strict=True)))


def distribution_table(
    runs: pd.DataFrame, histogram: pd.DataFrame | None = None, comparisons: pd.DataFrame | None = None
) -> pd.DataFrame:
    """A row a cell, with the columns `DISTRIBUTION`, in the order in which cells first occur in ``runs``.

    Failed and diverged runs stay in every count; for box accuracy and IoU a failed run counts 0, for it gave no box. Of
    two runs of a seed the later counts (`latest_runs`).

    Args:
        runs: a row a run, as `runs_table` gives them.
        histogram: as `histogram_table` gives it, for the performance profile; None leaves the profile empty.
        comparisons: as `comparisons_table` gives it; None makes it from ``runs``.
    """
    runs = latest_runs(runs)
    profiles = None if histogram is None else _profiles(runs, histogram)
    rows = []
    for cell, group in runs.groupby(list(CELL), sort=False, dropna=False):
        rows.append(dict(zip(CELL, cell, strict=True)) | _described(group))
        if profiles is not None:
            rows[-1] |= profiles.loc[group.index].mean().to_dict()
    table = pd.DataFrame(rows, columns=[name for name in DISTRIBUTION if name not in RIVAL])
    rival = against_rival(table, comparisons_table(runs) if comparisons is None else comparisons)
    return table.join(rival).reindex(columns=list(DISTRIBUTION))


def _described(runs: pd.DataFrame) -> dict[str, Any]:
    """The columns of one cell but for its name, profile and rival."""
    ok = runs["status"] == "ok"
    accuracy = box_accuracies(runs)
    outcomes, symptoms = runs["outcome"][ok], runs["symptom"][ok]
    counts = {**{name: int((outcomes == name).sum()) for name in OUTCOMES}, "failed": int((~ok).sum())}
    intervals = {
        **{column: wilson(counts[name], len(runs)) for name, column in OUTCOME_RATES.items()},
        "expected_restarts": expected_restarts(counts["converged"], len(runs)),
        "box_accuracy_median": median_interval(accuracy),
        "box_accuracy_iqm": iqm_interval(accuracy),
    }
    quantiles = zip(("min", "p25", "p75", "max"), np.quantile(accuracy, [0, 0.25, 0.75, 1]), strict=True)
    return {
        "runs": len(runs),
        **counts,
        **{name: int((symptoms == name).sum()) for name in SYMPTOMS},
        **{
            column + end: bound
            for column, each in intervals.items()
            for end, bound in (("", each.value), ("_low", each.low), ("_high", each.high))
        },
        **{f"box_accuracy_{name}": value for name, value in quantiles},
        "box_accuracy_mean": accuracy.mean(),
        "mean_iou_median": runs["mean_iou"].astype(float).where(ok, 0.0).median(),
        "keras_accuracy_median": runs["keras_accuracy"][ok].astype(float).median(),
        "seconds_median": runs["seconds"].astype(float).median(),
    }


def _profiles(runs: pd.DataFrame, histogram: pd.DataFrame) -> pd.DataFrame:
    """Each run's share of boxes at or above each threshold, indexed like ``runs``; a failed run reaches none."""
    counts = histogram.pivot_table(index="run_id", columns="iou_from", values="count", aggfunc="sum")
    counts = counts.reindex(index=runs["run_id"], columns=[0.0, *PROFILE.values()], fill_value=0)
    reached = counts.to_numpy(float)[:, ::-1].cumsum(axis=1)[:, ::-1]
    shares = reached[:, 1:] / np.maximum(reached[:, :1], 1)
    return pd.DataFrame(shares, index=runs.index, columns=list(PROFILE))


def write_views(folder: Path, records: Records) -> None:
    """Write every table but baselines.csv, which does not come from the journal; each file is replaced whole.

    Raises:
        CannotWrite: disk full, no permission.
    """
    runs, histogram = runs_table(records), histogram_table(records)
    comparisons = comparisons_table(runs)
    tables = {
        "runs": runs,
        "distribution": distribution_table(runs, histogram, comparisons),
        "comparisons": comparisons,
        "epochs": epochs_table(records),
        "iou_histogram": histogram,
    }
    for name, table in tables.items():
        write_atomically(folder / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))
