"""Ctrl-C, SIGTERM and a second driver: the sweep ends or refuses with its code, and ends as if nothing had been."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest
from disturbed_sweeps import PATIENCE, assert_same, finish, last_error, left_over, lines, run, start

pytestmark = pytest.mark.slow


def wait_for_runs(folder: Path, process: subprocess.Popen[str], count: int = 1) -> None:
    """Until ``count`` runs are in the journal."""
    deadline = time.monotonic() + PATIENCE
    while len(lines(folder)) < count and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(lines(folder)) >= count, finish(process)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sweep_keeps_its_runs_and_goes_on(
    four_runs_apart: list[str], undisturbed: Path, tmp_path: Path, number: signal.Signals
) -> None:
    folder = tmp_path / "r"
    process = start(four_runs_apart, tmp_path)
    wait_for_runs(folder, process)
    process.send_signal(number)
    ended, _, err = finish(process)
    assert ended == 130, err
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("Interrupted"), err
    kept = lines(folder)
    assert len(kept) < 4  # none, where it came while the first line was being written
    # The tables were written once more on the way out.
    assert len((folder / "runs.csv").read_text(encoding="utf-8").splitlines()) == len(kept) + 1
    again, _, err = run(four_runs_apart, tmp_path)
    assert again == 0, err
    assert lines(folder)[: len(kept)] == kept
    assert_same(folder, undisturbed)
    assert left_over(folder) == []


def test_a_second_driver_is_refused_and_the_first_goes_on(
    four_runs: list[str], undisturbed: Path, tmp_path: Path
) -> None:
    first = start(four_runs, tmp_path)
    wait_for_runs(tmp_path / "r", first)
    # It stands still while the second comes, else it might be done before.
    first.send_signal(signal.SIGSTOP)
    code, out, err = run(four_runs, tmp_path)
    assert (code, out) == (3, "")
    assert "Another process is writing" in last_error(err)
    first.send_signal(signal.SIGCONT)
    ended, _, err = finish(first)
    assert ended == 0, err
    assert_same(tmp_path / "r", undisturbed)


def test_of_two_drivers_started_together_one_trains_and_the_other_is_refused(
    four_runs: list[str], undisturbed: Path, tmp_path: Path
) -> None:
    drivers = [start(four_runs, tmp_path) for _ in range(2)]
    ended = [finish(driver) for driver in drivers]
    codes = sorted(code for code, _, _ in ended)
    # Where one is done before the other has loaded TensorFlow, there is nothing left to refuse or to train.
    assert codes in ([0, 3], [0, 0]), ended
    assert_same(tmp_path / "r", undisturbed)
