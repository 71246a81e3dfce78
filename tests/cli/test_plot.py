from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from bboxbench.cli import main
from bboxbench.data_gen import Dataset, DatasetSpec, generate
from bboxbench.experiments.figures import FIGURES


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["plot", *arguments])
    return int(end.value.code or 0)


@pytest.fixture(scope="module")
def folder(write_sweep: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sweep(tmp_path_factory.mktemp("plot") / "results" / "mine", {"mse": "good", "iou": "pinned"})


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "results" / "mine"))


def test_a_figure_is_written_as_png_and_svg_into_the_report(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(copy), "outcomes") == 0
    png, svg = copy / "report" / "outcomes.png", copy / "report" / "outcomes.svg"
    assert capsys.readouterr().out.splitlines() == [str(png), str(svg)]
    with Image.open(png) as picture:
        assert picture.format == "PNG"
    assert ElementTree.parse(svg).getroot().tag.endswith("svg")


def test_all_figures_in_one_format_go_where_they_are_asked_for(copy: Path, tmp_path: Path) -> None:
    assert run(str(copy), "all", "--format", "svg", "--out", str(tmp_path / "a" / "b"), "--quiet") == 0
    assert {each.name for each in (tmp_path / "a" / "b").iterdir()} == {
        f"{name}.svg" for name in set(FIGURES) - {"initializer_comparisons"}
    }
    assert not list((copy / "report").iterdir())


def test_the_list_has_every_name_with_what_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(FIGURES)
    assert all(line.endswith(entry.explanation) for line, entry in zip(lines, FIGURES.values(), strict=True))


def test_json_names_what_was_written(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(copy), "outcomes", "--format", "png", "--json", "--quiet") == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["written"] == [str(copy / "report" / "outcomes.png")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Expected a results folder and the name of a figure. Received: neither; see --list."),
        (("FOLDER",), "Expected a results folder and the name of a figure. Received: no name; see --list."),
        (("FOLDER", "outcome"), "Unknown figure 'outcome'. Did you mean 'outcomes'?"),
        (("FOLDER", "outcomes", "--format", "pdf"), "Expected --format png, svg or both. Received: pdf."),
        (("nowhere", "outcomes"), "Expected the results folder of a sweep. Received: nowhere, nothing there."),
        (("FOLDER", "outcomes", "--data", "nowhere"), "Expected a data set's folder at nowhere, found nothing."),
    ],
    ids=["nothing", "no name", "unknown", "format", "no folder", "no pictures"],
)
def test_what_cannot_be_drawn_is_said_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    before = list((folder / "report").iterdir())
    assert run(*(str(folder) if word == "FOLDER" else word for word in words)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"Error: {said}")
    assert list((folder / "report").iterdir()) == before


def test_a_sweep_without_a_finished_run_is_said(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copy / "journal.jsonl").unlink()
    assert run(str(copy), "all") == 2
    assert "Expected a sweep with a finished run." in capsys.readouterr().err


def test_other_pictures_are_refused(copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = generate(DatasetSpec.letters(n=40, seed=4), tmp_path / "other", workers=1)
    assert run(str(copy), "pinned_sides", "--data", str(other.folder)) == 2
    assert "Expected the pictures of this sweep" in capsys.readouterr().err


def test_missing_pictures_leave_out_the_true_sides_with_a_warning(
    copy: Path, small_dataset: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = json.loads((copy / "sweep.json").read_text())
    manifest["spec"]["data"] = str(copy / "gone")
    (copy / "sweep.json").write_text(json.dumps(manifest))
    assert run(str(copy), "pinned_sides", "--format", "svg") == 0
    assert "were not found, so pinned_sides has no true sides" in capsys.readouterr().err
    assert "pictures not found" in (copy / "report" / "pinned_sides.svg").read_text()
    assert run(str(copy), "pinned_sides", "--format", "svg", "--data", str(small_dataset.folder)) == 0
    assert capsys.readouterr().err.count("Warning") == 0
    assert "true (below it)" in (copy / "report" / "pinned_sides.svg").read_text()


def test_a_place_that_is_a_file_is_refused(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert run(str(copy), "outcomes", "--out", str(tmp_path / "file")) == 2
