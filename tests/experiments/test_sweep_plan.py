"""What a sweep says that it would do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bboxbench.errors import FolderConflict
from bboxbench.experiments.estimate import Estimate
from bboxbench.experiments.sweep import SweepResult, plan_sweep


def test_a_plan_counts_and_estimates_and_writes_nothing(tiny: Any, empty_folder: Path) -> None:
    plan = plan_sweep(tiny(data="", n=100, seeds=5))
    assert (plan.runs, plan.finished, plan.n_train, plan.n_validation, plan.n_test) == (10, 0, 30, 20, 50)
    (cost,) = plan.estimate.engines.values()
    assert cost.networks == 2
    assert min(cost.start, cost.step, cost.picture, cost.memory) > 0
    # Two epochs of 5 batches and 20 looks at a picture, then 50 test pictures: for each of 10 runs.
    assert plan.estimate.seconds == pytest.approx(10 * (cost.start + 10 * cost.step + 90 * cost.picture))
    assert list(empty_folder.iterdir()) == []


def test_a_plan_times_each_engine_that_has_runs(tiny: Any, empty_folder: Path) -> None:
    plan = plan_sweep(tiny(data="", n=100, seeds=1, losses=["mse"], optimizers=["adam:0.001", "lamb:0.001"]))
    costs = plan.estimate.engines
    assert set(costs) == {"lockstep", "fit"}
    assert costs["fit"].memory == 0
    assert plan.estimate.seconds == pytest.approx(
        sum(cost.run_seconds(plan.spec, 30, 20, 50) for cost in costs.values())
    )


def test_a_plan_counts_what_is_finished_and_refuses_what_the_sweep_would(tiny: Any, undisturbed: SweepResult) -> None:
    assert plan_sweep(tiny(), undisturbed.folder).finished == 4
    assert plan_sweep(tiny(), undisturbed.folder).estimate == Estimate(0.0, {})
    assert plan_sweep(tiny(seeds=3), undisturbed.folder).finished == 4
    with pytest.raises(FolderConflict, match="epochs"):
        plan_sweep(tiny(epochs=9), undisturbed.folder)
