"""What tells one cell from another, in words, and the one number by which cells are compared."""

from __future__ import annotations

from typing import Any

import pandas as pd

__all__ = [
    "CELL",
    "STRENGTH",
    "box_accuracies",
    "by_strength",
    "conditions",
    "enough_runs",
    "latest_runs",
    "other_axes",
    "without_initializer",
]

CELL = {
    "loss": "as on the command line, with its parameters",
    "initializer": "of all four kernels, with its parameters",
    "optimizer": "with its parameters",
    "learning_rate": "the optimizer's",
    "head": "how four numbers become a box: corners, centre_size, ordered",
    "start": "output bias: zeros, wide",
    "batch_size": "pictures a step",
}
"""The columns of a cell."""

STRENGTH = ["converged_rate_low", "box_accuracy_median", "mean_iou_median"]
"""The columns of distribution.csv by which cells are ranked, the first first: which is strongest.

Of cells with equally many runs the lower end of the rate ranks as the rate does; else 1 of 1 would be above 19 of 20.
"""


def other_axes(runs: pd.DataFrame) -> list[str]:
    """The columns of `CELL`, beside loss and initializer, in which cells differ.

    A learning rate is tuned for each loss. Where every loss has exactly one with each optimizer, it belongs to the loss
    and is no axis of its own: else no two losses would ever be compared under the same conditions.

    Args:
        runs: a row a run or a cell, with the columns `CELL`.
    """
    varying = [name for name in CELL if name not in ("loss", "initializer") and runs[name].nunique() > 1]
    if (runs.groupby(["loss", "optimizer"])["learning_rate"].nunique() <= 1).all():
        return [name for name in varying if name != "learning_rate"]
    return varying


def conditions(runs: pd.DataFrame) -> pd.DataFrame:
    """Each row's loss, and under which conditions it was trained: what a grid of losses x conditions is labelled with.

    Args:
        runs: a row a run or a cell, with the columns `CELL`.

    Returns:
        Indexed like ``runs``; ``loss`` is its text, ``group`` the initializer and whatever else differs in this sweep
        (`other_axes`), as in "glorot_uniform, start zeros". Two cells of one loss never share a group.
    """
    group = runs["initializer"].astype(str) + _rest(runs)
    return pd.DataFrame({"loss": runs["loss"].astype(str), "group": group}, index=runs.index)


def without_initializer(runs: pd.DataFrame) -> pd.DataFrame:
    """The same the other way round: ``initializer``, and as ``group`` the loss and whatever else differs.

    Args:
        runs: a row a run or a cell, with the columns `CELL`.
    """
    group = runs["loss"].astype(str) + _rest(runs)
    return pd.DataFrame({"initializer": runs["initializer"].astype(str), "group": group}, index=runs.index)


def _rest(runs: pd.DataFrame) -> pd.Series:
    words = pd.Series("", index=runs.index, dtype=object)
    for name in other_axes(runs):
        words = words + ", " + name.replace("_", " ") + " " + runs[name].astype(str)
    return words


def latest_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs that count: of two of one cell and seed the later, as after a loss of one's own was edited.

    Args:
        runs: a row a run in the order of the journal, with the columns `CELL` and ``seed``.

    Returns:
        A row a cell and seed, in the order in which these first occur.
    """
    whose = [*CELL, "seed"]
    later = ~runs.duplicated(whose, keep="last")
    place = runs.groupby(whose, sort=False, dropna=False).ngroup()[later]
    return runs[later].iloc[place.to_numpy().argsort()]


def enough_runs(runs: Any, most: Any) -> Any:
    """Whether so many runs are enough to be ranked beside a cell with ``most``: more than half of them.

    Cells of a sweep under way differ by a run or so; a loss that was added later has but a few, which are no rank.

    Args:
        runs: of a cell, 0 or more; a number or a series of them.
        most: of any cell that it stands beside.
    """
    return 2 * runs > most


def by_strength(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells that stand beside one another, the strongest first; those without `enough_runs` behind all others.

    Args:
        cells: a row a cell, with the columns ``runs`` and `STRENGTH`.
    """
    ranked = cells.assign(_enough=enough_runs(cells["runs"], cells["runs"].max()))
    ranked = ranked.sort_values(["_enough", *STRENGTH], ascending=False, kind="stable")
    return cells.loc[ranked.index]


def box_accuracies(runs: pd.DataFrame) -> pd.Series:
    """Box accuracy of each run, in [0, 1]; a run that failed gave no box and counts 0.

    Args:
        runs: a row a run, with the columns ``status`` and ``box_accuracy``.
    """
    return runs["box_accuracy"].astype(float).where(runs["status"] == "ok", 0.0).fillna(0.0)
