"""What docs/findings.md says in figures: the tables of docs/findings, read, counted and put into words.

Every number of the page comes through here from a committed CSV; `scripts/findings_page.py` puts the prose round them.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bboxbench.experiments.names import short

FOLDER = Path(__file__).parent.parent / "docs" / "findings"
OUTCOMES = ("converged", "learning", "blind", "diverged", "failed")
FULL, TWENTY, POSTED = "full_size", "twenty_seeds", "as_posted"
SWEEPS = (POSTED, FULL, TWENTY, "rescue", "white", "tuning")
GLOROT = "glorot_uniform"
UNIFORM, NORMAL = "random_uniform(±0.05)", "random_normal(stddev=0.0289)"
PAIRS_OF_SPREAD = ({GLOROT, "glorot_normal"}, {UNIFORM, NORMAL})


def read(sweep: str, table: str) -> pd.DataFrame:
    """A committed table, with initializers as a person reads them."""
    frame = pd.read_csv(FOLDER / sweep / f"{table}.csv")
    for column in ("initializer", "a", "b", "where"):
        if column in frame:
            frame[column] = frame[column].map(short)
    return frame


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


def sizes(sweep: str) -> str:
    """'12,000 pictures x 8 epochs, batch 100, 20,000 test pictures'."""
    row = read(sweep, "runs").iloc[0]
    return f"{row['n_train']:,} pictures x {row['epochs']} epochs, batch {row['batch_size']}, {row['n_test']:,} test pictures"


def p_words(p: float) -> str:
    """'0.044', '< 0.001', or nothing where too few seeds give no p-value."""
    return "" if pd.isna(p) else f"{p:.3f}" if p >= 0.001 else "< 0.001"


def learned(runs: pd.DataFrame) -> str:
    """Runs whose box follows the letter: '33 of 36'."""
    return f"{runs['outcome'].isin(['learning', 'converged']).sum()} of {len(runs)}"


def converged(runs: pd.DataFrame) -> str:
    """'33 of 36'."""
    return f"{(runs['outcome'] == 'converged').sum()} of {len(runs)}"


def read_ceiling() -> pd.DataFrame:
    """The committed table of `scripts/ceiling.py`."""
    return pd.read_csv(FOLDER / "ceiling.csv")
