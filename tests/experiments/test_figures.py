from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image

from bboxbench.errors import CannotWrite, InputError
from bboxbench.experiments import figures
from bboxbench.experiments.figures import FIGURES, INK, OUTCOME_STYLE, save, style, svg_text
from bboxbench.experiments.figures.layout import wrapped
from bboxbench.experiments.outcomes import HISTOGRAM_EDGES
from bboxbench.experiments.recorded import SIDES_COLUMNS, read_sweep, sides_table
from bboxbench.experiments.tables import (
    CELL,
    comparisons_table,
    distribution_table,
    epochs_table,
    histogram_table,
    runs_table,
)

INITIALIZERS = (
    "glorot_uniform",
    "glorot_normal",
    "random_uniform(minval=-0.05,maxval=0.05)",
    "random_normal(stddev=0.0289)",
)
FOUR = ("mse", "iou", "giou", "centre_point(size_weight=1)")


class Sweep:
    """Tables of made-up runs, as the CSVs have them."""

    def __init__(self, records: list[dict[str, Any]]) -> None:
        self.runs, self.epochs = runs_table(records), epochs_table(records)
        self.histogram = histogram_table(records)
        self.comparisons = comparisons_table(self.runs)
        self.distribution = distribution_table(self.runs, self.histogram, self.comparisons)

    def sides(self) -> pd.DataFrame:
        edges = np.linspace(0, 1, 41)
        rows = [
            {
                **dict(zip(CELL, cell, strict=True)),
                "side": side,
                "from": low,
                "to": high,
                "predicted": p,
                "true": 1 / 40,
            }
            for cell, _ in self.runs.groupby(list(CELL), sort=False)
            for side in ("left", "top", "right", "bottom")
            for low, high, p in zip(edges[:-1], edges[1:], [0.61, *[0.01] * 39], strict=True)
        ]
        return pd.DataFrame(rows, columns=list(SIDES_COLUMNS))

    def all_figures(self) -> dict[str, Figure]:
        return {
            "box_accuracy": figures.box_accuracy(self.runs),
            "outcomes": figures.outcomes(self.distribution),
            "accuracy_trap": figures.accuracy_trap(self.runs, self.runs.head(1)),
            "learning_curves": figures.learning_curves(self.epochs, self.runs),
            "last_epochs": figures.last_epochs(self.epochs, self.runs),
            "iou_histograms": figures.iou_histograms(self.histogram, self.runs),
            "performance_profiles": figures.performance_profiles(self.histogram, self.runs),
            "comparisons": figures.comparisons(self.comparisons),
            "initializer_comparisons": figures.comparisons(self.comparisons, by="initializer"),
            "pinned_sides": figures.pinned_sides(self.sides(), self.runs),
        }


OUTCOME_OF = {"converged": 0.95, "learning": 0.6, "blind": 0.02, "diverged": 0.0}


def record(loss: str, initializer: str, seed: int, outcome: str, **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"run_id": f"{loss}-{initializer}-{seed}", "loss": loss, "initializer": initializer}
    row |= {"optimizer": "adam", "learning_rate": 0.0005, "head": "corners", "start": "wide", "seed": seed}
    row |= {"status": "failed" if outcome == "failed" else "ok", "iou_threshold": 0.5, "seconds": 1.0}
    histogram: list[int] = []
    epochs: list[dict[str, Any]] = []
    if outcome != "failed":
        accuracy = OUTCOME_OF[outcome] + 0.001 * seed
        row |= {"outcome": outcome, "symptom": "pinned" if outcome == "blind" else "", "box_accuracy": accuracy}
        row |= {"keras_accuracy": 0.9, "mean_iou": accuracy / 2}
        histogram = np.histogram(np.linspace(0, accuracy, 100), HISTOGRAM_EDGES)[0].tolist()
        epochs = [{"epoch": k, "train_loss": 1.0, "val_box_accuracy": accuracy * k / 5} for k in range(1, 6)]
    row |= changes
    return {"run_id": f"{row['run_id']}-{row['head']}", "row": row | {"run_id": f"{row['run_id']}-{row['head']}"}} | {
        "epochs": epochs,
        "histogram": histogram,
    }


def sweep(losses: Any, initializers: Any, seeds: int) -> Sweep:
    names = [*OUTCOME_OF, "failed"]
    return Sweep(
        [
            record(loss, initializer, seed, names[(7 * i + 3 * j + seed) % 5])
            for i, loss in enumerate(losses)
            for j, initializer in enumerate(initializers)
            for seed in range(seeds)
        ]
    )


def one_cell(*outcomes: str) -> Sweep:
    return Sweep([record("giou", "he_normal", seed, outcome) for seed, outcome in enumerate(outcomes)])


def texts(figure: Figure) -> list[str]:
    return [each.get_text() for each in figure.findobj(Text) if each.get_text()]


def panels(figure: Figure) -> list[Any]:
    return [axis for axis in figure.axes if axis.axison]


# Every figure


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


# What each shows


def pixels_of(path: Path, colour: str) -> int:
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"), int)
    wanted = np.array([round(255 * part) for part in to_rgb(colour)])
    return int((np.abs(pixels - wanted).max(axis=-1) <= 2).sum())


@pytest.mark.parametrize("outcome", ["converged", "learning", "blind", "diverged"])
def test_each_outcome_is_drawn_in_its_colour_and_no_other_is(outcome: str, tmp_path: Path) -> None:
    figures.box_accuracy_figure(one_cell(outcome, outcome).runs, tmp_path / "figure.png")
    found = {name for name, (colour, _) in OUTCOME_STYLE.items() if pixels_of(tmp_path / "figure.png", colour) > 20}
    assert found - {"failed"} == {outcome}  # ink is the colour of text, too


def dots(axis: Any) -> list[tuple[float, float]]:
    """Where the markers of outcomes stand."""
    markers = {marker for _, marker in OUTCOME_STYLE.values()}
    return sorted(
        (float(x), float(y))
        for line in axis.lines
        if line.get_marker() in markers
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    )


def test_every_run_is_a_dot_and_a_failed_one_stands_at_0() -> None:
    (axis,) = panels(figures.box_accuracy(one_cell("converged", "failed", "learning").runs))
    assert [x for x, _ in dots(axis)] == pytest.approx([0.0, 0.602, 0.95])


def test_a_seed_stands_at_the_same_height_in_all_cells() -> None:
    records = [record("mse", "he_normal", seed, "blind") for seed in (0, 1, 2)]
    records += [record("mse", "zeros", seed, "blind") for seed in (1,)]
    first, second = panels(figures.box_accuracy(Sweep(records).runs))
    assert dots(second)[0] in dots(first)


def test_cells_that_differ_in_another_axis_get_a_panel_each() -> None:
    records = [record("mse", "he_normal", 0, "blind", head=head) for head in ("corners", "ordered")]
    figure = figures.box_accuracy(Sweep(records).runs)
    assert len(panels(figure)) == 2
    assert {"he_normal, head corners", "he_normal, head ordered"} <= set(texts(figure))


def test_a_learning_rate_of_the_losses_own_gets_no_panel() -> None:
    records = [record(loss, "he_normal", 0, "blind", learning_rate=k) for k, loss in enumerate(FOUR, 1)]
    assert len(panels(figures.box_accuracy(Sweep(records).runs))) == 1


@pytest.mark.parametrize(("count", "first"), [(8, "loss_0"), (9, "loss_7")])
def test_many_losses_stand_best_first_and_few_in_their_own_order(count: int, first: str) -> None:
    records = [
        record(f"loss_{k}", "he_normal", seed, "converged" if k == 7 else "blind")
        for k in range(count)
        for seed in range(2)
    ]
    there = Sweep(records)
    for figure in (figures.box_accuracy(there.runs), figures.outcomes(there.distribution)):
        (axis,) = panels(figure)
        assert axis.get_yticklabels()[0].get_text() == first


def test_bars_of_outcomes_fill_the_row_and_the_interval_is_that_of_the_table() -> None:
    there = one_cell("converged", "converged", "blind", "diverged", "failed")
    (axis,) = panels(figures.outcomes(there.distribution))
    bars = [patch for patch in axis.patches if patch.get_height() == pytest.approx(0.4)]
    assert [bar.get_width() for bar in bars] == pytest.approx([0.4, 0.2, 0.2, 0.2])
    cell = there.distribution.iloc[0]
    assert [cell["converged_rate_low"], cell["converged_rate_high"]] in [list(line.get_xdata()) for line in axis.lines]
    (pinned,) = [patch for patch in axis.patches if patch.get_hatch()]
    assert pinned.get_width() == pytest.approx(0.2)


def test_the_trap_names_the_run_that_it_deceives_most() -> None:
    records = [record("mse", "he_normal", 0, "converged"), record("mse", "he_normal", 1, "blind", keras_accuracy=0.94)]
    figure = figures.accuracy_trap(Sweep(records).runs)
    assert "Keras reads 0.94,\n2 % of the boxes are right" in texts(figure)
    honest = [record("mse", "he_normal", 0, "converged", keras_accuracy=0.5)]
    assert not any("Keras reads" in text for text in texts(figures.accuracy_trap(Sweep(honest).runs)))


def test_baselines_are_marked_in_the_trap() -> None:
    there = one_cell("converged")
    baselines = pd.DataFrame({"box_accuracy": [0.03], "keras_accuracy": [0.65]})
    stars = [line for line in panels(figures.accuracy_trap(there.runs, baselines))[0].lines if line.get_marker() == "*"]
    assert [(list(each.get_xdata()), list(each.get_ydata())) for each in stars] == [([0.03], [0.65])]


def test_the_last_three_epochs_are_measured_and_shorter_runs_left_out() -> None:
    epochs = pd.DataFrame(
        {
            "run_id": ["a"] * 4 + ["b"] * 2 + ["c"] * 3,
            "epoch": [4, 2, 3, 1, 1, 2, 1, 2, 3],
            "val_box_accuracy": [0.7, 0.9, 0.5, 0.0, 0.1, 0.2, np.nan, np.nan, np.nan],
        }
    )
    table = figures.last_epochs_table(epochs)
    assert table.to_dict("index") == {"a": {"last": 0.7, "low": 0.5, "high": 0.9}}


def test_a_curve_ends_at_the_last_epoch_of_each_seed() -> None:
    there = one_cell("converged", "blind")
    with style():
        axis = Figure().subplots()
        figures.draw_curves(axis, there.epochs, there.runs)
    np.testing.assert_allclose(dots(axis), [(5.0, 0.021), (5.0, 0.95)])


def test_a_bin_that_is_cut_off_says_what_it_holds() -> None:
    there = one_cell("blind", "blind")
    with style():
        axis = Figure().subplots()
        figures.draw_iou_histogram(axis, there.histogram, there.runs)
    assert "100 %" in [text.get_text() for text in axis.texts]
    assert axis.get_ylim()[1] == pytest.approx(0.3)


def test_sides_pinned_to_the_border_say_how_many() -> None:
    there = one_cell("blind")
    with style():
        axis = Figure().subplots()
        figures.draw_sides(axis, there.sides())
    assert [text.get_text() for text in axis.texts] == ["61 %"] * 4


def test_a_profile_is_the_share_of_boxes_that_the_table_has() -> None:
    there = one_cell("converged", "blind", "failed")
    (axis,) = panels(figures.performance_profiles(there.histogram, there.runs))
    curve = next(line for line in axis.lines if len(line.get_xdata()) == 19)
    at = dict(zip(np.round(curve.get_xdata(), 2), curve.get_ydata(), strict=True))
    for column in ("profile_05", "profile_50", "profile_90"):
        assert at[int(column[-2:]) / 100] == pytest.approx(there.distribution.iloc[0][column])


def test_the_winner_of_a_pair_is_named_first_with_its_own_probability() -> None:
    records = [record("iou", "he_normal", seed, "blind") for seed in range(6)]
    records += [record("mse", "he_normal", seed, "converged") for seed in range(6)]
    there = Sweep(records)
    row = there.comparisons.iloc[0]
    assert (row["a"], row["probability_of_improvement"]) == ("iou", 0.0)
    (axis,) = panels(figures.comparisons(there.comparisons))
    assert [label.get_text() for label in axis.get_yticklabels()] == ["mse over iou"]
    lines = [list(line.get_xdata()) for line in axis.lines]
    assert [1 - row["probability_of_improvement_high"], 1.0] in lines
    assert [1.0] in lines


def test_many_losses_are_compared_in_a_square_in_which_both_halves_agree() -> None:
    there = sweep([f"loss_{k}" for k in range(8)], INITIALIZERS[:1], 6)
    axis = next(axis for axis in figures.comparisons(there.comparisons).axes if axis.images)
    values = np.ma.filled(axis.images[0].get_array(), np.nan)
    off = ~np.eye(8, dtype=bool)
    np.testing.assert_allclose((values + values.T)[off], 1.0)
    wins = np.nanmean(np.where(off, values, np.nan), axis=1)
    assert (np.diff(wins) <= 1e-12).all()  # best first


def test_comparisons_know_two_ways_only() -> None:
    with pytest.raises(InputError, match=r"Expected by to be loss or initializer\. Received: 'seed'"):
        figures.comparisons(one_cell("blind").comparisons, by="seed")


@pytest.mark.parametrize("name", [*FOUR, *INITIALIZERS, "focaler_iou(base=giou,low=0.2,high=0.9)", "a" * 40])
def test_a_name_is_broken_without_losing_a_letter(name: str) -> None:
    lines = wrapped(name, 20).split("\n")
    assert "".join(lines) == name
    assert all(len(line) <= 20 or not re.search(r"[,(]", line[1:-1]) for line in lines)


# Files and pages


@pytest.mark.parametrize("name", ["figure.gif", "figure", "figure.pdf"])
def test_only_png_and_svg_are_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Expected a file that ends in \.png or \.svg"):
        save(figures.box_accuracy(one_cell("blind").runs), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match="choose another folder"):
        save(figures.box_accuracy(one_cell("blind").runs), tmp_path / "no" / "figure.png")


def test_a_background_can_be_left_out(tmp_path: Path) -> None:
    figure = figures.box_accuracy(one_cell("blind").runs)
    save(figure, tmp_path / "with.png")
    save(figure, tmp_path / "without.png", transparent=True)
    corner = [Image.open(tmp_path / f"{name}.png").convert("RGBA").getpixel((0, 0)) for name in ("with", "without")]
    assert corner[0] == (255, 255, 255, 255)
    assert corner[1][3] == 0


def test_the_text_of_an_svg_is_text(tmp_path: Path) -> None:
    save(figures.box_accuracy(one_cell("blind").runs), tmp_path / "figure.svg")
    words = {each.text for each in ElementTree.parse(tmp_path / "figure.svg").iter("{http://www.w3.org/2000/svg}text")}
    assert {"giou", "he_normal", "blind"} <= words


def in_page(**options: Any) -> str:
    drawn = sweep(FOUR[::3], INITIALIZERS[::3], 5).all_figures().items()
    return "".join(svg_text(figure, label=name, prefix=f"f{k}", **options) for k, (name, figure) in enumerate(drawn))


def test_svgs_of_a_page_share_no_id_and_refer_to_their_own() -> None:
    page = ElementTree.fromstring(f"<page>{in_page()}</page>")
    ids = [each.attrib["id"] for each in page.iter() if "id" in each.attrib]
    assert len(ids) == len(set(ids)) > 10
    for svg in page:
        own = {each.attrib["id"] for each in svg.iter() if "id" in each.attrib}
        used = set(re.findall(r'(?:href="|url\()#([^")]+)', ElementTree.tostring(svg, encoding="unicode")))
        assert used == own


def test_a_themed_svg_has_the_inks_of_the_page_and_an_unthemed_one_its_own() -> None:
    themed, plain = in_page(), in_page(themed=False)
    for name in ("--ink, #222222", "--muted, #6b6b6b", "--grid, #e4e4e4", "--paper, #ffffff"):
        assert f"var({name})" in themed
    assert "var(--ink" not in plain
    inks = re.sub(r"var\([^()]*\)", "", themed)
    assert INK not in inks
    assert "#000000" not in inks
    assert "black" not in inks


def test_an_svg_of_a_page_loads_nothing_and_is_one_picture_to_a_screen_reader() -> None:
    text = svg_text(figures.box_accuracy(one_cell("blind").runs), label='a < b & "c"', prefix="x")
    root = ElementTree.fromstring(text)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == 'a < b & "c"'
    assert set(re.findall(r"https?://[^\"' ]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(style|script|metadata|image)", text)


def test_numbers_in_names_are_not_rounded_with_the_coordinates() -> None:
    records = [record("mse", "random_normal(stddev=0.0289)", 0, "blind")]
    text = svg_text(figures.box_accuracy(Sweep(records).runs), label="x", prefix="x")
    assert "0.0289" in text
    assert not re.search(r"\d\.\d{3,}", re.sub(r">[^<]*<", "><", text))


@pytest.mark.parametrize("prefix", ["", "1a", "a b", 'a"'])
def test_a_prefix_must_be_able_to_begin_an_id(prefix: str) -> None:
    with pytest.raises(InputError, match="Expected a prefix"):
        svg_text(figures.box_accuracy(one_cell("blind").runs), label="x", prefix=prefix)


# By name


def test_every_figure_can_be_asked_for_by_name(write_sweep: Callable[..., Path], tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "results", {"mse": "good", "iou": "pinned", "giou": "failed"})
    there = read_sweep(folder)
    for name, entry in FIGURES.items():
        assert entry.name == name
        assert "\n" not in entry.explanation
        assert entry.explanation.endswith(".")
        save(figures.figure_of(name, there), tmp_path / f"{name}.png")
    with pytest.raises(InputError, match=r"Unknown figure 'box_acuracy'\. Did you mean 'box_accuracy'\?"):
        figures.figure_of("box_acuracy", there)


def test_figures_are_written_one_by_one_and_none_for_a_wrong_name(
    write_sweep: Callable[..., Path], tmp_path: Path
) -> None:
    there = read_sweep(write_sweep(tmp_path / "results", {"mse": "good"}))
    files = figures.write_figures(there, tmp_path / "out", ["outcomes", "accuracy_trap"], ["svg"])
    assert next(files) == tmp_path / "out" / "outcomes.svg"
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["outcomes.svg"]
    assert [each.name for each in files] == ["accuracy_trap.svg"]
    with pytest.raises(InputError, match="Unknown figure 'trap'"):
        list(figures.write_figures(there, tmp_path / "none", ["outcomes", "trap"]))
    with pytest.raises(InputError, match="Unknown format 'gif'"):
        list(figures.write_figures(there, tmp_path / "none", formats=["gif"]))
    assert not (tmp_path / "none").exists()


def test_sides_are_drawn_as_the_sweep_recorded_them(write_sweep: Callable[..., Path], tmp_path: Path) -> None:
    there = read_sweep(write_sweep(tmp_path / "results", {"iou": "pinned"}))
    figure = figures.pinned_sides(sides_table(there, there.dataset()), there.runs)
    assert texts(figure).count("100 %") == 4
    assert "true (below it)" in texts(figure)
