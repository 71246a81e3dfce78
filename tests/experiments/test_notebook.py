"""The example notebook runs, as a reader would run it."""

from __future__ import annotations

import runpy
import tempfile
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest

from bboxbench.experiments.tables import (
    BASELINES,
    COMPARISONS,
    DISTRIBUTION,
    EPOCHS,
    IOU_HISTOGRAM,
    RUNS,
    comparisons_table,
    distribution_table,
)

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
COLUMNS = {
    "runs": RUNS,
    "distribution": DISTRIBUTION,
    "comparisons": COMPARISONS,
    "epochs": EPOCHS,
    "iou_histogram": IOU_HISTOGRAM,
    "baselines": BASELINES,
}


def notebook() -> Any:
    return nbformat.read(EXAMPLES / "figures.ipynb", as_version=4)


def outputs(of: Any) -> list[list[dict[str, Any]]]:
    """What each cell of code shows."""
    return [cell.outputs for cell in of.cells if cell.cell_type == "code"]


def words(of: Any) -> list[Any]:
    """What the outputs say: their text, without pictures, whose bytes depend on the version of matplotlib."""
    return [
        each.get("text") or {kind: text for kind, text in each["data"].items() if kind != "image/png"}
        for shown in outputs(of)
        for each in shown
    ]


def test_the_notebook_is_kept_with_its_outputs_and_nothing_of_the_machine() -> None:
    nbformat.validate(notebook())
    assert all(outputs(notebook()))
    file = EXAMPLES / "figures.ipynb"
    assert file.stat().st_size < 300_000
    text = str(words(notebook()))
    assert not [path for path in (str(Path.home()), str(EXAMPLES.parent), tempfile.gettempdir()) if path in text]
    assert not any(cell.metadata for cell in notebook().cells), "times of the run"
    assert set(notebook().metadata) <= {"kernelspec", "language_info"}


@pytest.mark.parametrize("name", COLUMNS)
def test_its_tables_have_the_columns_that_a_sweep_writes(name: str) -> None:
    assert list(pd.read_csv(EXAMPLES / "quick" / f"{name}.csv")) == list(COLUMNS[name])


def test_its_tables_are_those_that_its_runs_give() -> None:
    runs, histogram = (pd.read_csv(EXAMPLES / "quick" / f"{name}.csv") for name in ("runs", "iou_histogram"))
    comparisons = comparisons_table(runs)
    made = {"comparisons": comparisons, "distribution": distribution_table(runs, histogram, comparisons)}
    for name, table in made.items():
        kept = pd.read_csv(EXAMPLES / "quick" / f"{name}.csv")
        pd.testing.assert_frame_equal(table, kept, check_dtype=False)


@pytest.mark.slow
def test_the_notebook_shows_three_figures_and_says_what_it_said_when_it_was_kept() -> None:
    script = runpy.run_path(str(EXAMPLES.parents[1] / "scripts" / "notebook_outputs.py"))
    done = script["executed"]()
    pictures = [each for shown in outputs(done) for each in shown if "image/png" in each.get("data", {})]
    assert len(pictures) == 3
    assert words(done) == words(notebook()), "stale: python scripts/notebook_outputs.py"
    said = "".join(each["text"] for shown in outputs(done) for each in shown if each["output_type"] == "stream")
    assert "mse, seed 1: " in said
    assert "Keras read 0." in said
