"""What becomes of blocks that die, whoever is to blame."""

from __future__ import annotations

from collections import Counter, deque

from hypothesis import given
from hypothesis import strategies as st

from bboxbench.experiments.execution.retries import MACHINES, Retries
from bboxbench.experiments.plan import Block, Cell, Run


def block_of(seed: int, count: int) -> Block:
    cells = [Cell(f"loss{k}", "zeros", "adam", 0.001, "corners", "wide", 100) for k in range(count)]
    return Block(seed, tuple(Run(f"r{k}-s{seed}", cell, seed) for k, cell in enumerate(cells)))


def carried_out(blocks: list[Block], guilty: set[str], whole_first: bool) -> tuple[Counter[str], Counter[str], int]:
    """Runs that came back, runs given up, and how often something died, where blocks with a guilty loss die."""
    retries = Retries(whole_first=whole_first)
    back: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    deaths = 0
    waiting = deque(blocks)
    while waiting:
        block, *parted = retries.parted(waiting.popleft())
        waiting.extendleft(reversed(parted))
        missing = [run for run in block.runs if not back[run.run_id] + failed[run.run_id]]
        if not any(run.cell.loss in guilty for run in block.runs):
            back.update(run.run_id for run in missing)
            continue
        deaths += 1
        again = retries.died(block, missing)
        waiting.extendleft(reversed(again))
        retried = {run.run_id for part in again for run in part.runs}
        failed.update(run.run_id for run in missing if run.run_id not in retried)
    return back, failed, deaths


@given(st.integers(1, 20), st.integers(1, 4), st.sets(st.integers(0, 19)), st.booleans())
def test_every_innocent_run_comes_back_once_and_every_guilty_one_is_given_up_once(
    count: int, seeds: int, guilty: set[int], whole_first: bool
) -> None:
    blocks = [block_of(seed, count) for seed in range(seeds)]
    losses = {f"loss{k}" for k in guilty}
    back, failed, _ = carried_out(blocks, losses, whole_first)
    runs = [run for block in blocks for run in block.runs]
    assert back == Counter(run.run_id for run in runs if run.cell.loss not in losses)
    assert failed == Counter(run.run_id for run in runs if run.cell.loss in losses)


def test_who_is_to_blame_is_found_out_once_and_not_at_every_seed() -> None:
    blocks = [block_of(seed, 16) for seed in range(5)]
    _, _, deaths = carried_out(blocks, {"loss7"}, whole_first=False)
    # 16, 8, 4, 2, 1 at the first seed; then once a seed.
    assert deaths == 5 + 4


def test_a_block_killed_from_outside_is_halved() -> None:
    block = block_of(0, 4)
    assert Retries().died(block, block.runs) == [
        Block(0, block.runs[:2]),
        Block(0, block.runs[2:]),
    ]


def test_runs_that_are_back_are_not_tried_again() -> None:
    block = block_of(0, 4)
    assert Retries().died(block, block.runs[2:]) == [Block(0, (run,)) for run in block.runs[2:]]
    assert Retries().died(block, ()) == []


def test_a_run_on_its_own_gets_a_second_chance() -> None:
    retries, block = Retries(), block_of(0, 1)
    assert retries.died(block, block.runs) == [block]
    assert retries.died(block, block.runs) == []


def test_where_bits_are_promised_a_block_is_tried_again_whole_first_with_what_is_back() -> None:
    retries, block = Retries(whole_first=True), block_of(0, 4)
    assert retries.died(block, block.runs[1:]) == [block]
    first, second = retries.died(block, block.runs[1:])
    assert (first.runs, second.runs) == (block.runs[:2], block.runs[2:])


def test_a_lost_machine_costs_no_chance() -> None:
    retries, block = Retries(), block_of(0, 1)
    assert [retries.node_lost(block, block.runs) for _ in range(MACHINES)] == [[block]] * MACHINES
    assert retries.died(block, block.runs) == [block]


def test_a_block_under_which_machine_after_machine_is_lost_is_parted_and_given_up_at_last() -> None:
    retries, waiting, tries = Retries(), [block_of(0, 2)], 0
    while waiting:
        block = waiting.pop(0)
        waiting = retries.node_lost(block, block.runs) + waiting
        tries += 1
    assert MACHINES < tries <= 2 * (MACHINES + 2)
