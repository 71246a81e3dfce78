"""What every format is: which files hold a piece, how they are written, and which are put together of all pieces."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bboxbench.data_gen.exports.pictures import picture_name
from bboxbench.data_gen.exports.source import Piece, Source

__all__ = ["Format", "Texts"]

Texts = Callable[[str, str], Iterator[str]]
"""(split, kind) to what the pieces of that split gave under that name, in order."""


class Format(ABC):
    """A format, without state; its methods run in worker processes, too.

    Attributes:
        name: as it is typed.
        title: as its users call it.
        pieces_a_process: so many pieces are worth the start of another process.
    """

    name: str
    title: str
    pieces_a_process: int = 1

    @abstractmethod
    def picture_folder(self, split: str) -> str:
        """Where the pictures of a split lie, below the export's folder."""

    def piece_files(self, source: Source, piece: Piece) -> list[str]:
        """Paths of all files that `write_piece` writes, below the export's folder."""
        place = self.picture_folder(piece.split)
        return [f"{place}/{picture_name(index)}" for index in piece.rows]

    @abstractmethod
    def write_piece(self, folder: Path, source: Source, piece: Piece) -> dict[str, str]:
        """Write a piece's files, whose folders are there, from their first byte to their last.

        Returns:
            Text by kind, from which `whole_files` puts files together.

        Raises:
            InputError: the data set cannot be read.
            OSError: the system does not let it write.
        """

    @abstractmethod
    def whole_files(self, source: Source, texts: Texts) -> Iterator[tuple[str, Iterable[str]]]:
        """Path and content, part by part, of every file that is about all pieces; paths do not depend on ``texts``."""

    def whole_names(self, source: Source) -> list[str]:
        """Paths of all that `whole_files` gives, below the export's folder, in order."""
        return [name for name, _ in self.whole_files(source, lambda split, kind: iter(()))]

    @abstractmethod
    def reading(self, folder: Path, source: Source) -> str:
        """How its users open what lies in ``folder``, in a line: the first split that has pictures, where it is one."""
