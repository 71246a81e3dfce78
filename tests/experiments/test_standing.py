from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from bboxbench.errors import InputError
from bboxbench.experiments.cells import CELL
from bboxbench.experiments.journal import Journal, read_records
from bboxbench.experiments.standing import Standing
from bboxbench.files import write_atomically

WriteSweep = Callable[..., Path]


@pytest.fixture
def folder(write_sweep: WriteSweep, tmp_path: Path) -> Path:
    """Two losses under three seeds, giou failed; asked for are four seeds of each, and a loss that never began."""
    folder = write_sweep(tmp_path / "r", {"mse": "good", "giou": "failed"}, seeds=3)
    manifest = json.loads((folder / "sweep.json").read_text())
    record = read_records(folder / "journal.jsonl")[0]["row"]
    for loss in ("mse", "giou", "iou"):
        for seed in range(4):
            cell = {**{name: record.get(name) for name in CELL}, "loss": loss}
            name = f"{' '.join(map(str, cell.values()))} {seed}"
            manifest["runs"][name] = f"{loss}-glorot_uniform-s{seed}"
    (folder / "sweep.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives until the test ends."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as sleeper:
        yield sleeper
        sleeper.kill()


def write_progress(folder: Path, pid: int | None = None, **changes: Any) -> None:
    content = {
        "state": "running",
        "pid": pid,
        "process_started": psutil.Process(pid).create_time() if pid else 0.0,
        "updated": time.time(),
        "eta_seconds": 100.0,
        "blocks": [
            {"seed": 3, "batch_size": 100, "runs": {"mse-glorot_uniform-s3": 1.5}},
            {"seed": 2, "batch_size": 100, "runs": {"iou-glorot_uniform-s2": 2}},
        ],
        **changes,
    }
    (folder / "progress.json").write_text(json.dumps(content))


def test_what_is_asked_for_and_what_is_done_are_counted_by_cell(folder: Path) -> None:
    standing = Standing(folder)
    assert (standing.planned, standing.finished, len(standing.failed)) == (12, 6, 3)
    cells = {cell.values["loss"]: (cell.done, cell.planned, dict(+cell.states)) for cell in standing.tally.cells}
    assert cells == {"mse": (3, 4, {"converged": 3}), "giou": (3, 4, {"failed": 3}), "iou": (0, 4, {})}


def test_without_a_process_a_sweep_is_stopped_or_done(folder: Path, write_sweep: WriteSweep, tmp_path: Path) -> None:
    assert Standing(folder).state == "stopped"
    assert not Standing(folder).killed
    assert Standing(write_sweep(tmp_path / "whole", {"mse": "good"})).state == "done"


def test_while_its_process_lives_it_runs_and_says_what_trains(folder: Path, process: subprocess.Popen[bytes]) -> None:
    write_progress(folder, process.pid)
    standing = Standing(folder)
    assert standing.state == "running"
    assert standing.under_way() == {"mse-glorot_uniform-s3": (3, 1.5), "iou-glorot_uniform-s2": (2, 2.0)}
    assert standing.seconds_left == pytest.approx(100, abs=5)


def test_time_that_passed_since_it_spoke_is_taken_off(folder: Path, process: subprocess.Popen[bytes]) -> None:
    write_progress(folder, process.pid, updated=time.time() - 40)
    standing = Standing(folder)
    assert standing.state == "running"
    assert standing.silent_seconds == pytest.approx(40, abs=5)
    assert standing.seconds_left == pytest.approx(60, abs=5)


def test_a_process_that_was_killed_leaves_a_stopped_sweep(folder: Path, process: subprocess.Popen[bytes]) -> None:
    write_progress(folder, process.pid)
    standing = Standing(folder)
    os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while standing.state == "running" and time.monotonic() < deadline:  # a zombie from then on: nobody waits for it
        time.sleep(0.05)
    assert standing.state == "stopped"
    assert standing.killed
    assert standing.under_way() == {}
    assert standing.seconds_left is None


def test_another_process_that_got_the_same_number_is_not_taken_for_it(
    folder: Path, process: subprocess.Popen[bytes]
) -> None:
    started = psutil.Process(process.pid).create_time() - 1000
    write_progress(folder, process.pid, process_started=started, updated=time.time() - 900)
    assert Standing(folder).state == "stopped"


def test_a_clock_that_was_set_makes_no_living_process_a_dead_one(
    folder: Path, process: subprocess.Popen[bytes]
) -> None:
    started = psutil.Process(process.pid).create_time() - 7200
    write_progress(folder, process.pid, process_started=started)
    assert Standing(folder).state == "running"


def test_a_sweep_on_another_machine_runs_as_long_as_it_speaks(folder: Path) -> None:
    write_progress(folder, None, machine="elsewhere")
    assert Standing(folder).state == "running"
    write_progress(folder, None, machine="elsewhere", updated=time.time() - 600)
    assert Standing(folder).state == "stopped"


@pytest.mark.parametrize("content", [b"", b'{"state": "runn', b"[1]", b"\xff\xfe"])
def test_progress_that_cannot_be_read_is_no_news(folder: Path, content: bytes) -> None:
    (folder / "progress.json").write_bytes(content)
    assert Standing(folder).state == "stopped"


def test_renewed_it_reads_what_came_since_and_a_retried_run_counts_once(folder: Path) -> None:
    standing = Standing(folder)
    records = read_records(folder / "journal.jsonl")
    good = next(record for record in records if record["row"]["loss"] == "mse")
    journal = Journal(folder / "journal.jsonl")
    for seed in range(2):
        run_id = f"giou-glorot_uniform-s{seed}"
        journal.append({**good, "run_id": run_id, "row": {**good["row"], "run_id": run_id, "loss": "giou"}})
    with (folder / "journal.jsonl").open("ab") as stream:
        stream.write(b'{"run_id":"being written')
    standing.renew()
    assert (standing.finished, len(standing.failed)) == (6, 1)
    giou = next(cell for cell in standing.tally.cells if cell.values["loss"] == "giou")
    assert dict(+giou.states) == {"converged": 2, "failed": 1}
    fresh = Standing(folder)
    assert [cell.to_dict() for cell in fresh.tally.cells] == [cell.to_dict() for cell in standing.tally.cells]


def test_what_was_asked_for_is_read_anew_only_when_another_command_asked(folder: Path) -> None:
    standing = Standing(folder)
    before = standing.manifest
    standing.renew()
    assert standing.manifest is before
    runs = {**before["runs"], "mse glorot_uniform adam 0.0005 corners wide 100 4": "mse-glorot_uniform-s4"}
    write_atomically(folder / "sweep.json", json.dumps({**before, "runs": runs}))
    standing.renew()
    assert standing.planned == 13
    (folder / "sweep.json").unlink()
    with pytest.raises(InputError):
        standing.renew()


def test_a_line_is_read_when_it_is_whole(folder: Path) -> None:
    whole = (folder / "journal.jsonl").read_bytes()
    (folder / "journal.jsonl").write_bytes(whole[:-20])
    standing = Standing(folder)
    assert standing.finished == 5
    (folder / "journal.jsonl").write_bytes(whole)
    standing.renew()
    assert standing.finished == 6


def test_a_run_that_nobody_asks_for_any_more_is_not_counted(folder: Path) -> None:
    manifest = json.loads((folder / "sweep.json").read_text())
    edited = next(name for name, run_id in manifest["runs"].items() if run_id == "mse-glorot_uniform-s0")
    manifest["runs"][edited] = "mse-of-another-text"
    (folder / "sweep.json").write_text(json.dumps(manifest))
    assert (Standing(folder).planned, Standing(folder).finished) == (12, 5)


def test_no_sweep_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing there"):
        Standing(tmp_path / "nowhere")


def test_it_needs_no_tensorflow() -> None:
    code = "import bboxbench.experiments.standing, sys\nassert not {'tensorflow', 'keras'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
