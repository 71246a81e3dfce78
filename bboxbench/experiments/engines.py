"""Which engine trains a run: the one asked for where it can, plain Keras where it cannot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from bboxbench.experiments.spec import ENGINES, NETWORK, SweepSpec
from bboxbench.experiments.updates import why_not_elementwise

if TYPE_CHECKING:
    from bboxbench.experiments.plan import Block, Cell, Run
    from bboxbench.experiments.training import Engine

__all__ = ["ENGINE_FACTORIES", "by_engine", "choose_engine", "fallbacks"]


def _lockstep(spec: SweepSpec, keep_weights: bool) -> Engine:
    from bboxbench.experiments.lockstep import LockstepEngine

    return LockstepEngine(spec, keep_weights=keep_weights)


def _fit(spec: SweepSpec, keep_weights: bool) -> Engine:
    from bboxbench.experiments.fit import FitEngine

    return FitEngine(spec, keep_weights=keep_weights)


# Each is imported when it is asked for: a plan needs to know which engine trains a run, and an engine needs the plan.
ENGINE_FACTORIES: dict[str, Callable[[SweepSpec, bool], Engine]] = {"lockstep": _lockstep, "fit": _fit}
"""What trains the runs, by the name the spec has for it; the second argument is whether weights are kept."""


def choose_engine(spec: SweepSpec, cell: Cell) -> tuple[str, str]:
    """The engine that trains the runs of ``cell``, and why it is not the one asked for; empty where it is."""
    if spec.engine == "fit":
        return "fit", ""
    reason = "a network of your own" if spec.network != NETWORK else why_not_elementwise(cell.make_optimizer())
    return ("fit", reason) if reason else ("lockstep", "")


def by_engine(spec: SweepSpec, block: Block) -> Iterator[tuple[str, Block]]:
    """The runs of ``block``, parted by the engine that trains them, those of ``lockstep`` first."""
    chosen = {run: choose_engine(spec, run.cell)[0] for run in block.runs}
    for name in ENGINES:
        if runs := tuple(run for run in block.runs if chosen[run] == name):
            yield name, replace(block, runs=runs)


def fallbacks(spec: SweepSpec, runs: Iterable[Run]) -> tuple[tuple[str, int], ...]:
    """Each reason why runs are not trained by the engine asked for, and how many they are."""
    counts: Counter[str] = Counter()
    for cell, count in Counter(run.cell for run in runs).items():
        counts[choose_engine(spec, cell)[1]] += count
    return tuple((reason, count) for reason, count in counts.items() if reason)
