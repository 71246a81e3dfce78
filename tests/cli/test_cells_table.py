from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from bboxbench.cli.cells_table import CellsTable, counts
from bboxbench.experiments.tally import STATES, Tally

LOSSES = ("mse", "iou_unguarded", "centre_point(size_weight=0.25)", "my_package.my_module:a_loss_of_mine(weight=0.125)")
INITIALIZERS = ("glorot_uniform", "random_normal(mean=0.0,stddev=0.05)")


def cell(loss: str, initializer: str) -> dict[str, Any]:
    fixed = {"optimizer": "adam", "learning_rate": 0.001, "head": "corners", "start": "wide", "batch_size": 100}
    return {"loss": loss, "initializer": initializer, **fixed}


def tally_of(losses: tuple[str, ...] = LOSSES, seeds: int = 20, states: tuple[str, ...] = STATES) -> Tally:
    """Every cell with as many runs as there are states, of each state one."""
    tally = Tally()
    for initializer in INITIALIZERS:
        for loss in losses:
            tally.plan(cell(loss, initializer), seeds)
            for k, state in enumerate(states):
                ok = {"status": "ok", "outcome": state, "box_accuracy": k / 10}
                tally.add({**cell(loss, initializer), **(ok if state != "failed" else {"status": "failed"})})
    return tally


def shown(tally: Tally, width: int, most: int | None = None) -> list[str]:
    return [line.plain for line in CellsTable(tally).lines(width, most)]


@given(width=st.integers(10, 200), most=st.none() | st.integers(2, 40), seeds=st.integers(5, 2_000_000))
def test_no_line_is_wider_and_there_are_no_more_than_there_is_room_for(
    width: int, most: int | None, seeds: int
) -> None:
    lines = shown(tally_of(seeds=seeds), width, most)
    assert max(map(cell_len, lines)) <= width
    assert most is None or len(lines) <= most


@pytest.mark.parametrize("width", [60, 80, 120])
def test_every_cell_and_every_figure_of_it_is_there_from_60_columns_on(width: int) -> None:
    lines = shown(tally_of(), width)
    text = "\n".join(lines)
    assert all(text.count(f"  {loss}") == 2 for loss in LOSSES)
    assert all(initializer in text for initializer in INITIALIZERS)
    figures = [line.split()[-8:] for line in lines if "5/20" in line]
    assert figures == [["5/20", "1", "1", "1", "1", "1", "0.300", "0.100"]] * 8


def test_figures_stand_under_their_headings() -> None:
    head, *lines = shown(tally_of(("mse", "giou"), states=("converged", "blind")), 80)
    (first,) = {line[head.index("done") :] for line in lines if "2/20" in line}
    for heading in ("converged", "blind", "best", "median"):
        end = head.index(heading) + len(heading)
        assert head[end : end + 1] in ("", " ")
        assert first[: end - head.index("done")][-1].isdigit()
    assert "diverged" not in head


def test_headings_are_short_where_names_would_have_no_room() -> None:
    tally = tally_of(("mse", "centre_point"))
    assert "converged" in shown(tally, 100)[0]
    assert "conv  learn  blind  div  fail" in shown(tally, 60)[0]


def test_a_name_that_has_no_room_beside_its_figures_has_a_line_of_its_own() -> None:
    lines = shown(tally_of(), 60)
    at = lines.index(f"  {LOSSES[2]}")
    assert lines[at + 1].split()[0] == "5/20"
    assert any(line.startswith("  mse ") and "5/20" in line for line in lines)


def test_cells_without_room_are_counted_in_the_last_line() -> None:
    lines = shown(tally_of(("mse", "giou", "iou")), 80, most=5)
    assert [line.split()[0] for line in lines[1:4]] == ["glorot_uniform", "mse", "giou"]
    assert lines[4] == "and 4 more cells: 20/80, 4 converged, 4 learning, 4 blind, 4 diverged, 4 failed"
    assert "more" not in "".join(shown(tally_of(("mse", "giou", "iou")), 80, most=9))


def test_of_one_loss_the_conditions_are_what_is_told_apart() -> None:
    lines = shown(tally_of(("mse",)), 100)
    assert [line.split()[0] for line in lines[1:]] == ["mse", *INITIALIZERS]


def test_nothing_is_drawn_before_a_cell_is_known() -> None:
    assert shown(Tally(), 80) == []


def test_counts_are_words_in_the_order_of_outcomes() -> None:
    assert counts({"blind": 1200, "converged": 2, "learning": 0, "diverged": 0, "failed": 1}) == (
        "2 converged, 1,200 blind, 1 failed"
    )
