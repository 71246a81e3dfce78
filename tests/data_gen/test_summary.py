from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bboxbench.data_gen import Dataset
from bboxbench.data_gen.summary import covered_share, fact_rows, measure_rows, summarise, written

WIDTH, HEIGHT = 12, 7


@st.composite
def box(draw):
    xmin, ymin = draw(st.integers(0, WIDTH - 1)), draw(st.integers(0, HEIGHT - 1))
    return xmin, ymin, draw(st.integers(xmin + 1, WIDTH)), draw(st.integers(ymin + 1, HEIGHT))


def made_up(boxes, **columns) -> pd.DataFrame:
    table = pd.DataFrame(boxes, columns=["xmin", "ymin", "xmax", "ymax"]).astype("int16")
    return table.assign(**{"index": range(len(boxes)), "split": "test", "glyph": "A", "font": "", "size": 0, **columns})


@given(st.lists(box(), min_size=1, max_size=8))
def test_the_covered_share_is_that_of_painting_every_box(boxes) -> None:
    canvas = np.zeros((HEIGHT, WIDTH), bool)
    for xmin, ymin, xmax, ymax in boxes:
        canvas[ymin:ymax, xmin:xmax] = True
    assert covered_share(made_up(boxes), WIDTH, HEIGHT) == pytest.approx(canvas.mean(), abs=1e-12)


def test_the_numbers_are_those_of_the_arrays(tiny: Dataset) -> None:
    found = summarise(tiny.table(), 64, 48, tiny.classes)
    boxes = np.concatenate([tiny.boxes(split) for split in ("train", "validation", "test")])
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    for name, values in (("box_width", width), ("box_height", height), ("box_area", width.astype(int) * height)):
        measures = found["measures"][name]
        assert [measures[key] for key in ("least", "median", "largest")] == [
            values.min(),
            np.median(values),
            values.max(),
        ]
    assert found["splits"] == {"train": 690, "validation": 460, "test": 1150}
    glyphs = [sample.glyph for sample in tiny.samples(range(tiny.n))]
    assert found["classes"] == {name: glyphs.count(name) for name in tiny.classes}
    assert sum(found["fonts"].values()) == found["n"] == 2300
    assert json.loads(json.dumps(found)) == found


def test_a_class_without_samples_is_counted_as_0() -> None:
    found = summarise(made_up([(0, 0, 1, 1)]), WIDTH, HEIGHT, ["B", "A"])
    assert found["classes"] == {"B": 0, "A": 1}
    assert ("classes", "2, 1 without a picture; most 'A', 1 picture") in fact_rows(found)


def test_classes_that_look_alike_are_told_apart_by_their_code_points() -> None:
    one = [(0, 0, 1, 1)]
    found = summarise(made_up(one, glyph="\u0391"), WIDTH, HEIGHT, ["A", "\u0391", "\u03a9"])
    assert ("classes", "3, 2 without a picture; most '\u0391 U+0391', 1 picture") in fact_rows(found)


def test_pictures_that_were_not_drawn_have_neither_size_nor_font_nor_contrast() -> None:
    found = summarise(
        made_up([(0, 0, 3, 2)] * 2, contrast="", glyph="a class with a long name"),
        WIDTH,
        HEIGHT,
        ["a class with a long name", "A"],
    )
    assert set(found["measures"]) == {"box_width", "box_height", "box_area"}
    assert "fonts" not in dict(fact_rows(found))
    assert "most 'a class with a …'" in dict(fact_rows(found))["classes"]


def test_kinds_are_told_with_their_shares() -> None:
    kinds = ["plain"] * 3 + ["noise"]
    found = summarise(made_up([(0, 0, 3, 2)] * 4, kind=kinds, rotation=[-1.5, 0, 0.25, 30]), WIDTH, HEIGHT, ["A"])
    assert dict(fact_rows(found))["backgrounds"] == "plain 75%, noise 25%"
    assert ("rotation, degrees", "-1.5", "0.1", "30.0") in measure_rows(found)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"5": 3}, "1: 5"),
        ({"5": 1, "D": 1}, "2, 1 picture each"),
        ({"5": 2, "D": 2}, "2, 2 pictures each"),
        ({"5": 7, "D": 1}, "2, 1 to 7 pictures each; fewest 'D', most '5'"),
        ({"5": 7, "D": 0, "E": 0, "F": 1}, "4, 2 without a picture; most '5', 7 pictures"),
    ],
)
def test_classes_are_told_from_counts_and_those_without_pictures_are_counted(counts, words: str) -> None:
    found = {**summarise(made_up([(0, 0, 1, 1)]), WIDTH, HEIGHT, ["A"]), "classes": counts}
    assert ("classes", words) in fact_rows(found)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((-10.0, 0.42, 9.97), ("-10.0", "0.4", "10.0")),
        ((-45, 1.9, 44.9), ("-45.0", "1.9", "44.9")),
        ((-2.5, -0.001, 2), ("-2.50", "0.00", "2.00")),
        ((0.707, 0.9712, 1), ("0.707", "0.971", "1.000")),
        ((540, 1092, 1938.0), ("540", "1,092", "1,938")),
    ],
)
def test_the_numbers_of_a_row_have_as_many_decimals_and_no_zero_has_a_sign(numbers, words) -> None:
    assert written(*numbers) == words


def test_nearly_all_is_not_told_as_all() -> None:
    big = made_up([(0, 0, 1000, 1000), (0, 0, 1, 1)])
    found = summarise(big, 1000, 1001, ["A"])
    assert "99.9% of" in dict(fact_rows(found))["positions"]
    assert "100% of" in dict(fact_rows(summarise(big, 1000, 1000, ["A"])))["positions"]
