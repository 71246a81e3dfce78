"""Tables of made-up sweeps, and what stands on a figure: what the tests of figures share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.text import Text

from bboxbench.experiments import figures
from bboxbench.experiments.figures import OUTCOME_STYLE
from bboxbench.experiments.outcomes import HISTOGRAM_EDGES
from bboxbench.experiments.recorded import SIDES_COLUMNS
from bboxbench.experiments.tables import (
    CELL,
    comparisons_table,
    distribution_table,
    epochs_table,
    histogram_table,
    runs_table,
)

INITIALIZERS = (
    "glorot_uniform",
    "glorot_normal",
    "random_uniform(minval=-0.05,maxval=0.05)",
    "random_normal(stddev=0.0289)",
)
FOUR = ("mse", "iou", "giou", "centre_point(size_weight=1)")


class Sweep:
    """Tables of made-up runs, as the CSVs have them."""

    def __init__(self, records: list[dict[str, Any]]) -> None:
        self.runs, self.epochs = runs_table(records), epochs_table(records)
        self.histogram = histogram_table(records)
        self.comparisons = comparisons_table(self.runs)
        self.distribution = distribution_table(self.runs, self.histogram, self.comparisons)

    def sides(self) -> pd.DataFrame:
        edges = np.linspace(0, 1, 41)
        rows = [
            {
                **dict(zip(CELL, cell, strict=True)),
                "side": side,
                "from": low,
                "to": high,
                "predicted": p,
                "true": 1 / 40,
            }
            for cell, _ in self.runs.groupby(list(CELL), sort=False)
            for side in ("left", "top", "right", "bottom")
            for low, high, p in zip(edges[:-1], edges[1:], [0.61, *[0.01] * 39], strict=True)
        ]
        return pd.DataFrame(rows, columns=list(SIDES_COLUMNS))

    def all_figures(self) -> dict[str, Figure]:
        return {
            "box_accuracy": figures.box_accuracy(self.runs),
            "outcomes": figures.outcomes(self.distribution),
            "accuracy_trap": figures.accuracy_trap(self.runs, self.runs.head(1)),
            "learning_curves": figures.learning_curves(self.epochs, self.runs),
            "last_epochs": figures.last_epochs(self.epochs, self.runs),
            "iou_histograms": figures.iou_histograms(self.histogram, self.runs),
            "performance_profiles": figures.performance_profiles(self.histogram, self.runs),
            "comparisons": figures.comparisons(self.comparisons),
            "initializer_comparisons": figures.comparisons(self.comparisons, by="initializer"),
            "pinned_sides": figures.pinned_sides(self.sides(), self.runs),
        }


OUTCOME_OF = {"converged": 0.95, "learning": 0.6, "blind": 0.02, "diverged": 0.0}


def record(loss: str, initializer: str, seed: int, outcome: str, **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"run_id": f"{loss}-{initializer}-{seed}", "loss": loss, "initializer": initializer}
    row |= {"optimizer": "adam", "learning_rate": 0.0005, "head": "corners", "start": "wide", "seed": seed}
    row |= {
        "batch_size": 100,
        "status": "failed" if outcome == "failed" else "ok",
        "iou_threshold": 0.5,
        "seconds": 1.0,
    }
    histogram: list[int] = []
    epochs: list[dict[str, Any]] = []
    if outcome != "failed":
        accuracy = OUTCOME_OF[outcome] + 0.001 * seed
        row |= {"outcome": outcome, "symptom": "pinned" if outcome == "blind" else "", "box_accuracy": accuracy}
        row |= {"keras_accuracy": 0.9, "mean_iou": accuracy / 2}
        histogram = np.histogram(np.linspace(0, accuracy, 100), HISTOGRAM_EDGES)[0].tolist()
        epochs = [{"epoch": k, "train_loss": 1.0, "val_box_accuracy": accuracy * k / 5} for k in range(1, 6)]
    row |= changes
    return {"run_id": f"{row['run_id']}-{row['head']}", "row": row | {"run_id": f"{row['run_id']}-{row['head']}"}} | {
        "epochs": epochs,
        "histogram": histogram,
    }


def sweep(losses: Any, initializers: Any, seeds: int) -> Sweep:
    names = [*OUTCOME_OF, "failed"]
    return Sweep(
        [
            record(loss, initializer, seed, names[(7 * i + 3 * j + seed) % 5])
            for i, loss in enumerate(losses)
            for j, initializer in enumerate(initializers)
            for seed in range(seeds)
        ]
    )


def one_cell(*outcomes: str) -> Sweep:
    return Sweep([record("giou", "he_normal", seed, outcome) for seed, outcome in enumerate(outcomes)])


def texts(figure: Figure) -> list[str]:
    return [each.get_text() for each in figure.findobj(Text) if each.get_text()]


def panels(figure: Figure) -> list[Any]:
    return [axis for axis in figure.axes if axis.axison]


def dots(axis: Any) -> list[tuple[float, float]]:
    """Where the markers of outcomes stand."""
    markers = {marker for _, marker in OUTCOME_STYLE.values()}
    return sorted(
        (float(x), float(y))
        for line in axis.lines
        if line.get_marker() in markers
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    )
