import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bboxbench.errors import InputError
from bboxbench.experiments.seeds import layer_seed, parse_seeds, sample_order


@given(seed=st.integers(0, 1000), epoch=st.integers(0, 50), n=st.integers(1, 300))
def test_an_order_reads_every_picture_once_and_is_the_same_every_time(seed: int, epoch: int, n: int) -> None:
    order = sample_order(seed, epoch, n)
    assert sorted(order) == list(range(n))
    assert np.array_equal(order, sample_order(seed, epoch, n))


def test_orders_differ_from_seed_to_seed_and_from_epoch_to_epoch() -> None:
    orders = {tuple(sample_order(seed, epoch, 100)) for seed in range(5) for epoch in range(5)}
    assert len(orders) == 25


def test_the_order_never_changes_between_versions() -> None:
    # Frozen: a change here would part old results from new ones without a word.
    assert sample_order(0, 0, 10).tolist() == [2, 9, 8, 7, 4, 6, 3, 1, 5, 0]
    assert layer_seed("init", 0, "conv") == 536592924


def test_no_two_layers_purposes_or_seeds_share_a_stream() -> None:
    keys = [(p, s, name) for p in ("init", "dropout") for s in range(50) for name in ("conv", "hidden_200", "box")]
    assert len({layer_seed(*key) for key in keys}) == len(keys)
    assert all(0 <= layer_seed(*key) < 2**31 for key in keys)


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("3", (0, 1, 2)),
        (3, (0, 1, 2)),
        ("0-2", (0, 1, 2)),
        ("3,5,8", (3, 5, 8)),
        ("5-5", (5,)),
        ("1,4-6", (1, 4, 5, 6)),
        ([7], (7,)),
    ],
)
def test_seeds_are_a_count_a_range_or_a_list(text: object, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds  # type: ignore[arg-type]  # what TOML gives


@pytest.mark.parametrize(
    "text",
    [
        "0",
        0,
        "-1",
        -1,
        "1-",
        "-",
        "",
        "a",
        "3,3",
        "0-3,2",
        "5-2",
        "1.5",
        True,
        [],
        "0-2000000",
        10**9,
        "0-20000,5",
        "4294967296",
    ],
)
def test_seeds_of_another_form_are_refused(text: object) -> None:
    with pytest.raises(InputError, match="Expected seeds as a count"):
        parse_seeds(text)  # type: ignore[arg-type]  # on purpose
