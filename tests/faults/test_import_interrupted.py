"""Ctrl-C and SIGTERM while an import looks at pictures or writes them: no worker is left, and it goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from coco_folders import write_shapes
from disturbed_datasets import assert_same_folder, children_of, wait_for_shards
from disturbed_sweeps import PATIENCE, finish, left_over, run, start
from workers_seen import gone


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shards of pictures, which take two workers a second or two."""
    return write_shapes(tmp_path_factory.mktemp("coco") / "many", n=2200, sides=(60, 90))


@pytest.fixture(scope="module")
def undisturbed_import(many: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("undisturbed")
    code, _, err = run(words(many, place / "data"), place)
    assert code == 0, err
    return place / "data"


def words(source: Path, folder: Path) -> list[str]:
    return ["import", str(source), "--workers", "2", "--out", str(folder), "--quiet"]


def wait_for_workers(process: subprocess.Popen[str]) -> None:
    """Until both look at pictures: nothing is written then."""
    deadline = time.monotonic() + PATIENCE
    while len(children_of(process.pid)) < 2:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("while_writing", [False, True], ids=["looking", "writing"])
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_an_import_ended_by_a_signal_leaves_no_worker_says_so_and_goes_on(
    number: signal.Signals, while_writing: bool, many: Path, undisturbed_import: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    process = start(words(many, folder), tmp_path, start_new_session=True)
    if while_writing:
        wait_for_shards(folder, process)
    else:
        wait_for_workers(process)
    children = children_of(process.pid)
    assert len(children) == 2
    # Workers are in groups of their own: the parent alone hears it, and ends them.
    os.killpg(process.pid, number)
    code, out, err = finish(process, 60)
    assert (code, out) == (130, ""), err
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("Interrupted"), err
    assert all(gone(child) for child in children)
    assert folder.exists() == while_writing
    assert left_over(folder) == []
    code, _, err = run(words(many, folder), tmp_path)
    assert code == 0, err
    assert_same_folder(folder, undisturbed_import)
