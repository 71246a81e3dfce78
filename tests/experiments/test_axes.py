from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from bboxbench.errors import InputError
from bboxbench.experiments.learning_rates import TUNED, UNTUNED
from bboxbench.experiments.plan import Run, blocks, plan
from bboxbench.experiments.spec import SweepSpec

CENTRE = "centre_point(size_weight=1)"


def runs(**changes: Any) -> list[Run]:
    given = {"losses": "mse,giou", "optimizers": "adam", "seeds": 1, **changes}
    return plan(SweepSpec.from_preset("quick", **given), "data")


def rates(**changes: Any) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for run in runs(**changes):
        found.setdefault(run.cell.loss.partition("(")[0], []).append(run.cell.learning_rate)
    return found


def test_learning_rates_cross_every_optimizer_that_has_none_of_its_own() -> None:
    found = runs(optimizers="adam,sgd,adadelta:1.0", learning_rates="0.001,0.0003")
    assert {(run.cell.optimizer, run.cell.learning_rate) for run in found} == {
        *product(("adam", "sgd"), (0.001, 0.0003)),
        ("adadelta", 1.0),
    }
    assert len(found) == 2 * 5


def test_learning_rates_take_the_place_of_tuned_ones() -> None:
    assert rates(optimizers="adam:tuned", learning_rates="0.002") == {"mse": [0.002], "giou": [0.002]}


def test_a_loss_with_learning_rates_of_its_own_takes_these_alone() -> None:
    given = "0.001,0.002,giou:0.0003,giou:0.0001"
    assert rates(learning_rates=given) == {"mse": [0.001, 0.002], "giou": [0.0003, 0.0001]}


def test_a_loss_that_is_given_no_rate_keeps_the_optimizers() -> None:
    given = {"losses": "mse,ciou", "learning_rates": "mse:0.01"}
    assert rates(**given) == {"mse": [0.01], "ciou": [0.001]}
    assert rates(**given, optimizers="adam:tuned") == {"mse": [0.01], "ciou": [UNTUNED["adam"]]}


@pytest.mark.parametrize(
    ("item", "of_first", "of_second"),
    [
        ("centre_point:0.01", 0.01, 0.01),
        (f"{CENTRE}:0.01", 0.01, 0.001),
        ("centre_point(size_weight=1.0):0.01", 0.01, 0.001),
        ("centre_point(size_weight=0):0.01", 0.001, 0.01),
    ],
)
def test_a_rate_belongs_to_a_loss_by_name_or_with_its_parameters(item: str, of_first: float, of_second: float) -> None:
    losses = [CENTRE, "centre_point(size_weight=0)"]
    assert [run.cell.learning_rate for run in runs(losses=losses, learning_rates=item)] == [of_first, of_second]


def test_a_loss_by_import_path_has_rates_of_its_own_too() -> None:
    found = runs(losses="keras.losses:Huber,mse", learning_rates="keras.losses:Huber:0.01")
    assert [run.cell.learning_rate for run in found] == [0.01, 0.001]


def test_a_rate_is_one_run_however_it_is_given() -> None:
    (by_axis,), (by_optimizer,) = (
        runs(losses="mse", learning_rates="5e-4"),
        runs(losses="mse", optimizers="adam:0.0005"),
    )
    (as_number,), (by_loss,) = (
        runs(losses="mse", learning_rates=[0.0005]),
        runs(losses="mse", learning_rates="mse:0.0005"),
    )
    assert by_axis == by_optimizer == as_number == by_loss
    assert by_axis.cell.learning_rate == TUNED["adam"]["mse"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"learning_rates": "fast"}, "numbers above 0, as 0.001 or giou:0.0003, for learning_rates. Received: 'fast'"),
        ({"learning_rates": "0"}, "numbers above 0"),
        ({"learning_rates": "-0.1"}, "numbers above 0"),
        ({"learning_rates": "nan"}, "numbers above 0"),
        ({"learning_rates": [True]}, "numbers above 0"),
        ({"learning_rates": "0.001,1e-3"}, "'0.001' more than once"),
        ({"learning_rates": "iou:0.001"}, "a learning rate of one of: mse, giou. Received: iou:0.001"),
        ({"learning_rates": "0.01,mse:0.1,giou:0.1"}, "a loss without learning rates of its own for 0.01"),
        ({"learning_rates": "0.001", "optimizers": "adam:0.1"}, "an optimizer without a learning rate.*adam:0.1"),
        ({"learning_rates": "0.001", "optimizers": "adam,adam:0.001"}, "every cell once"),
        ({"batch_sizes": "5,x"}, "whole numbers of 1 or more for batch_sizes. Received: '5,x'"),
        ({"batch_sizes": "0"}, "whole numbers of 1 or more"),
        ({"batch_sizes": [2.5]}, "whole numbers of 1 or more"),
        ({"batch_sizes": True}, "whole numbers of 1 or more"),
        ({"batch_sizes": [5, 5]}, "'5' more than once"),
        ({"batch_sizes": []}, "at least one of batch_sizes"),
    ],
)
def test_an_axis_that_makes_no_sense_is_refused_in_one_line(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        runs(**changes)
    assert "\n" not in str(error.value)


def test_batch_sizes_are_an_axis_and_a_block_has_one_seed_and_one_of_them() -> None:
    found = runs(batch_sizes="50,100", seeds="0-1")
    assert len({run.run_id for run in found}) == len(found) == 2 * 2 * 2
    together = list(blocks(found))
    assert [(block.seed, block.batch_size) for block in together] == [(0, 50), (0, 100), (1, 50), (1, 100)]
    for block in together:
        assert {(run.seed, run.cell.batch_size) for run in block.runs} == {(block.seed, block.batch_size)}
        assert [run.cell.loss for run in block.runs] == ["mse", "giou"]
    assert {run.run_id for block in together for run in block.runs} == {run.run_id for run in found}


def test_longer_axes_keep_the_runs_that_are_there() -> None:
    few, many = runs(learning_rates=[0.001]), runs(learning_rates=[0.001, 0.01], batch_sizes=[100, 50])
    assert {run.run_id for run in few} < {run.run_id for run in many}
