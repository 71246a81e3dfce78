"""COCO: one JSON file a split. Boxes are x, y, width, height in pixels; categories count from 1."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from bboxbench.data_gen.exports.layout import Format, Texts
from bboxbench.data_gen.exports.pictures import write_pictures
from bboxbench.data_gen.exports.segments import run_lengths
from bboxbench.data_gen.exports.source import Piece, Source

__all__ = ["Coco"]


class Coco(Format):
    """``annotations/instances_<split>.json`` beside a folder of pictures for each split."""

    name = "coco"
    title = "COCO"

    def picture_folder(self, split: str) -> str:
        """The split's own."""
        return split

    def write_piece(self, folder: Path, source: Source, piece: Piece) -> dict[str, str]:
        """Pictures; the entries of ``images`` and ``annotations``."""
        images, annotations = [], []
        for file_name, sample in write_pictures(folder / piece.split, source.samples(piece)):
            size = {"width": source.width, "height": source.height}
            images.append(_json({"id": sample.index, "file_name": file_name, **size}))
            xmin, ymin, xmax, ymax = sample.box.tolist()
            entry = {
                # 0 would mean "no match" to pycocotools' evaluation.
                "id": sample.index + 1,
                "image_id": sample.index,
                "category_id": source.class_ids[sample.glyph] + 1,
                "bbox": [xmin, ymin, xmax - xmin, ymax - ymin],
                "area": (xmax - xmin) * (ymax - ymin),
                "iscrowd": 0,
                # Where there is no mask none is made up: who asks for one hears of it, and who takes boxes needs none.
                "segmentation": [],
            }
            if sample.mask is not None:
                entry |= {"area": int(sample.mask.sum()), "segmentation": run_lengths(sample.mask)}
            annotations.append(_json(entry))
        return {"images": ",\n".join(images), "annotations": ",\n".join(annotations)}

    def whole_files(self, source: Source, texts: Texts) -> Iterator[tuple[str, Iterable[str]]]:
        """The annotations of each split."""
        for split in source.splits:
            yield f"annotations/instances_{split}.json", _instances(source, split, texts)

    def reading(self, folder: Path, source: Source) -> str:
        """By pycocotools."""
        return f"pycocotools.coco.COCO({f'{folder}/annotations/instances_{source.pieces[0].split}.json'!r})"


def _instances(source: Source, split: str, texts: Texts) -> Iterator[str]:
    info = {"description": f"{source.name}, {split}", "contributor": "bboxbench", "dataset_sha256": source.sha256}
    categories = [{"id": place + 1, "name": name, "supercategory": ""} for place, name in enumerate(source.classes)]
    yield f'{{"info": {_json(info)},\n"licenses": [],\n"categories": {_json(categories)}'
    for kind in ("images", "annotations"):
        yield f',\n"{kind}": [\n'
        for place, text in enumerate(texts(split, kind)):
            yield f",\n{text}" if place else text
        yield "\n]"
    yield "}\n"


def _json(value: Any) -> str:
    # In ASCII: pycocotools opens the file by the system's encoding, which need not be UTF-8.
    return json.dumps(value)
