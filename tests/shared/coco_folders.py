"""COCO folders of drawn shapes, small and of many sizes and kinds of files, as people's own data are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from bboxbench.data_gen import Dataset
from bboxbench.data_gen.importing import plan_import, write_import

SHAPES = ("disc", "square", "triangle")


def draw_shape(rng: np.random.Generator, size: tuple[int, int], shape: str) -> tuple[Image.Image, list[float]]:
    """A shape on a sky of two colours with some grain, and its bbox [x, y, width, height]."""
    width, height = size
    top, bottom = rng.integers(90, 256, 3), rng.integers(90, 256, 3)
    ramp = np.linspace(top, bottom, height)[:, None, :] + rng.normal(0, 4, (height, width, 3))
    picture = Image.fromarray(np.clip(np.rint(ramp), 0, 255).astype(np.uint8))
    side = int(rng.integers(min(size) // 4, min(size) // 2 + 1))
    wide, high = side, int(side * rng.uniform(0.6, 1.0)) + 1
    x, y = int(rng.integers(0, width - wide + 1)), int(rng.integers(0, height - high + 1))
    colour = tuple(rng.integers(0, 80, 3).tolist())
    pen, corners = ImageDraw.Draw(picture), (x, y, x + wide - 1, y + high - 1)
    if shape == "disc":
        pen.ellipse(corners, fill=colour)
    elif shape == "square":
        pen.rectangle(corners, fill=colour)
    else:
        pen.polygon([(x, y + high - 1), (x + wide - 1, y + high - 1), (x + wide // 2, y)], fill=colour)
    return picture, [x, y, wide, high]


def coco(images: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> dict[str, Any]:
    """The content of an annotation file with the classes of `SHAPES`, numbered from 1."""
    categories = [{"id": place + 1, "name": name, "supercategory": "shape"} for place, name in enumerate(SHAPES)]
    return {"info": {}, "licenses": [], "images": images, "annotations": annotations, "categories": categories}


def write_shapes(
    folder: Path, n: int = 12, seed: int = 0, split: str = "train", sides: tuple[int, int] = (60, 200)
) -> Path:
    """A folder as COCO has it: annotations/instances_<split>.json beside <split>/, PNG and JPEG of mixed sizes."""
    rng = np.random.default_rng(seed)
    (folder / split).mkdir(parents=True, exist_ok=True)
    (folder / "annotations").mkdir(exist_ok=True)
    images, annotations = [], []
    for number in range(n):
        size = tuple(rng.integers(*sides, 2).tolist())
        place = int(rng.integers(len(SHAPES)))
        picture, bbox = draw_shape(rng, size, SHAPES[place])
        name = f"{number:04d}.{'jpg' if number % 3 else 'png'}"
        picture.save(folder / split / name, **({"quality": 92} if number % 3 else {}))
        images.append({"id": number + 1, "file_name": name, "width": size[0], "height": size[1]})
        entry = {"id": number + 1, "image_id": number + 1, "category_id": place + 1, "bbox": bbox}
        annotations.append({**entry, "area": bbox[2] * bbox[3], "iscrowd": 0, "segmentation": []})
    content = json.dumps(coco(images, annotations))
    (folder / "annotations" / f"instances_{split}.json").write_text(content, encoding="utf-8")
    return folder


def write_one(
    folder: Path,
    picture: Image.Image | bytes | None = None,
    *,
    name: str = "a.png",
    image: dict[str, Any] | None = None,
    objects: list[dict[str, Any]] | None = None,
    content: str | None = None,
) -> Path:
    """A folder with annotations.json of one good picture, and what is given in the place of one part of it.

    Args:
        folder: to write.
        picture: of the file; bytes are written as they are, None writes a picture of 40 x 30.
        name: of the file.
        image: keys of its entry that are another; None takes a key away.
        objects: its annotations, each what differs from a good one.
        content: of the annotation file as a whole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", (40, 30), "teal") if picture is None else picture
    path = folder / name
    if isinstance(picture, bytes):
        path.write_bytes(picture)
    else:
        picture.save(path)
    size = picture.size if isinstance(picture, Image.Image) else (40, 30)
    entry = {"id": 1, "file_name": name, "width": size[0], "height": size[1], **(image or {})}
    entry = {key: value for key, value in entry.items() if value is not None}
    good = {"image_id": 1, "category_id": 1, "bbox": [5, 6, 10, 8], "iscrowd": 0}
    annotations = [{"id": place + 1, **good, **one} for place, one in enumerate([{}] if objects is None else objects)]
    text = json.dumps(coco([entry], annotations)) if content is None else content
    (folder / "annotations.json").write_text(text, encoding="utf-8")
    return folder


def imported_one(folder: Path, **options: Any) -> Dataset:
    """A folder imported beside itself."""
    return write_import(plan_import(folder, workers=1, **options), folder.parent / "out", workers=1)
