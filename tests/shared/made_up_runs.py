"""Made-up runs, as runs.csv has them: what the tests of tables, comparisons, summary and report share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bboxbench.experiments.outcomes import CONVERGED_ACCURACY
from bboxbench.experiments.tables import runs_table

LEARNING = 0.3
"""Below this box accuracy a made-up run is blind."""


def made_up_runs(*cells: dict[str, Any], seeds: int = 8) -> pd.DataFrame:
    """A row a run, cell after cell.

    Args:
        cells: each with ``accuracy``, a value a seed or one for all ``seeds``; below 0, or None, it failed.
            Anything else are columns of its rows; what it leaves out is usual.
        seeds: runs of a cell whose ``accuracy`` is one value.
    """
    rows = []
    for number, cell in enumerate(cells):
        fixed = {name: value for name, value in cell.items() if name != "accuracy"}
        given = cell.get("accuracy", 0.5)
        for seed, accuracy in enumerate([given] * seeds if np.ndim(given) == 0 else given):
            rows.append(_row(f"{number}-{seed}", seed, accuracy) | fixed)
    return runs_table([{"row": row} for row in rows])


def _row(run_id: str, seed: int, accuracy: float | None) -> dict[str, Any]:
    row = {
        "run_id": run_id,
        "loss": "mse",
        "initializer": "glorot_uniform",
        "optimizer": "adam",
        "batch_size": 100,
        "learning_rate": 0.0005,
        "head": "corners",
        "start": "wide",
        "seed": seed,
        "vary": "init,order,dropout",
        "status": "failed",
        "symptom": "",
        "seconds": 1.0,
    }
    if accuracy is None or accuracy < 0:
        return row
    outcome = "converged" if accuracy >= CONVERGED_ACCURACY else "learning" if accuracy >= LEARNING else "blind"
    measured = {"box_accuracy": accuracy, "mean_iou": accuracy, "keras_accuracy": 0.95, "iou_threshold": 0.5}
    sides = {f"pinned_{side}": 0.0 for side in ("left", "top", "right", "bottom")}
    return row | measured | sides | {"status": "ok", "outcome": outcome}
