"""The distribution of box accuracy as a table for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

if TYPE_CHECKING:
    import pandas as pd

    from bboxbench.experiments.sweep import SweepResult

__all__ = ["distribution_table", "strip"]

BLOCKS = " ▁▂▃▄▅▆▇█"
"""Heights of the small histogram."""
BINS = 10


def distribution_table(result: SweepResult) -> Table:
    """One row a cell: outcomes, median and range of box accuracy, and a small histogram over its runs."""
    runs, cells = result.runs, result.distribution
    others = [name for name in ("optimizer", "learning_rate", "head", "start") if cells[name].nunique() > 1]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="Box accuracy over the seeds", title_justify="left")
    for name in ("loss", "initializer", *others):
        table.add_column(name.replace("_", " "), overflow="fold")
    table.add_column("runs", justify="right")
    table.add_column("outcomes")
    table.add_column("median", justify="right")
    table.add_column("min to max", justify="right", no_wrap=True)
    table.add_column("0" + " " * (BINS - 2) + "1", no_wrap=True)
    table.add_column("Keras 'accuracy'", justify="right")
    for _, cell in cells.iterrows():
        mine = _runs_of(runs, cell)
        table.add_row(
            *(str(cell[name]) for name in ("loss", "initializer", *others)),
            str(cell["runs"]),
            _outcomes(cell),
            f"{cell['box_accuracy_median']:.3f}",
            f"{cell['box_accuracy_min']:.3f} to {cell['box_accuracy_max']:.3f}",
            strip(
                [float(x) if ok == "ok" else 0.0 for x, ok in zip(mine["box_accuracy"], mine["status"], strict=True)]
            ),
            f"{cell['keras_accuracy_median']:.2f}",
        )
    table.add_section()
    for _, row in result.baselines.iterrows():
        blank = [""] * (1 + len(others))
        accuracy = row["box_accuracy"]
        table.add_row(
            f"{row['baseline']} box",
            *blank,
            "",
            "ignores the picture",
            f"{accuracy:.3f}",
            "",
            strip([accuracy]),
            f"{row['keras_accuracy']:.2f}",
            style="dim",
        )
    return table


def _runs_of(runs: pd.DataFrame, cell: pd.Series) -> pd.DataFrame:
    keys = ["loss", "initializer", "optimizer", "learning_rate", "head", "start"]
    return runs[(runs[keys] == cell[keys].to_list()).all(axis=1)]


def _outcomes(cell: pd.Series) -> str:
    """As in '3 converged, 2 blind (2 pinned)'."""
    names = ("converged", "learning", "blind", "diverged", "failed")
    said = ", ".join(f"{cell[name]} {name}" for name in names if cell[name])
    symptoms = ", ".join(f"{cell[name]} {name}" for name in ("pinned", "inverted", "constant") if cell[name])
    return f"{said} ({symptoms})" if symptoms else said


def strip(values: list[float]) -> str:
    """A histogram of values in [0, 1], one character a tenth."""
    counts = [0] * BINS
    for value in values:
        counts[min(BINS - 1, int(value * BINS))] += 1
    top = max(counts)
    return "".join(BLOCKS[-(-count * (len(BLOCKS) - 1) // top)] for count in counts)
