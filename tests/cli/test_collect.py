from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from bboxbench.cli import main

WriteSweep = Callable[..., Path]


@pytest.fixture(scope="module")
def folders(write_sweep: WriteSweep, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("sweeps")
    one = write_sweep(place / "one", {"mse": "good", "giou": "failed"})
    return one, write_sweep(place / "two", {"iou": "pinned", "mse": "good"})


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    return int(end.value.code or 0)


def test_it_says_what_is_there_what_is_new_and_what_to_do_next(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "all of them"
    assert run("collect", *folders, "--out", out) == 0
    shown, told = capsys.readouterr()
    assert shown.replace("\n", "") == f"6 of 6 runs, 2 failed in {out}: 6 new"
    assert f"bboxbench report '{out}'" in told
    assert "--retry-failed" in told
    assert run("collect", *folders, "--out", out, "--quiet") == 0
    shown, told = capsys.readouterr()
    assert shown.endswith(": 0 new\n")
    assert told == ""


def test_a_program_gets_one_object(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("collect", *folders, "--out", tmp_path / "all", "--json", "--quiet") == 0
    (event,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert event == {
        "event": "done",
        "folder": str(tmp_path / "all"),
        "planned": 6,
        "runs": 6,
        "failed": 2,
        "added": 6,
        "mended": 0,
        "differing": [],
        "damaged": [],
    }


def test_another_sweep_ends_with_3_in_one_line(
    write_sweep: WriteSweep, folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_sweep(tmp_path / "other", {"mse": "good"}, epochs=3)
    assert run("collect", folders[0], other, "--out", tmp_path / "all") == 3
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "epochs 3 (expected 4)" in err
    assert not (tmp_path / "all").exists()


@pytest.mark.parametrize("words", [[], ["--out", "all"], ["nowhere", "--out", "all"], ["nowhere"]], ids=" ".join)
def test_wrong_usage_ends_with_2_and_writes_nothing(
    words: list[str], empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("collect", *words) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(empty_folder.iterdir()) == []


def test_on_a_full_disk_what_is_collected_is_kept_and_the_rest_comes_when_there_is_room(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    limit = (folders[0] / "journal.jsonl").stat().st_size + 100

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    words = [sys.executable, "-m", "bboxbench", "collect", *map(str, folders), "--out", str(tmp_path / "all")]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    full = subprocess.run(words, capture_output=True, text=True, preexec_fn=small_files, env=environment)
    assert full.returncode == 4, full.stderr
    assert full.stderr.splitlines()[-1].startswith("Error: Cannot write")
    kept = (tmp_path / "all" / "journal.jsonl").read_bytes()
    assert 0 < kept.count(b"\n") < 6
    again = subprocess.run(words, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "all" / "journal.jsonl").read_bytes().startswith(kept)
    assert len(pd.read_csv(tmp_path / "all" / "runs.csv")) == 6
