from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from made_up_sweeps import FOUR, INITIALIZERS, Sweep, one_cell, record, sweep, texts
from PIL import Image

from bboxbench.errors import CannotWrite, InputError
from bboxbench.experiments import figures
from bboxbench.experiments.figures import FIGURES, INK, save, svg_text
from bboxbench.experiments.recorded import read_sweep, sides_table


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


def test_figures_that_only_say_that_there_is_nothing_are_left_out_of_all(
    write_sweep: Callable[..., Path], tmp_path: Path
) -> None:
    there = read_sweep(write_sweep(tmp_path / "results", {"mse": "good", "iou": "pinned"}))
    assert set(FIGURES) - set(figures.telling_figures(there)) == {"initializer_comparisons"}
    files = figures.write_figures(there, tmp_path / "out", formats=["svg"])
    assert {file.stem for file in files} == set(FIGURES) - {"initializer_comparisons"}
