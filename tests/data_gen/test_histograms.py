"""Histograms show every sample once, with as many classes as there are, whatever their names."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from coco_folders import write_shapes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from matplotlib.transforms import Bbox
from PIL import Image

from bboxbench.data_gen import Dataset
from bboxbench.data_gen import histograms as module
from bboxbench.data_gen.glyph_names import class_labels
from bboxbench.data_gen.histograms import COLOUR_BAR, MOST_LETTERS, histograms, write_histograms
from bboxbench.data_gen.importing import plan_import, write_import
from bboxbench.data_gen.panel_rows import GAP, LEFT, NARROWEST, RIGHT, WIDTH
from bboxbench.errors import InputError
from bboxbench.figure_style import style


def made_up(n: int, classes: list[str], **columns) -> pd.DataFrame:
    rng = np.random.default_rng(n)
    xmin, ymin = rng.integers(0, 50, n), rng.integers(0, 30, n)
    table = {"index": range(n), "split": "test", "xmin": xmin, "ymin": ymin, "font": "", "size": 0}
    table |= {"xmax": xmin + rng.integers(1, 14, n), "ymax": ymin + rng.integers(1, 14, n)}
    return pd.DataFrame({**table, "glyph": rng.choice(classes, n), **columns})


def panel(figure: Figure, title: str):
    return next(axis for axis in figure.axes if axis.get_title("left").startswith(title))


def heights(axis) -> list[float]:
    bars = [each for each in axis.containers if isinstance(each, BarContainer)]
    areas = [patch.get_data().values.tolist() for patch in axis.patches if isinstance(patch, StepPatch)]
    return [max(patch.get_height(), 0) for each in bars for patch in each] + [count for area in areas for count in area]


def rows(figure: Figure) -> list[list[Bbox]]:
    """Where axes stand, in inches, row by row from the top and from left to right; bars of colours left out."""
    inches = figure.get_size_inches()
    found = [Bbox(axis.get_position().get_points() * inches) for axis in figure.axes]
    panels = [box for box in found if box.width > 0.1]
    tops = sorted({round(box.y1, 3) for box in panels}, reverse=True)
    return [sorted((box for box in panels if round(box.y1, 3) == top), key=lambda box: box.x0) for top in tops]


def drawn(figure: Figure, path: Path) -> np.ndarray:
    with style():
        figure.savefig(path)
    return np.asarray(Image.open(path).convert("RGB"))


@pytest.mark.parametrize("n", [1, 2, 500])
def test_every_sample_is_counted_once_in_every_panel(n: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    effects = {"blur": rng.uniform(0, 2, n), "noise": rng.uniform(0, 9, n), "contrast": rng.integers(64, 255, n)}
    figure = histograms(made_up(n, list("abc"), **effects), 64, 44, list("abc"))
    for title in ("box width", "box height", "box area", *(("blur", "noise", "contrast") if n > 1 else ())):
        assert sum(heights(panel(figure, title))) == n
    assert sum(heights(panel(figure, "classes"))) == n
    assert len(panel(figure, "box width").patches) == 1, "bars that touch let a hairline through"
    assert np.asarray(panel(figure, "centres").images[0].get_array()).sum() == n
    drawn(figure, tmp_path / "page.png")


def test_what_is_the_same_for_all_gets_no_panel() -> None:
    titles = [axis.get_title("left") for axis in histograms(made_up(9, ["a"], kind="plain"), 64, 44).axes]
    assert not any(title.startswith(("glyph size", "font", "background", "rotation")) for title in titles)
    mixed = histograms(made_up(9, ["a"], kind=["plain", "noise", "white"] * 3, size=range(9)), 64, 44)
    titles = [axis.get_title("left") for axis in mixed.axes]
    assert any(title.startswith("background") for title in titles)
    assert any(title.startswith("glyph size") for title in titles)


@pytest.mark.parametrize("count", [1, 10, 52, 300])
def test_every_class_of_one_character_has_a_bar_and_a_name(count: int, tmp_path: Path) -> None:
    classes = [chr(0x100 + k) for k in range(count)]
    figure = histograms(made_up(600, classes), 64, 44, classes)
    with style():
        figure.canvas.draw()
    names = [label.get_text() for axis in figure.axes for label in axis.get_xticklabels()]
    labels = class_labels(classes)
    assert [name for name in names if name in labels.values()] == [labels[name] for name in classes]


@pytest.mark.parametrize("size", [(64, 44), (200, 100), (60, 400), (4000, 50)])
@pytest.mark.parametrize(
    ("names", "faces", "measures"),
    [
        (["a"], 1, 0),
        (list("abcdefghijklmnopqrstuvwxyz"), 2, 1),
        (["a car", "a bus"], 1, 3),
        ([f"class {k}" for k in range(9)], 9, 4),
        ([f"class {k}" for k in range(40)], 2, 5),
        (["a"], 9, 10),
    ],
)
def test_every_row_of_panels_is_full_and_none_is_narrow(size, names, faces: int, measures: int) -> None:
    values = np.arange(18)
    some = (
        "source_width",
        "source_height",
        "size",
        "contrast",
        "rotation",
        "shear",
        "scale_x",
        "scale_y",
        "blur",
        "noise",
    )
    columns = dict.fromkeys(some[:measures], values) | {"font": [f"face {k % faces}" for k in values]}
    found = rows(histograms(made_up(18, names, **columns), *size, names))
    for row in found:
        assert row[0].x0 == pytest.approx(LEFT)
        gaps = [right.x0 - left.x1 for left, right in pairwise(row)]
        if row is found[0]:
            # The bar of colours stands between the places and the next panel.
            assert gaps.pop(0) == pytest.approx(GAP + COLOUR_BAR)
            row = row[1:]
        assert gaps == pytest.approx([GAP] * len(gaps))
        assert row[-1].x1 == pytest.approx(WIDTH - RIGHT)
        assert min(box.width for box in row) >= NARROWEST
    below = [upper[0].y0 - lower[0].y1 for upper, lower in pairwise(found)]
    assert max(below) < 0.75


def test_many_faces_take_a_panel_of_twice_the_width_and_no_more() -> None:
    faces = [f"face {k:02d}" for k in range(13)]
    for count in (2, 6, 7, 12, 13):
        figure = histograms(made_up(26, ["a car"] * 20, font=(faces[:count] * 13)[:26]), 64, 44)
        found = [axis for axis in figure.axes if any("face" in text.get_text() for text in axis.texts)]
        assert len(found) == (1 if count <= 6 else 2)
        assert sum(len(heights(axis)) for axis in found) == min(count, 12)
    assert "font, samples: 12 of 13" in [axis.get_title("left") for axis in figure.axes]


def test_what_is_recorded_of_imports_has_a_panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_import(plan_import(write_shapes(tmp_path / "s", n=9), workers=1), tmp_path / "data", workers=1)
    figures: list[Figure] = []
    monkeypatch.setattr(module, "histograms", lambda *given: figures.append(histograms(*given)) or figures[-1])
    write_histograms(data, tmp_path / "page.png")
    (figure,) = figures
    for title in ("source width", "source height", "rounding"):
        assert sum(heights(panel(figure, title))) == 9
    assert panel(figure, "classes (3)")


def test_numbers_are_written_alike_in_medians_and_ticks() -> None:
    table = made_up(9, ["a"], shift_x=[-0.4, -0.0004, 0.4] * 3, source_width=range(1000, 1900, 100))
    figure = histograms(table, 64, 44)
    with style():
        figure.canvas.draw()
    wide, shifted = panel(figure, "source width"), panel(figure, "shift across")
    assert wide.get_title("right") == "median 1,400"
    ticks = [label.get_text() for label in wide.get_xticklabels()]
    assert "1,200" in ticks
    assert shifted.get_title("right") == "median 0.000"
    signed = made_up(9, ["a"], shift_x=[-0.4, -0.3, 0.4] * 3)
    assert panel(histograms(signed, 64, 44), "shift across").get_title("right") == "median \u22120.300"


@pytest.mark.parametrize(
    "classes",
    [
        ["person", "traffic light", "$x^2$ and \\frac", "a name much longer than there is room for on any page"],
        [f"class {k}" for k in range(300)],
        [chr(0x4E00 + k) for k in range(90)],
        [chr(0x4E00 + k) for k in range(MOST_LETTERS + 1)],
        ["$", "_", "^", "\\", "{", "%", "'", '"', " "],
    ],
    ids=["names", "300 names", "not in the font", "too many", "of mathematics"],
)
def test_any_names_can_be_drawn_without_a_warning_and_stay_on_the_page(classes: list[str], tmp_path: Path) -> None:
    figure = histograms(made_up(900, classes), 64, 44, classes, "a title")
    page = drawn(figure, tmp_path / "page.png")
    border = np.concatenate([page[:4].reshape(-1, 3), page[-4:].reshape(-1, 3), page[:, :4].reshape(-1, 3)])
    assert (border == 255).all()


def test_the_same_data_set_gives_the_same_file(tiny: Dataset, tmp_path: Path) -> None:
    first = write_histograms(tiny, tmp_path / "new" / "a.png").read_bytes()
    assert write_histograms(tiny.folder, tmp_path / "b.png").read_bytes() == first


def test_a_path_that_is_no_png_is_refused(tiny: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.png file"):
        write_histograms(tiny, tmp_path / "page.svg")
