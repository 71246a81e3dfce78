"""The truth of a sweep: one synced line for each finished run, appended and never changed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bboxbench.errors import InputError, read_errors, write_errors
from bboxbench.jsonl import json_line

__all__ = ["Follower", "Journal", "in_order", "read_records"]


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
        self._order = order
        self.appended = 0
        """Lines that were written, or tried, by this object: whether there is news since one looked."""
        self._records, tail, length = _read(path)
        if tail:
            self._set_aside(tail, length, warn)

    @property
    def records(self) -> list[dict[str, Any]]:
        """The newest record of each run, in the order asked for, else in that in which runs were first finished."""
        return in_order(self._records.values(), self._order or ())

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
            try:
                rest = memoryview(line)
                while rest:
                    rest = rest[stream.write(rest) :]
                os.fsync(stream.fileno())
            except BaseException:  # Ctrl-C between two writes, too
                os.ftruncate(stream.fileno(), before)
                raise
        self._records[record["run_id"]] = json.loads(line)

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


def read_records(path: Path) -> list[dict[str, Any]]:
    """The records of a journal that somebody may be writing: nothing is mended, a torn tail is passed over.

    Raises:
        InputError: a whole line is not a record.
    """
    return list(_read(path)[0].values())


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
    places = {run_id: place for place, run_id in enumerate(order)}
    return sorted(records, key=lambda record: places.get(record["run_id"], -1))


def _read(path: Path) -> tuple[dict[str, dict[str, Any]], bytes, int]:
    """The newest record of each run, the torn tail, and how many bytes stand before it."""
    with read_errors(path):
        content = path.read_bytes() if path.exists() else b""
    length = content.rfind(b"\n") + 1
    records: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(content[:length].splitlines(), start=1):
        record = _record(line)
        if record is None:
            raise InputError(
                f"Line {number} of {path} is not a record of a run. Restore the file, or remove that line: "
                "its run is then trained again."
            )
        records[record["run_id"]] = record
    return records, content[length:], length


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
