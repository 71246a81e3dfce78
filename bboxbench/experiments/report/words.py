"""Numbers, counts and lists as a person writes them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd

from bboxbench.experiments.statistics import CONFIDENCE

__all__ = ["SURE", "count", "interval", "listed", "number", "percent"]

SURE = f"{100 * CONFIDENCE:g}\N{NO-BREAK SPACE}%"
"""Of every interval: "95 %"."""


def number(value: Any, digits: int = 2) -> str:
    """A number with a fixed count of digits behind the point; a dash where there is none."""
    if value is None or pd.isna(value):
        return "\N{EN DASH}"
    if math.isinf(value):
        return "\N{INFINITY}" if value > 0 else "\N{MINUS SIGN}\N{INFINITY}"
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


def interval(row: Any, name: str, digits: int = 2) -> str:
    """The interval of a measure, out of the columns ``<name>_low`` and ``<name>_high``: "0.70 to 0.97"."""
    return f"{number(row[f'{name}_low'], digits)} to {number(row[f'{name}_high'], digits)}"


def count(n: int, singular: str, plural: str = "") -> str:
    """A number with its noun: "1 run", "1,200 runs"."""
    return f"{n:,} {singular if n == 1 else plural or singular + 's'}"


def listed(items: Iterable[str]) -> str:
    """Items as a person lists them: "a, b and c"."""
    *head, last = list(items) or [""]
    return f"{', '.join(head)} and {last}" if head else last


def percent(share: float) -> str:
    """A share in [0, 1] as a whole number of per cent: "96 %"."""
    return f"{100 * share:.0f}\N{NO-BREAK SPACE}%"
