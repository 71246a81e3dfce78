"""Every export format, read back by a reader of that format that knows nothing of how it was written."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import yaml
from PIL import Image

from bboxbench.data_gen import Dataset

SPLITS = ("train", "validation", "test")


@dataclass
class Picture:
    """What a reader found: pixels, the box in pixel edges, half-open, and the name of its class."""

    pixels: np.ndarray
    box: tuple[int, ...]
    name: str


Pictures = dict[int, Picture]
"""By place in the data set."""


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture)


def read_coco(folder: Path, split: str) -> Pictures:
    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(folder / "annotations" / f"instances_{split}.json"))
    pictures = {}
    for image in coco.loadImgs(coco.getImgIds()):
        (entry,) = coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]]))
        (category,) = coco.loadCats([entry["category_id"]])
        x, y, width, height = entry["bbox"]
        pixels = pixels_of(folder / split / image["file_name"])
        assert pixels.shape == (image["height"], image["width"], 3)
        pictures[image["id"]] = Picture(pixels, (x, y, x + width, y + height), category["name"])
    return pictures


def read_yolo(folder: Path, split: str) -> Pictures:
    """As Ultralytics documents it: ``images`` becomes ``labels``, ``.png`` becomes ``.txt``."""
    data = yaml.safe_load((folder / "data.yaml").read_text("utf-8"))
    names, pictures = data["names"], {}
    for path in sorted((folder / data["val" if split == "validation" else split]).iterdir()):
        pixels = pixels_of(path)
        label = Path(str(path).replace("/images/", "/labels/")).with_suffix(".txt")
        (line,) = label.read_text("utf-8").splitlines()
        place, *numbers = np.array(line.split(), np.float32)
        cx, cy, w, h = (float(number) for number in numbers)
        height, width = pixels.shape[:2]
        edges = ((cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width, (cy + h / 2) * height)
        pictures[int(path.stem)] = Picture(pixels, to_pixel(edges), names[int(place)])
    return pictures


def to_pixel(edges: Any) -> tuple[int, ...]:
    """Whole numbers, to which every edge must be near: rounding must not hide half a pixel."""
    near = np.rint(edges)
    np.testing.assert_allclose(edges, near, atol=0.01)
    return tuple(near.astype(int).tolist())


def read_voc(folder: Path, split: str, first: int = 1) -> Pictures:
    """By the convention that pixels count from ``first``, and that the last one is inside."""
    pictures = {}
    named = {"train": "train", "validation": "val", "test": "test"}[split]
    for stem in (folder / "ImageSets" / "Main" / f"{named}.txt").read_text("utf-8").split():
        root = ElementTree.parse(folder / "Annotations" / f"{stem}.xml").getroot()
        (found,) = root.findall("object")
        xmin, ymin, xmax, ymax = (int(found.findtext(f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax"))
        box = (xmin - first, ymin - first, xmax - first + 1, ymax - first + 1)
        pixels = pixels_of(folder / "JPEGImages" / root.findtext("filename"))
        assert pixels.shape == tuple(int(root.findtext(f"size/{side}")) for side in ("height", "width", "depth"))
        pictures[int(stem)] = Picture(pixels, box, found.findtext("name"))
    return pictures


def read_imagefolder(folder: Path, split: str) -> Pictures:
    data = hugging_face(folder)[split]
    names, pictures = data.features["objects"]["categories"].feature, {}
    for row in data:
        ((x, y, width, height),) = row["objects"]["bbox"]
        (category,) = row["objects"]["categories"]
        index = int(Path(row["image"].filename).stem)
        box = to_pixel((x, y, x + width, y + height))
        pictures[index] = Picture(np.asarray(row["image"]), box, names.int2str(category))
    return pictures


def hugging_face(folder: Path) -> Any:
    """All splits, by ``datasets``, without the network, with the classes that the card names."""
    import datasets
    from datasets.info import DatasetInfosDict

    datasets.disable_progress_bars()
    features = DatasetInfosDict.from_directory(str(folder))["default"].features
    cache = folder.with_name(f"{folder.name}-cache")
    return datasets.load_dataset("imagefolder", data_dir=str(folder), features=features, cache_dir=str(cache))


def read_tfrecord(folder: Path, split: str) -> Pictures:
    import tensorflow as tf

    names, pictures = label_map(folder), {}
    one = {"bytes": tf.io.FixedLenFeature([], tf.string), "int": tf.io.FixedLenFeature([], tf.int64)}
    several = {"float": tf.io.VarLenFeature(tf.float32), "int": tf.io.VarLenFeature(tf.int64)}
    features = {f"image/{key}": one["bytes"] for key in ("encoded", "format", "filename", "source_id", "key/sha256")}
    features |= {f"image/{key}": one["int"] for key in ("height", "width")}
    features |= {f"image/object/bbox/{side}": several["float"] for side in ("xmin", "ymin", "xmax", "ymax")}
    features |= {"image/object/class/text": tf.io.VarLenFeature(tf.string), "image/object/class/label": several["int"]}
    for record in tf.data.TFRecordDataset(sorted(map(str, folder.glob(f"{split}-*.tfrecord")))):
        example = tf.io.parse_single_example(record, features)
        pixels = tf.io.decode_png(example["image/encoded"]).numpy()
        height, width = int(example["image/height"]), int(example["image/width"])
        assert pixels.shape == (height, width, 3)
        sides = [example[f"image/object/bbox/{side}"].values for side in ("xmin", "ymin", "xmax", "ymax")]
        (edges,) = tf.stack(sides, axis=-1).numpy() * [width, height, width, height]
        (label,) = example["image/object/class/label"].values.numpy()
        (text,) = example["image/object/class/text"].values.numpy()
        assert text.decode() == names[label]
        pictures[int(example["image/source_id"].numpy())] = Picture(pixels, to_pixel(edges), names[label])
    return pictures


def label_map(folder: Path) -> dict[int, str]:
    """``label_map.pbtxt`` by protobuf's own parser, for messages as the Object Detection API declares them."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

    file = descriptor_pb2.FileDescriptorProto(name="label_map.proto", package="labels")
    item = file.message_type.add(name="Item")
    item.field.add(name="name", number=1, type="TYPE_STRING", label="LABEL_OPTIONAL")
    item.field.add(name="id", number=2, type="TYPE_INT32", label="LABEL_OPTIONAL")
    whole = file.message_type.add(name="Map")
    whole.field.add(name="item", number=1, type="TYPE_MESSAGE", label="LABEL_REPEATED", type_name=".labels.Item")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    message = message_factory.GetMessageClass(pool.FindMessageTypeByName("labels.Map"))()
    text_format.Parse((folder / "label_map.pbtxt").read_text("utf-8"), message)
    return {entry.id: entry.name for entry in message.item}


def read_csv(folder: Path, split: str) -> Pictures:
    """``boxes.csv`` by pandas; what keras-retinanet reads by the csv module must say the same."""
    table = pd.read_csv(folder / "boxes.csv", dtype={"class": str}, keep_default_na=False)
    with (folder / f"{split}.csv").open(encoding="utf-8", newline="") as stream:
        short = list(csv.reader(stream))
    with (folder / "classes.csv").open(encoding="utf-8", newline="") as stream:
        numbers = {name: int(place) for name, place in csv.reader(stream)}
    pictures = {}
    for row, said in zip(table[table["split"] == split].to_dict("records"), short, strict=True):
        box = tuple(row[side] for side in ("xmin", "ymin", "xmax", "ymax"))
        assert said == [row["file"], *map(str, box), row["class"]]
        assert numbers[row["class"]] == row["class_id"]
        pixels = pixels_of(folder / row["file"])
        assert pixels.shape == (row["height"], row["width"], 3)
        pictures[int(Path(row["file"]).stem)] = Picture(pixels, box, row["class"])
    return pictures


READERS = {
    "coco": read_coco,
    "yolo": read_yolo,
    "voc": read_voc,
    "imagefolder": read_imagefolder,
    "tfrecord": read_tfrecord,
    "csv": read_csv,
}


def class_list(form: str, folder: Path) -> list[str]:
    """All class names in order, by the format's own list."""
    if form == "coco":
        content = json.loads((folder / "annotations" / "instances_test.json").read_text("utf-8"))
        return [entry["name"] for entry in sorted(content["categories"], key=lambda entry: entry["id"])]
    if form == "yolo":
        return list(yaml.safe_load((folder / "data.yaml").read_text("utf-8"))["names"].values())
    if form == "voc":
        return (folder / "labels.txt").read_text("utf-8").splitlines()
    if form == "imagefolder":
        return list(hugging_face(folder)["test"].features["objects"]["categories"].feature.names)
    if form == "tfrecord":
        return [name for _, name in sorted(label_map(folder).items())]
    with (folder / "classes.csv").open(encoding="utf-8", newline="") as stream:
        return [name for name, _ in csv.reader(stream)]


def differences(found: Pictures, data: Dataset, split: str) -> Iterator[str]:
    """What does not agree with the data set, to the pixel."""
    if list(found) != list(data.split(split)):
        yield f"other pictures: {list(found)[:3]} ..., {len(found)} of {len(data.split(split))}"
    for sample in data.samples(data.split(split)):
        picture = found.get(sample.index)
        if picture is None:
            continue
        if picture.pixels.dtype != np.uint8 or not np.array_equal(picture.pixels, sample.image):
            yield f"pixels of {sample.index}"
        if picture.box != tuple(sample.box.tolist()):
            yield f"box of {sample.index}: {picture.box} instead of {sample.box.tolist()}"
        if picture.name != sample.glyph:
            yield f"class of {sample.index}: {picture.name!r} instead of {sample.glyph!r}"
