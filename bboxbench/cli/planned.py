"""What a sweep is about to do, in words and for programs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from bboxbench.durations import duration
from bboxbench.experiments.learning_rates import UNTUNED, Rate, is_tuned, tuned_rate
from bboxbench.experiments.recipe import TUNED_RATE, split_rate
from bboxbench.experiments.rules import RULES

if TYPE_CHECKING:
    from bboxbench.experiments.sweep import Plan

__all__ = ["plan_lines", "plan_values"]

FEW_STEPS = 50
"""Steps of a run below which how it ended says nothing about its loss."""


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
    stop = f", or {spec.patience} without a new best," if spec.patience else ""
    lines = [
        f"Plan: {' x '.join(counted)} = {_count(plan.runs, 'run')}"
        if whole
        else f"Plan: {_count(plan.runs, 'run')} of {', '.join(counted)}",
        f"  {_count(spec.epochs, 'epoch')}{stop} of {plan.n_train:,} pictures, "
        f"batch {' and '.join(map(str, spec.batch_sizes))}; "
        f"{plan.n_test:,} test pictures; engine {spec.engine}, {_count(plan.threads, 'thread')}",
    ]
    a_run = spec.epochs * -(-plan.n_train // max(spec.batch_sizes))
    if a_run < FEW_STEPS:
        lines.append(
            f"  a run may have no more than {_count(a_run, 'step')}, too few to tell anything: take more --epochs or "
            "smaller --batch-sizes"
        )
    if spec.learning_rates:
        axes["learning_rate"] = spec.learning_rates
    lines += [f"  {n.replace('_', ' ')}: {', '.join(v)}" for n, v in axes.items() if n != "batch_size"]
    lines += [f"  {name}: {rule}" for name in RULES for rule in getattr(spec, name)]
    if spec.vary != type(spec).vary:
        lines.append(f"  a seed changes: {', '.join(spec.vary)}")
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
    on_axis = {Rate.parse(text).value for text in plan.spec.learning_rates}
    rates = [each for each in plan.rates if each[2] not in on_axis]
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
