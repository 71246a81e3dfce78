from __future__ import annotations

import json
from pathlib import Path

import pytest
from coco_folders import write_shapes
from PIL import Image

from bboxbench.cli import main
from bboxbench.data_gen import DatasetSpec, generate, open_dataset


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["preview", *arguments])
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return generate(DatasetSpec.letters(n=9), tmp_path / "d").folder


def test_it_writes_a_picture_into_the_folder_and_prints_where(capsys, folder: Path) -> None:
    code, out, err = run(capsys, str(folder))
    assert (code, out.splitlines()[-1]) == (0, str(folder / "preview.png"))
    assert "9 of 9 samples" in err
    with Image.open(folder / "preview.png") as page:
        page.load()
    # A picture in the folder is no obstacle to the data set.
    assert generate(DatasetSpec.letters(n=9), folder).n == 9


def test_it_writes_where_it_is_told_to(capsys, folder: Path, tmp_path: Path) -> None:
    code, out, _ = run(
        capsys, str(folder), "--out", str(tmp_path / "new" / "six.png"), "--count", "6", "--columns", "3", "--quiet"
    )
    assert (code, out) == (0, f"{tmp_path / 'new' / 'six.png'}\n")
    with Image.open(tmp_path / "new" / "six.png") as page:
        assert page.width > page.height


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--count", "0"], "'--count': expected a whole number of 1 or more, received '0'"),
        (["--count", "401"], "Expected count to be a whole number from 1 to 400, received 401"),
        (["--columns", "401"], "Expected columns to be a whole number from 1 to 400, received 401"),
        (["--count", "many"], "received 'many'"),
        (["--columns", "-1"], "received '-1'"),
        (["--out", "page.bmp"], ".png file to write, received page.bmp"),
        (["--index", "9"], "Expected indices from 0 to 8, received 9"),
        (["--index", "3-1"], "Expected indices as 17 or 17,40-45, received '3-1'"),
        (["--index", ""], "received ''"),
        (["--index", "0-99999999999"], "at most 400 indices"),
        (["--index", "1", "--count", "1"], "Expected --index or --count, received both"),
        (["--smallest", "--worst-contrast"], "received --worst-contrast and --smallest"),
        (["--largest", "--index", "1"], "received --largest and --index"),
        (["--index", "1", "--split", "test"], "Expected --index or --split, received both"),
        (["--split", "tests"], "Did you mean 'test'"),
        (["--worst-rounding"], "Expected a data set that was imported"),
        (["--worst-rounding", "--largest"], "received --worst-rounding and --largest"),
        (["--masks"], "Expected a data set with masks"),
    ],
)
def test_bad_input_is_one_line(capsys, folder: Path, arguments: list[str], message: str) -> None:
    code, out, err = run(capsys, str(folder), *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert not (folder / "preview.png").exists()


def test_no_data_set_is_2(capsys, tmp_path: Path) -> None:
    code, _, err = run(capsys, str(tmp_path))
    assert code == 2
    assert "has no dataset.json" in err


def test_the_table_fits_sixty_columns_and_says_what_the_data_set_holds(
    capsys, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    _, out, _ = run(capsys, str(folder))
    lines = out.splitlines()[:-1]
    assert max(map(len, lines)) <= 60
    assert all(line == line.rstrip() for line in lines)
    table = open_dataset(folder).table()
    contrasts = [str(int(f(table["contrast"]))) for f in (min, max)]
    shown = next(line.split() for line in lines if line.startswith("contrast"))
    assert [shown[1], shown[3]] == contrasts
    assert any(line.split()[:2] == ["pictures", "9"] for line in lines)


def test_quiet_prints_the_paths_alone(capsys, folder: Path) -> None:
    code, out, err = run(capsys, str(folder), "--quiet", "--histograms")
    assert (code, err) == (0, "")
    assert out.splitlines() == [str(folder / "histograms.png"), str(folder / "preview.png")]
    assert all(Path(line).is_file() for line in out.splitlines())


def test_histograms_stand_beside_a_page_of_another_name_and_overwrite_no_other(
    capsys, folder: Path, tmp_path: Path
) -> None:
    run(capsys, str(folder), "--out", str(tmp_path / "page.png"), "--histograms")
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["page-histograms.png", "page.png"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--worst-contrast", lambda row: row.contrast),
        ("--smallest", lambda row: (row.xmax - row.xmin) * (row.ymax - row.ymin)),
        ("--largest", lambda row: -(row.xmax - row.xmin) * (row.ymax - row.ymin)),
    ],
)
def test_the_page_of_the_worst_is_the_page_of_their_indices(
    capsys, folder: Path, tmp_path: Path, option: str, value
) -> None:
    rows = list(open_dataset(folder).table().itertuples())
    worst = [str(row.index) for row in sorted(rows, key=value)][:4]
    places = [tmp_path / "worst.png", tmp_path / "named.png"]
    for place, words in zip(places, ([option, "--count", "4"], ["--index", ",".join(worst)]), strict=True):
        assert run(capsys, str(folder), "--out", str(place), *words)[0] == 0
    pages = [Image.open(place) for place in places]
    # Titles and captions differ; the pictures do not.
    boxes = [(24, 44, 424, 244), (444, 44, 844, 244)]
    for box in boxes:
        assert pages[0].crop(box).tobytes() == pages[1].crop(box).tobytes()
    assert pages[0].tobytes() != pages[1].tobytes()


def test_json_gives_the_numbers(capsys, folder: Path) -> None:
    code, out, _ = run(capsys, str(folder), "--json", "--histograms", "--index", "1,3-4")
    assert code == 0
    done = json.loads(out)
    assert (done["event"], done["count"], done["total"]) == ("done", 3, 9)
    assert done["histograms"] == str(folder / "histograms.png")
    summary = done["summary"]
    assert summary["splits"] == {"train": 2, "validation": 2, "test": 5}
    assert sum(summary["classes"].values()) == summary["n"] == 9
    assert set(summary["measures"]["contrast"]) == {"least", "median", "largest"}


@pytest.mark.parametrize("option", [[], ["--smallest"], ["--histograms", "--quiet"], ["--histograms", "--json"]])
def test_a_table_that_was_changed_is_refused_before_anything_is_written(capsys, folder: Path, option) -> None:
    table = folder / "boxes.csv"
    table.write_text(table.read_text().replace("train", "tests"))
    code, _, err = run(capsys, str(folder), *option)
    assert (code, err.count("\n")) == (2, 1)
    assert "was changed since it was written" in err
    assert list(folder.glob("*.png")) == []


def test_help_gives_a_flag_nothing_to_type(capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    _, out, _ = run(capsys, "--help")
    flags = ("--worst-contrast", "--smallest", "--largest", "--masks", "--histograms", "--quiet", "--json")
    lines = [line for line in out.splitlines() if any(f" {name} " in line and line.startswith("│ ") for name in flags)]
    assert len(lines) == len(flags)
    assert [line for line in lines if "<" in line] == []
    assert out.count("╭") == 2, "all options stand under one heading"


def test_an_imported_data_set_is_looked_at_like_any_other(capsys, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["import", str(write_shapes(tmp_path / "shapes", n=7)), "--out", str(tmp_path / "data"), "--quiet"])
    capsys.readouterr()
    code, out, _ = run(capsys, str(tmp_path / "data"), "--smallest", "--count", "3", "--histograms")
    lines = out.splitlines()
    assert (code, lines[-2:]) == (0, [str(tmp_path / "data" / name) for name in ("histograms.png", "preview.png")])
    said = {line.split()[0] for line in lines[:-2] if line}
    assert {"pictures", "splits", "classes", "positions", "box"} <= said
    # Neither was drawn here, so there is nothing to be said of them.
    assert said.isdisjoint({"fonts", "glyph", "contrast", "backgrounds"})
    code, out, err = run(capsys, str(tmp_path / "data"), "--worst-rounding", "--split", "test")
    assert code == 0
    assert "4 of 4 samples" in err
    assert any(line.startswith("rounding, IoU") for line in out.splitlines())
    code, _, err = run(capsys, str(tmp_path / "data"), "--worst-contrast")
    assert (code, err.count("\n")) == (2, 1)
    assert "choose its smallest boxes or samples by index" in err
    code, _, err = run(capsys, str(tmp_path / "data"), "--masks")
    assert (code, err.count("\n")) == (2, 1)
