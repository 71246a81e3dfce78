"""Cells that differ in one thing, compared seed by seed: which is better, how often, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from bboxbench.experiments.cells import box_accuracies, by_strength, conditions, latest_runs, without_initializer
from bboxbench.experiments.columns import COMPARED, COMPARISONS
from bboxbench.experiments.statistics import holm, paired_sign_flip, power, probability_of_improvement

__all__ = ["SIGNIFICANT", "against_rival", "comparisons_table", "seen_from", "told_apart", "verdict"]

SIGNIFICANT = 0.05
"""A p-value below this, after the correction, is told."""


def comparisons_table(runs: pd.DataFrame) -> pd.DataFrame:
    """A row a pair of cells that differ in the loss alone, then a row a pair that differ in the initializer alone.

    Runs are paired by seed; pairs without a common seed are left out. Diverged and failed runs take part, with their
    box accuracy (0 for a failed one). Of two runs of a cell and seed the later counts (`latest_runs`). P-values are
    corrected within each of the two families.

    Args:
        runs: a row a run, with the columns of ``runs.csv``.

    Returns:
        The columns `COMPARISONS`, ``a`` before ``b`` in the order in which they first occur.
    """
    runs = latest_runs(runs)
    accuracy = box_accuracies(runs)
    rows = [
        row
        for by, labels in (("loss", conditions(runs)), ("initializer", without_initializer(runs)))
        for row in _pairs(by, labels.assign(seed=runs["seed"], accuracy=accuracy))
    ]
    table = pd.DataFrame(rows, columns=list(COMPARISONS))
    for name in ("p_value", "p_value_holm"):
        table[name] = table[name].astype(float)
    for by in ("loss", "initializer"):
        mine = table["by"] == by
        table.loc[mine, "p_value_holm"] = holm(table.loc[mine, "p_value"])
    return table


def _pairs(by: str, runs: pd.DataFrame) -> list[dict[str, Any]]:
    rows = []
    for where, members in runs.groupby("group", sort=False):
        names = list(dict.fromkeys(members[by]))
        scores = members.pivot(index="seed", columns=by, values="accuracy")
        columns = {name: scores[name].to_numpy(float) for name in names}
        for a, b in combinations(names, 2):
            both = np.isfinite(columns[a]) & np.isfinite(columns[b])
            if both.any():
                rows.append({"by": by, "where": where, "a": a, "b": b, **_compared(columns[a][both], columns[b][both])})
    return rows


def _compared(a: Any, b: Any) -> dict[str, Any]:
    better = probability_of_improvement(a, b)
    return {
        "seeds": len(a),
        "a_wins": int((a > b).sum()),
        "ties": int((a == b).sum()),
        "b_wins": int((a < b).sum()),
        "median_difference": float(np.median(a - b)),
        "mean_difference": float(np.mean(a - b)),
        "probability_of_improvement": better.value,
        "probability_of_improvement_low": better.low,
        "probability_of_improvement_high": better.high,
        "p_value": paired_sign_flip(a, b),
        "power": power(len(a)),
    }


def told_apart(pair: Mapping[Any, Any]) -> bool:
    """Whether a comparison ends below 0.05 after the correction, and its interval leaves out one half.

    The test is about the mean difference, the interval about wins. A few large wins beside many small losses have a
    mean on the one side and wins on the other: who is better depends on what is asked. So the two must agree.

    Args:
        pair: with the columns of `COMPARISONS`, or those of a cell's rival.
    """
    p = pair["p_value_holm"]
    if pd.isna(p) or float(p) >= SIGNIFICANT:
        return False
    mean = float(pair["mean_difference"])
    low, high = (float(pair[f"probability_of_improvement_{end}"]) for end in ("low", "high"))
    return (low > 0.5 and mean > 0) or (high < 0.5 and mean < 0)


def verdict(pair: Mapping[Any, Any]) -> str:
    """What a comparison says of its first cell: ``ahead``, ``behind`` or ``not told apart``, as `told_apart` has it.

    Args:
        pair: with the columns of `COMPARISONS`, or those of a cell's rival.
    """
    if not told_apart(pair):
        return "not told apart"
    return "ahead" if float(pair["probability_of_improvement"]) > 0.5 else "behind"


def seen_from(name: str, pair: Mapping[Any, Any]) -> dict[Any, Any]:
    """A row of `comparisons_table` with ``name`` as its ``a``: turned round where it is the ``b``.

    Args:
        name: one of the two.
        pair: with the columns of `COMPARISONS`.
    """
    if pair["a"] == name:
        return dict(pair)
    better, low, high = (pair[f"probability_of_improvement{end}"] for end in ("", "_low", "_high"))
    return {
        **pair,
        "a": pair["b"],
        "b": pair["a"],
        "a_wins": pair["b_wins"],
        "b_wins": pair["a_wins"],
        "median_difference": -pair["median_difference"],
        "mean_difference": -pair["mean_difference"],
        "probability_of_improvement": 1 - better,
        "probability_of_improvement_low": 1 - high,
        "probability_of_improvement_high": 1 - low,
    }


def against_rival(cells: pd.DataFrame, comparisons: pd.DataFrame) -> pd.DataFrame:
    """Each cell against the strongest other loss under the same conditions.

    Which is strongest is what `by_strength` says.

    Args:
        cells: a row a cell, with its columns, ``runs`` and those of `STRENGTH`.
        comparisons: the `comparisons_table` of the same runs.

    Returns:
        Indexed like ``cells``: ``rival``, ``rival_seeds``, ``rival_wins``, ``rival_ties``, ``rival_losses``, then
        ``mean_difference`` and ``probability_of_improvement`` (with low and high) of the cell over its rival,
        ``p_value``, ``p_value_holm``, ``power``. Missing where no other loss shares a seed.
    """
    rows: list[dict[str, Any]] = []
    labels = conditions(cells)
    strongest = {group: list(by_strength(cells[mine]).index) for group, mine in _members(labels["group"])}
    pairs = {(row["where"], row["a"], row["b"]): row for row in _rows(comparisons[comparisons["by"] == "loss"])}
    for loss, group in zip(labels["loss"], labels["group"], strict=True):
        found: dict[str, Any] = {}
        for rival in labels.loc[strongest[group], "loss"]:
            if pair := pairs.get((group, loss, rival)) or pairs.get((group, rival, loss)):
                found = _as_rival(seen_from(loss, pair))
                break
        rows.append(found)
    return pd.DataFrame(rows, index=cells.index)


def _members(groups: pd.Series) -> list[tuple[str, pd.Series]]:
    return [(group, groups == group) for group in dict.fromkeys(groups)]


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.itertuples(index=False, name=None)]


def _as_rival(pair: dict[str, Any]) -> dict[str, Any]:
    """A pair's row under the column names of a cell's rival, which is its ``b``."""
    named = {"": "b", "_seeds": "seeds", "_wins": "b_wins", "_ties": "ties", "_losses": "a_wins"}
    return {**{f"rival{end}": pair[each] for end, each in named.items()}, **{name: pair[name] for name in COMPARED}}
