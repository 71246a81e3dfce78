from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bboxbench.errors import CannotWrite
from bboxbench.experiments import views
from bboxbench.experiments.journal import Journal
from bboxbench.experiments.views import Views


class Clock:
    """Time that passes when it is told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.jsonl", lambda _: None)


def add(journal: Journal, seed: int) -> None:
    row = {
        "run_id": f"mse-he_normal-s{seed}",
        "loss": "mse",
        "initializer": "he_normal",
        "optimizer": "adam",
        "batch_size": 100,
        "learning_rate": 0.001,
        "head": "corners",
        "start": "wide",
        "seed": seed,
        "status": "ok",
        "outcome": "learning",
        "symptom": "",
        "box_accuracy": 0.5,
        "mean_iou": 0.5,
        "keras_accuracy": 0.9,
        "seconds": 1.0,
    }
    journal.append({"run_id": row["run_id"], "row": row, "epochs": [], "histogram": [0] * 19 + [4]})


def rows(folder: Path) -> int:
    return len(pd.read_csv(folder / "runs.csv"))


def test_runs_that_come_together_rebuild_the_tables_once(tmp_path: Path, journal: Journal) -> None:
    clock = Clock()
    kept = Views(tmp_path, journal, clock)
    clock.now += views.SECONDS_BETWEEN
    for seed, expected in enumerate([1, 1, 1]):
        add(journal, seed)
        kept.run_came()
        assert rows(tmp_path) == expected
    clock.now += views.SECONDS_BETWEEN
    add(journal, 3)
    kept.run_came()
    assert rows(tmp_path) == 4


def test_tables_that_take_long_are_written_less_often(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, written = Clock(), []

    def slow(*_: Any) -> None:
        clock.now += 2.0
        written.append(clock.now)

    monkeypatch.setattr(views, "write_views", slow)
    kept = Views(tmp_path, journal, clock)
    for _ in range(400):
        clock.now += 1.0
        kept.run_came()
    assert 2.0 * (len(written) - 1) <= views.SHARE * 1.1 * (clock.now - 100)
    assert len(written) > 5


def sweep_of_one_run(folder: Path, journal: Journal, error: type[BaseException] | None = None) -> None:
    with Views(folder, journal, Clock()) as kept:
        add(journal, 0)
        kept.run_came()
        assert rows(folder) == 0
        if error:
            raise error


def full(*_: Any) -> None:
    raise CannotWrite("Cannot write: no space is left.")


def fill_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    write = views.write_views
    calls: list[Any] = []

    def first_time_only(*arguments: Any) -> None:
        calls.append(arguments)
        (write if len(calls) == 1 else full)(*arguments)

    monkeypatch.setattr(views, "write_views", first_time_only)


def test_a_sweep_that_ends_leaves_every_run_in_the_tables(tmp_path: Path, journal: Journal) -> None:
    sweep_of_one_run(tmp_path, journal)
    assert rows(tmp_path) == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_so_does_one_that_is_cut_short(tmp_path: Path, journal: Journal, error: type[BaseException]) -> None:
    with pytest.raises(error):
        sweep_of_one_run(tmp_path, journal, error)
    assert rows(tmp_path) == 1


def test_an_interruption_is_heard_though_the_tables_cannot_be_written(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_the_disk(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        sweep_of_one_run(tmp_path, journal, KeyboardInterrupt)


def test_a_whole_sweep_whose_tables_cannot_be_written_says_so(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_the_disk(monkeypatch)
    with pytest.raises(CannotWrite):
        sweep_of_one_run(tmp_path, journal)


def test_nothing_is_written_twice_where_no_run_has_come(tmp_path: Path, journal: Journal) -> None:
    with Views(tmp_path, journal, Clock()) as kept:
        before = (tmp_path / "runs.csv").stat().st_ino
        kept.write_if_stale()
    assert (tmp_path / "runs.csv").stat().st_ino == before
