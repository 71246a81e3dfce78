"""What a person sees of a sweep while it runs: the plan first, then every run with the outcomes so far."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from bboxbench.cli.console import Console, Ticker, duration
from bboxbench.experiments.learning_rates import UNTUNED, is_tuned, rates_of, tuned_rate
from bboxbench.experiments.listener import Listener
from bboxbench.experiments.recipe import TUNED_RATE, split_rate

if TYPE_CHECKING:
    from bboxbench.experiments.plan import Run
    from bboxbench.experiments.sweep import Plan

__all__ = ["LiveView", "plan_lines", "plan_values"]


def plan_values(plan: Plan) -> dict[str, Any]:
    """The plan as a program reads it."""
    return {
        "runs": plan.runs,
        "finished": plan.finished,
        "epochs": plan.spec.epochs,
        "n_train": plan.n_train,
        "n_test": plan.n_test,
        "fallbacks": [{"reason": reason, "runs": count} for reason, count in plan.fallbacks],
        "estimated_seconds": round(plan.estimate.seconds, 1),
        "engines": {
            name: {"networks": each.networks, "memory_bytes": each.memory, "step_seconds": round(each.step, 4)}
            for name, each in plan.estimate.engines.items()
        },
        "spec": plan.spec.to_dict(),
    }


def plan_lines(plan: Plan) -> list[str]:
    """The plan as a person reads it."""
    spec = plan.spec
    axes = spec.cell_axes()
    several = {**axes, "learning_rate": spec.learning_rates, "seed": spec.seeds}
    shown = {n: len(v) for n, v in several.items() if n in ("loss", "initializer", "seed") or len(v) > 1}
    counted = [_count(each, name.replace("_", " ")) for name, each in shown.items()]
    # Not every one with every other: a rate may be of one loss.
    whole = math.prod(shown.values()) == plan.runs
    lines = [
        f"Plan: {' x '.join(counted)} = {_count(plan.runs, 'run')}"
        if whole
        else f"Plan: {_count(plan.runs, 'run')} of {', '.join(counted)}",
        f"  {_count(spec.epochs, 'epoch')} of {plan.n_train:,} pictures, "
        f"batch {' and '.join(map(str, spec.batch_sizes))}; "
        f"{plan.n_test:,} test pictures; engine {spec.engine}, {_count(plan.threads, 'thread')}",
    ]
    if spec.learning_rates:
        axes["learning_rate"] = spec.learning_rates
    lines += [f"  {n.replace('_', ' ')}: {', '.join(v)}" for n, v in axes.items() if n != "batch_size"]
    if (spec.network, spec.precision) != (type(spec).network, type(spec).precision):
        lines.append(f"  network: {spec.network}, computed in {spec.precision}")
    for reason, count in plan.fallbacks:
        lines.append(f"  {_count(count, 'run')} {'trains' if count == 1 else 'train'} with fit: {reason}")
    lines += _rate_lines(plan)
    if plan.finished:
        lines.append(f"  {plan.finished} finished already, {plan.runs - plan.finished} to do")
    for name, each in plan.estimate.engines.items():
        if each.networks > 1:
            memory = f", {each.memory / 1e9:.1f} GB beside the pictures"
            lines.append(f"  {name}: {each.networks} networks at once{memory}")
    if plan.estimate.seconds:
        steps = [f"{each.step * 1000:.0f} ms a step and network" for each in plan.estimate.engines.values()]
        lines.append(f"Estimated: about {duration(plan.estimate.seconds)} ({', '.join(steps)}, measured just now)")
    return lines


def _rate_lines(plan: Plan) -> list[str]:
    """Which learning rates stand behind an optimizer that names none."""
    lines = []
    rates = [each for each in plan.rates if not rates_of(plan.spec.learning_rates, each[1])]
    for name, rate in dict.fromkeys((name, rate) for name, _, rate in rates):
        if name in plan.spec.optimizers:
            paper = "; the paper's is 1.0" if name == "adadelta" else ""
            lines.append(f"  {name} without a rate takes Keras's default, {rate:g}{paper}")
    names = list(dict.fromkeys(loss.partition("(")[0] for _, loss, _ in rates))
    for text in plan.spec.optimizers:
        optimizer, given = split_rate(text)
        if given == TUNED_RATE and names:
            own = ", ".join(f"{loss} {tuned_rate(optimizer, loss):g}" for loss in names if is_tuned(optimizer, loss))
            others = [loss for loss in names if not is_tuned(optimizer, loss)]
            left = f"not tuned, so {UNTUNED[optimizer]:g}: {', '.join(others)}" if others else ""
            lines.append(f"  {text}: a rate for each loss: {'; '.join(part for part in (own, left) if part)}")
    return lines


def _count(count: int, word: str) -> str:
    """As in '1 loss', '4 losses'."""
    return f"{count} {word}" if count == 1 else f"{count} {word}{'es' if word.endswith('s') else 's'}"


class LiveView(Listener):
    """The progress of a sweep: pictures first, then epochs of runs with the outcomes so far."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._outcomes: Counter[str] = Counter()
        self._open: Any = None
        self._ticker: Ticker | None = None
        self._runs = self._done = self._epochs = 0
        self._under_way: dict[str, float] = {}

    def __enter__(self) -> LiveView:
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def _start(self, what: str, total: int, unit: str) -> Ticker:
        self._close()
        self._open = self._console.progress(what, total, unit)
        ticker: Ticker = self._open.__enter__()
        return ticker

    def _close(self) -> None:
        if self._open is not None:
            self._open.__exit__(None, None, None)
            self._open = self._ticker = None

    def drawing(self, done: int, total: int) -> None:
        """A bar for the pictures."""
        if self._ticker is None:
            self._ticker = self._start("Drawing", total, "pictures")
        self._ticker.update(done)

    def planned(self, plan: Plan) -> None:
        """The plan, and a bar for the epochs of all runs."""
        self._close()
        for line in plan_lines(plan):
            self._console.say(line)
        self._console.event("plan", **plan_values(plan))
        self._runs, self._done, self._epochs = plan.runs, plan.finished, plan.spec.epochs
        if plan.finished < plan.runs:
            self._ticker = self._start("Training", plan.runs * self._epochs, "epochs")
            self._ticker.update(self._done * self._epochs, self._note())

    def epoch(self, run: Run, epoch: float) -> None:
        """One epoch further, or a part of one."""
        self._under_way[run.run_id] = epoch
        self._advance()
        if epoch == int(epoch):
            self._console.event("epoch", run_id=run.run_id, epoch=int(epoch))

    def finished(self, row: dict[str, Any]) -> None:
        """A line for the run, and the counts beside the bar."""
        self._done += 1
        self._under_way.pop(row["run_id"], None)
        state = row["outcome"] if row["status"] == "ok" else "failed"
        self._outcomes[state] += 1
        said = f"{state}, {row['symptom']}" if row.get("symptom") else state
        figure = f"box accuracy {row['box_accuracy']:.3f}" if row["status"] == "ok" else row["error"][:200]
        self._console.say(
            f"[{self._done}/{self._runs}] {row['loss']} {row['initializer']} seed {row['seed']}: {said}; {figure}; "
            f"{duration(row['seconds'])}"
        )
        self._advance()
        self._console.event("run", **row)

    def _advance(self) -> None:
        if self._ticker is not None:
            epochs = self._done * self._epochs + sum(self._under_way.values())
            self._ticker.update(int(epochs), self._note())

    def warning(self, text: str) -> None:
        """A line, also with ``--quiet``."""
        self._console.warn(text)

    def _note(self) -> str:
        return ", ".join(f"{count} {name}" for name, count in self._outcomes.most_common())
