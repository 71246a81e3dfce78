"""What docs/findings.md says in figures: the tables of docs/findings, read, counted and put into words.

Every number of the page comes through here from a committed CSV; `scripts/findings_page.py` puts the prose round them.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

FOLDER = Path(__file__).parent.parent / "docs" / "findings"
OUTCOMES = ("converged", "learning", "blind", "diverged", "failed")
SWEEPS = ("as_posted", "full_size", "twenty_seeds", "rescue", "white", "tuning")


def read(sweep: str, table: str) -> pd.DataFrame:
    """A committed table; names of losses and initializers are shortened to what tells them apart."""
    frame = pd.read_csv(FOLDER / sweep / f"{table}.csv")
    for column in ("loss", "initializer", "a", "b", "where"):
        if column in frame:
            frame[column] = frame[column].map(short)
    return frame


def short(name: str) -> str:
    """As a person says it: 'random_uniform ±0.05'."""
    for long, said in {
        "random_uniform(minval=-0.05,maxval=0.05)": "random_uniform ±0.05",
        "random_normal(mean=0.0,stddev=0.0289)": "random_normal 0.0289",
        "centre_point(size_weight=1)": "centre_point",
        "centre_point(size_weight=1.0)": "centre_point",
    }.items():
        name = name.replace(long, said)
    return name


def markdown(frame: pd.DataFrame) -> str:
    """A frame of texts as a Markdown table."""
    lines = ["| " + " | ".join(frame.columns) + " |", "|" + " --- |" * len(frame.columns)]
    lines += ["| " + " | ".join(str(value) for value in row) + " |" for row in frame.itertuples(index=False)]
    return "\n".join(lines)


def span(values: pd.Series, digits: int = 3) -> str:
    """'0.931 to 0.962', or one number where there is no span."""
    low, high = f"{values.min():.{digits}f}", f"{values.max():.{digits}f}"
    return low if low == high else f"{low} to {high}"


def outcomes(runs: pd.DataFrame) -> str:
    """'2 converged, 1 blind'."""
    counts = runs["outcome"].value_counts()
    return ", ".join(f"{counts[name]} {name}" for name in OUTCOMES if counts.get(name))


def grid(runs: pd.DataFrame, rows: str = "loss", columns: str = "initializer") -> str:
    """A table of cells: outcomes and the span of box accuracy in each."""
    table = []
    for row in dict.fromkeys(runs[rows]):
        line = {rows.replace("_", " "): f"`{row}`" if rows == "loss" else row}
        for column in dict.fromkeys(runs[columns]):
            cell = runs[(runs[rows] == row) & (runs[columns] == column)]
            line[f"`{column}`" if columns == "initializer" else str(column)] = (
                f"{outcomes(cell)}: {span(cell['box_accuracy'])}" if len(cell) else ""
            )
        table.append(line)
    return markdown(pd.DataFrame(table))


def everything() -> pd.DataFrame:
    """Every run of every sweep, with the sweep it is of."""
    return pd.concat([read(name, "runs").assign(sweep=name) for name in SWEEPS], ignore_index=True)
