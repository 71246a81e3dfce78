from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from bboxbench.experiments.figures import OUTCOME_STYLE, box_accuracy_figure
from bboxbench.experiments.tables import runs_table


def runs(*outcomes: str, **changes: list[object]) -> pd.DataFrame:
    rows = [
        {
            "loss": "giou",
            "initializer": "he_normal",
            "optimizer": "adam",
            "learning_rate": 0.001,
            "head": "corners",
            "start": "wide",
            "seed": seed,
            "status": "failed" if outcome == "failed" else "ok",
            "outcome": None if outcome == "failed" else outcome,
            "box_accuracy": None if outcome == "failed" else 0.5,
            "iou_threshold": 0.5,
            **{name: values[seed] for name, values in changes.items()},
        }
        for seed, outcome in enumerate(outcomes)
    ]
    return runs_table([{"row": row} for row in rows])


def pixels_of(path: Path, colour: str) -> int:
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"), int)
    wanted = np.array([round(255 * part) for part in to_rgb(colour)])
    return int((np.abs(pixels - wanted).max(axis=-1) <= 2).sum())


@pytest.mark.parametrize("outcome", ["converged", "learning", "blind", "diverged"])
def test_each_outcome_is_drawn_in_its_colour_and_no_other_is(outcome: str, tmp_path: Path) -> None:
    box_accuracy_figure(runs(outcome, outcome), tmp_path / "figure.png")
    found = {name for name, (colour, _) in OUTCOME_STYLE.items() if pixels_of(tmp_path / "figure.png", colour) > 20}
    assert found - {"failed"} == {outcome}  # black is the colour of text, too


def test_a_sweep_of_failed_runs_alone_still_has_a_figure(tmp_path: Path) -> None:
    box_accuracy_figure(runs("failed", "failed"), tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 1000


def test_cells_that_differ_in_another_axis_get_a_panel_each(tmp_path: Path) -> None:
    box_accuracy_figure(runs("blind", "blind"), tmp_path / "one.png")
    box_accuracy_figure(runs("blind", "blind", head=["corners", "ordered"]), tmp_path / "two.png")
    with Image.open(tmp_path / "one.png") as one, Image.open(tmp_path / "two.png") as two:
        assert two.width > 1.2 * one.width
