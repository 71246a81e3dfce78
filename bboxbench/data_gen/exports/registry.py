"""All formats by name."""

from __future__ import annotations

from bboxbench.data_gen.exports.coco import Coco
from bboxbench.data_gen.exports.csv_tables import CsvTables
from bboxbench.data_gen.exports.imagefolder import ImageFolder
from bboxbench.data_gen.exports.layout import Format
from bboxbench.data_gen.exports.tfrecord import TfRecord
from bboxbench.data_gen.exports.voc import PascalVoc
from bboxbench.data_gen.exports.yolo import Yolo
from bboxbench.errors import unknown_name

__all__ = ["FORMATS", "format_named"]

FORMATS: dict[str, Format] = {
    each.name: each for each in (Coco(), Yolo(), PascalVoc(), ImageFolder(), TfRecord(), CsvTables())
}


def format_named(name: str) -> Format:
    """The format of that name.

    Raises:
        InputError: there is none.
    """
    if name not in FORMATS:
        raise unknown_name("format", name, FORMATS)
    return FORMATS[name]
