from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bboxbench.data_gen.choosing import ORDERS, choose, first, named, parse_indices
from bboxbench.errors import InputError

side = st.integers(1, 4096)
rows = st.lists(st.tuples(st.integers(0, 255), side, side), min_size=1, max_size=40)


def table_of(values: list[tuple[int, int, int]]) -> pd.DataFrame:
    return (
        pd.DataFrame(
            [(k, 0, 0, width, height, contrast) for k, (contrast, width, height) in enumerate(values)],
            columns=["index", "xmin", "ymin", "xmax", "ymax", "contrast"],
        )
        .astype({"xmax": "int16", "ymax": "int16"})
        .assign(rounding=[contrast / 255 for contrast, _, _ in values])
    )


@given(rows, st.integers(1, 50), st.sampled_from(sorted(ORDERS)))
def test_no_sample_left_out_is_worse_than_one_that_was_chosen(values, count: int, order: str) -> None:
    key = {
        "worst_contrast": lambda row: row[0],
        "worst_rounding": lambda row: row[0],
        "smallest": lambda row: row[1] * row[2],
        "largest": lambda row: -row[1] * row[2],
    }[order]
    chosen = choose(table_of(values), order, count).indices
    expected = sorted(range(len(values)), key=lambda k: (key(values[k]), k))[:count]
    assert list(chosen) == expected


@given(rows)
def test_the_reason_says_what_was_measured(values) -> None:
    table = table_of(values)
    for index, reason in zip(*_told(choose(table, "worst_contrast", 50)), strict=True):
        assert reason == f"contrast {values[index][0]}"
    for index, reason in zip(*_told(choose(table, "smallest", 50)), strict=True):
        _, width, height = values[index]
        assert reason == f"{width} x {height} = {width * height:,} px²"


def _told(choice):
    return choice.indices, choice.reasons


def test_a_table_without_contrasts_is_refused_in_words() -> None:
    table = table_of([(1, 2, 3)])
    for without in (table.drop(columns="contrast"), table.assign(contrast=[""])):
        with pytest.raises(InputError, match="does not; choose its smallest boxes"):
            choose(without, "worst_contrast", 1)
        assert choose(without, "smallest", 1).indices == (0,)


def test_a_table_of_boxes_that_were_not_rounded_is_refused_in_words() -> None:
    with pytest.raises(InputError, match="Expected a data set that was imported"):
        choose(table_of([(1, 2, 3)]).drop(columns="rounding"), "worst_rounding", 1)


def test_an_unknown_order_is_refused_with_a_guess() -> None:
    with pytest.raises(InputError, match="Did you mean 'smallest'"):
        choose(table_of([(1, 2, 3)]), "smalest", 1)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=20, unique=True))
def test_indices_come_in_the_order_typed(indices: list[int]) -> None:
    assert parse_indices(",".join(map(str, indices)), 400) == tuple(indices)


def test_ranges_hold_both_ends_and_nothing_twice() -> None:
    assert parse_indices(" 17, 40-45 ,42,17-18", 400) == (17, 40, 41, 42, 43, 44, 45, 18)


@pytest.mark.parametrize("text", ["", "a", "1,,2", "-1", "3-1", "1.5", "1-2-3", "٣", "0-400", "1,5-999999999999"])
def test_what_is_no_list_or_too_long_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"Expected (indices as 17|at most 400 indices)"):
        parse_indices(text, 400)


def test_the_first_are_all_where_there_are_fewer() -> None:
    assert first(range(3), 24).indices == (0, 1, 2)
    assert first(range(30), 24).indices == tuple(range(24))
    assert first(range(9, 30), 2).indices == (9, 10)


@pytest.mark.parametrize("index", [-1, 5])
def test_an_index_outside_the_data_set_is_refused(index: int) -> None:
    with pytest.raises(InputError, match=f"from 0 to 4, received {index}"):
        named([0, index], 5)
