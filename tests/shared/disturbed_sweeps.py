"""Sweeps as processes of their own that tests disturb, and what must hold of their folders afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd

EXACT = {
    "preset": "quick",
    "initializers": "glorot_uniform",
    "optimizers": "adam:0.0005",
    "epochs": 1,
    "batch_sizes": 6,
    "threads": 1,
    "deterministic": True,
}
"""Runs of a second whose bits are promised: what disturbs them must leave every digit as it was."""

STARTED: list[subprocess.Popen[str]] = []
"""What a test started; what of it is alive when the test ends, however that ends, is ended too."""

PATIENCE = 900.0
"""Seconds that one process may take, on a machine with much else to do: a hang must end, and nothing else."""

TABLES = ("runs", "epochs", "iou_histogram", "distribution", "comparisons", "baselines")
TIMES = ("seconds", "seconds_median")
"""The columns of tables that no two sweeps have in common."""


def words(data: Path, out: Path, **options: Any) -> list[str]:
    """The command line of a sweep of `EXACT` on the pictures in ``data`` into ``out``, with other options over it."""
    said = ["sweep", "--data", str(data), "--out", str(out)]
    for name, value in {**EXACT, **options}.items():
        option = f"--{name.replace('_', '-')}"
        said += [option] if value is True else [] if value is False else [option, str(value)]
    return said


def start(arguments: list[str], cwd: Path, **options: Any) -> subprocess.Popen[str]:
    """The command as a process that hears Ctrl-C, which one that was started in the background would not."""
    given: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    before = given.pop("preexec_fn", lambda: None)

    def restore() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        before()

    command = [sys.executable, "-m", "bboxbench", *arguments]
    STARTED.append(subprocess.Popen(command, cwd=cwd, preexec_fn=restore, **given))
    return STARTED[-1]


def finish(process: subprocess.Popen[str], seconds: float = PATIENCE) -> tuple[int, str, str]:
    """Wait for a process: its exit code, stdout and stderr."""
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out, err


def run(arguments: list[str], cwd: Path, **options: Any) -> tuple[int, str, str]:
    """Start a command and wait for it."""
    return finish(start(arguments, cwd, **options))


def lines(folder: Path) -> list[bytes]:
    """The whole lines of a folder's journal; a torn tail is none."""
    journal = folder / "journal.jsonl"
    return journal.read_bytes().split(b"\n")[:-1] if journal.exists() else []


def last_error(said: str) -> str:
    """The error of a command that ended with one: the last line of its stderr, which has no traceback."""
    assert "Traceback" not in said, said
    last = said.splitlines()[-1]
    assert last.startswith("Error: "), said
    return last


def table(folder: Path, name: str) -> pd.DataFrame:
    """A table of a folder as text, without its times."""
    frame = pd.read_csv(folder / f"{name}.csv", dtype=str, keep_default_na=False)
    return frame.drop(columns=[column for column in TIMES if column in frame])


def assert_same(folder: Path, undisturbed: Path) -> None:
    """Every table of ``folder`` is, to the last digit, that of a sweep that nothing disturbed; times apart."""
    assert_whole(folder)
    for name in TABLES:
        pd.testing.assert_frame_equal(table(folder, name), table(undisturbed, name), obj=name)


def assert_alike(folder: Path, undisturbed: Path) -> None:
    """The same but for rounding, for sweeps that do not promise their bits."""
    assert_whole(folder)
    here, there = (pd.read_csv(each / "runs.csv").drop(columns="seconds") for each in (folder, undisturbed))
    pd.testing.assert_frame_equal(here, there, rtol=1e-4, atol=1e-4)


def assert_whole(folder: Path) -> None:
    """No run is there twice, none without its predictions, no table lacks one, and nothing half-written is left."""
    records = [json.loads(line) for line in lines(folder)]
    ids = [record["run_id"] for record in records]
    assert len(ids) == len(set(ids)), sorted(ids)
    assert (folder / "journal.jsonl").read_bytes().endswith(b"\n")
    kept = {file.stem: hashlib.sha256(file.read_bytes()).hexdigest() for file in (folder / "predictions").glob("*.npz")}
    assert kept == {r["run_id"]: r["predictions_sha256"] for r in records if r["row"]["status"] == "ok"}
    assert sorted(table(folder, "runs")["run_id"]) == sorted(ids)
    assert set(json.loads((folder / "sweep.json").read_text(encoding="utf-8"))["runs"].values()) == set(ids)


def left_over(folder: Path) -> list[str]:
    """Files of ``folder`` that were being written when something ended it."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob(".*.tmp*"))


def quiet_environment(**more: str) -> dict[str, str]:
    """This process's environment, with ``more`` in it, for one that must not write beside its modules."""
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **more}
