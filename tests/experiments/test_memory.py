from __future__ import annotations

import itertools

import keras
import pytest

from bboxbench.experiments.convolution import Geometry, Window
from bboxbench.experiments.memory import MemoryNeed, available_bytes

FULL = Geometry.of(100, 200)
NEAR = Window.for_glyphs(65, 39, FULL)


def need(window: Window | None = None, optimizer: str = "adam") -> MemoryNeed:
    return MemoryNeed(100, 100, 200, window, keras.optimizers.get(optimizer))


def test_memory_is_a_line_over_the_networks() -> None:
    totals = [need().total(networks) for networks in range(1, 40)]
    assert {after - before for before, after in itertools.pairwise(totals)} == {need().each}


@pytest.mark.parametrize("networks", [1, 7, 16, 100])
def test_what_is_said_to_fit_fits_and_one_more_does_not(networks: int) -> None:
    assert need().fitting(need().total(networks)) == networks
    assert need().fitting(need().total(networks) - 1) == max(1, networks - 1)


def test_one_network_is_tried_whatever_the_memory() -> None:
    assert need().fitting(0) == 1


def test_a_window_and_an_optimizer_without_numbers_of_its_own_take_less() -> None:
    assert need(NEAR).each < need().each
    assert need(NEAR).shared < need().shared
    # Two numbers a weight of 3.1 million, four bytes each.
    assert need(optimizer="adam").each - need(optimizer="sgd").each == 2 * 4 * 3_105_552


def test_the_machine_has_memory_left() -> None:
    assert 1e8 < available_bytes() < 1e14


def test_no_array_outgrows_an_index_of_32_bits() -> None:
    for batch in (1, 100):
        for window in (None, NEAR):
            networks = MemoryNeed(batch, 100, 200, window, keras.optimizers.get("sgd")).fitting(10**15)
            assert networks > 1
            # Responses, features and the largest layer's weights.
            assert networks * batch * 4 * (85 * 185 if window is None else 83 * 57) < 2**31
            assert networks * batch * 15_456 < 2**31
            assert networks * 15_456 * 200 < 2**31
