"""Ctrl-C, SIGTERM, kill -9 and a second generate: it ends or refuses with its code, and the same command goes on."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from disturbed_datasets import assert_same_folder, children_of, wait_for_shards, words
from disturbed_sweeps import finish, last_error, left_over, run, start
from workers_seen import gone

from bboxbench.data_gen import open_dataset, verify
from bboxbench.errors import InputError


@pytest.mark.parametrize(
    ("number", "workers"),
    [
        (signal.SIGINT, 2),
        pytest.param(signal.SIGINT, 1, marks=pytest.mark.slow),
        (signal.SIGTERM, 2),
        pytest.param(signal.SIGTERM, 1, marks=pytest.mark.slow),
        (signal.SIGKILL, 2),
        pytest.param(signal.SIGKILL, 1, marks=pytest.mark.slow),
    ],
)
def test_a_generate_ended_by_a_signal_leaves_no_worker_says_so_and_goes_on(
    number: signal.Signals, workers: int, undisturbed_pictures: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    process = start(words(folder, workers), tmp_path, start_new_session=True)
    wait_for_shards(folder, process)
    children = children_of(process.pid)
    assert len(children) == (workers if workers > 1 else 0)
    # A terminal's Ctrl-C goes to the whole group. It must reach the parent alone, which then ends its workers.
    assert process.pid not in {os.getpgid(child) for child in children}
    os.killpg(process.pid, number)
    code, out, err = finish(process, 60)
    assert all(gone(child) for child in children)
    if number == signal.SIGKILL:
        assert (code, out, err) == (-signal.SIGKILL, "", "")
    else:
        assert (code, out) == (130, ""), err
        assert "Traceback" not in err
        assert err.splitlines()[-1].startswith("Interrupted"), err
        assert left_over(folder) == []
    for read in (open_dataset, verify):
        with pytest.raises(InputError, match=r"is unfinished, \d of 3 shards are there\. Finish it: bboxbench "):
            read(folder)
    code, _, err = run(words(folder), tmp_path)
    assert code == 0, err
    assert_same_folder(folder, undisturbed_pictures)


def test_a_second_generate_is_refused_and_the_first_goes_on(undisturbed_pictures: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    first = start(words(folder, workers=1), tmp_path)
    wait_for_shards(folder, first)
    # It stands still while the second comes, else it might be done before.
    first.send_signal(signal.SIGSTOP)
    code, out, err = run(words(folder), tmp_path)
    assert (code, out) == (3, "")
    assert "Another process is writing" in last_error(err)
    first.send_signal(signal.SIGCONT)
    code, _, err = finish(first)
    assert code == 0, err
    assert_same_folder(folder, undisturbed_pictures)


def test_of_generates_started_together_one_draws_and_the_others_are_refused(
    undisturbed_pictures: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    processes = [start(words(folder, workers=1), tmp_path) for _ in range(3)]
    ended = [finish(process) for process in processes]
    # One that comes late finds all there, and has nothing to do.
    assert {code for code, _, _ in ended} <= {0, 3}, ended
    assert [out for code, out, _ in ended if code == 0 and "Drew" in out], ended
    assert sum("Drew" in out for _, out, _ in ended) == 1, ended
    for code, _, err in ended:
        assert code == 0 or "Another process is writing" in last_error(err)
    assert_same_folder(folder, undisturbed_pictures)


@pytest.mark.parametrize("workers", [1, 7])
def test_the_folder_is_the_same_bytes_whatever_the_number_of_workers(
    workers: int, undisturbed_pictures: Path, tmp_path: Path
) -> None:
    """The undisturbed one was drawn by two."""
    code, _, err = run(words(tmp_path / "data", workers), tmp_path)
    assert code == 0, err
    assert_same_folder(tmp_path / "data", undisturbed_pictures)
