"""Hugging Face's image folder: a folder a split with ``metadata.jsonl``. Boxes are x, y, width, height in pixels."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from bboxbench.data_gen.exports.layout import Format, Texts
from bboxbench.data_gen.exports.pictures import picture_name, png, write_new, write_pictures
from bboxbench.data_gen.exports.source import Piece, Source
from bboxbench.data_gen.exports.words import yaml_text

__all__ = ["ImageFolder"]


class ImageFolder(Format):
    """A folder of pictures for each split, and the card ``README.md`` that names the classes."""

    name = "imagefolder"
    title = "Hugging Face image folder"

    def picture_folder(self, split: str) -> str:
        """The split's own: its name is how ``datasets`` finds the splits."""
        return split

    def piece_files(self, source: Source, piece: Piece) -> list[str]:
        """Pictures, then masks where there are any."""
        pictures = super().piece_files(source, piece)
        masks = [f"{piece.split}/{_mask_name(picture_name(index))}" for index in piece.rows] if source.masks else []
        return pictures + masks

    def write_piece(self, folder: Path, source: Source, piece: Piece) -> dict[str, str]:
        """Pictures and masks; lines of ``metadata.jsonl``."""
        lines = []
        for file_name, sample in write_pictures(folder / piece.split, source.samples(piece)):
            xmin, ymin, xmax, ymax = map(float, sample.box.tolist())
            # A whole number would make the column one of whole numbers, against the documentation's.
            box = [xmin, ymin, xmax - xmin, ymax - ymin]
            objects = {"bbox": [box], "categories": [source.class_ids[sample.glyph]]}
            files = {"file_name": file_name}
            if sample.mask is not None:
                files["mask_file_name"] = _mask_name(file_name)
                write_new(folder / piece.split / files["mask_file_name"], png(sample.mask))
            lines.append(json.dumps({**files, "objects": objects}))
        return {"metadata": "\n".join(lines) + "\n"}

    def whole_files(self, source: Source, texts: Texts) -> Iterator[tuple[str, Iterable[str]]]:
        """``metadata.jsonl`` of each split that has pictures (``datasets`` reads no empty one), and the card."""
        for split in dict.fromkeys(piece.split for piece in source.pieces):
            yield f"{split}/metadata.jsonl", texts(split, "metadata")
        yield "README.md", [_card(source)]

    def reading(self, folder: Path, source: Source) -> str:
        """By ``datasets``; without the card's features its classes would be numbers."""
        features = f"datasets.info.DatasetInfosDict.from_directory({str(folder)!r})['default'].features"
        return f"datasets.load_dataset('imagefolder', data_dir={str(folder)!r}, features={features})"


def _mask_name(picture: str) -> str:
    return f"masks/{picture}"


def _card(source: Source) -> str:
    names = "\n".join(f"            '{place}': {yaml_text(name)}" for place, name in enumerate(source.classes))
    # Newer readers also know "list", all know "sequence".
    mask = "  - name: mask\n    dtype: image\n" if source.masks else ""
    return f"""---
task_categories:
- object-detection
dataset_info:
  features:
  - name: image
    dtype: image
{mask}  - name: objects
    struct:
    - name: bbox
      sequence:
        sequence: float64
    - name: categories
      sequence:
        class_label:
          names:
{names}
---

# {source.name}

Exported by bboxbench: one object in each picture, its box as x, y, width, height in pixels.
SHA-256 of the data set: `{source.sha256}`.
"""
