"""COCO annotations of single objects, as people have them lying about: found, read, and believed in nothing.

What is wrong with a file as a whole is an `InputError`. What is wrong with one picture is a `Fault`, which tells its
kind, so that pictures can be left out and counted.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from bboxbench.data_gen.box_forms import Box, corners_meant, outside, refuse_fractions
from bboxbench.data_gen.coco_places import (
    Neighbours,
    find_annotations,
    lies_at,
    one_line,
    picture_roots,
    unlisted_pictures,
)
from bboxbench.data_gen.imported import LONGEST_NAME
from bboxbench.data_gen.json_files import read_json
from bboxbench.errors import InputError, read_errors, shortened

__all__ = ["ORPHAN", "Fault", "ListedPicture", "Listing", "read_coco"]

ORPHAN = "annotation without a picture"
"""The one kind of fault that no listed picture has."""

MOST_PLACES = 2
"""Folders that a message names, of those that a missing picture was looked for in."""

LONGEST_CLASS = 200
"""Letters of a class's name."""


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
        unlisted: how many picture files beside the listed ones no annotation lists, by folder.
        hint: what may be wrong with the faulty pictures altogether, in whole sentences; empty where nothing is known.
    """

    pictures: list[ListedPicture]
    faults: list[Fault]
    classes: tuple[str, ...]
    unlisted: dict[str, int]
    hint: str


def read_coco(folder: Path, annotations: Path | None = None, images: Path | None = None) -> Listing:
    """Read all annotations of a folder.

    Args:
        folder: what was downloaded or exported.
        annotations: the one file to read; by default what lies at the places where tools put it.
        images: where the pictures lie; by default they are looked for in ``folder``.

    Raises:
        InputError: there are no annotations, a file is not COCO's form, or its boxes altogether are of another form.
    """
    for place in (folder, *([images] if images else [])):
        with read_errors(place):
            if not place.is_dir():
                what = "a file" if place.exists() else "nothing"
                raise InputError(f"Expected a folder of pictures at {place}, found {what}.")
    files = [annotations] if annotations else find_annotations(folder)
    faults: dict[str, Fault] = {}
    listed: dict[str, list[ListedPicture]] = defaultdict(list)
    categories: list[tuple[Any, str]] = []
    known: set[Path] = set()
    hints: list[str] = []
    for file in files:
        content = _AnnotationFile(file, folder, images)
        hints.append(content.doubt())
        for found in content.pictures():
            if isinstance(found, Fault):
                faults.setdefault(found.name, found)
            else:
                listed[found.name].append(found)
        categories += content.categories.items()
        known |= content.files
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
    if missing := [fault.name for fault in faults.values() if fault.kind == "missing file"]:
        # One that is missing may have got lost; where all are, they lie elsewhere.
        hints.append("" if pictures else lies_at(min(missing), images or folder))
    hint = next(filter(None, hints), "")
    unlisted = unlisted_pictures(images or folder, known)
    return Listing(pictures, [faults[name] for name in sorted(faults)], classes, unlisted, hint)


class _AnnotationFile:
    """One JSON file, whose form is checked as a whole before the first picture is looked at."""

    def __init__(self, path: Path, folder: Path, images: Path | None) -> None:
        self._path = path
        content = _load(path)
        self._images = self._entries(content, "images", ("id", "file_name"))
        self._annotations = self._entries(content, "annotations", ("id", "image_id", "category_id", "bbox"))
        self.categories = self._categories(content)
        self._base = images or folder
        self._roots = picture_roots(path, folder, images)
        self._neighbours = Neighbours()
        self.files: set[Path] = set()
        """Of its pictures, those that are there."""

    def doubt(self) -> str:
        """What `corners_meant` asks of all boxes of pictures that come with a size.

        Raises:
            InputError: boxes are in another form than COCO's.
        """
        sizes = {}
        for image in self._images:
            try:
                sizes[image["id"]] = _size(image.get("width"), image.get("height"))
            except ValueError:
                continue
        found = [(box, sizes.get(entry["image_id"])) for entry in self._annotations if (box := _xyxy(entry["bbox"]))]
        refuse_fractions(self._path, [box for box, _ in found])
        return corners_meant(self._path, [(box, size) for box, size in found if size])

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
                continue
            path = self._file(name)
            if path is not None:
                self.files.add(path)
            if images[image["id"]] > 1:
                yield self._fault(name, "duplicated id", f"id {image['id']!r:.80} of another picture")
            elif double := [entry["id"] for entry in objects if annotations[entry["id"]] > 1]:
                yield self._fault(name, "duplicated id", f"an annotation with the id {double[0]!r:.80} of another one")
            else:
                yield self._picture(image, path, objects)
        for image_id in [found for found in of_image if found not in images]:
            name = f"image id {image_id!r:.80}"
            yield self._fault(name, ORPHAN, "annotations, and no such picture")

    def _picture(
        self, image: dict[str, Any], path: Path | None, objects: list[dict[str, Any]]
    ) -> Fault | ListedPicture:
        name = image["file_name"]
        if path is None:
            places = " or ".join(map(str, self._roots[:MOST_PLACES]))
            like = self._like(name)
            there = f": did you mean {shortened(like)}, which is there?" if like else ""
            return self._fault(name, "missing file", f"a name that no file in {places} has{there}")
        name = self._name(path)
        if not one_line(name):
            # The annotations' part of it is one: the folder that was found on the disk is to blame.
            return self._fault(repr(name)[:100], "path that leads elsewhere", "a path that is no line of text")
        if len(name.encode()) > LONGEST_NAME:
            received = f"a path of {len(name.encode()):,} bytes: expected {LONGEST_NAME:,} or fewer"
            return self._fault(f"{name[:80]}...", "path that is too long", received)
        if not objects:
            return self._fault(name, "no object", "no object: expected one object a picture")
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

    def _like(self, name: str) -> str:
        """The name of a picture that may be meant by one that is missing; empty where none is like it."""
        found = (self._neighbours.near(root / PureWindowsPath(name).as_posix()) for root in self._roots)
        return next(filter(None, found), "")

    def _name(self, path: Path) -> str:
        return path.relative_to(self._base if path.is_relative_to(self._base) else self._path.parent).as_posix()

    def _fault(self, name: str, kind: str, received: str) -> Fault:
        return Fault(name, kind, f"{shortened(name)} in {self._path}: received {received}.")

    def _entries(self, content: dict[str, Any], key: str, needed: tuple[str, ...]) -> list[dict[str, Any]]:
        entries = content.get(key)
        if not isinstance(entries, list):
            received = type(entries).__name__ if key in content else f"no '{key}' at all"
            raise self._no_coco(f"a list of {key}, received {received}")
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
            good = isinstance(name, str) and name.strip() and one_line(name) and len(name) <= LONGEST_CLASS
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
    if not isinstance(name, str) or not one_line(name):
        return False
    path = PureWindowsPath(name)
    return bool(path.parts) and not (path.drive or path.root or ".." in path.parts)


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
