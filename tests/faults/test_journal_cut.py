"""A journal that ends anywhere in its last two lines, as a power cut leaves it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from disturbed_sweeps import assert_same, assert_whole, left_over, lines, run, table

from bboxbench.experiments.journal import Journal, read_records


@pytest.fixture(scope="module")
def made_up(write_sweep: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four runs whose boxes were made up: journal, predictions and tables as a sweep writes them."""
    folder: Path = write_sweep(tmp_path_factory.mktemp("made_up") / "r", {"mse": "good", "giou": "pinned"}, epochs=2)
    return folder


def test_a_journal_cut_at_every_byte_of_its_last_two_lines_loses_nothing_before_and_goes_on(
    made_up: Path, tmp_path: Path
) -> None:
    whole = (made_up / "journal.jsonl").read_bytes()
    records = read_records(made_up / "journal.jsonl")
    last_two = whole.splitlines(keepends=True)[-2:]
    first = len(whole) - sum(map(len, last_two))
    assert len(last_two[0]) > 500
    path = tmp_path / "journal.jsonl"
    for length in range(first, len(whole) + 1):
        path.write_bytes(whole[:length])
        said: list[str] = []
        # A reader of a sweep under way mends nothing, and sees the same.
        kept = whole[:length].count(b"\n")
        assert read_records(path) == records[:kept]
        journal = Journal(path, said.append)
        assert list(journal.records) == records[:kept]
        torn = whole[:length].rpartition(b"\n")[2]
        assert len(said) == bool(torn)
        assert [file.read_bytes() for file in tmp_path.glob("*.torn*")] == [torn] * bool(torn)
        for record in records[kept:]:  # as the runs come that are trained again
            journal.append(record)
        assert path.read_bytes() == whole
        for file in tmp_path.glob("*.torn*"):
            file.unlink()


@pytest.mark.slow
def test_a_sweep_whose_journal_was_cut_trains_what_is_missing_and_ends_as_it_was(
    undisturbed: Path, four_runs: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "r"
    shutil.copytree(undisturbed, folder)
    before = lines(folder)
    journal = folder / "journal.jsonl"
    whole = journal.read_bytes()
    middle_of_third = len(before[0]) + len(before[1]) + 2 + len(before[2]) // 2
    journal.write_bytes(whole[:middle_of_third])
    code, _, err = run(four_runs, tmp_path)
    assert code == 0, err
    assert "set aside in" in err
    assert lines(folder)[:2] == before[:2]
    assert_same(folder, undisturbed)
    assert (folder / "journal.jsonl.torn1").read_bytes() == before[2][: len(before[2]) // 2]
    assert left_over(folder) == []


def test_the_check_sees_a_run_that_is_there_twice_or_lacks_its_predictions(made_up: Path, tmp_path: Path) -> None:
    copies = [tmp_path / name for name in ("twice", "without", "less")]
    for copy in copies:
        shutil.copytree(made_up, copy)
    twice, without, less = copies
    with (twice / "journal.jsonl").open("ab") as stream:
        stream.write(lines(made_up)[0] + b"\n")
    next((without / "predictions").iterdir()).unlink()
    (less / "runs.csv").write_text(
        "".join((less / "runs.csv").read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8"
    )
    for copy in copies:
        with pytest.raises(AssertionError):
            assert_whole(copy)
    assert len(table(made_up, "runs")) == 4
