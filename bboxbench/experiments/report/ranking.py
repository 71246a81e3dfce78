"""Who is ahead of whom, and how sure that is, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bboxbench.experiments.comparisons import seen_from, told_apart, verdict
from bboxbench.experiments.report.cells import Cell, strongest_first
from bboxbench.experiments.report.words import SURE, count, interval, listed, number
from bboxbench.experiments.statistics import LEAST_SEEDS

__all__ = ["Ranking", "Verdict", "comparison_summary", "rankings"]

SENTENCES = 5
"""Rivals of a leader that are put into words; the others stand in the table of comparisons."""

Row = dict[Any, Any]


@dataclass(frozen=True)
class Verdict:
    """One comparison: what follows from it, and what it rests on."""

    head: str
    """Whether the two are told apart, and which way: "Ahead", "Behind", "Not told apart"."""
    sentence: str


@dataclass(frozen=True)
class Ranking:
    """Who is ahead where all but one thing is the same."""

    by: str
    """What differs: "loss" or "initializer"."""
    where: str
    """What is the same, in words."""
    title: str
    """The beginning of its sentences: "Under glorot_normal"."""
    order: str
    """One sentence: how often each converged, best first."""
    verdicts: tuple[Verdict, ...]
    """The leader against each of the others."""


def rankings(cells: Sequence[Cell], comparisons: pd.DataFrame) -> list[Ranking]:
    """The ranking of losses under each condition, then that of initializers with each loss, in words.

    Args:
        cells: of the sweep.
        comparisons: the pairs, with the columns of comparisons.csv.
    """
    found = []
    for by in ("loss", "initializer"):
        pairs = comparisons[comparisons["by"] == by]
        for where in dict.fromkeys(pairs["where"]):
            mine = pairs[pairs["where"] == where]
            names = set(mine["a"]) | set(mine["b"])
            found.append(_ranking(by, str(where), _members(cells, by, str(where), names), mine.to_dict("records")))
    return found


def _members(cells: Sequence[Cell], by: str, where: str, names: set[str]) -> dict[str, Cell]:
    """The cells of one comparison by the name under which the comparison knows them, best first."""
    if by == "loss":
        beside = [cell for cell in cells if cell.group == where and cell.loss in names]
        return {cell.loss: cell for cell in strongest_first(beside)}
    mine = [cell for cell in cells if cell.but_initializer == where]
    return {str(cell.row["initializer"]): cell for cell in strongest_first(mine)}


def _ranking(by: str, where: str, members: dict[str, Cell], pairs: list[Row]) -> Ranking:
    said = [
        f"{name} in {cell.states.get('converged', 0)} of {cell.n} ({interval(cell.row, 'converged_rate')})"
        for name, cell in members.items()
    ]
    shown = said[: SENTENCES + 1]
    if rest := len(said) - len(shown):
        shown.append(f"{count(rest, 'other')} as often or less")
    order = f"Converged: {listed(shown)}." if said else ""
    leader = next(iter(members), str(pairs[0]["a"]))
    rank = {name: place for place, name in enumerate(members)}
    against = [seen_from(leader, row) for row in pairs if leader in (row["a"], row["b"])]
    against.sort(key=lambda row: rank.get(str(row["b"]), len(rank)))
    title = f"Under {where}" if by == "loss" else f"With {where}"
    return Ranking(by, where, title, order, tuple(_verdict(row) for row in against[:SENTENCES]))


def _verdict(row: Row) -> Verdict:
    """What a comparison says, as it reads on behind "Under glorot_normal"."""
    wins, seeds, ties = int(row["a_wins"]), int(row["seeds"]), int(row["ties"])
    tied = f" ({ties} tied)" if ties else ""
    record = f"{row['a']} beats {row['b']} in {wins} of {count(seeds, 'seed')}{tied}"
    if ties == seeds:
        record = f"{row['a']} ties with {row['b']} in {'the one seed' if seeds == 1 else f'all {seeds} seeds'}"
    said = (
        f"{record}; probability of improvement "
        f"{number(row['probability_of_improvement'])}, {SURE} interval {interval(row, 'probability_of_improvement')}"
    )
    p = row["p_value_holm"]
    if p is not None and not pd.isna(p):
        said += f"; corrected p {'< 0.001' if p < 0.001 else f'= {p:.3f}'}"
    # Who converges most often may still lose seed by seed.
    return Verdict(verdict(row).capitalize(), f"{said}.")


def comparison_summary(comparisons: pd.DataFrame) -> str:
    """How many of the pairs are told apart, and what so many seeds could have found."""
    pairs = comparisons.to_dict("records")
    if not pairs:
        return ""
    n = sum(told_apart(row) for row in pairs)
    seeds = sorted({int(row["seeds"]) for row in pairs})
    said = f"{n or 'None'} of {len(pairs):,} pairs {'is' if n == 1 else 'are'} told apart."
    if len(pairs) == 1:
        said = f"The one pair is {'' if n else 'not '}told apart."
    if seeds[-1] < LEAST_SEEDS:
        return f"{said} No test was made: below {LEAST_SEEDS} seeds none can come out at 0.05, whatever the runs did."
    chance = min(float(row["power"]) for row in pairs)
    least = f"{seeds[0]} seeds" if seeds[0] == seeds[-1] else f"As few as {seeds[0]} seeds"
    return (
        f"{said} {least} show one that is better in 8 of 10 with a probability of {number(chance)} before the "
        "correction: not told apart does not mean alike."
    )
