from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bboxbench.cli import main
from bboxbench.experiments.recorded import read_sweep
from bboxbench.experiments.summary import markdown_summary

WriteSweep = Callable[..., Path]


@pytest.fixture(scope="module")
def folder(write_sweep: WriteSweep, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sweep(tmp_path_factory.mktemp("cli-report") / "results" / "mine", {"mse": "good", "iou": "pinned"})


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        main(["report", *map(str, arguments)])
    return int(end.value.code or 0)


def test_the_path_is_on_stdout_and_the_page_is_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder) == 0
    out, err = capsys.readouterr()
    path = folder / "report" / "index.html"
    assert out == f"{path}\n"
    assert err.startswith("4 runs on one page, 0.")
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_quiet_leaves_the_path_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "--quiet") == 0
    assert capsys.readouterr().err == ""


def test_programs_get_one_event(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "--json", "--quiet") == 0
    (event,) = map(json.loads, capsys.readouterr().out.splitlines())
    path = folder / "report" / "index.html"
    assert {**event, "seconds": 0} == {
        "event": "done",
        "path": str(path),
        "runs": 4,
        "bytes": path.stat().st_size,
        "pictures": True,
        "seconds": 0,
    }


def test_missing_pictures_are_a_warning_that_says_what_to_do(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "results" / "mine"))
    manifest = json.loads((copy / "sweep.json").read_text())
    pictures, manifest["spec"]["data"] = manifest["spec"]["data"], "gone"
    (copy / "sweep.json").write_text(json.dumps(manifest))
    monkeypatch.chdir(tmp_path)
    assert run(copy, "--quiet") == 0
    assert "--data" in capsys.readouterr().err
    assert run(copy, "--quiet", "--data", pictures) == 0
    assert capsys.readouterr().err == ""


def test_markdown_is_the_summary_and_writes_nothing(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "r"))
    shutil.rmtree(copy / "report")
    command = [sys.executable, "-m", "bboxbench", "report", str(copy), "--format", "markdown"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == markdown_summary(read_sweep(copy))
    assert done.stderr == ""
    assert not (copy / "report").exists()


def test_a_summary_of_what_is_not_finished_says_so(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "r"))
    lines = (copy / "journal.jsonl").read_text().splitlines(keepends=True)
    (copy / "journal.jsonl").write_text("".join(lines[:3]))
    for shown in ("markdown", "table"):
        assert run(copy, "--format", shown) == 0
        assert "3 of 4 runs so far" in capsys.readouterr().out
        assert run(folder, "--format", shown) == 0
        assert "so far" not in capsys.readouterr().out


def test_the_table_names_every_combination(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "--format", "table") == 0
    out = capsys.readouterr().out
    assert "2 of 2" in out
    assert "2 blind (2 pinned)" in out
    assert max(map(len, out.splitlines())) <= 140


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "Expected the results folder of a sweep. Received: nowhere, nothing there."),
        (["FOLDER", "--format", "htm"], "Unknown format 'htm'. Did you mean 'html'?"),
        (["FOLDER", "--format", "table", "--json"], "Received: --json and --format table."),
        (["FOLDER", "--data", "FOLDER"], "Expected"),
        ([], "Missing argument"),
    ],
)
def test_bad_input_is_2_and_one_line(
    folder: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*(str(folder) if word == "FOLDER" else word for word in arguments)) == 2
    out, err = capsys.readouterr()
    assert [json.loads(line)["event"] for line in out.splitlines()] == (["error"] if "--json" in arguments else [])
    assert err.count("\n") == 1
    assert said in err


def test_a_summary_of_nothing_is_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(folder / "sweep.json", tmp_path)
    assert run(tmp_path, "--format", "markdown") == 2
    assert "has none yet" in capsys.readouterr().err


def test_a_page_is_made_without_tensorflow(folder: Path) -> None:
    code = (
        "import sys\nfrom bboxbench.cli import main\n"
        f"try: main(['report', {str(folder)!r}])\nexcept SystemExit as end: assert end.code == 0\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
