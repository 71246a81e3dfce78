"""Which samples of a data set to look at: the first, those at the head of an order, or those named."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bboxbench.errors import InputError, unknown_name

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ORDERS", "Choice", "choose", "first", "named", "parse_indices"]


@dataclass(frozen=True)
class Choice:
    """Samples that were chosen, and why.

    Attributes:
        indices: of the samples, in the order in which they are shown.
        about: what they have in common, in a few words; "" where there is nothing to say.
        reasons: what is special about each, in the order of ``indices``; "" where there is nothing to say.
    """

    indices: tuple[int, ...]
    about: str
    reasons: tuple[str, ...]


def first(indices: Sequence[int], count: int) -> Choice:
    """The first ``count`` of some samples."""
    indices = tuple(indices[:count])
    return Choice(indices, "", ("",) * len(indices))


def named(indices: Sequence[int], n: int) -> Choice:
    """The samples with these indices, in this order.

    Raises:
        InputError: the data set of ``n`` samples has no such index.
    """
    for index in indices:
        if not 0 <= index < n:
            raise InputError(f"Expected indices from 0 to {n - 1}, received {index}.")
    return Choice(tuple(indices), "", ("",) * len(indices))


def choose(table: pd.DataFrame, order: str, count: int) -> Choice:
    """The ``count`` samples at the head of an order; those alike in what is measured stand by index.

    Args:
        table: as `bboxbench.data_gen.Dataset.table` gives it, or a part of it. ``worst_rounding`` needs what
            `bboxbench.data_gen.rounding.with_rounding` adds.
        order: one of `ORDERS`.
        count: samples, 1 or more; all where there are fewer.

    Raises:
        InputError: no such order, or the table lacks what it is about.
    """
    if order not in ORDERS:
        raise unknown_name("order of samples", order, ORDERS)
    key, about, sign, reason = ORDERS[order]
    values = key(table)
    # A stable sort leaves those that are alike as they stand in the table, which is by index.
    places = (sign * values).to_numpy().argsort(kind="stable")[:count]
    chosen = table.iloc[places]
    return Choice(
        tuple(chosen["index"].tolist()),
        about,
        tuple(reason(row) for row in chosen.to_dict("records")),
    )


def _contrast(table: pd.DataFrame) -> pd.Series:
    import pandas as pd

    values = pd.to_numeric(table["contrast"], errors="coerce") if "contrast" in table else None
    if values is None or values.isna().any():
        raise InputError(
            "Expected a data set whose boxes.csv knows the contrast of every sample, received one that does not; "
            "choose its smallest boxes or samples by index."
        )
    return values


def _rounding(table: pd.DataFrame) -> pd.Series:
    if "rounding" not in table:
        raise InputError(
            "Expected a data set that was imported, received one that was drawn, whose boxes were not rounded; "
            "choose its smallest boxes or samples by index."
        )
    return table["rounding"]


def _area(table: pd.DataFrame) -> pd.Series:
    # Before int64 a product could run over.
    width, height = table["xmax"] - table["xmin"], table["ymax"] - table["ymin"]
    return width.astype("int64") * height.astype("int64")


def _contrast_in_words(row: Mapping[Any, Any]) -> str:
    return f"contrast {row['contrast']}"


def _rounding_in_words(row: Mapping[Any, Any]) -> str:
    return f"rounding IoU {row['rounding']:.3f}"


def _size_in_words(row: Mapping[Any, Any]) -> str:
    width, height = row["xmax"] - row["xmin"], row["ymax"] - row["ymin"]
    return f"{width} x {height} = {width * height:,} px²"


ORDERS: dict[str, tuple[Callable[[pd.DataFrame], pd.Series], str, int, Callable[[Mapping[Any, Any]], str]]] = {
    "worst_contrast": (_contrast, "least contrast first", 1, _contrast_in_words),
    "worst_rounding": (_rounding, "most changed by rounding first", 1, _rounding_in_words),
    "smallest": (_area, "smallest boxes first", 1, _size_in_words),
    "largest": (_area, "largest boxes first", -1, _size_in_words),
}
"""By name: what is measured, the order in words, 1 for the least first and -1 for the most, and a sample's words."""


def parse_indices(text: str, most: int) -> tuple[int, ...]:
    """Indices as typed, '17,40-45', each once and in the order typed.

    Args:
        text: whole numbers and ranges, both ends of which are included, with commas between.
        most: how many there may be.

    Raises:
        InputError: they are not written like that, or there are more.
    """
    found: dict[int, None] = {}
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,12})\s*(?:-\s*(\d{1,12})\s*)?", part, re.ASCII)
        start, end = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if start > end:
            raise InputError(f"Expected indices as 17 or 17,40-45, received '{text}'.")
        # A range is cut before it is made: it may be as long as a person's mistake.
        found.update(dict.fromkeys(range(start, min(end, start + most) + 1)))
        if len(found) > most:
            raise InputError(f"Expected at most {most} indices on a page, received '{text}'; name fewer.")
    return tuple(found)
