from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bboxbench.experiments.forecast import Forecast

EPOCHS = 4


class Sweep:
    """Blocks that take made-up seconds on a made-up clock."""

    def __init__(self, blocks: list[float], runs: int, estimated: float) -> None:
        """Seconds of each block, runs of each, and what a block was estimated to take."""
        self.now = 0.0
        self.blocks, self.runs = blocks, runs
        costs = {f"{b}-{r}": estimated / runs for b in range(len(blocks)) for r in range(runs)}
        self.forecast = Forecast(costs, EPOCHS, estimated=estimated > 0, clock=lambda: self.now)
        if not estimated:
            self.forecast = Forecast(dict.fromkeys(costs, 1.0), EPOCHS, estimated=False, clock=lambda: self.now)

    def train(self, block: int, share: float = 1.0) -> None:
        """All runs of a block together: epoch after epoch, then all finish in one moment. Or a share of its epochs."""
        start = self.now
        for epoch in range(1, int(EPOCHS * share) + 1):
            self.now = start + self.blocks[block] * epoch / EPOCHS
            for r in range(self.runs):
                self.forecast.epoch(f"{block}-{r}", epoch)
        if share == 1:
            for r in range(self.runs):
                self.forecast.finished(f"{block}-{r}")
                self.now += 0.01


@given(
    wrong=st.floats(0.2, 5),
    blocks=st.integers(2, 12),
    runs=st.integers(1, 8),
    seed=st.integers(0, 1000),
)
def test_after_the_first_block_it_is_right_within_a_quarter_however_wrong_the_estimate_was(
    wrong: float, blocks: int, runs: int, seed: int
) -> None:
    taken = [100 * random.Random(seed + b).uniform(0.93, 1.07) for b in range(blocks)]
    sweep = Sweep(taken, runs, 100 / wrong)
    sweep.train(0)
    for block in range(1, blocks):
        left = sweep.forecast.seconds_left()
        assert left == pytest.approx(sum(taken[block:]), rel=0.25)
        sweep.train(block)
    assert sweep.forecast.seconds_left() == 0


def test_before_anything_is_measured_the_estimate_stands() -> None:
    assert Sweep([100.0] * 3, 2, 50.0).forecast.seconds_left() == pytest.approx(150)


def test_in_the_first_block_the_estimate_fades_into_what_is_measured() -> None:
    sweep = Sweep([100.0] * 3, 2, 50.0)
    heard = []
    for quarter in range(4):
        sweep.now = 25.0 * quarter
        for r in range(2):
            sweep.forecast.epoch(f"0-{r}", quarter)
        heard.append((sweep.forecast.seconds_left() or 0) / (300 - sweep.now))
    assert heard == sorted(heard)
    assert heard[0] == pytest.approx(0.5)
    assert heard[-1] > 0.8


def test_without_an_estimate_nothing_is_said_before_something_is_measured() -> None:
    sweep = Sweep([100.0] * 3, 2, 0.0)
    assert sweep.forecast.seconds_left() is None
    sweep.train(0)
    assert sweep.forecast.seconds_left() == pytest.approx(200, rel=0.01)


def test_time_spent_within_a_block_counts_down() -> None:
    sweep = Sweep([100.0] * 3, 2, 100.0)
    sweep.train(0)
    sweep.train(1, share=0.5)
    # These blocks end with their last epoch: what is kept for the test pictures is too much here.
    assert sweep.forecast.seconds_left() == pytest.approx(150, rel=0.1)


def test_a_machine_that_slows_down_is_followed() -> None:
    sweep = Sweep([100.0] * 4 + [300.0] * 8, 2, 100.0)
    for block in range(8):
        sweep.train(block)
    assert sweep.forecast.seconds_left() == pytest.approx(1200, rel=0.05)


def test_a_block_that_begins_anew_is_no_progress() -> None:
    sweep = Sweep([100.0] * 2, 2, 100.0)
    sweep.train(0)
    sweep.train(1, share=0.75)
    before = sweep.forecast.seconds_left() or 0
    for r in range(2):
        sweep.forecast.epoch(f"1-{r}", 0)
    assert (sweep.forecast.seconds_left() or 0) > before + 50


def test_a_sweep_with_nothing_to_do_is_done() -> None:
    assert Forecast({}, EPOCHS).seconds_left() == 0
