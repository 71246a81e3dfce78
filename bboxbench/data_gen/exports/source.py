"""What is exported: the chosen splits of a data set, cut into pieces of a thousand pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from bboxbench.data_gen.dataset import Dataset
from bboxbench.data_gen.samples import Sample
from bboxbench.errors import InputError

__all__ = ["PIECE_ROWS", "SPLITS", "Piece", "Source"]

SPLITS = ("train", "validation", "test")

PIECE_ROWS = 1000
"""Pictures that are written, and done again after a kill, as one; also the records of a TFRecord file."""

_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
"""Control characters, line ends, halves of surrogate pairs and non-characters: some format cannot hold each of them."""


@dataclass(frozen=True)
class Piece:
    """Up to a thousand pictures of one split.

    Attributes:
        split: the split's name.
        number: its place in the split, from 0.
        of: pieces of the split.
        rows: indices of its samples in the data set.
    """

    split: str
    number: int
    of: int
    rows: range

    @property
    def name(self) -> str:
        """As TFRecord files are named: ``train-00003-of-00012``."""
        return f"{self.split}-{self.number:05d}-of-{self.of:05d}"


@dataclass(frozen=True)
class Source:
    """What a format needs to know of the data set.

    Args:
        data: the data set, open.
        splits: names of the splits that are wanted, each once; kept in the order of `SPLITS`.

    Raises:
        InputError: an unknown split, one named twice, no pictures in all of them, or a class name that not every
            format can hold.
    """

    data: Dataset
    splits: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.splits:
            raise InputError(f"Expected at least one split, received none. Choose from: {', '.join(SPLITS)}.")
        for place, name in enumerate(self.splits):
            self.data.split(name)
            if name in self.splits[:place]:
                raise InputError(f"Expected each split once, received {name} twice.")
        object.__setattr__(self, "splits", tuple(name for name in SPLITS if name in self.splits))
        if not self.n:
            raise InputError(
                f"Expected pictures in {' and '.join(self.splits)}, received none: "
                f"the data set in {self.data.folder} has {self.data.n} in all. Choose other splits."
            )
        _check_class_names(self.classes)

    @property
    def name(self) -> str:
        """What the data set is called."""
        return self.data.spec.folder_name

    @cached_property
    def sha256(self) -> str:
        """Identity of the data set, hexadecimal; made once, for it is a hash over those of all shards."""
        return self.data.sha256

    @property
    def width(self) -> int:
        """Of every picture, in pixels."""
        return self.data.spec.width

    @property
    def height(self) -> int:
        """Of every picture, in pixels."""
        return self.data.spec.height

    @property
    def masks(self) -> bool:
        """Whether samples have masks and class maps."""
        return self.data.spec.masks

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Class names in order."""
        return self.data.classes

    @cached_property
    def class_ids(self) -> dict[str, int]:
        """Place of every class, from 0, by its name."""
        return {name: place for place, name in enumerate(self.classes)}

    @property
    def n(self) -> int:
        """Pictures of the chosen splits together."""
        return sum(len(self.data.split(name)) for name in self.splits)

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """All pieces, split by split."""
        pieces = []
        for split in self.splits:
            rows = self.data.split(split)
            starts = range(rows.start, rows.stop, PIECE_ROWS)
            for number, start in enumerate(starts):
                chosen = range(start, min(start + PIECE_ROWS, rows.stop))
                pieces.append(Piece(split, number, len(starts), chosen))
        return tuple(pieces)

    def samples(self, piece: Piece) -> Iterator[Sample]:
        """The samples of a piece, every array checked against its hash.

        Raises:
            InputError: a shard is missing, damaged or not the one that was written.
        """
        return self.data.samples(piece.rows)


def _check_class_names(names: Sequence[str]) -> None:
    for name in names:
        if not name or _UNWRITABLE.search(name):
            raise InputError(
                f"Expected class names of visible text, which every format can hold, received {name!r}. "
                "Rename the class."
            )
