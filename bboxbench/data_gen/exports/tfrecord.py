"""TFRecord files of ``tf.train.Example`` with the keys of TensorFlow's Object Detection API; labels count from 1."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from bboxbench.boxes import relative_boxes
from bboxbench.data_gen.exports.layout import Format, Texts
from bboxbench.data_gen.exports.pictures import picture_name, png
from bboxbench.data_gen.exports.source import Piece, Source
from bboxbench.data_gen.exports.words import proto_text
from bboxbench.data_gen.samples import Sample
from bboxbench.data_gen.silence import native_silence
from bboxbench.errors import CannotWrite, one_line

__all__ = ["TfRecord"]

SUFFIX = ".tfrecord"


class TfRecord(Format):
    """``train-00000-of-00012.tfrecord``, a thousand pictures each, and ``label_map.pbtxt``."""

    name = "tfrecord"
    title = "TFRecord"
    pieces_a_process = 8

    def picture_folder(self, split: str) -> str:
        """The export's own: pictures are inside the records."""
        return "."

    def piece_files(self, source: Source, piece: Piece) -> list[str]:
        """One."""
        return [piece.name + SUFFIX]

    def write_piece(self, folder: Path, source: Source, piece: Piece) -> dict[str, str]:
        """The piece's file; nothing to put together."""
        with native_silence():
            import tensorflow as tf

        path = folder / (piece.name + SUFFIX)
        path.unlink(missing_ok=True)
        try:
            with tf.io.TFRecordWriter(str(path)) as writer:
                for sample in source.samples(piece):
                    example = _example(tf.train, source, sample)
                    # Its features are a map, whose order would otherwise differ from process to process.
                    writer.write(example.SerializeToString(deterministic=True))
        except tf.errors.OpError as error:
            raise CannotWrite(
                f"Cannot write {path}: {one_line(error)}. Free some space or choose another folder, and run the same "
                "command again."
            ) from error
        return {}

    def whole_files(self, source: Source, texts: Texts) -> Iterator[tuple[str, Iterable[str]]]:
        """The label map."""
        items = [
            f"item {{\n  id: {place + 1}\n  name: {proto_text(name)}\n}}\n" for place, name in enumerate(source.classes)
        ]
        yield "label_map.pbtxt", items

    def reading(self, folder: Path, source: Source) -> str:
        """By tf.data."""
        return f"tf.data.TFRecordDataset(tf.io.gfile.glob({f'{folder}/{source.pieces[0].split}-*{SUFFIX}'!r}))"


def _example(train: Any, source: Source, sample: Sample) -> Any:
    encoded = png(sample.image)
    name = picture_name(sample.index).encode()
    xmin, ymin, xmax, ymax = relative_boxes(sample.box, source.width, source.height).tolist()
    left, top, right, bottom = sample.box.tolist()
    octets: dict[str, bytes] = {
        "image/encoded": encoded,
        "image/format": b"png",
        "image/filename": name,
        "image/source_id": str(sample.index).encode(),
        "image/key/sha256": hashlib.sha256(encoded).hexdigest().encode(),
        "image/object/class/text": sample.glyph.encode(),
    }
    area = (right - left) * (bottom - top)
    if sample.mask is not None:
        octets["image/object/mask"] = png(sample.mask)
        area = int(sample.mask.sum())
    floats = {
        "image/object/bbox/xmin": xmin,
        "image/object/bbox/ymin": ymin,
        "image/object/bbox/xmax": xmax,
        "image/object/bbox/ymax": ymax,
        "image/object/area": float(area),
    }
    whole = {
        "image/height": source.height,
        "image/width": source.width,
        "image/object/class/label": source.class_ids[sample.glyph] + 1,
        "image/object/is_crowd": 0,
    }
    feature = {key: train.Feature(bytes_list=train.BytesList(value=[value])) for key, value in octets.items()}
    feature |= {key: train.Feature(float_list=train.FloatList(value=[value])) for key, value in floats.items()}
    feature |= {key: train.Feature(int64_list=train.Int64List(value=[value])) for key, value in whole.items()}
    return train.Example(features=train.Features(feature=feature))
