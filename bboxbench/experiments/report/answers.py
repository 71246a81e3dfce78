"""What a sweep says in sentences: the headline, the strongest combination and the usual failure, the accuracy trap."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bboxbench.experiments.figures.distributions import last_epochs_table
from bboxbench.experiments.outcomes import CONVERGED_ACCURACY
from bboxbench.experiments.report.cells import Cell, strongest_first
from bboxbench.experiments.report.words import SURE, count, interval, number

__all__ = ["headline", "last_epochs", "lead", "trap"]


def headline(cells: Sequence[Cell], planned: int = 0) -> str:
    """The answer in one line; with fewer runs than ``planned`` it says that it is not the last word."""
    if not cells:
        return "No run has finished yet"
    so_far = "So far: " if sum(cell.n for cell in cells) < planned else ""
    return so_far + _headline(cells)


def _headline(cells: Sequence[Cell]) -> str:
    n = len(cells)
    good = [cell for cell in cells if cell.states.get("converged", 0) * 2 > cell.n]
    if n == 1:
        cell = cells[0]
        return f"{cell.states.get('converged', 0)} of {count(cell.n, 'run')} converged"
    if max(cell.n for cell in cells) == 1:
        return f"{len(good) or 'None'} of {n} combinations converged, with one seed each"
    if not good:
        some = sum(cell.states.get("converged", 0) > 0 for cell in cells)
        if some:
            return f"None of {n} combinations converged in most of its seeds"
        return f"None of {n} combinations converged, under any seed"
    if len(good) == n:
        return f"All {n} combinations converged in most of their seeds"
    return f"{len(good)} of {n} combinations converged in most of their seeds"


def lead(cells: Sequence[Cell]) -> list[str]:
    """Two or three sentences below the headline: the strongest cell, the usual failure, with counts."""
    if not cells:
        return ["The journal of this sweep has no finished run. The page fills as runs finish."]
    best, *behind = strongest_first(cells)
    where = f"{best.loss} under {best.group}"
    converged = best.states.get("converged", 0)
    single = max(cell.n for cell in cells) == 1
    median = number(best.row["box_accuracy_median"])
    if single and len(cells) > 1:
        first = f"{where} reached the highest box accuracy, {median}; one seed each does not say what the next brings."
    elif converged:
        others = sum(cell.strength[0] == best.strength[0] for cell in behind)
        alike = f" and {count(others, 'other')}" if others else ""
        first = (
            f"{where}{alike} converged most often: in {converged} of {count(best.n, 'seed')} "
            f"({SURE} interval of the rate {interval(best.row, 'converged_rate')}), median box accuracy {median}."
        )
        if len(cells) == 1:
            first = f"{SURE} interval of the rate {interval(best.row, 'converged_rate')}; median box accuracy {median}."
    elif len(cells) == 1:
        first = (
            f"{where} reached a {'' if single else 'median '}box accuracy of {median}; to converge is to reach "
            f"{CONVERGED_ACCURACY:g} on the test pictures."
        )
    else:
        first = (
            f"The strongest, {where}, reached a median box accuracy of {median}; to converge is to reach "
            f"{CONVERGED_ACCURACY:g} on the test pictures."
        )
    sentences = [first]
    total = sum(cell.n for cell in cells)
    states = {name: sum(cell.states.get(name, 0) for cell in cells) for name in ("blind", "diverged", "failed")}
    words = {
        "blind": "ended blind: the box ignores the picture",
        "diverged": "diverged: a loss, a weight or a box was no longer finite",
        "failed": "failed with an error",
    }
    came = [name for name in sorted(states, key=lambda name: -states[name]) if states[name]]
    sentences += [f"{_of_all(states[name], total)} {words[name]}." for name in came]
    symptoms = {name: sum(cell.symptoms.get(name, 0) for cell in cells) for name in ("pinned", "inverted", "constant")}
    looks = {
        "pinned": ("has", "have", "a side pinned to the border of the picture"),
        "inverted": ("gives", "give", "boxes turned inside out"),
        "constant": ("gives", "give", "nearly the same box for every picture"),
    }
    most = max(symptoms, key=lambda name: symptoms[name])
    if n := symptoms[most]:
        one, many, what = looks[most]
        sentences.append(f"{n} {one if n == 1 else many} {what}.")
    return sentences


def _of_all(n: int, total: int) -> str:
    if total == 1:
        return "The run"
    if n == total:
        return "Both runs" if total == 2 else f"All {total:,} runs"
    return f"{n:,} of all {total:,} runs"


def trap(runs: pd.DataFrame, baselines: pd.DataFrame, labels: pd.DataFrame) -> str:
    """How far Keras's accuracy is from box accuracy in this sweep.

    Args:
        runs: a row a run.
        baselines: a row a baseline; may be empty.
        labels: of the runs, as `bboxbench.experiments.cells.conditions` gives them.
    """
    said = (
        'On four outputs metrics=["accuracy"] compares which of the four coordinates is the largest. That is nearly '
        "always the right or the lower side, so a network reads high without looking at the picture."
    )
    ok = runs[runs["status"] == "ok"]
    if ok.empty:
        return said
    keras, box = ok["keras_accuracy"].astype(float), ok["box_accuracy"].astype(float)
    fooled = int(((keras >= 0.8) & (box < 0.5)).sum())
    if fooled:
        said += (
            f" {fooled:,} of {count(len(runs), 'run')} read 0.80 or more there while fewer than half of their boxes "
            "were right."
        )
    widest = int((keras - box).argmax())
    if keras.iloc[widest] > box.iloc[widest]:
        run, place = ok.iloc[widest], labels.loc[ok.index].iloc[widest]
        said += (
            f" The widest gap: {place['loss']} under {place['group']}, seed {int(run['seed'])}, reads "
            f"{number(keras.iloc[widest])} with a box accuracy of {number(box.iloc[widest])}."
        )
    mean = baselines[baselines["baseline"] == "mean"]
    if len(mean):
        said += f" One and the same box for every picture reads {number(mean.iloc[0]['keras_accuracy'])}."
    return said


def last_epochs(runs: pd.DataFrame, epochs: pd.DataFrame) -> str:
    """How much the last three epochs of a run that learned differ; empty where that is not known."""
    last = last_epochs_table(epochs)
    learned = set(runs.loc[runs["outcome"].isin(["converged", "learning"]), "run_id"])
    spans = (last["high"] - last["low"])[last.index.isin(learned)]
    if spans.empty:
        return ""
    return (
        "Over the last three epochs the validation box accuracy of a run that learned moves by "
        f"{number(spans.median())} in the median and by up to {number(spans.max())}."
    )
