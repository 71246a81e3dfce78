"""A sweep in a screenful: a line a cell in words, who leads, and both as Markdown for a pull request."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd

from bboxbench.experiments.cells import CELL, box_accuracies, by_strength, conditions, latest_runs, other_axes
from bboxbench.experiments.comparisons import SIGNIFICANT, verdict
from bboxbench.experiments.outcomes import OUTCOMES, SYMPTOMS
from bboxbench.experiments.statistics import CONFIDENCE, LEAST_SEEDS, WIN_RATE, power

__all__ = ["Line", "Tables", "baseline_lines", "caption", "cell_lines", "leaders", "markdown_summary", "notes"]

USUAL_SEEDS = 20
"""What a sweep has when nothing else is asked for."""
SMALLEST_P = 0.0001
RATES = 8
"""So many learning rates are listed, not more."""
KERAS_NOTE = (
    "Keras: median of what metrics=['accuracy'] shows, which is how often the largest of the four numbers is the right "
    "one, not an accuracy of boxes."
)
"""What the column of `Line.keras_accuracy` is."""
LEADERS_NOTE = (
    "In brackets: probability of improvement with its 95 % interval. p: paired sign-flip test over the seeds, "
    "corrected by Holm for all pairs of losses. Told apart, so ahead or behind, is a pair with p below "
    f"{SIGNIFICANT:g} and an interval without one half, on the side of the mean difference; not told apart does not "
    "mean alike."
)
"""What the figures of `leaders` are."""


class Tables(Protocol):
    """What a finished sweep and one read from its folder have in common."""

    @property
    def runs(self) -> pd.DataFrame:
        """A row a run, as in runs.csv."""

    @property
    def distribution(self) -> pd.DataFrame:
        """A row a cell, as in distribution.csv."""

    @property
    def baselines(self) -> pd.DataFrame:
        """A row a baseline, as in baselines.csv; may be empty."""


@dataclass(frozen=True)
class Line:
    """One cell, or one baseline, in words. What does not exist is an empty string."""

    group: str
    """The conditions, as a heading over several lines."""
    name: str
    """The loss; where a sweep has one loss alone, the conditions (the loss is then the heading)."""
    converged: str = ""
    """As in "18 of 20"."""
    rate: str = ""
    """The Wilson interval of the rate, as in "0.70 to 0.97"."""
    median: str = ""
    """Of box accuracy."""
    interval: str = ""
    """Of the median; a single run has none."""
    otherwise: str = ""
    """Outcomes but for converged, then symptoms, as in "2 blind (2 pinned)"."""
    keras_accuracy: str = ""
    """Median of what Keras shows."""
    accuracies: tuple[float, ...] = ()
    """Box accuracy of every run, failed ones 0."""


def caption(sweep: Tables, planned: int = 0) -> str:
    """What the figures are, in one line without a full stop; with fewer runs than ``planned`` it says so first."""
    counts = sorted(set(sweep.distribution["runs"]))
    seeds = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}" if counts else "0"
    noun = "seed" if counts == [1] else "seeds"
    threshold = next(iter(sweep.runs["iou_threshold"].dropna()), 0.5)
    sure = f"{100 * CONFIDENCE:g} % intervals"
    finished = len(sweep.runs)
    so_far = f"{finished:,} of {planned:,} runs so far. " if finished < planned else ""
    return f"{so_far}Box accuracy, {seeds} {noun}: share of test pictures with IoU >= {threshold:g}; {sure}"


def cell_lines(sweep: Tables) -> list[Line]:
    """A line a cell, in groups of like conditions; the strongest first within each."""
    cells = sweep.distribution
    labels = conditions(cells)
    group, name = ("group", "loss") if labels["loss"].nunique() > 1 else ("loss", "group")
    runs = latest_runs(sweep.runs)
    accuracies = box_accuracies(runs).groupby([runs[each] for each in CELL], sort=False)
    values = {key: tuple(members) for key, members in accuracies}
    lines: list[Line] = []
    for where in dict.fromkeys(labels[group]):
        mine = by_strength(cells[labels[group] == where])
        for index, cell in zip(mine.index, _rows(mine), strict=True):
            key = tuple(cell[each] for each in CELL)
            lines.append(_cell_line(str(where), str(labels.loc[index, name]), cell, values.get(key, ())))
    return lines


def _cell_line(group: str, name: str, cell: dict[str, Any], accuracies: tuple[float, ...]) -> Line:
    states = [f"{cell[each]} {each}" for each in (*OUTCOMES[1:], "failed") if cell[each]]
    symptoms = ", ".join(f"{cell[each]} {each}" for each in SYMPTOMS if cell[each])
    said = ", ".join(states)
    keras = float(cell["keras_accuracy_median"])
    return Line(
        group=group,
        name=name,
        converged=f"{cell['converged']} of {cell['runs']}",
        rate=f"{cell['converged_rate_low']:.2f} to {cell['converged_rate_high']:.2f}",
        median=f"{cell['box_accuracy_median']:.3f}",
        interval=_interval(cell) if cell["runs"] > 1 else "",
        otherwise=f"{said} ({symptoms})" if said and symptoms else said or symptoms,
        keras_accuracy="-" if math.isnan(keras) else f"{keras:.2f}",  # a cell of failed runs has none
        accuracies=accuracies,
    )


def _interval(cell: dict[str, Any]) -> str:
    return f"{cell['box_accuracy_median_low']:.3f} to {cell['box_accuracy_median_high']:.3f}"


def baseline_lines(sweep: Tables) -> list[Line]:
    """A line a baseline: one box for every picture."""
    return [
        Line(
            group="one box for every picture",
            name=f"{row['baseline']} box",
            median=f"{float(row['box_accuracy']):.3f}",
            otherwise="blind",
            keras_accuracy=f"{float(row['keras_accuracy']):.2f}",
            accuracies=(float(row["box_accuracy"]),),
        )
        for row in _rows(sweep.baselines)
    ]


def leaders(sweep: Tables) -> list[str]:
    """Who is ahead under each condition and how sure that is, a sentence each; none where no two losses met.

    The strongest loss against the strongest other one, in the words of the report: ahead, behind, not told apart.
    One seed has no leader, for nobody knows what the next one brings.
    """
    cells = sweep.distribution
    labels = conditions(cells)
    seeds = cells["rival_seeds"].max()
    if not seeds >= 1:
        return []
    said = []
    for where in dict.fromkeys(labels["group"]):
        best = next(iter(_rows(by_strength(cells[labels["group"] == where]))))
        if best["rival_seeds"] > 1:
            said.append(_leads(str(where), best))
    if seeds < LEAST_SEEDS:
        said.append(
            f"{'1 seed is' if seeds == 1 else f'{seeds:.0f} seeds are'} too few for a test, which needs {LEAST_SEEDS}; "
            f"{USUAL_SEEDS} show a loss that is better in {round(10 * WIN_RATE)} seeds of 10 with a probability of "
            f"{power(USUAL_SEEDS):.2f}."
        )
    return said


def notes(sweep: Tables) -> list[str]:
    """What must be known to read the lines and the leaders, a sentence or two each."""
    seeds = sweep.distribution["rival_seeds"].max()
    found = [_rates(sweep.distribution), LEADERS_NOTE if seeds > 1 else "", KERAS_NOTE]
    return [note for note in found if note]


def _rates(cells: pd.DataFrame) -> str:
    """Which learning rate stands behind each loss; empty where that is told apart anyway, or there is one loss."""
    rates = cells.drop_duplicates(["loss", "optimizer", "learning_rate"])
    if cells["loss"].nunique() < 2 or "learning_rate" in other_axes(cells) or rates["optimizer"].nunique() > 1:
        return ""
    if rates["learning_rate"].nunique() == 1:
        rate = rates["learning_rate"].iloc[0]
        return f"All losses trained at a learning rate of {rate:g}: one that needs another is not seen at its best."
    if len(rates) > RATES:
        return "Each loss has a learning rate of its own: see distribution.csv."
    own = ", ".join(f"{loss} {rate:g}" for loss, rate in zip(rates["loss"], rates["learning_rate"], strict=True))
    return f"Learning rates: {own}."


def _leads(where: str, cell: dict[str, Any]) -> str:
    loss, rival = cell["loss"], cell["rival"]
    wins, seeds, ties = (int(cell[name]) for name in ("rival_losses", "rival_seeds", "rival_ties"))
    if ties == seeds:
        return f"Under {where} {loss} and {rival} are equal in all {seeds} seeds."
    which = verdict(cell)
    tied = f", {ties} tied" if ties else ""
    better, low, high = (cell[f"probability_of_improvement{end}"] for end in ("", "_low", "_high"))
    p = float(cell["p_value_holm"])
    test = "no test" if math.isnan(p) else f"p {f'{p:.2g}' if p >= SMALLEST_P else f'< {SMALLEST_P:g}'}"
    figures = f"better in {wins} of {seeds} seeds{tied} ({better:.2f}, {low:.2f} to {high:.2f}), {test}."
    if which == "not told apart":
        return f"Under {where} {loss} and {rival} are {which}: {loss} {figures}"
    # Who converges most often may still lose seed by seed.
    return f"Under {where} {loss} is {which}{' of' if which == 'ahead' else ''} {rival}: {figures}"


def markdown_summary(sweep: Tables, planned: int = 0) -> str:
    """The same lines as a Markdown table with a caption and the leaders, for a pull request.

    Args:
        sweep: a finished sweep, or one read from its folder.
        planned: runs of the sweep; with fewer the caption says that it is not finished.

    Returns:
        Markdown as GitHub shows it, ending in a newline. Names stand as code, so nothing in them is markup.
    """
    single = sweep.distribution["loss"].nunique() == 1
    head = ("loss", "conditions") if single else ("conditions", "loss")
    titles = (*head, "converged", "median box accuracy", "otherwise", "Keras")
    rows = [
        (
            _code(line.group) if line.converged else line.group,
            _code(line.name) if line.converged else line.name,
            _with(line.converged, line.rate),
            _with(line.median, line.interval),
            line.otherwise,
            line.keras_accuracy,
        )
        for line in (*cell_lines(sweep), *baseline_lines(sweep))
    ]
    table = [titles, ("---", "---", "--:", "--:", "---", "--:"), *rows]
    parts = [
        f"**{caption(sweep, planned)}**",
        "\n".join(f"| {' | '.join(cells)} |" for cells in table),
        "\n".join(f"- {_plain(sentence)}" for sentence in leaders(sweep)),
        "<br>\n".join(f"<sub>{_plain(note)}</sub>" for note in notes(sweep)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _with(value: str, interval: str) -> str:
    return f"{value} ({interval})" if interval else value


def _code(name: str) -> str:
    """A name as code in a cell; a bar would end the cell even there."""
    return f"`{name.replace('|', chr(92) + '|')}`"


def _plain(sentence: str) -> str:
    """A sentence whose underscores, stars and brackets are themselves."""
    return "".join(f"\\{mark}" if mark in "\\`*_[]<>|" else mark for mark in sentence)


def _rows(table: pd.DataFrame) -> Iterable[dict[str, Any]]:
    return ({str(name): value for name, value in row.items()} for row in table.to_dict("records"))
