"""No worker outlives its driver, whatever ends that and wherever the worker is."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from workers_seen import gone, workers_of

from bboxbench.data_gen import Dataset

HANGS = """
import subprocess, sys, time
from keras import ops

def hangs(y_true, y_pred):
    if y_pred.shape[0] == 4:  # It is tried on batches of other sizes before.
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        while True:
            time.sleep(0.01)
    return ops.mean(ops.square(y_true - y_pred), axis=-1)
"""


def wait_for_a_hang(driver: subprocess.Popen[str]) -> list[psutil.Process]:
    """The worker, and the process that its loss starts before it hangs."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and driver.poll() is None:
        for worker in workers_of(driver.pid):
            for started in worker.children():
                with suppress(psutil.NoSuchProcess):
                    if any("sleep(600)" in word for word in started.cmdline()):
                        return [worker, started]
        time.sleep(0.05)
    driver.kill()
    pytest.fail(f"Expected a worker that hangs. The driver said: {driver.communicate()}")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 130), (signal.SIGINT, 130)])
def test_a_hanging_worker_and_what_it_started_end_with_their_driver(
    small_dataset: Dataset, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    (tmp_path / "loss_that_hangs.py").write_text(HANGS, encoding="utf-8")
    words = ["sweep", "--preset", "quick", "--data", str(small_dataset.folder), "--out", str(tmp_path / "r")]
    words += ["--losses", "loss_that_hangs:hangs", "--seeds", "1", "--epochs", "1", "--batch-sizes", "4"]
    driver = subprocess.Popen(
        [sys.executable, "-m", "bboxbench", *words],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    found = wait_for_a_hang(driver)
    driver.send_signal(number)
    _, err = driver.communicate(timeout=60)
    assert driver.returncode == code
    assert "Traceback" not in err
    assert all(gone(each.pid) for each in found)
    state = json.loads((tmp_path / "r" / "progress.json").read_text(encoding="utf-8"))["state"]
    assert state == ("running" if number == signal.SIGKILL else "stopped")
