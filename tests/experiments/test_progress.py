"""progress.json: what somebody else reads of a sweep that runs."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from bboxbench.experiments import progress
from bboxbench.experiments.forecast import Forecast
from bboxbench.experiments.plan import Cell, Run
from bboxbench.experiments.progress import PROGRESS, ProgressFile

RUNS = [Run(f"r{k}", Cell("mse", "zeros", "adam", 0.001, "corners", "wide", 50), seed=4) for k in range(3)]
IDS = [run.run_id for run in RUNS]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN", 0.0)


def kept(folder: Path, finished: dict[str, str]) -> ProgressFile:
    left = {run_id: 10.0 for run_id in IDS if run_id not in finished}
    return ProgressFile(folder, IDS, finished, Forecast(left, epochs=2))


def read(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / PROGRESS).read_text(encoding="utf-8"))
    return content


def test_it_says_who_writes_how_far_it_is_and_how_long_it_will_take(tmp_path: Path) -> None:
    with kept(tmp_path, {"r0": "ok", "of another plan": "failed"}) as file:
        begun = read(tmp_path)
        assert (begun["state"], begun["runs"], begun["finished"], begun["failed"]) == ("running", 3, 1, 0)
        assert begun["pid"] == os.getpid()
        assert begun["process_started"] == psutil.Process().create_time()
        assert begun["eta_seconds"] == pytest.approx(20, abs=1)
        file.epoch(RUNS[1], 0.5)
        file.epoch(RUNS[2], 1.0)
        assert read(tmp_path)["blocks"] == [{"seed": 4, "batch_size": 50, "runs": {"r1": 0.5, "r2": 1.0}}]
        file.finished("r1", "failed")
        assert [block["runs"] for block in read(tmp_path)["blocks"]] == [{"r2": 1.0}]
        assert (read(tmp_path)["finished"], read(tmp_path)["failed"]) == (2, 1)
        assert read(tmp_path)["updated"] >= begun["updated"] >= begun["started"]
        file.finished("r2", "ok")
        assert read(tmp_path)["blocks"] == []
    assert read(tmp_path)["state"] == "done"
    assert read(tmp_path)["eta_seconds"] is None


def test_blocks_that_train_at_once_are_told_apart_by_seed_and_batch_size(tmp_path: Path) -> None:
    other_seed = replace(RUNS[1], seed=7)
    other_batches = replace(RUNS[2], cell=replace(RUNS[2].cell, batch_size=100))
    with kept(tmp_path, {}) as file:
        for run, epoch in ((RUNS[0], 0.5), (other_seed, 1.0), (other_batches, 0.2), (RUNS[0], 1.5)):
            file.epoch(run, epoch)
        assert read(tmp_path)["blocks"] == [
            {"seed": 4, "batch_size": 50, "runs": {"r0": 1.5}},
            {"seed": 7, "batch_size": 50, "runs": {"r1": 1.0}},
            {"seed": 4, "batch_size": 100, "runs": {"r2": 0.2}},
        ]
        file.finished("r1", "ok")
        assert [block["seed"] for block in read(tmp_path)["blocks"]] == [4, 4]
    assert read(tmp_path)["blocks"] == []


def test_one_that_ends_with_runs_to_go_is_stopped_and_so_is_one_that_raises(tmp_path: Path) -> None:
    with kept(tmp_path, {}):
        pass
    assert read(tmp_path)["state"] == "stopped"
    with pytest.raises(KeyboardInterrupt), kept(tmp_path, dict.fromkeys(IDS, "ok")):
        raise KeyboardInterrupt
    assert read(tmp_path)["state"] == "stopped"


def test_a_place_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    with kept(tmp_path / "not there", {}) as file:
        file.finished("r0", "ok")
    assert list(tmp_path.iterdir()) == []


def test_it_is_not_written_at_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN", 1000.0)
    with kept(tmp_path, {}) as file:
        file.epoch(RUNS[0], 1.0)
        assert read(tmp_path)["blocks"] == []
