"""From a spec to its runs: cells (loss x initializer x ...), runs (a cell at a seed), blocks (a seed and a batch)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sklearn.model_selection import ParameterGrid

from bboxbench.errors import InputError
from bboxbench.experiments import resolve
from bboxbench.experiments.engines import choose_engine
from bboxbench.experiments.learning_rates import Rate, rates_of, tuned_rate
from bboxbench.experiments.network import output_bias
from bboxbench.experiments.own_network import own_network
from bboxbench.experiments.recipe import Recipe, split_rate
from bboxbench.experiments.rules import kept
from bboxbench.experiments.spec import NETWORK, SweepSpec

__all__ = ["Block", "Cell", "Run", "blocks", "plan"]


@dataclass(frozen=True)
class Cell:
    """What is compared: a loss with an initializer, an optimizer and its rate, a head, a start and a batch size."""

    loss: str
    initializer: str
    optimizer: str
    learning_rate: float
    head: str
    start: str
    batch_size: int

    def row(self) -> dict[str, Any]:
        """The cell by column name."""
        return dict(vars(self))

    def make_loss(self) -> Any:
        """A fresh `keras.losses.Loss`."""
        return resolve.make_loss(Recipe.parse(self.loss, "loss"))  # the plan has tried it

    def make_optimizer(self) -> Any:
        """A fresh `keras.optimizers.Optimizer`."""
        return resolve.optimizer(Recipe.parse(self.optimizer, "optimizer"), self.learning_rate)


@dataclass(frozen=True)
class Run:
    """One network to train: a cell at one seed. ``run_id`` is the same whenever and wherever the same is computed."""

    run_id: str
    cell: Cell
    seed: int


@dataclass(frozen=True)
class Block:
    """The runs that share a seed and a batch size, so sample order and dropout masks: what an engine is given."""

    seed: int
    runs: tuple[Run, ...]

    @property
    def batch_size(self) -> int:
        """Pictures a step, the same for all runs."""
        return self.runs[0].cell.batch_size


def plan(spec: SweepSpec, dataset_sha256: str) -> list[Run]:
    """All runs of ``spec`` on a data set, seed by seed, so that an early stop leaves whole blocks to compare.

    Raises:
        InputError: an unknown name or a wrong parameter on any axis, two spellings of one cell, a loss of the user's
            own that cannot be trained, a network that cannot be imported or does not take what the spec varies, or a
            rule that matches no cell.
    """
    for start in spec.starts:
        for head in spec.heads:
            output_bias(head, start)
    if spec.network != NETWORK:
        own_network(spec.network).check_axes(spec)
    losses = _canonical("loss", spec.losses)
    initializers = _canonical("initializer", spec.initializers)
    _check_rates(spec, losses)
    # A rate may be the loss's, too.
    optimizers = {
        (text, loss): _optimizers(text, identity["name"], rates_of(spec.learning_rates, loss, spelled))
        for text in spec.optimizers
        for loss, (spelled, identity) in losses.items()
    }
    axes = spec.cell_axes()
    cells: dict[Cell, dict[str, Any]] = {}
    spellings: dict[Cell, dict[str, list[str]]] = {}
    # ParameterGrid turns the last key fastest in alphabetical order; sorted back into the order that the user wrote.
    for point in sorted(ParameterGrid(axes), key=lambda point: [axes[name].index(point[name]) for name in axes]):
        loss, initializer = losses[point["loss"]], initializers[point["initializer"]]
        for optimizer, learning_rate, optimizer_identity in optimizers[point["optimizer"], point["loss"]]:
            others = (point[name] for name in ("head", "start", "batch_size"))
            cell = Cell(loss[0], initializer[0], optimizer, learning_rate, *others)
            if cell in cells:
                twice = " ".join(str(value) for value in vars(cell).values())
                raise InputError(f"Expected every cell once. Received twice: {twice}.")
            cells[cell] = {
                **cell.row(),
                "loss": loss[1],
                "initializer": initializer[1],
                "optimizer": optimizer_identity,
            }
            spellings[cell] = _spellings(cell, point)
    left = kept(spellings, spec.include, spec.exclude)
    # How a run is evaluated is part of it: a row that is measured otherwise is another row.
    shared = {**spec.settings(), "dataset": dataset_sha256}
    # The engine that trains it, too, whichever was asked for.
    identities = {
        cell: {**shared, "engine": choose_engine(spec, cell)[0], "cell": identity}
        for cell, identity in cells.items()
        if cell in left
    }
    return [
        Run(_run_id(cell, seed, {**identity, "seed": seed}), cell, seed)
        for seed in spec.seeds
        for cell, identity in identities.items()
    ]


def _spellings(cell: Cell, point: Mapping[str, Any]) -> dict[str, list[str]]:
    """How a cell's value on each axis may be written in a rule: as it is known, as the spec has it, the bare name."""
    found = {}
    for axis, value in cell.row().items():
        known, written = str(value), str(point.get(axis, value))
        found[axis] = [known, written, known.partition("(")[0], written.partition("(")[0]]
    return found


def _canonical(kind: str, texts: tuple[str, ...]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Each text with its one spelling and its identity."""
    found = {}
    for text in texts:
        recipe = Recipe.parse(text, kind)
        made = resolve.loss(recipe) if kind == "loss" else resolve.initializer(recipe, seed=0)
        spelled, identity = resolve.canonical(kind, recipe, made)
        found[text] = (str(spelled), identity)
    return found


def blocks(runs: list[Run]) -> Iterator[Block]:
    """The runs of one seed and batch size, together, in the order in which such first occur."""
    found: dict[tuple[int, int], list[Run]] = {}
    for run in runs:
        found.setdefault((run.seed, run.cell.batch_size), []).append(run)
    for (seed, _), members in found.items():
        yield Block(seed, tuple(members))


def _check_rates(spec: SweepSpec, losses: Mapping[str, tuple[str, Any]]) -> None:
    """Refuse a learning rate that no run would take."""
    if not spec.learning_rates:
        return
    if all(isinstance(split_rate(text)[1], float) for text in spec.optimizers):
        raise InputError(
            "Expected an optimizer without a learning rate, as adam, or with its tuned one for learning_rates. "
            f"Received: {', '.join(spec.optimizers)}."
        )
    taken = {rate for text, (spelled, _) in losses.items() for rate in rates_of(spec.learning_rates, text, spelled)}
    for rate in map(Rate.parse, spec.learning_rates):
        if rate not in taken and not rate.loss:
            raise InputError(f"Expected a loss without learning rates of its own for {rate}. Received none.")
        if rate not in taken:
            raise InputError(f"Expected a learning rate of one of: {', '.join(losses)}. Received: {rate}.")


def _optimizers(text: str, loss: str, rates: tuple[Rate, ...]) -> list[tuple[str, float, dict[str, Any]]]:
    """The optimizer of a loss under each of its rates: the given one, else ``rates``, else its tuned one or Keras's."""
    name, given = split_rate(text)
    recipe = Recipe.parse(name, "optimizer")
    if isinstance(given, float) or not rates:
        return [_optimizer(recipe, tuned_rate(recipe.name, loss) if isinstance(given, str) else given)]
    return [_optimizer(recipe, rate.value) for rate in rates]


def _optimizer(recipe: Recipe, rate: float | None) -> tuple[str, float, dict[str, Any]]:
    """The optimizer's one spelling, its rate, which is Keras's default where none is given, and its identity."""
    made = resolve.optimizer(recipe, rate)
    spelled, identity = resolve.canonical("optimizer", recipe, made)
    # Keras keeps the rate as float32: 0.001 would read 0.0010000000474974513.
    return str(spelled), rate if rate is not None else float(f"{float(made.learning_rate):.6g}"), identity


def _run_id(cell: Cell, seed: int, identity: dict[str, Any]) -> str:
    """Readable, short, and different where anything that changes the result differs."""
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()[:10]
    names = "-".join(text.partition("(")[0].rpartition(":")[2] for text in (cell.loss, cell.initializer))
    return f"{names}-s{seed}-{digest}"
