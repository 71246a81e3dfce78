from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from bboxbench.cli import main
from bboxbench.data_gen import DatasetSpec, generate


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
    assert (code, out) == (0, f"{folder / 'preview.png'}\n")
    assert "9 of 9 samples" in err
    with Image.open(folder / "preview.png") as page:
        page.load()
    # A picture in the folder is no obstacle to the data set.
    assert generate(DatasetSpec.letters(n=9), folder).n == 9


def test_it_writes_where_it_is_told_to(capsys, folder: Path, tmp_path: Path) -> None:
    code, out, _ = run(
        capsys, str(folder), "--out", str(tmp_path / "new" / "six.png"), "--count", "6", "--columns", "3"
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
