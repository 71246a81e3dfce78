"""Draws docs/images/findings.png, every run at full size, from its committed table: python scripts/findings_figure.py."""

from pathlib import Path

import pandas as pd

from bboxbench.experiments import figures

DOCS = Path(__file__).parent.parent / "docs"

figures.save(
    figures.box_accuracy(pd.read_csv(DOCS / "findings" / "full_size" / "runs.csv")), DOCS / "images" / "findings.png"
)
