"""YOLO as Ultralytics reads it: a text file a picture, centre and size divided by the picture's; classes from 0."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from bboxbench.boxes import from_xyxy
from bboxbench.data_gen.exports.layout import Format, Texts
from bboxbench.data_gen.exports.pictures import picture_name, write_new, write_pictures
from bboxbench.data_gen.exports.source import SPLITS, Piece, Source
from bboxbench.data_gen.exports.words import yaml_text

__all__ = ["Yolo"]

_DECIMALS = 8
"""Of every number. Corners then come back within 0.0001 px on the largest pictures, 4,096 px wide."""

_KEYS = {"train": "train", "validation": "val", "test": "test"}
"""Ultralytics' names of the splits in ``data.yaml``."""


class Yolo(Format):
    """``images/<split>``, ``labels/<split>`` and ``data.yaml``."""

    name = "yolo"
    title = "YOLO"

    def picture_folder(self, split: str) -> str:
        """Below ``images``, which Ultralytics replaces by ``labels`` to find the boxes."""
        return f"images/{split}"

    def piece_files(self, source: Source, piece: Piece) -> list[str]:
        """Pictures, then labels."""
        pictures = super().piece_files(source, piece)
        return pictures + [f"labels/{piece.split}/{_label_name(picture_name(index))}" for index in piece.rows]

    def write_piece(self, folder: Path, source: Source, piece: Piece) -> dict[str, str]:
        """Pictures and labels; nothing to put together."""
        labels = folder / "labels" / piece.split
        for file_name, sample in write_pictures(folder / "images" / piece.split, source.samples(piece)):
            numbers = from_xyxy(sample.box, "rel_center_xywh", source.width, source.height).tolist()
            line = " ".join([str(source.class_ids[sample.glyph]), *(f"{number:.{_DECIMALS}f}" for number in numbers)])
            write_new(labels / _label_name(file_name), f"{line}\n".encode())
        return {}

    def whole_files(self, source: Source, texts: Texts) -> Iterator[tuple[str, Iterable[str]]]:
        """``data.yaml``, without a path of its own, so that the folder can be moved."""
        lines = [f"# {source.name}, exported by bboxbench; sha256 of the data set: {source.sha256}"]
        for split in SPLITS:
            if split in source.splits and source.data.split(split):
                lines.append(f"{_KEYS[split]}: {self.picture_folder(split)}")
            elif split != "test":
                # Ultralytics wants both keys there.
                lines.append(f"{_KEYS[split]}: # no pictures")
        lines.append("names:")
        lines += [f"  {place}: {yaml_text(name)}" for place, name in enumerate(source.classes)]
        yield "data.yaml", ["\n".join(lines) + "\n"]

    def reading(self, folder: Path, source: Source) -> str:
        """By Ultralytics' command."""
        return f"yolo detect train {shlex.quote(f'data={folder}/data.yaml')}"


def _label_name(picture: str) -> str:
    return f"{picture.removesuffix('.png')}.txt"
