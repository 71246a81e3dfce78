"""The truth of a sweep: one synced line for each finished run, appended and never changed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, overload

from bboxbench.errors import InputError, read_errors, write_errors
from bboxbench.files import sync_folder
from bboxbench.jsonl import json_line

__all__ = ["Follower", "Journal", "Records", "each_record", "in_order", "read_records"]


class Records(Sequence[dict[str, Any]]):
    """Records of a journal, each read from the file whenever it is asked for.

    So a million of them take the memory of their places, 0.2 kB each, where as Python's objects one takes 15.

    Args:
        path: of the journal. Lines that are there stay as they are, so that it may grow meanwhile.
        places: first byte and length of each record's line.
    """

    def __init__(self, path: Path, places: Sequence[tuple[int, int]]) -> None:
        self._path, self._places = path, places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> Records: ...

    def __getitem__(self, index: int | slice) -> dict[str, Any] | Records:
        if isinstance(index, slice):
            return Records(self._path, self._places[index])
        return next(iter(Records(self._path, [self._places[index]])))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        if not self._places:
            return
        with read_errors(self._path), self._path.open("rb") as stream:
            for first, length in self._places:
                stream.seek(first)
                yield json.loads(stream.read(length))


class Journal:
    """An append-only file of JSON lines, one a finished run: its ``run_id``, ``row``, ``epochs`` and ``histogram``.

    A line counts once its newline is on disk. What stands behind the last newline is the torn tail of a process that
    died while writing: opening sets it aside in a file of its own beside the journal and goes on.

    Args:
        path: of the journal; it is made by the first line.
        warn: told in one line when a torn tail was set aside.
        order: of the records that are given back, as `in_order` takes it.

    Raises:
        InputError: a whole line is not a record; the message names it. Nothing is changed then.
        CannotWrite: the torn tail cannot be set aside.
    """

    def __init__(
        self, path: Path, warn: Callable[[str], None] = lambda _: None, order: Iterable[str] | None = None
    ) -> None:
        self.path = path
        self.appended = 0
        """Lines that were written, or tried, by this object: whether there is news since one looked."""
        self._order = _places(order or ())
        self._lines: dict[str, tuple[int, int]] = {}
        self._length = 0
        for run_id, self._length, size in _lines(path):
            self._lines[run_id] = (self._length, size)
            self._length += size
        if tail := _tail(path, self._length):
            self._set_aside(tail, self._length, warn)

    @property
    def records(self) -> Records:
        """The newest record of each run, in the order asked for, else in that in which runs were first finished."""
        run_ids = sorted(self._lines, key=lambda run_id: self._order.get(run_id, -1))
        return Records(self.path, [self._lines[run_id] for run_id in run_ids])

    def append(self, record: dict[str, Any]) -> None:
        """Write one record and sync it; a record of a run that is there already takes its place.

        Raises:
            CannotWrite: disk full, no permission. The journal is then as it was before.
        """
        line = json_line(record).encode()
        self.appended += 1
        # Unbuffered: closing a buffered file would write the rest of a line that has just been taken back.
        with write_errors(self.path), self.path.open("ab", buffering=0) as stream:
            before = stream.tell()
            rest = memoryview(line)
            try:
                while rest:
                    rest = rest[stream.write(rest) :]
                os.fsync(stream.fileno())
                if not before:
                    sync_folder(self.path.parent)  # the file's name, too
            except BaseException as error:
                if rest or isinstance(error, OSError):
                    os.ftruncate(stream.fileno(), before)
                else:  # Ctrl-C behind a whole line: it counts
                    self._lines[record["run_id"]] = (before, len(line))
                raise
        self._lines[record["run_id"]] = (before, len(line))

    def _set_aside(self, tail: bytes, length: int, warn: Callable[[str], None]) -> None:
        number = 1
        while (place := self.path.with_name(f"{self.path.name}.torn{number}")).exists():
            number += 1
        with write_errors(self.path):
            place.write_bytes(tail)
            with self.path.open("r+b") as stream:
                stream.truncate(length)
                os.fsync(stream.fileno())
        warn(f"The journal ended in a torn line of {len(tail)} bytes: set aside in {place}. Its run is trained again.")


def each_record(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a journal that somebody may be writing, one behind the other, of each run the newest.

    Nothing is mended, a torn tail is passed over.

    Raises:
        InputError: a whole line is not a record.
    """
    lines: dict[str, tuple[int, int]] = {}
    for run_id, first, size in _lines(path):
        lines[run_id] = (first, size)
    yield from Records(path, list(lines.values()))


def read_records(path: Path) -> list[dict[str, Any]]:
    """The same as a list.

    Raises:
        InputError: a whole line is not a record.
    """
    return list(each_record(path))


class Follower:
    """Reads a journal that somebody is writing, each record once: what came since is read, not the whole again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0

    def new(self) -> list[dict[str, Any]]:
        """The whole records that came since the last call; a line that is being written is left for the next.

        Raises:
            InputError: a whole line is not a record.
        """
        with read_errors(self._path):
            if not self._path.exists():
                return []
            with self._path.open("rb") as stream:
                stream.seek(self._read)
                content = stream.read()
        length = content.rfind(b"\n") + 1
        self._read += length
        found = [_record(line) for line in content[:length].splitlines()]
        whole = [record for record in found if record is not None]
        if len(whole) < len(found):
            raise InputError(f"A line of {self._path} is not a record of a run. Restore the file, or remove that line.")
        return whole


def in_order(records: Iterable[dict[str, Any]], order: Iterable[str]) -> list[dict[str, Any]]:
    """``records`` in the order of a plan, in whatever order their runs were finished.

    Args:
        records: of runs, each with its ``run_id``.
        order: run_ids. A record that it does not name, as of a loss that was edited since, stands before all others, so
            that of two runs of one cell and seed the one asked for is the later.
    """
    places = _places(order)
    return sorted(records, key=lambda record: places.get(record["run_id"], -1))


def _places(order: Iterable[str]) -> dict[str, int]:
    return {run_id: place for place, run_id in enumerate(order)}


def _lines(path: Path) -> Iterator[tuple[str, int, int]]:
    """Of each whole line: whose record it is, its first byte, its length; what stands behind the last newline is none.

    Raises:
        InputError: a whole line is not a record.
    """
    first = 0
    with read_errors(path), path.open("rb") if path.exists() else nullcontext(()) as stream:
        for number, line in enumerate(stream, start=1):
            if not line.endswith(b"\n"):
                return
            record = _record(line)
            if record is None:
                raise InputError(
                    f"Line {number} of {path} is not a record of a run. Restore the file, or remove that line: "
                    "its run is then trained again."
                )
            yield record["run_id"], first, len(line)
            first += len(line)


def _tail(path: Path, length: int) -> bytes:
    """What stands behind the first ``length`` bytes."""
    with read_errors(path):
        return path.read_bytes()[length:] if path.exists() and path.stat().st_size > length else b""


def _record(line: bytes) -> dict[str, Any] | None:
    """The record of a line, None where it is not one."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    form = {"run_id": str, "row": dict, "epochs": list, "histogram": list}
    if not isinstance(record, dict) or not all(isinstance(record.get(name), kind) for name, kind in form.items()):
        return None
    return record if isinstance(record["row"].get("status"), str) else None
