from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import disturbed_datasets
import pytest
from disturbed_sweeps import STARTED, run, words

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
