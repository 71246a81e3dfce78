"""Blocks in a worker process: whatever ends it costs a run and nothing else."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from workers_seen import gone, workers_of

from bboxbench.data_gen import Dataset
from bboxbench.errors import BboxbenchError, InputError, TooManyFailures
from bboxbench.experiments.execution import isolation
from bboxbench.experiments.execution.executor import Execution
from bboxbench.experiments.listener import Listener
from bboxbench.experiments.results import read_predictions
from bboxbench.experiments.sweep import SweepResult, run_sweep
from bboxbench.experiments.training import load_boxes, load_data

LOSSES = """
import os, sys, time
from pathlib import Path
from keras import ops

def mse(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred), axis=-1)

def trained(y_pred):
    # On arrival a loss is tried on batches of other sizes.
    return y_pred.shape[0] == 4

def exits(y_true, y_pred):
    if trained(y_pred):
        print("these are my last words", flush=True)
        os._exit(7)
    return mse(y_true, y_pred)

def raises(y_true, y_pred):
    if trained(y_pred):
        raise RuntimeError("on purpose")
    return mse(y_true, y_pred)

def sleeps(y_true, y_pred):
    while trained(y_pred):
        time.sleep(1)
    return mse(y_true, y_pred)

def raises_while_a_file_is_there(y_true, y_pred):
    if trained(y_pred) and Path(__file__).with_name("broken").exists():
        raise RuntimeError("on purpose")
    return mse(y_true, y_pred)

held = []

def grows(y_true, y_pred):
    if trained(y_pred):
        held.append(b"x" * 200_000_000)
    return mse(y_true, y_pred)
"""
MODULE = "losses_that_end_workers"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a module of losses that this process and its workers can import."""
    folder = tmp_path_factory.mktemp("losses")
    (folder / f"{MODULE}.py").write_text(LOSSES, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield folder
    sys.modules.pop(MODULE, None)


class Watching(Listener):
    """Keeps what it hears, and the worker processes that it sees."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.warnings: list[str] = []
        self.workers: dict[int, psutil.Process] = {}

    def epoch(self, run: Any, epoch: float) -> None:
        self.workers |= {each.pid: each for each in workers_of()}

    def finished(self, row: dict[str, Any]) -> None:
        self.rows.append(row)

    def warning(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture(scope="module")
def disturbed(place: Path, tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[SweepResult, Watching]:
    """One good loss beside one that ends its process, one that raises and one that never comes back."""
    heard = Watching()
    losses = ["mse", *(f"{MODULE}:{name}" for name in ("exits", "raises", "sleeps"))]
    spec = tiny(losses=losses, seeds=1, epochs=1, batch_sizes=4)
    folder = tmp_path_factory.mktemp("disturbed") / "r"
    return run_sweep(spec, folder, heard, execution=Execution(timeout=60.0)), heard


@pytest.mark.slow
def test_a_crash_a_hang_and_an_exception_fail_their_own_runs_alone(disturbed: tuple[SweepResult, Watching]) -> None:
    runs = disturbed[0].runs.set_index("loss")
    assert len(runs) == 4
    assert dict(runs["status"]) == {
        "mse": "ok",
        f"{MODULE}:exits": "failed",
        f"{MODULE}:raises": "failed",
        f"{MODULE}:sleeps": "failed",
    }
    assert runs.loc[f"{MODULE}:exits", "error"] == "Its worker process ended with exit code 7."
    assert runs.loc[f"{MODULE}:raises", "error"] == "RuntimeError: on purpose"
    assert "No step was finished within 1 min 00 s (--timeout)" in runs.loc[f"{MODULE}:sleeps", "error"]
    assert len(read_predictions(disturbed[0].folder, runs.loc["mse", "run_id"])) == 20


@pytest.mark.slow
def test_every_failed_run_has_a_log_that_says_what_happened(disturbed: tuple[SweepResult, Watching]) -> None:
    result, _ = disturbed
    runs = pd.read_csv(result.folder / "runs.csv", keep_default_na=False).set_index("loss")
    assert runs.loc["mse", "log"] == ""
    logs = {}
    for loss, row in runs[runs["status"] == "failed"].iterrows():
        assert row["log"] == f"logs/{row['run_id']}.log"
        logs[str(loss).rpartition(":")[2]] = (result.folder / row["log"]).read_text(encoding="utf-8")
    assert len(list((result.folder / "logs").iterdir())) == 3
    assert "these are my last words" in logs["exits"]
    assert "Traceback (most recent call last)" in logs["raises"]
    assert 'raise RuntimeError("on purpose")' in logs["raises"]
    # Where it hangs, line by line.
    assert f'{MODULE}.py", line ' in logs["sleeps"]
    assert "in sleeps" in logs["sleeps"]


@pytest.mark.slow
def test_a_person_hears_of_every_end_in_one_line(disturbed: tuple[SweepResult, Watching]) -> None:
    _, heard = disturbed
    assert len(heard.rows) == 4
    assert all(len(text.splitlines()) == 1 for text in heard.warnings)
    assert heard.warnings[0] == "Its worker process ended with exit code 7. 4 runs are tried again."
    for name in ("exits", "sleeps"):
        assert sum(f"{name}-glorot_uniform-s0" in text and "has failed" in text for text in heard.warnings) == 1
    assert workers_of() == []


@pytest.mark.slow
def test_a_worker_killed_in_mid_block_costs_nothing(undisturbed: SweepResult, tiny: Any, tmp_path: Path) -> None:
    class Killing(Watching):
        def epoch(self, run: Any, epoch: float) -> None:
            if not self.workers:
                super().epoch(run, epoch)
                (worker,) = self.workers
                os.kill(worker, signal.SIGKILL)

    heard = Killing()
    result = run_sweep(tiny(), tmp_path / "r", heard)
    assert heard.workers
    assert result.failed == ()
    assert (
        "was killed by SIGKILL, as the system does where memory runs out. 2 runs are tried again" in heard.warnings[0]
    )
    columns = ["run_id", "status", "outcome", "box_accuracy", "mean_iou", "engine", "log"]
    mine, theirs = (
        pd.read_csv(each.folder / "runs.csv")[columns].sort_values("run_id", ignore_index=True)
        for each in (result, undisturbed)
    )
    pd.testing.assert_frame_equal(mine, theirs, rtol=1e-4, atol=1e-4)
    assert workers_of() == []
    progress = json.loads((tmp_path / "r" / "progress.json").read_text(encoding="utf-8"))
    assert (progress["state"], progress["runs"], progress["finished"], progress["failed"]) == ("done", 4, 4, 0)


@pytest.mark.slow
def test_an_error_of_whoever_listens_ends_sweep_and_worker(tiny: Any, tmp_path: Path) -> None:
    class Gone(Watching):
        def epoch(self, run: Any, epoch: float) -> None:
            super().epoch(run, epoch)
            raise BrokenPipeError("gone")

    heard = Gone()
    with pytest.raises(BrokenPipeError, match="gone"):
        run_sweep(tiny(losses=["mse"], seeds=1), tmp_path / "r", heard)
    assert heard.workers
    assert all(gone(pid) for pid in heard.workers)
    assert not (tmp_path / "r" / "journal.jsonl").exists()
    assert json.loads((tmp_path / "r" / "progress.json").read_text(encoding="utf-8"))["state"] == "stopped"


@pytest.mark.slow
def test_a_loss_that_only_the_caller_knows_fails_and_the_error_says_what_to_do(tiny: Any, tmp_path: Path) -> None:
    """As one of a notebook, or of a script that is run by its path."""
    file = tmp_path / "notebook.py"
    file.write_text(LOSSES, encoding="utf-8")
    made = importlib.util.spec_from_file_location("known_here_alone", file)
    assert made is not None
    assert made.loader is not None
    module = importlib.util.module_from_spec(made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "known_here_alone", module)
        made.loader.exec_module(module)
        spec = tiny(losses=["known_here_alone:mse", "mse"], seeds=1, epochs=1)
        result = run_sweep(spec, tmp_path / "r")
        runs = result.runs.set_index("loss")
        assert runs.loc["mse", "status"] == "ok"
        assert runs.loc["known_here_alone:mse", "status"] == "failed"
        assert 'isolation="none" (--isolation none)' in runs.loc["known_here_alone:mse", "error"]
        mended = run_sweep(spec, tmp_path / "r", retry_failed=True, execution=Execution(isolation="none"))
    assert mended.failed == ()
    assert len(mended.runs) == 2


@pytest.mark.slow
def test_memory_does_not_grow_from_block_to_block(place: Path, tiny: Any, tmp_path: Path) -> None:
    sizes: list[int] = []

    class Weighing(Watching):
        def finished(self, row: dict[str, Any]) -> None:
            super().finished(row)
            sizes.append(max((each.memory_info().rss for each in workers_of()), default=0))

    heard = Weighing()
    spec = tiny(losses=[f"{MODULE}:grows"], seeds=5, epochs=1, batch_sizes=4, validation=0)
    result = run_sweep(spec, tmp_path / "r", heard)
    assert result.failed == ()
    # Each block leaves 200 MB behind: 1 GB without renewal.
    assert len(heard.workers) >= 2
    assert max(sizes) - sizes[0] < isolation.GROWTH + 300_000_000
    assert heard.warnings == []


@pytest.mark.slow
def test_a_sweep_stops_at_as_many_failures_as_it_is_told_and_goes_on_when_asked(
    place: Path, tiny: Any, tmp_path: Path
) -> None:
    (place / "broken").touch()
    folder = tmp_path / "r"
    spec = tiny(losses=[f"{MODULE}:raises_while_a_file_is_there"], seeds=4, epochs=1, batch_sizes=4)
    with pytest.raises(
        TooManyFailures, match=r"Stopped after 2 failed runs, as it was told to, with 2 of 4 runs to go"
    ):
        run_sweep(spec, folder, execution=Execution(max_failures=2))
    table = pd.read_csv(folder / "runs.csv")
    assert list(table["status"]) == ["failed", "failed"]
    assert (folder / "distribution.csv").exists()
    assert (folder / "report" / "index.html").exists()
    assert json.loads((folder / "progress.json").read_text(encoding="utf-8"))["state"] == "stopped"
    (place / "broken").unlink()
    retried = Watching()
    run_sweep(spec, folder, retried, retry_failed=True, execution=Execution(isolation="none"))
    assert len(retried.rows) == 4
    table = pd.read_csv(folder / "runs.csv", keep_default_na=False)
    assert list(table["status"]) == ["ok"] * 4
    assert list(table["log"]) == [""] * 4
    assert list((folder / "logs").iterdir()) == []


@pytest.mark.slow
def test_a_damaged_shard_is_refused_before_anything_is_written(
    small_dataset: Dataset, tiny: Any, tmp_path: Path
) -> None:
    import shutil

    shutil.copytree(small_dataset.folder, tmp_path / "data")
    shard = tmp_path / "data" / "shards" / "00000.npz"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(InputError, match=r"00000\.npz"):
        run_sweep(tiny(data=str(tmp_path / "data")), tmp_path / "r")
    assert not (tmp_path / "r").exists()
    assert workers_of() == []


def test_workers_that_never_get_ready_end_a_sweep_with_one_line(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho no room here >&2\nexit 3\n", encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(BboxbenchError) as end:
        run_sweep(tiny(losses=["mse"], seeds=1), tmp_path / "r")
    assert "3 ended before they were ready: Its worker process ended with exit code 3." in str(end.value)
    assert "The last one said: no room here" in str(end.value)
    assert end.value.exit_code == 1
    assert not (tmp_path / "r").exists()


def test_what_a_driver_measures_with_holds_no_pictures(small_dataset: Dataset) -> None:
    whole, boxes = load_data(small_dataset, 5), load_boxes(small_dataset, 5)
    for name in ("train", "validation", "test"):
        here, there = getattr(boxes, name), getattr(whole, name)
        assert (here.boxes == there.boxes).all()
        assert len(here.grey) == len(there.grey) > 0
        assert here.grey.nbytes == 0


def test_a_finished_sweep_starts_no_worker(
    undisturbed: SweepResult, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/there/is/no/python")
    heard = Watching()
    run_sweep(tiny(), undisturbed.folder, heard)
    assert heard.rows == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"isolation": "procss"}, "Unknown isolation 'procss'. Did you mean 'process'?"),
        ({"timeout": -1.0}, "Expected a timeout of 10 seconds or more, or 0. Received: -1.0."),
        ({"timeout": 3.0}, "Expected a timeout of 10 seconds or more, or 0. Received: 3.0."),
        ({"timeout": float("nan")}, "Expected a timeout of 10 seconds or more, or 0. Received: nan."),
        ({"max_failures": -1}, "Expected max_failures of 0 or more. Received: -1."),
    ],
)
def test_what_cannot_be_carried_out_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as error:
        Execution(**options)
    assert str(error.value).startswith(said)
