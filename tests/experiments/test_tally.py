from __future__ import annotations

from statistics import median
from typing import Any

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from bboxbench.experiments.asked import asked_for, cell_of
from bboxbench.experiments.cells import CELL
from bboxbench.experiments.outcomes import OUTCOMES
from bboxbench.experiments.plan import plan
from bboxbench.experiments.spec import SweepSpec
from bboxbench.experiments.tables import distribution_table, runs_table
from bboxbench.experiments.tally import STATES, Tally

FIXED = {"initializer": "he_normal", "optimizer": "adam", "head": "corners", "start": "wide", "batch_size": 100}


def row(loss: str, seed: int, state: str, accuracy: float) -> dict[str, Any]:
    ok = state != "failed"
    outcome = {"outcome": state, "box_accuracy": accuracy, "mean_iou": accuracy} if ok else {}
    cell = {"loss": loss, "learning_rate": 0.001, **FIXED}
    return {
        "run_id": f"{loss}-{seed}",
        "seed": seed,
        "status": "ok" if ok else "failed",
        "symptom": "",
        **cell,
        **outcome,
    }


FATES = st.lists(
    st.tuples(st.sampled_from(["mse", "giou"]), st.sampled_from(STATES), st.floats(0, 1)), min_size=1, max_size=20
)


@settings(max_examples=10)  # the table bootstraps intervals
@given(FATES)
def test_it_counts_as_the_table_of_cells_does(fates: list[tuple[str, str, float]]) -> None:
    rows = [row(loss, seed, state, accuracy) for seed, (loss, state, accuracy) in enumerate(fates)]
    tally = Tally()
    for each in rows:
        tally.add(each)
    table = distribution_table(runs_table([{"row": each} for each in rows]))
    assert len(table) == len(tally.cells)
    for cell, (_, told) in zip(tally.cells, table.iterrows(), strict=True):
        assert cell.values == {name: told[name] for name in CELL}
        assert {state: cell.states[state] for state in STATES} == {state: told[state] for state in STATES}
        assert cell.done == told["runs"]
        assert cell.median is not None
        assert abs(cell.median - told["box_accuracy_median"]) < 1e-12
        assert cell.best == told["box_accuracy_max"]
    assert tally.done == len(rows)


@given(FATES, st.data())
def test_what_is_taken_back_leaves_no_trace(fates: list[tuple[str, str, float]], data: st.DataObject) -> None:
    rows = [row(loss, seed, state, accuracy) for seed, (loss, state, accuracy) in enumerate(fates)]
    gone = data.draw(st.sampled_from(rows))
    tally, without = Tally(), Tally()
    for each in rows:
        tally.add(each)
        if each is not gone:
            without.add(each)
    tally.take_back(gone)
    told = {cell.values["loss"]: (+cell.states, cell.accuracies) for cell in tally.cells if cell.done}
    assert told == {cell.values["loss"]: (+cell.states, cell.accuracies) for cell in without.cells}
    assert +tally.states == +without.states


def test_cells_stand_in_the_order_of_the_plan_and_know_what_is_asked_of_them() -> None:
    tally = Tally()
    for loss in ("mse", "giou", "mse"):
        tally.plan(row(loss, 0, "blind", 0))
    tally.add(row("giou", 0, "converged", 0.9))
    assert [(cell.values["loss"], cell.done, cell.planned) for cell in tally.cells] == [("mse", 0, 2), ("giou", 1, 1)]
    assert tally.planned == 3
    tally.add(row("iou", 0, "blind", 0.1))  # Nobody asked for it: it counts all the same.
    assert (tally.done, tally.planned) == (2, 4)


def test_a_program_gets_every_state_whether_it_occurred_or_not() -> None:
    tally = Tally()
    tally.plan(row("mse", 0, "blind", 0))
    values = tally.cells[0].to_dict()
    assert {*CELL, "planned", "done", "best", "median", *OUTCOMES, "failed"} == set(values)
    assert (values["done"], values["best"], values["median"], values["converged"]) == (0, None, None, 0)


def test_the_median_of_an_even_number_lies_between() -> None:
    tally = Tally()
    for seed, accuracy in enumerate([0.1, 0.9, 0.3, 0.4]):
        tally.add(row("mse", seed, "learning", accuracy))
    assert tally.cells[0].median == median([0.1, 0.9, 0.3, 0.4])


def test_the_name_of_what_is_asked_for_gives_back_its_cell() -> None:
    spec = SweepSpec.from_preset(
        "quick",
        losses=["centre_point(size_weight=0.5)", "mse"],
        initializers=["random_normal(stddev=0.05)", "he_normal"],
        optimizers=["adam:0.0001", "sgd(momentum=0.9):1.0"],
        batch_sizes=[50, 100],
        seeds=2,
    )
    runs = plan(spec, "")
    names = asked_for(runs)
    assert list(names.values()) == [run.run_id for run in runs]
    for run, name in zip(runs, names, strict=True):
        assert cell_of(name) == run.cell.row()
    assert cell_of("mse he_normal 3") is None


def test_cells_read_as_one_whether_planned_by_name_or_finished() -> None:
    tally = Tally()
    (run,) = plan(SweepSpec.from_preset("quick", losses=["mse"], seeds=1), "")
    (name,) = asked_for([run])
    cell = cell_of(name)
    assert cell is not None
    tally.plan(cell)
    finished = {**run.cell.row(), "status": "ok", "outcome": "blind", "box_accuracy": 0.1}
    tally.add(pd.Series(finished).to_dict())
    assert len(tally.cells) == 1
