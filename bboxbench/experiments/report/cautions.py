"""What may not be concluded from a sweep."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bboxbench.experiments.learning_rates import is_tuned, tuned_rate
from bboxbench.experiments.report.answers import last_epochs
from bboxbench.experiments.report.cells import Cell
from bboxbench.experiments.report.words import count, listed
from bboxbench.experiments.statistics import LEAST_SEEDS

__all__ = ["cautions"]

VARIED = {
    "init": "starting weights",
    "order": "the order of the pictures",
    "dropout": "dropout masks",
    "split": "which pictures are for training and which for testing",
}
"""What a seed may change, in words."""


def cautions(cells: Sequence[Cell], runs: pd.DataFrame, epochs: pd.DataFrame, planned: int) -> list[tuple[str, str]]:
    """What may not be concluded from this sweep: pairs of a few words and a sentence.

    Args:
        cells: of the sweep.
        runs: a row a run.
        epochs: a row a run and epoch.
        planned: runs that the spec asks for.
    """
    if runs.empty:
        return []
    said: list[tuple[str, str]] = []
    if len(runs) < planned:
        said.append(
            (
                "It is not finished",
                f"{len(runs):,} of {planned:,} runs are in the journal. Counts and intervals change with the rest.",
            )
        )
    if few := _few_seeds(cells):
        said.append(few)
    parts = str(runs["vary"].iloc[0]).split(",")
    varied = listed(VARIED.get(part, part) for part in parts)
    if "split" in parts:
        dealt = (
            "Every seed dealt the same pictures anew, so the intervals are about this data set as a whole, and not "
            "about other data sets or other networks. Runs of two seeds share test pictures: they are no samples apart."
        )
    else:
        dealt = (
            "All runs learned and were tested on the same pictures, so the intervals are about other starts of this "
            "network on these pictures, not about other pictures or other networks."
        )
    said.append(("One data set", f"A seed changed {varied}. {dealt}"))
    said.append(_rate_caution(runs))
    if moving := last_epochs(runs, epochs):
        text = "Where a run stopped decides its number within that range; one still rising may converge later."
        said.append(("One epoch is a draw, too", f"{moving} {text}"))
    if len(cells) > 2:
        said.append(
            (
                "Many comparisons",
                "Each interval holds for itself. Among many pairs some leave out one half by chance: only p-values "
                "after Holm's correction account for that.",
            )
        )
    said.append(
        (
            "The best run is no result",
            "Of many seeds one is always the best. What one may expect is the whole distribution, failures included.",
        )
    )
    return said


def _few_seeds(cells: Sequence[Cell]) -> tuple[str, str] | None:
    """Whether all or some combinations have too few seeds for a test."""
    few = sorted(cell.n for cell in cells if cell.n < LEAST_SEEDS)
    if not few:
        return None
    seeds = count(few[0], "seed") if few[0] == few[-1] else f"{few[0]} to {few[-1]} seeds"
    why = f"Below {LEAST_SEEDS} seeds no paired test can reach 0.05, and intervals are wide."
    if len(few) == len(cells):
        return (
            f"{seeds} a combination {'proves' if seeds == '1 seed' else 'prove'} little",
            f"{why} Losses and initializers are not ranked by this sweep; it shows which failures occur.",
        )
    has, they = ("has", "It has") if len(few) == 1 else ("have", "They have")
    return (
        f"{len(few):,} of {len(cells):,} combinations {has} few seeds",
        f"{they} {seeds}, others up to {max(cell.n for cell in cells):,}. {why} So few show which failures occur, and "
        "rank nothing.",
    )


def _rate_caution(runs: pd.DataFrame) -> tuple[str, str]:
    """Whether every loss got one rate, the same for all, or its own."""
    rates = runs.groupby(["loss", "optimizer"])["learning_rate"].nunique()
    if runs["loss"].nunique() > 1 and runs["learning_rate"].nunique() == 1:
        return (
            "One learning rate for all losses",
            f"Every loss trained at {runs['learning_rate'].iloc[0]:g}. Losses differ in scale, so a loss that fails "
            "here may learn at another rate: this is no ranking of losses as such.",
        )
    if runs["learning_rate"].nunique() > 1 and (rates == 1).all():
        if _tuned(runs):
            return (
                "Rates tuned elsewhere",
                "Each loss trained at the learning rate that was tuned for it on the validation pictures of another "
                "data seed. With another initializer, start or amount of data another rate may be the best.",
            )
        return (
            "Each loss at one learning rate",
            "A rate belongs to its loss here. A loss whose rate was chosen badly looks bad: how rates were chosen "
            "must be known, and never on these test pictures.",
        )
    if runs["learning_rate"].nunique() == 1:
        return (
            "One learning rate",
            f"All runs trained at {runs['learning_rate'].iloc[0]:g}; what fails here may learn at another.",
        )
    return (
        "A few learning rates",
        "Only the rates of this sweep were tried; a combination that fails here may learn at another.",
    )


def _tuned(runs: pd.DataFrame) -> bool:
    """Whether every run has the rate that was tuned for its loss."""
    cells = runs[["loss", "optimizer", "learning_rate"]].drop_duplicates()
    names = [str(loss).partition("(")[0] for loss in cells["loss"]]
    return all(
        is_tuned(str(optimizer), name) and tuned_rate(str(optimizer), name) == rate
        for name, optimizer, rate in zip(names, cells["optimizer"], cells["learning_rate"], strict=True)
    )
