from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bboxbench.errors import InputError
from bboxbench.experiments.execution.executor import Execution
from bboxbench.experiments.plan import Run, plan
from bboxbench.experiments.recorded import read_sweep
from bboxbench.experiments.results import joined_axes
from bboxbench.experiments.spec import SweepSpec, read_toml

NORMAL, UNIFORM = "random_normal(stddev=0.0289)", "random_uniform(minval=-0.05,maxval=0.05)"
LOSSES = ["mse", "iou", "giou", "centre_point(size_weight=0)"]
GRID: dict[str, Any] = {
    "losses": LOSSES,
    "initializers": ["glorot_uniform", NORMAL, UNIFORM],
    "optimizers": ["adam"],
    "learning_rates": [0.001, 0.0003],
    "heads": ["corners", "ordered"],
    "batch_sizes": [50, 100],
    "seeds": 1,
}
"""4 x 3 x 2 x 2 x 2 = 96 cells."""


def runs(**changes: Any) -> list[Run]:
    return plan(SweepSpec.from_preset("quick", **{**GRID, **changes}), "data")


def values(found: list[Run], axis: str) -> set[Any]:
    return {run.cell.row()[axis] for run in found}


def test_exclude_leaves_out_the_cells_of_which_every_part_of_a_rule_holds() -> None:
    everything, left = runs(), runs(exclude="loss=iou,initializer=random*")
    gone = {run.cell for run in everything} - {run.cell for run in left}
    assert gone == {r.cell for r in everything if r.cell.loss == "iou" and r.cell.initializer.startswith("random")}
    assert len(gone) == 2 * 8


def test_include_keeps_the_cells_that_any_of_its_rules_matches() -> None:
    left = runs(include=["loss=mse,head=ordered", "loss=giou,head=corners"])
    assert {(run.cell.loss, run.cell.head) for run in left} == {("mse", "ordered"), ("giou", "corners")}
    assert len(left) == 2 * 3 * 2 * 2


def test_exclude_takes_away_from_what_include_keeps() -> None:
    assert values(runs(include="loss=*iou", exclude="loss=giou"), "loss") == {"iou"}


@pytest.mark.parametrize(
    ("rule", "axis", "left"),
    [
        ("loss=centre_point", "loss", {"centre_point(size_weight=0.0)"}),
        (f"loss={LOSSES[3]}", "loss", {"centre_point(size_weight=0.0)"}),
        ("loss=?iou", "loss", {"giou"}),
        ("loss=[im]*", "loss", {"mse", "iou"}),
        (f"initializer={UNIFORM}", "initializer", {UNIFORM}),
        ("initializer=random_uniform(*)", "initializer", {UNIFORM}),
        ("learning_rate=0.001", "learning_rate", {0.001}),
        ("learning-rate=1e-3", "learning_rate", {0.001}),
        ("learning_rate=3e-4", "learning_rate", {0.0003}),
        ("batch_size=50", "batch_size", {50}),
        (" head = c* ", "head", {"corners"}),
    ],
)
def test_a_pattern_is_a_shells_and_a_name_stands_for_all_its_parameters(rule: str, axis: str, left: set[Any]) -> None:
    assert values(runs(include=rule), axis) == left
    assert values(runs(exclude=rule), axis) == values(runs(), axis) - left


def test_a_rule_changes_no_run_and_no_folder() -> None:
    kept = runs(exclude="loss=mse", seeds=3)
    assert {run.run_id for run in kept} < {run.run_id for run in runs(seeds=3)}
    one, other = (SweepSpec.from_preset("quick", **GRID, **rule) for rule in ({}, {"exclude": "loss=mse"}))
    assert one.folder() == other.folder()
    assert one.settings() == other.settings()


@pytest.mark.parametrize("kind", ["include", "exclude"])
@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("loss=huber", "to match a cell of the sweep. Received: 'loss=huber', which matches none"),
        ("loss=mse,loss=iou", "matches none"),
        ("learning_rate=0.1", "matches none"),
        ("lss=mse", "Unknown axis 'lss'. Did you mean 'loss'"),
        ("seed=3", "Unknown axis 'seed'"),
        ("mse", "a rule as loss=iou,initializer=random"),
        ("loss=", "a rule as"),
        ("=mse", "a rule as"),
        ("loss=mse,head", "a rule as"),
        ("", "a rule as"),
        ([3], "a list of rules as"),
        ([["loss=mse"]], "a list of rules as"),
        (["loss=mse", "loss=mse"], "'loss=mse' more than once"),
    ],
)
def test_a_rule_that_does_nothing_is_refused_in_one_line(kind: str, rule: Any, said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        runs(**{kind: rule})
    assert "\n" not in str(error.value)


def test_rules_that_leave_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="leave a cell to train"):
        runs(exclude="loss=*")
    with pytest.raises(InputError, match="leave a cell to train"):
        runs(include="loss=mse", exclude="loss=m*")


def test_a_toml_file_has_rules_as_lists(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('exclude = ["loss=iou,head=c*", "loss=mse"]\ninclude = "loss=[!g]*"\n', encoding="utf-8")
    spec = SweepSpec.from_preset("quick", **{**GRID, **read_toml(path)})
    assert (spec.include, spec.exclude) == (("loss=[!g]*",), ("loss=iou,head=c*", "loss=mse"))


def test_a_folder_keeps_the_rules_that_all_its_sweeps_had() -> None:
    ruled, other = ({**SweepSpec().to_dict(), "exclude": [rule]} for rule in ("loss=mse", "loss=iou"))
    assert joined_axes({}, ruled)["exclude"] == joined_axes(ruled, ruled)["exclude"] == ["loss=mse"]
    assert joined_axes(ruled, other)["exclude"] == []


def test_a_folder_is_gone_on_with_under_other_rules(tiny: Any, tmp_path: Path) -> None:
    from bboxbench.experiments.sweep import run_sweep

    here = Execution(isolation="none")
    common = {"seeds": 1, "epochs": 1, "optimizers": "adam", "learning_rates": "0.001,0.0005"}
    first = run_sweep(tiny(**common, exclude="loss=iou_unguarded"), tmp_path / "r", execution=here)
    assert set(first.runs["loss"]) == {"mse"}
    journal = (tmp_path / "r" / "journal.jsonl").read_bytes()
    second = run_sweep(tiny(**common, include="learning_rate=5e-4"), tmp_path / "r", execution=here)
    assert (tmp_path / "r" / "journal.jsonl").read_bytes().startswith(journal)
    found = sorted(zip(second.runs["loss"], second.runs["learning_rate"], strict=True))
    assert found == [("iou_unguarded", 0.0005), ("mse", 0.0005), ("mse", 0.001)]
    sweep = read_sweep(tmp_path / "r")
    assert sweep.planned == 3
    assert (sweep.manifest["spec"]["include"], sweep.manifest["spec"]["exclude"]) == ([], [])
