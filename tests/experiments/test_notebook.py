"""The example notebook runs, as a reader would run it."""

from __future__ import annotations

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


def test_the_notebook_is_kept_without_outputs() -> None:
    nbformat.validate(notebook())
    for cell in notebook().cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


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
def test_the_notebook_runs_and_draws_three_figures() -> None:
    from nbclient import NotebookClient

    done = NotebookClient(
        notebook(), timeout=300, kernel_name="python3", resources={"metadata": {"path": str(EXAMPLES)}}
    ).execute()
    outputs = [output for cell in done.cells if cell.cell_type == "code" for output in cell.outputs]
    pictures = [each for each in outputs if "image/png" in each.get("data", {})]
    said = "".join(each.text for each in outputs if each.output_type == "stream")
    assert len(pictures) == 3
    assert "mse, seed 1: " in said
    assert "Keras read 0." in said
