"""CSV: corners in whole pixels, half-open; as keras-retinanet reads it, and as one table with a header."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bboxbench.data_gen.exports.layout import Format, Texts
from bboxbench.data_gen.exports.pictures import write_pictures
from bboxbench.data_gen.exports.source import Piece, Source

__all__ = ["COLUMNS", "CsvTables"]

COLUMNS = ("split", "file", "width", "height", "xmin", "ymin", "xmax", "ymax", "class", "class_id")
"""Of ``boxes.csv``."""


class CsvTables(Format):
    """``boxes.csv`` for pandas; ``<split>.csv`` and ``classes.csv`` for keras-retinanet and what came of it."""

    name = "csv"
    title = "CSV"

    def picture_folder(self, split: str) -> str:
        """The split's own."""
        return split

    def write_piece(self, folder: Path, source: Source, piece: Piece) -> dict[str, str]:
        """Pictures; rows of both tables."""
        short, long = [], []
        for file_name, sample in write_pictures(folder / piece.split, source.samples(piece)):
            file, box = f"{piece.split}/{file_name}", sample.box.tolist()
            short.append([file, *box, sample.glyph])
            size = [source.width, source.height]
            long.append([piece.split, file, *size, *box, sample.glyph, source.class_ids[sample.glyph]])
        return {"short": _csv(short), "long": _csv(long)}

    def whole_files(self, source: Source, texts: Texts) -> Iterator[tuple[str, Iterable[str]]]:
        """The tables, and the classes with their numbers."""
        for split in source.splits:
            yield f"{split}.csv", texts(split, "short")
        yield "classes.csv", [_csv([[name, place] for place, name in enumerate(source.classes)])]
        yield "boxes.csv", _with_header(source, texts)

    def reading(self, folder: Path, source: Source) -> str:
        """By pandas; a class may be called 1 or NA."""
        return f"pandas.read_csv({f'{folder}/boxes.csv'!r}, dtype={{'class': str}}, keep_default_na=False)"


def _with_header(source: Source, texts: Texts) -> Iterator[str]:
    yield _csv([COLUMNS])
    for split in source.splits:
        yield from texts(split, "long")


def _csv(rows: Iterable[Sequence[object]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()
