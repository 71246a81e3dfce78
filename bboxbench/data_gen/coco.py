"""COCO annotations of single objects, as people have them lying about: found, read, and believed in nothing.

What is wrong with a file as a whole is an `InputError`. What is wrong with one picture is a `Fault`, which tells its
kind, so that pictures can be left out and counted.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from bboxbench.data_gen.imported import LONGEST_NAME
from bboxbench.data_gen.json_files import read_json
from bboxbench.errors import InputError, read_errors, shortened

__all__ = ["SLACK", "Box", "Fault", "ListedPicture", "Listing", "outside", "read_coco"]

Box = tuple[float, float, float, float]

SLACK = 1.0
"""Pixels that a box may reach beyond its picture, as tools that round or count from 1 make it; the rest is cut off."""

MOST_PLACES = 2
"""Folders that a message names, of those that a missing picture was looked for in."""

LONGEST_CLASS = 200
"""Letters of a class's name."""

_SOUGHT = (
    "annotations.json",
    "_annotations.coco.json",
    "annotations/instances_*.json",
    "*/_annotations.coco.json",
    "result.json",
)
"""Where annotations lie, the first that is there; those with a star may be several files, one a split."""

_INSTANCES = "instances_"


@dataclass(frozen=True)
class Fault:
    """Why a picture cannot be used.

    Attributes:
        name: of the picture.
        kind: a few words, the same for all pictures with this fault.
        text: what was expected and received, with the picture's and the annotations' name; one line.
    """

    name: str
    kind: str
    text: str


@dataclass(frozen=True)
class ListedPicture:
    """A picture with its one object, as its annotations tell.

    Attributes:
        name: its path below the folder of the pictures, with slashes.
        path: of its file, which is there.
        size: width and height in pixels; None where they are not told.
        box: xmin, ymin, xmax, ymax in pixels of the picture.
        label: the object's class.
    """

    name: str
    path: Path
    size: tuple[int, int] | None
    box: Box
    label: str


@dataclass(frozen=True)
class Listing:
    """What annotations say.

    Attributes:
        pictures: that can be used as far as their annotations go, each once, by name.
        faults: one for each other picture, by name.
        classes: names of all categories, in the order of their ids.
    """

    pictures: list[ListedPicture]
    faults: list[Fault]
    classes: tuple[str, ...]


def read_coco(folder: Path, annotations: Path | None = None, images: Path | None = None) -> Listing:
    """Read all annotations of a folder.

    Args:
        folder: what was downloaded or exported.
        annotations: the one file to read; by default what lies at the places where tools put it.
        images: where the pictures lie; by default they are looked for in ``folder``.

    Raises:
        InputError: there are no annotations, or a file is not COCO's form.
    """
    for place in (folder, *([images] if images else [])):
        with read_errors(place):
            if not place.is_dir():
                what = "a file" if place.exists() else "nothing"
                raise InputError(f"Expected a folder of pictures at {place}, found {what}.")
    files = [annotations] if annotations else _find(folder)
    faults: dict[str, Fault] = {}
    listed: dict[str, list[ListedPicture]] = defaultdict(list)
    categories: list[tuple[Any, str]] = []
    for file in files:
        content = _AnnotationFile(file, folder, images)
        for found in content.pictures():
            if isinstance(found, Fault):
                faults.setdefault(found.name, found)
            else:
                listed[found.name].append(found)
        categories += content.categories.items()
    pictures = []
    for name in sorted(listed):
        if name in faults:
            continue
        # One picture in two files, as train and trainval, is one picture where both say the same of it.
        if len(set(listed[name])) > 1:
            text = f"Expected each picture once, received {name} {len(listed[name])} times, with different objects."
            faults[name] = Fault(name, "listed twice", text)
        else:
            pictures.append(listed[name][0])
    # By ids where they can be compared; another file may number the same names otherwise.
    categories.sort(key=lambda entry: (isinstance(entry[0], str), entry[0]))
    classes = tuple(dict.fromkeys(name for _, name in categories))
    return Listing(pictures, [faults[name] for name in sorted(faults)], classes)


def outside(box: Box, size: tuple[int, int]) -> bool:
    """Whether a box reaches more than `SLACK` beyond a picture of ``size``, or lies beside it."""
    reach = (*size, *size)
    beyond = min(box) < -SLACK or any(edge > most + SLACK for edge, most in zip(box, reach, strict=True))
    return beyond or box[0] >= size[0] or box[1] >= size[1] or box[2] <= 0 or box[3] <= 0


def _find(folder: Path) -> list[Path]:
    with read_errors(folder):
        for pattern in _SOUGHT:
            if found := sorted(path for path in folder.glob(pattern) if path.is_file()):
                # Every message about them has their path, and an archive may have brought any name.
                for below in (str(path.relative_to(folder)) for path in found):
                    if not _one_line(below):
                        raise InputError(f"Expected a path of one line of text in {folder}, received {below!r:.200}.")
                return found
    raise InputError(
        f"Expected COCO annotations in {folder}, as {', '.join(_SOUGHT)}; found none. Name the file with --annotations."
    )


class _AnnotationFile:
    """One JSON file, whose form is checked as a whole before the first picture is looked at."""

    def __init__(self, path: Path, folder: Path, images: Path | None) -> None:
        self._path = path
        content = _load(path)
        self._images = self._entries(content, "images", ("id", "file_name"))
        self._annotations = self._entries(content, "annotations", ("id", "image_id", "category_id", "bbox"))
        self.categories = self._categories(content)
        split = path.stem.removeprefix(_INSTANCES) if path.stem.startswith(_INSTANCES) else ""
        self._base = images or folder
        roots: Iterable[Path] = (self._base / split, self._base)
        if images is None:
            beside = [folder / "images" / split, folder / "images"]
            roots = [path.parent] if path.name == "_annotations.coco.json" else [*roots, *beside, path.parent]
        self._roots = list(dict.fromkeys(roots))

    def pictures(self) -> Iterable[Fault | ListedPicture]:
        """Every picture, or why it cannot be used."""
        of_image: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for entry in self._annotations:
            of_image[entry["image_id"]].append(entry)
        annotations = Counter(entry["id"] for entry in self._annotations)
        images = Counter(entry["id"] for entry in self._images)
        for image in self._images:
            name, objects = image["file_name"], of_image[image["id"]]
            if not _harmless(name):
                received = "a path that leads out of the folder, or is none"
                yield self._fault(repr(name)[:100], "path that leads elsewhere", received)
            elif images[image["id"]] > 1:
                yield self._fault(name, "duplicated id", f"id {image['id']!r:.80} of another picture")
            elif double := [entry["id"] for entry in objects if annotations[entry["id"]] > 1]:
                yield self._fault(name, "duplicated id", f"an annotation with the id {double[0]!r:.80} of another one")
            else:
                yield self._picture(image, objects)
        for image_id in [found for found in of_image if found not in images]:
            name = f"image id {image_id!r:.80}"
            yield self._fault(name, "annotation without a picture", "annotations, and no such picture")

    def _picture(self, image: dict[str, Any], objects: list[dict[str, Any]]) -> Fault | ListedPicture:
        name = image["file_name"]
        path = self._file(name)
        if path is None:
            places = " or ".join(map(str, self._roots[:MOST_PLACES]))
            return self._fault(name, "missing file", f"a name that no file in {places} has")
        name = self._name(path)
        if not _one_line(name):
            # The annotations' part of it is one: the folder that was found on the disk is to blame.
            return self._fault(repr(name)[:100], "path that leads elsewhere", "a path that is no line of text")
        if len(name.encode()) > LONGEST_NAME:
            received = f"a path of {len(name.encode()):,} bytes: expected {LONGEST_NAME:,} or fewer"
            return self._fault(f"{name[:80]}...", "path that is too long", received)
        if not objects:
            return self._fault(name, "no object", "no annotation of it: expected one object a picture")
        if any(entry.get("iscrowd") for entry in objects):
            return self._fault(name, "crowd", "an annotation of a crowd: expected one object a picture")
        if len(objects) > 1:
            return self._fault(name, "several objects", f"{len(objects)} objects: expected one object a picture")
        if objects[0]["category_id"] not in self.categories:
            number = objects[0]["category_id"]
            return self._fault(name, "unknown category", f"category_id {number!r}, which is none of the categories")
        box = _xyxy(objects[0]["bbox"])
        if box is None:
            received = f"the bbox {objects[0]['bbox']!r:.80}: expected [x, y, width, height] with an area, in pixels"
            return self._fault(name, "impossible box", received)
        try:
            size = _size(image.get("width"), image.get("height"))
        except ValueError:
            received = f"width {image.get('width')!r:.20} and height {image.get('height')!r:.20}: expected pixels"
            return self._fault(name, "impossible size", received)
        if size is not None and outside(box, size):
            received = f"the bbox {objects[0]['bbox']!r:.80}, which reaches out of its {size[0]}x{size[1]} pixels"
            return self._fault(name, "box outside the picture", received)
        return ListedPicture(name, path, size, box, self.categories[objects[0]["category_id"]])

    def _file(self, name: str) -> Path | None:
        # Label Studio writes backslashes on Windows; elsewhere they may be part of a name, which comes first.
        for written in dict.fromkeys((name, PureWindowsPath(name).as_posix())):
            for root in self._roots:
                try:
                    if (root / written).is_file():
                        return root / written
                except OSError:
                    # Too long a name, or a folder that may not be looked into: the same as none.
                    continue
        return None

    def _name(self, path: Path) -> str:
        return path.relative_to(self._base if path.is_relative_to(self._base) else self._path.parent).as_posix()

    def _fault(self, name: str, kind: str, received: str) -> Fault:
        return Fault(name, kind, f"{shortened(name)} in {self._path}: received {received}.")

    def _entries(self, content: dict[str, Any], key: str, needed: tuple[str, ...]) -> list[dict[str, Any]]:
        entries = content.get(key)
        if not isinstance(entries, list):
            raise self._no_coco(f"a list of {key}, received {type(entries).__name__}")
        for place, entry in enumerate(entries):
            if not isinstance(entry, dict):
                raise self._no_coco(f"{key}[{place}] to be an object, received {entry!r:.40}")
            if lacking := next((name for name in needed if name not in entry), None):
                what = f"'{lacking}' in {key}[{place}], which has {', '.join(map(repr, entry)) or 'nothing'}"
                raise self._no_coco(f"{what:.200}")
            for name in needed:
                good = isinstance(entry[name], int | float | str) and not isinstance(entry[name], bool)
                if name.endswith("id") and not good:
                    raise self._no_coco(f"'{name}' of {key}[{place}] to be a number, received {entry[name]!r:.40}")
        return entries

    def _categories(self, content: dict[str, Any]) -> dict[Any, str]:
        found: dict[Any, str] = {}
        id_of: dict[str, Any] = {}
        of_objects = {entry["category_id"] for entry in self._annotations}
        for place, entry in enumerate(self._entries(content, "categories", ("id", "name"))):
            name = entry["name"]
            good = isinstance(name, str) and name.strip() and _one_line(name) and len(name) <= LONGEST_CLASS
            if not good:
                raise self._no_coco(f"a name of categories[{place}] of a line or less, received {name!r:.40}")
            # Roboflow puts a category without objects above the classes, which may have the name of one of them.
            other = id_of.get(name)
            if entry["id"] in found or (other in of_objects and entry["id"] in of_objects):
                raise self._no_coco(f"each category once, received id {entry['id']!r:.80}, '{name}', again")
            found[entry["id"]] = name
            if name not in id_of or entry["id"] in of_objects:
                id_of[name] = entry["id"]
        return {number: name for number, name in found.items() if id_of[name] == number}

    def _no_coco(self, expected: str) -> InputError:
        return InputError(f"Expected COCO annotations of objects in {self._path}: {expected}.")


def _load(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if isinstance(content, list):
        raise InputError(
            f"Expected COCO annotations in {path}, received a list, as the results of a detector are. "
            "Give the file with images, annotations and categories."
        )
    if not isinstance(content, dict):
        raise InputError(f"Expected COCO annotations in {path}, received {type(content).__name__}.")
    return content


def _harmless(name: Any) -> bool:
    """Whether a file's name stays below the folder it is looked for in, on every system."""
    if not isinstance(name, str) or not _one_line(name):
        return False
    path = PureWindowsPath(name)
    return bool(path.parts) and not (path.drive or path.root or ".." in path.parts)


def _one_line(text: str) -> bool:
    return all(unicodedata.category(letter) not in ("Cc", "Cs", "Zl", "Zp") for letter in text)


def _xyxy(bbox: Any) -> Box | None:
    """Corners of [x, y, width, height]; None where that is no box with an area."""
    if not isinstance(bbox, list) or len(bbox) != 4:
        return None
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in bbox):
        return None
    try:
        x, y, width, height = map(float, bbox)
    except OverflowError:
        return None
    box = (x, y, x + width, y + height)
    good = all(map(math.isfinite, box)) and box[0] < box[2] and box[1] < box[3]
    return box if good else None


def _size(width: Any, height: Any) -> tuple[int, int] | None:
    if width is None and height is None:
        return None
    for side in (width, height):
        # Some tools write 640.0.
        if isinstance(side, bool) or not isinstance(side, int | float) or not 1 <= side < 1e6 or side != int(side):
            raise ValueError(side)
    return int(width), int(height)
