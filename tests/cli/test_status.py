from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from rich.cells import cell_len

from bboxbench.cli import main

WriteSweep = Callable[..., Path]


@pytest.fixture
def folder(write_sweep: WriteSweep, tmp_path: Path) -> Path:
    return write_sweep(tmp_path / "results of mine", {"mse": "good", "iou": "pinned", "giou": "failed"}, seeds=3)


@pytest.fixture
def process(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that the sweep in the folder says is its own, until the test ends."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as sleeper:
        content = {
            "state": "running",
            "pid": sleeper.pid,
            "process_started": psutil.Process(sleeper.pid).create_time(),
            "updated": time.time(),
            "eta_seconds": 7200.0,
            "blocks": [{"seed": 3, "batch_size": 100, "runs": {"mse-glorot_uniform-s3": 1.5}}],
        }
        (folder / "progress.json").write_text(json.dumps(content))
        manifest = json.loads((folder / "sweep.json").read_text())
        manifest["runs"] = {
            f"{loss} glorot_uniform adam 0.0005 corners wide 100 {seed}": f"{loss}-glorot_uniform-s{seed}"
            for loss in ("mse", "iou", "giou")
            for seed in range(4)
        }
        (folder / "sweep.json").write_text(json.dumps(manifest))
        yield sleeper
        sleeper.kill()


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    return int(end.value.code or 0)


def test_of_a_finished_sweep_it_says_what_became_of_each_cell_what_failed_and_what_to_do(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("status", folder) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == f"{folder}: done"
    assert lines[1] == "9 of 9 runs, 3 failed"
    assert any(re.fullmatch(r"  mse +3/3 +3 +1\.000 +1\.000", line) for line in lines)
    assert "3 of 9 runs failed:" in lines
    assert f"Train them again: the sweep's command with --out '{folder}' --retry-failed" in lines
    assert lines[-1] == f"See it: bboxbench report '{folder}'"
    assert all(line == line.rstrip() for line in lines)


def test_of_a_running_sweep_it_says_how_far_it_is(
    folder: Path, process: subprocess.Popen[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("status", folder) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{folder}: running, process {process.pid}"
    assert re.fullmatch(r"9 of 12 runs, 3 failed, about (2 h 00|1 h 59) min left", lines[1])
    assert lines[2] == "Training seed 3: 1 run, epoch 1.5 of 4"


def test_of_a_killed_sweep_it_says_so_and_how_to_go_on(
    folder: Path, process: subprocess.Popen[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    process.kill()
    process.wait()
    assert run("status", folder) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{folder}: stopped, its process is gone"
    assert lines[-1] == f"Go on: the sweep's command with --out '{folder}'"


def test_a_program_gets_one_object(
    folder: Path, process: subprocess.Popen[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("status", folder, "--json") == 0
    (event,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert {name: event[name] for name in ("event", "state", "killed", "pid", "runs", "finished")} == {
        "event": "status",
        "state": "running",
        "killed": False,
        "pid": process.pid,
        "runs": 12,
        "finished": 9,
    }
    assert [each["run_id"] for each in event["failed"]] == [f"giou-glorot_uniform-s{seed}" for seed in range(3)]
    assert event["under_way"] == {"mse-glorot_uniform-s3": 1.5}
    assert [(cell["loss"], cell["done"], cell["planned"]) for cell in event["cells"]] == [
        (loss, 3, 4) for loss in ("mse", "iou", "giou")
    ]


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["lines", "events"])
def test_watching_ends_with_the_sweep(folder: Path, process: subprocess.Popen[bytes], options: list[str]) -> None:
    command = [sys.executable, "-m", "bboxbench", "status", str(folder), "--watch", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        first = watching.stdout.readline()
        process.kill()
        process.wait()
        rest = watching.stdout.read()
    assert watching.returncode == 0
    if options:
        states = [json.loads(line)["state"] for line in (first, *rest.splitlines())]
        assert states == ["running", "stopped"]
    else:
        assert first.startswith("9 of 12 runs, 3 failed, about ")
        assert "stopped, its process is gone" in rest


def test_no_sweep_is_one_line_and_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("status", tmp_path) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
@pytest.mark.parametrize("width", [60, 80, 120])
def test_on_a_terminal_no_line_is_wider_than_it_while_it_is_watched(
    folder: Path, process: subprocess.Popen[bytes], width: int
) -> None:
    driver, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    command = [sys.executable, "-m", "bboxbench", "status", ".", "--watch"]
    environment = {**os.environ, "TERM": "xterm-256color"}
    for name in ("COLUMNS", "LINES", "NO_COLOR"):
        environment.pop(name, None)
    with subprocess.Popen(command, stdout=terminal, stderr=terminal, cwd=folder, env=environment) as watching:
        os.close(terminal)
        written = b""
        while b"giou" not in written:
            written += os.read(driver, 4096)
        process.kill()
        process.wait()
        try:
            while more := os.read(driver, 4096):
                written += more
        except OSError:  # how a pseudo-terminal says that nobody is left
            pass
    os.close(driver)
    assert watching.returncode == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.decode())
    drawn = plain[: plain.index(".: stopped")]
    assert max(map(cell_len, re.split(r"[\r\n]+", drawn))) <= width
    assert re.search(r"9 of 12 runs, 3 failed, about (2 h 00|1 h 59) min left", drawn)
