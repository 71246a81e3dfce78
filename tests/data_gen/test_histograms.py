"""Histograms show every sample once, with as many classes as there are, whatever their names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from PIL import Image

from bboxbench.data_gen import Dataset
from bboxbench.data_gen.glyph_names import class_labels
from bboxbench.data_gen.histograms import MOST_LETTERS, histograms, write_histograms
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
    return [max(patch.get_height(), 0) for each in bars for patch in each]


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


def test_all_faces_that_fit_are_shown_on_the_free_width() -> None:
    faces = [f"face {k:02d}" for k in range(13)]
    wide = histograms(made_up(26, ["a"], font=faces * 2), 64, 44)
    assert sum(len(heights(axis)) for axis in wide.axes if any("face" in text.get_text() for text in axis.texts)) == 13
    narrow = histograms(made_up(26, ["a"], font=faces * 2, blur=np.arange(26) / 2), 64, 44)
    assert "font, samples: 12 of 13" in [axis.get_title("left") for axis in narrow.axes]


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
