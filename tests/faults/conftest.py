from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import disturbed_datasets
import pytest
from disturbed_sweeps import STARTED, run, words
from small_disks import mount

from bboxbench.data_gen import Dataset, verify

FOUR = {"losses": "mse,giou", "seeds": 2, "isolation": "none"}
"""Two losses under two seeds, in the driver's own process."""


@pytest.fixture(scope="session")
def pictures(small_dataset: Dataset) -> Path:
    """The folder of 40 letters: 12 to train, 8 to validate, 20 to test."""
    return small_dataset.folder


@pytest.fixture(scope="session")
def undisturbed(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of mse and giou under two seeds that nothing disturbed: what every other one must end as."""
    place = tmp_path_factory.mktemp("undisturbed")
    code, _, err = run(words(pictures, place / "r", **FOUR), place)
    assert code == 0, err
    return place / "r"


@pytest.fixture(scope="session")
def undisturbed_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set drawn by two workers that nothing disturbed: what every disturbed one must end as."""
    folder = tmp_path_factory.mktemp("undisturbed_pictures") / "data"
    code, _, err = run(disturbed_datasets.words(folder), folder.parent)
    assert code == 0, err
    assert verify(folder, workers=1).problems == []
    return folder


@pytest.fixture(autouse=True)
def nothing_outlives_its_test() -> Iterator[None]:
    """A test that fails half-way leaves no sweep behind that trains on."""
    yield
    while STARTED:
        process = STARTED.pop()
        if process.poll() is None:
            process.kill()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        process.wait()


@pytest.fixture
def four_runs(pictures: Path, tmp_path: Path) -> list[str]:
    """The command of the same sweep into another folder, ``r`` of the test's own, without a worker process."""
    return words(pictures, tmp_path / "r", **FOUR)


@pytest.fixture
def four_runs_apart(four_runs: list[str]) -> list[str]:
    """The same with a worker process, as it is by default."""
    return [*four_runs, "--isolation", "process"]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own in memory, 8 MB; skipped where this user may not mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)):
        pytest.skip("mounting needs a superuser; the limit on a file's size stands in for it")
    try:
        yield place
    finally:
        # Lazily: whoever still looks into it shall not keep it.
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody may write, the superuser included where mounting is allowed."""
    place = tmp_path / "read_only"
    place.mkdir()
    if mount("--bind", str(place), str(place)) and mount("-o", "remount,ro,bind", str(place)):
        try:
            yield place
        finally:
            subprocess.run(["umount", "-l", str(place)], check=True)
        return
    place.chmod(0o555)
    if os.access(place, os.W_OK):
        pytest.skip("this user may write everywhere, and may not mount")
    yield place
    place.chmod(0o755)
