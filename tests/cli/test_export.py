from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from bboxbench.cli import main
from bboxbench.data_gen import Dataset, DatasetSpec, generate
from bboxbench.data_gen.exports import FORMATS
from bboxbench.data_gen.exports.source import SPLITS, Source


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["export", *arguments])
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


@pytest.fixture
def data(empty_folder: Path) -> Dataset:
    return generate(DatasetSpec.letters(n=9, width=64, height=48, sizes=(16, 24)), "data/nine", workers=1)


@pytest.mark.parametrize("form", FORMATS)
def test_it_writes_beside_the_data_set_and_says_how_to_read_it(form: str, capsys, data: Dataset) -> None:
    code, out, err = run(capsys, "data/nine", "--format", form)
    assert code == 0
    assert out.startswith(f"Exported 9 pictures as {FORMATS[form].title} into data/nine-{form}: ")
    assert (
        err.splitlines()[-1] == f"Read them:  {FORMATS[form].reading(Path(f'data/nine-{form}'), Source(data, SPLITS))}"
    )
    assert Path(f"data/nine-{form}/export.json").is_file()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.usefixtures("data")
def test_what_it_says_how_to_read_is_there_whichever_splits_were_wanted(form: str, capsys) -> None:
    code, _, err = run(capsys, "data/nine", "--format", form, "--splits", "test", "--out", "some")
    assert code == 0
    pattern = re.search(r"some(/[\w./*-]+)?", err.splitlines()[-1])
    assert pattern is not None
    assert list(Path().glob(pattern[0]))


@pytest.mark.parametrize("form", FORMATS)
def test_what_it_says_how_to_read_can_be_typed_whatever_the_folder_is_called(form: str, data: Dataset) -> None:
    folder = "it's my \\ folder"
    said = FORMATS[form].reading(Path(folder), Source(data, SPLITS))
    if form == "yolo":
        assert shlex.split(said) == ["yolo", "detect", "train", f"data={folder}/data.yaml"]
        return
    words = [node.value for node in ast.walk(ast.parse(said.split(";")[0])) if isinstance(node, ast.Constant)]
    assert [word for word in words if isinstance(word, str) and word.startswith(folder)]


@pytest.mark.usefixtures("data")
def test_the_second_time_it_says_that_nothing_was_written(capsys) -> None:
    run(capsys, "data/nine", "-f", "csv")
    code, out, _ = run(capsys, "data/nine", "-f", "csv")
    assert (code, out) == (0, "data/nine-csv already holds these 9 pictures as CSV, complete; nothing was written.\n")


def test_json_gives_events_on_stdout_and_quiet_leaves_stderr_empty(capsys, data: Dataset) -> None:
    arguments = ["data/nine", "-f", "yolo", "--splits", "test, validation", "--out", "out", "--json", "--quiet"]
    code, out, err = run(capsys, *arguments)
    events = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert [(event["done"], event["total"]) for event in events[:-1]] == [(0, 7), (2, 7), (7, 7)]
    done = events[-1]
    assert (done["event"], done["format"], done["splits"]) == ("done", "yolo", ["validation", "test"])
    assert (done["n"], done["files"], done["written"], done["dataset_sha256"]) == (7, 15, True, data.sha256)
    assert done["folder"] == "out"


@pytest.mark.usefixtures("data")
def test_tensorflow_says_nothing_of_its_own_while_it_writes() -> None:
    command = [sys.executable, "-m", "bboxbench", "export", "data/nine", "-f", "tfrecord", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Exported 9 pictures as TFRecord")
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["data/nine"], 2, "--format"),
        (["data/nine", "-f", "cocoa"], 2, "Did you mean 'coco'?"),
        (["data/nine", "-f", "coco", "--splits", "train,tests"], 2, "Did you mean 'test'?"),
        (["data/nine", "-f", "coco", "--splits", "train,val"], 2, "Did you mean 'validation'?"),
        (["data/nine", "-f", "coco", "-f", "yolo"], 2, "Expected one --format, received coco, yolo. Call it for each."),
        (["data/nine", "-f", "coco", "--splits", ","], 2, "at least one split"),
        (["data/nine", "-f", "coco", "--splits", "train,train"], 2, "received train twice"),
        (["data/nine", "-f", "coco", "--workers", "0"], 2, "'--workers': expected a whole number of 1 or more"),
        (["data/nine", "-f", "coco", "--out", "data/nine"], 3, "holds boxes.csv and more"),
        (["data/nine", "-f", "coco", "--out", "data/nine/dataset.json"], 2, "received the file"),
        (["data", "-f", "coco"], 2, "has no dataset.json"),
        (["nowhere", "-f", "coco"], 2, "found nothing"),
    ],
)
@pytest.mark.usefixtures("data")
def test_what_cannot_be_is_one_line(arguments: list[str], code: int, message: str, capsys) -> None:
    found, out, err = run(capsys, *arguments)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert message in err


def test_the_help_names_every_format(capsys) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert all(name in out for name in FORMATS)


def test_the_help_says_how_splits_are_typed_and_asks_for_nothing_behind_a_flag(capsys) -> None:
    _, out, _ = run(capsys, "--help")
    rows = [" ".join(line.strip("│ ").split()) for line in out.splitlines()]
    assert "As train,validation: names with commas between; all by default." in " ".join(rows)
    assert "--quiet -q No progress, no advice." in rows
    assert "--json One JSON object a line on stdout." in rows
