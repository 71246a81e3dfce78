"""Which engine trains a run, and that a sweep gives each engine its own runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sweeps_here import sweep_here

from bboxbench.experiments import engines
from bboxbench.experiments.engines import ENGINE_FACTORIES, by_engine, choose_engine, fallbacks
from bboxbench.experiments.estimate import Estimate
from bboxbench.experiments.execution import in_process
from bboxbench.experiments.plan import Block, Cell, Run, blocks, plan
from bboxbench.experiments.spec import ENGINES, SweepSpec
from bboxbench.experiments.sweep import plan_sweep
from bboxbench.experiments.training import EpochListener, TrainedRun, TrainingData

CELL = Cell("mse", "glorot_uniform", "adam", 0.001, "corners", "wide", 100)
ADAM, LAMB, CLIPPED = "adam:0.001", "lamb:0.001", "adam(clipnorm=1.0):0.001"


def build(initializer: Any) -> Any:
    """A network that no test here trains."""
    raise AssertionError


OWN = f"{__name__}:build"


@pytest.fixture(autouse=True)
def not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here asks how long a sweep takes."""
    monkeypatch.setattr(in_process, "estimate_on", lambda *_, **__: Estimate(0, {}))


def quick(**changes: Any) -> SweepSpec:
    return SweepSpec.from_preset("quick", **changes)


def test_every_engine_of_the_spec_can_be_made() -> None:
    assert tuple(ENGINE_FACTORIES) == ENGINES


def test_lockstep_trains_what_is_asked_of_it_unless_the_network_or_the_optimizer_is_not_for_it() -> None:
    assert choose_engine(quick(), CELL) == ("lockstep", "")
    assert choose_engine(quick(network=OWN), CELL) == ("fit", "a network of your own")
    name, reason = choose_engine(quick(), dataclasses.replace(CELL, optimizer="lamb"))
    assert name == "fit"
    assert "Lamb" in reason


@pytest.mark.parametrize("optimizer", ["adam", "lamb"])
@pytest.mark.parametrize("network", ["letter_box", OWN])
def test_fit_trains_whatever_is_asked_of_it(optimizer: str, network: str) -> None:
    cell = dataclasses.replace(CELL, optimizer=optimizer)
    assert choose_engine(quick(engine="fit", network=network), cell) == ("fit", "")


def test_a_block_is_parted_without_loss_and_lockstep_comes_first() -> None:
    spec = quick(optimizers=[LAMB, ADAM], seeds=1)
    (block,) = blocks(plan(spec, "data"))
    parts = list(by_engine(spec, block))
    assert [name for name, _ in parts] == ["lockstep", "fit"]
    assert {run.cell.optimizer for run in parts[0][1].runs} == {"adam"}
    assert {run.cell.optimizer for run in parts[1][1].runs} == {"lamb"}
    assert sorted(run.run_id for _, part in parts for run in part.runs) == sorted(run.run_id for run in block.runs)
    assert {part.seed for _, part in parts} == {block.seed}


def test_an_engine_without_runs_gets_no_block() -> None:
    (block,) = blocks(plan(quick(seeds=1), "data"))
    assert list(by_engine(quick(), block)) == [("lockstep", block)]
    assert list(by_engine(quick(engine="fit"), block)) == [("fit", block)]


def test_fallbacks_count_the_runs_of_every_reason() -> None:
    spec = quick(losses=["mse", "giou"], optimizers=[ADAM, LAMB, CLIPPED], seeds=3)
    counted = fallbacks(spec, plan(spec, "data"))
    assert [count for _, count in counted] == [6, 6]
    assert len({reason for reason, _ in counted}) == 2
    assert all(reason for reason, _ in counted)
    fit = quick(engine="fit", optimizers=[ADAM, LAMB])
    assert fallbacks(fit, plan(fit, "data")) == ()


def test_a_run_is_known_by_the_engine_that_trains_it_and_not_by_the_one_asked_for() -> None:
    def runs(engine: str) -> dict[str, Run]:
        spec = quick(engine=engine, losses=["mse"], optimizers=[ADAM, LAMB], seeds=1)
        return {run.cell.optimizer: run for run in plan(spec, "data")}

    asked, fit = runs("lockstep"), runs("fit")
    assert asked["lamb"].run_id == fit["lamb"].run_id
    assert asked["adam"].run_id != fit["adam"].run_id


class Recording:
    """An engine that trains nothing and gives every run the same box."""

    def __init__(self, trained: list[str]) -> None:
        self._trained = trained

    def train(self, block: Block, data: TrainingData, on_epoch: EpochListener) -> Iterator[TrainedRun]:
        for run in block.runs:
            self._trained.append(run.run_id)
            boxes = np.tile(np.float32([0.25, 0.25, 0.75, 0.75]), (len(data.test.grey), 1))
            yield TrainedRun(run, boxes, epochs=[{"epoch": 1, "train_loss": 0.5}])


Trained = dict[str, list[str]]


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Trained:
    """What each engine was given, by its name; an engine that was never made is not there."""
    found: Trained = {}

    def factory(name: str) -> Callable[[SweepSpec, bool], Recording]:
        return lambda spec, keep_weights: Recording(found.setdefault(name, []))

    for name in ENGINES:
        monkeypatch.setitem(engines.ENGINE_FACTORIES, name, factory(name))
    return found


def test_a_sweep_gives_every_engine_its_runs_and_says_which_trained_them(
    tiny: Any, tmp_path: Path, trained: Trained
) -> None:
    spec = tiny(losses=["mse", "giou"], optimizers=[LAMB, ADAM], engine="lockstep")
    result = sweep_here(spec, tmp_path / "r")
    assert {name: len(runs) for name, runs in trained.items()} == {"lockstep": 4, "fit": 4}
    for name, runs in trained.items():
        rows = result.runs[result.runs["run_id"].isin(runs)]
        assert set(rows["engine"]) == {name}
        assert set(rows["optimizer"]) == {"adam" if name == "lockstep" else "lamb"}
    before = {name: list(runs) for name, runs in trained.items()}
    sweep_here(spec, tmp_path / "r")
    assert trained == before


@pytest.mark.parametrize(("engine", "other"), [("lockstep", "fit"), ("fit", "lockstep")])
def test_an_engine_that_trains_nothing_is_not_made(
    engine: str, other: str, tiny: Any, tmp_path: Path, trained: Trained
) -> None:
    sweep_here(tiny(losses=["mse"], engine=engine), tmp_path / "r")
    assert engine in trained
    assert other not in trained


def test_the_plan_says_how_many_runs_fall_back_and_why(tiny: Any, empty_folder: Path) -> None:
    planned = plan_sweep(tiny(losses=["mse"], optimizers=[LAMB, ADAM], engine="lockstep"))
    ((reason, count),) = planned.fallbacks
    assert count == 2
    assert "Lamb" in reason
    assert plan_sweep(tiny(losses=["mse"], optimizers=[LAMB], engine="fit")).fallbacks == ()
