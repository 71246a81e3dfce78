"""``boxes.csv`` read line by line, to compare it with what it should say without holding it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from bboxbench.errors import CannotRead
from bboxbench.files import open_file

__all__ = ["TableLines"]

_LONGEST = 1 << 12
"""A line of more bytes is none of ours, and cut."""


class TableLines:
    """The lines of a table, which may be missing or anything else.

    Attributes:
        problems: what is wrong with it as a whole, one line each.
    """

    def __init__(self, path: Path):
        self.problems: list[str] = []
        self._name = path.name
        self._stream: BinaryIO | None = None
        self._lines = 0
        try:
            self._stream = open_file(path)
        except (CannotRead, OSError) as error:
            self._give_up(error)

    def __enter__(self) -> TableLines:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()

    @property
    def readable(self) -> bool:
        """Whether it is there and could be read so far."""
        return self._stream is not None

    def expect_columns(self, columns: Sequence[str]) -> None:
        """Compare the first line."""
        expected = ",".join(columns)
        header = self.next_line()
        self._lines = 0
        if self.readable and header != expected:
            self.problems.append(f"{self._name}: expected the columns '{expected}', found '{header}'")

    def next_line(self) -> str:
        """The next line without its end, '' where there is none."""
        if self._stream is None:
            return ""
        try:
            # Lines end at a line feed alone: a lone carriage return and others may stand in one.
            line = self._stream.readline(_LONGEST)
            self._lines += bool(line)
            return line.removesuffix(b"\n").decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            self._give_up(error)
            return ""

    def expect_end(self, rows: int) -> None:
        """Compare the number of lines behind the first with ``rows``, when so many were asked for."""
        while self.readable and self._lines >= rows:
            before = self._lines
            self.next_line()
            if self._lines == before:
                break
        if self.readable and self._lines != rows:
            self.problems.append(f"{self._name}: expected {rows} rows, found {self._lines}")

    def _give_up(self, error: Exception) -> None:
        self.problems.append(f"{self._name}: cannot be read: {error}")
        self.__exit__(None, None, None)
        self._stream = None
