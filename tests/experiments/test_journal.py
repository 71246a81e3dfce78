from __future__ import annotations

import json
import math
import resource
from pathlib import Path
from typing import Any

import pytest

from bboxbench.errors import CannotWrite, InputError
from bboxbench.experiments.journal import Journal, read_records


def record(run_id: str, **row: object) -> dict[str, Any]:
    return {"run_id": run_id, "row": {"status": "ok", **row}, "epochs": [], "histogram": [1]}


RECORDS = [record(f"run{i}", box_accuracy=i / 7) for i in range(3)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def fill(path: Path) -> bytes:
    journal = Journal(path)
    for record in RECORDS:
        journal.append(record)
    return path.read_bytes()


def test_what_is_appended_is_there_when_it_is_opened_again(path: Path) -> None:
    fill(path)
    assert list(Journal(path).records) == RECORDS


def test_a_loss_that_is_not_finite_is_null_so_that_every_reader_takes_the_line(path: Path) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(word)

    Journal(path).append({**record("a", train_loss=math.inf), "epochs": [{"train_loss": math.nan}]})
    found = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    assert found["row"]["train_loss"] is None
    assert found["epochs"] == [{"train_loss": None}]
    assert list(Journal(path).records) == [found]


def test_a_journal_cut_anywhere_in_its_last_line_keeps_the_rest_and_goes_on(path: Path) -> None:
    content = fill(path)
    end_of_second = content.rfind(b"\n", 0, -1) + 1
    for length in range(end_of_second, len(content)):
        path.write_bytes(content[:length])
        said: list[str] = []
        journal = Journal(path, said.append)
        assert list(journal.records) == RECORDS[:2]
        assert len(said) == (length > end_of_second)
        journal.append(RECORDS[2])
        assert path.read_bytes() == content
        for torn in path.parent.glob("*.torn*"):
            assert torn.read_bytes() == content[end_of_second:length]
            torn.unlink()


def test_torn_tails_are_kept_beside_each_other(path: Path) -> None:
    fill(path)
    for _ in range(2):
        with path.open("ab") as stream:
            stream.write(b'{"run_id": "x')
        Journal(path)
    assert sorted(each.name for each in path.parent.iterdir()) == [
        "journal.jsonl",
        "journal.jsonl.torn1",
        "journal.jsonl.torn2",
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"[1]",
        b'{"no": "run_id"}',
        b'{"run_id": "a"}',
        b'{"run_id": "a", "row": {}, "epochs": [], "histogram": []}',
        b"\xff\xfe",
    ],
)
def test_a_whole_line_that_is_no_record_is_named_and_nothing_is_changed(path: Path, line: bytes) -> None:
    content = fill(path) + line + b"\n" + b'{"run_id": "torn'
    path.write_bytes(content)
    with pytest.raises(InputError, match="Line 4 of"):
        Journal(path)
    assert path.read_bytes() == content


def test_a_newer_record_takes_the_place_of_a_run_that_failed(path: Path) -> None:
    fill(path)
    again = record("run0", box_accuracy=1)
    Journal(path).append(again)
    assert list(Journal(path).records) == [again, *RECORDS[1:]]


def test_a_full_disk_leaves_the_journal_as_it_was(path: Path) -> None:
    content = fill(path)
    journal = Journal(path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        # The system lets no file grow further, as a full disk does.
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(content) + 20, hard))
        with pytest.raises(CannotWrite, match=r"journal\.jsonl"):
            journal.append(record("new"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == content
    assert list(journal.records) == RECORDS
    journal.append(record("new"))
    assert len(Journal(path).records) == 4


def test_reading_a_journal_that_is_being_written_mends_nothing(path: Path) -> None:
    content = fill(path) + b'{"run_id": "half'
    path.write_bytes(content)
    assert read_records(path) == RECORDS
    assert path.read_bytes() == content
    assert [each.name for each in path.parent.iterdir()] == ["journal.jsonl"]
