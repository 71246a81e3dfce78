"""From a spec to its runs: cells (loss x initializer x ...), runs (a cell at one seed), blocks (one seed)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sklearn.model_selection import ParameterGrid

from bboxbench.errors import InputError
from bboxbench.experiments import resolve
from bboxbench.experiments.network import output_bias
from bboxbench.experiments.recipe import Recipe, split_rate
from bboxbench.experiments.spec import SweepSpec

__all__ = ["Block", "Cell", "Run", "blocks", "plan"]


@dataclass(frozen=True)
class Cell:
    """What is compared: a loss with an initializer, an optimizer and its rate, a head and a start."""

    loss: str
    initializer: str
    optimizer: str
    learning_rate: float
    head: str
    start: str

    def row(self) -> dict[str, Any]:
        """The cell by column name."""
        return dict(vars(self))

    def make_loss(self) -> Any:
        """A fresh `keras.losses.Loss`."""
        return resolve.loss(Recipe.parse(self.loss, "loss"))

    def make_optimizer(self) -> Any:
        """A fresh `keras.optimizers.Optimizer`."""
        return resolve.optimizer(Recipe.parse(self.optimizer, "optimizer"), self.learning_rate)

    def identity(self) -> dict[str, Any]:
        """What the cell computes, however it is spelled."""
        kernel = resolve.initializer(Recipe.parse(self.initializer, "initializer"), seed=0)
        return {
            "loss": resolve.identity(self.make_loss()),
            "initializer": resolve.identity(kernel),
            "optimizer": resolve.identity(self.make_optimizer()),
            "head": self.head,
            "start": self.start,
        }


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


def plan(spec: SweepSpec, dataset_sha256: str) -> list[Run]:
    """All runs of ``spec`` on a data set, seed by seed, so that an early stop leaves whole blocks to compare.

    Raises:
        InputError: an unknown name or a wrong parameter on any axis, or two spellings of one cell.
    """
    rates = {text: _optimizer(text) for text in spec.optimizers}
    for start in spec.starts:
        for head in spec.heads:
            output_bias(head, start)
    axes = {
        "loss": spec.losses,
        "initializer": spec.initializers,
        "optimizer": spec.optimizers,
        "head": spec.heads,
        "start": spec.starts,
    }
    cells: list[Cell] = []
    # ParameterGrid turns the last key fastest in alphabetical order; sorted back into the order that the user wrote.
    for point in sorted(ParameterGrid(axes), key=lambda point: [axes[name].index(point[name]) for name in axes]):
        optimizer, learning_rate = rates[point["optimizer"]]
        names = {kind: str(Recipe.parse(point[kind], kind)) for kind in ("loss", "initializer")}
        cells.append(
            Cell(**names, optimizer=optimizer, learning_rate=learning_rate, head=point["head"], start=point["start"])
        )
    identities = [json.dumps(cell.identity(), sort_keys=True, default=str) for cell in cells]
    for i, each in enumerate(identities):
        if each in identities[:i]:
            twin = cells[identities.index(each)]
            raise InputError(
                f"Two spellings of one cell: {twin.loss} {twin.initializer} and {cells[i].loss} {cells[i].initializer}."
            )
    shared = {**spec.settings(), "dataset": dataset_sha256}
    # The pictures are known by their hash, wherever they lie; evaluation changes the measures, not the training.
    for name in ("data", "n", "data_seed"):
        shared.pop(name, None)
    return [
        Run(_run_id(cell, seed, {**shared, "cell": each, "seed": seed}), cell, seed)
        for seed in spec.seeds
        for cell, each in zip(cells, identities, strict=True)
    ]


def blocks(runs: list[Run]) -> Iterator[Block]:
    """Neighbouring runs of one seed, together."""
    for seed, members in groupby(runs, key=lambda run: run.seed):
        yield Block(seed, tuple(members))


def _optimizer(text: str) -> tuple[str, float]:
    """The optimizer's name and its learning rate: the given one, else Keras's default."""
    name, rate = split_rate(text)
    recipe = Recipe.parse(name, "optimizer")
    return str(recipe), rate if rate is not None else _rate(resolve.optimizer(recipe, None))


def _rate(optimizer: Any) -> float:
    # Keras keeps the rate as float32: 0.001 would read 0.0010000000474974513.
    return float(f"{float(optimizer.learning_rate):.6g}")


def _run_id(cell: Cell, seed: int, identity: dict[str, Any]) -> str:
    """Readable, short, and different where anything that changes the result differs."""
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:10]
    names = "-".join(text.partition("(")[0].rpartition(":")[2] for text in (cell.loss, cell.initializer))
    return f"{names}-s{seed}-{digest}"
