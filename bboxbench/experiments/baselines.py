"""The yardstick of collapse: one box for every picture. A network that is no better does not look at the picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.dummy import DummyRegressor

from bboxbench.experiments.outcomes import measure
from bboxbench.experiments.tables import BASELINES
from bboxbench.experiments.training import TrainingData

__all__ = ["baselines_table"]


def baselines_table(data: TrainingData, iou_threshold: float = 0.5) -> pd.DataFrame:
    """Measures of the mean and the median training box on the test pictures, with the columns `BASELINES`."""
    rows: list[dict[str, Any]] = []
    for strategy in ("mean", "median"):
        # DummyRegressor looks at the number of rows only; the pictures themselves would be converted for nothing.
        dummy = DummyRegressor(strategy=strategy).fit(np.zeros((len(data.train.boxes), 1)), data.train.boxes)
        boxes = dummy.predict(np.zeros((len(data.test.boxes), 1)))
        measures = measure(data.test.boxes, boxes, data.width, data.height, iou_threshold=iou_threshold)
        rows.append(
            {
                "baseline": strategy,
                **measures.row(),
                "n_train": len(data.train.boxes),
                "n_test": len(data.test.boxes),
                "dataset_sha256": data.sha256,
            }
        )
    return pd.DataFrame(rows, columns=list(BASELINES))
