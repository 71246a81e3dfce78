from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from made_up_sweeps import FOUR, INITIALIZERS, one_cell, sweep, texts
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from bboxbench.experiments import figures
from bboxbench.experiments.figures import save, style

SHAPES = {
    "two by two": (FOUR[2:], INITIALIZERS[2:], 3),
    "two cells": (("mse", "iou"), INITIALIZERS[:1], 3),
    "one run": (("mse",), INITIALIZERS[:1], 1),
    "16 cells": (FOUR, INITIALIZERS, 20),
    "many losses": (
        [f"loss_{k}" for k in range(36)] + ["focaler_iou(base=giou,low=0.2,high=0.9)"],
        INITIALIZERS[:1],
        6,
    ),
    "many initializers": (("mse",), [f"random_normal(stddev=0.0{k})" for k in range(1, 9)], 2),
    "both many": ([f"loss_{k}" for k in range(9)], INITIALIZERS[:3], 6),
}
HEAVY = ("16 cells", "many losses", "many initializers", "both many")
LIGHT = [name for name in SHAPES if name not in HEAVY]


def shown(figure: Figure) -> list[tuple[str, Bbox]]:
    """What is written on a figure and where, in inches."""
    with style():
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        renderer = canvas.get_renderer()
        found = []
        for each in figure.findobj(Text):
            inside = each.axes is None or each.axes.axison
            if each.get_visible() and each.get_text().strip() and inside:
                box = each.get_window_extent(renderer)
                # Ticks beyond the limits of an axis have words that are not drawn.
                if box.width > 0 and box.height > 0:
                    found.append((each.get_text(), box.transformed(figure.dpi_scale_trans.inverted())))
        return found


@pytest.mark.parametrize("shape", [*LIGHT, *(pytest.param(each, marks=pytest.mark.slow) for each in HEAVY)])
def test_all_words_lie_on_the_figure_and_none_on_another(shape: str) -> None:
    for name, figure in sweep(*SHAPES[shape]).all_figures().items():
        width, height = figure.get_size_inches()
        page = Bbox([[-0.01, -0.01], [width + 0.01, height + 0.01]])
        places = shown(figure)
        outside = [text for text, box in places if not (page.contains(*box.min) and page.contains(*box.max))]
        assert outside == [], name
        inner = [(text, box.padded(-0.01)) for text, box in places]
        overlapping = [
            (first, second)
            for k, (first, box) in enumerate(inner)
            for second, other in inner[k + 1 :]
            if box.overlaps(other)
        ]
        assert overlapping == [], name


@pytest.mark.parametrize("outcomes", [(), ("failed", "failed"), ("diverged",), ("converged",)], ids=str)
def test_a_sweep_of_little_has_all_figures(outcomes: tuple[str, ...], tmp_path: Path) -> None:
    for name, figure in one_cell(*outcomes).all_figures().items():
        save(figure, tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 1000


def test_a_sweep_without_validation_or_epochs_or_pictures_has_all_figures(tmp_path: Path) -> None:
    there = sweep(("mse", "giou"), INITIALIZERS[:2], 2)
    blank = there.epochs.assign(val_box_accuracy=np.nan)
    for k, epochs in enumerate((blank, there.epochs.head(0))):
        for name in ("learning_curves", "last_epochs"):
            figure = getattr(figures, name)(epochs, there.runs)
            assert any(word in text for text in texts(figure) for word in ("not measured", "no epochs", "no run has"))
            save(figure, tmp_path / f"{k}-{name}.png")
    unknown = there.sides().assign(true=np.nan)
    for sides in (unknown, unknown.head(0)):
        save(figures.pinned_sides(sides, there.runs), tmp_path / "sides.png")
    save(figures.accuracy_trap(there.runs), tmp_path / "trap.png")


def test_the_same_tables_give_the_same_files(tmp_path: Path) -> None:
    for k in range(2):
        for name, figure in sweep(FOUR[:2], INITIALIZERS[:1], 3).all_figures().items():
            for kind in ("png", "svg"):
                save(figure, tmp_path / f"{k}-{name}.{kind}")
    for first in tmp_path.glob("0-*"):
        assert first.read_bytes() == (tmp_path / f"1{first.name[1:]}").read_bytes(), first.name


def test_drawing_leaves_the_settings_of_matplotlib_and_obeys_none(tmp_path: Path) -> None:
    there = one_cell("converged", "blind")
    save(figures.box_accuracy(there.runs), tmp_path / "first.png")
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "savefig.facecolor": "black"}):
        before = dict(mpl.rcParams)
        save(figures.box_accuracy(there.runs), tmp_path / "second.png")
        assert dict(mpl.rcParams) == before
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()
