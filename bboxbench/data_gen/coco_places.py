"""Where the annotations and the pictures of a COCO folder lie, and what to type where they lie elsewhere."""

from __future__ import annotations

import os
import shlex
import unicodedata
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from bboxbench.data_gen.exports import FORMATS
from bboxbench.data_gen.exports.record import RECORD, read_record
from bboxbench.data_gen.json_files import read_json
from bboxbench.data_gen.manifest import MANIFEST, UNFINISHED
from bboxbench.data_gen.photographs import SUFFIXES
from bboxbench.errors import InputError, read_errors, shortened

__all__ = [
    "Neighbours",
    "find_annotations",
    "given_place",
    "lies_at",
    "one_line",
    "picture_roots",
    "unlisted_pictures",
]

ROBOFLOW = "_annotations.coco.json"

_SOUGHT = ("annotations.json", ROBOFLOW, "annotations/instances_*.json", f"*/{ROBOFLOW}", "result.json")
"""Where annotations lie, the first that is there; those with a star may be several files, one a split."""

_TOLD_BY_CONTENT = ("annotations/*.json", "*.json")
"""Where files of any name are taken that have what COCO's have, after all others."""

_INSTANCES = "instances_"

_MOST_READ = 50
"""JSON files that are read to see what they are. A folder with more has one a picture, which is not COCO's."""

_MOST_ENTRIES = 20_000
"""Files and folders that are looked at to find one."""

_MOST_NAMED = 3

_OTHER_FORMATS = {
    "YOLO": ("data.yaml", "labels/*.txt", "labels/*/*.txt", "*/labels/*.txt", "classes.txt"),
    "Pascal VOC": ("Annotations/*.xml", "*/Annotations/*.xml", "*.xml", "*/*.xml"),
}
"""What shows that a folder without COCO's annotations has another tool's."""


def given_place(place: Path | None, folder: Path) -> Path | None:
    """A place as it was typed, from where it was typed or, where nothing is there, from ``folder``."""
    if place is None:
        return None
    with read_errors(place):
        return folder / place if not place.exists() and (folder / place).exists() else place


def find_annotations(folder: Path) -> list[Path]:
    """The annotation files of a folder.

    Raises:
        InputError: there are none; it says what is there instead, and what to type where that is known.
    """
    with read_errors(folder):
        for pattern in _SOUGHT:
            if found := _files(folder, pattern):
                return found
        jsons: list[Path] = []
        for pattern in _TOLD_BY_CONTENT:
            jsons += (found := _files(folder, pattern))
            if len(found) <= _MOST_READ and (found := [path for path in found if _is_coco(path)]):
                return found
        raise InputError(f"Expected COCO annotations in {folder}{_instead(folder, jsons)}")


def picture_roots(annotations: Path, folder: Path, images: Path | None) -> list[Path]:
    """The folders from which the names in an annotation file are looked for, the first first."""
    if images is None and annotations.name == ROBOFLOW:
        return [annotations.parent]
    base = images or folder
    split = "" if annotations.name in _SOUGHT else annotations.stem.removeprefix(_INSTANCES)
    # No file's name, as ...json, leads out of the folder.
    of_split = [base / split] if split.strip(".") else []
    roots = [base]
    if images is None:
        roots += [folder / "images" / split, folder / "images", folder / "data", annotations.parent]
    # Beside labels.json, the folder labels often has maps of the photographs' names and sizes: it comes last.
    roots = of_split + roots if annotations.name.startswith(_INSTANCES) else roots + of_split
    return list(dict.fromkeys(roots))


def lies_at(name: str, folder: Path) -> str:
    """What to type, where a picture that is missing lies somewhere below ``folder`` after all; else nothing."""
    written = PurePosixPath(PureWindowsPath(name).as_posix())
    for path in _below(folder):
        if path.name == written.name and path.is_file() and one_line(str(path)):
            root = Path(str(path).removesuffix(str(Path(written))))
            if root / written == path:
                return f"{shortened(name)} lies in {root}: add --images {shlex.quote(str(root))}."
            return f"{shortened(path.name)} lies in {path.parent}: make 'file_name' its path from a folder of --images."
    return ""


class Neighbours:
    """Pictures that are called nearly as one that is missing; each folder is looked into once."""

    def __init__(self) -> None:
        self._names: dict[Path, dict[str, list[str]]] = {}

    def near(self, path: Path) -> str:
        """The name of a picture beside where ``path`` should be that differs in its case or its ending; else nothing.

        As a.JPG for a.jpg, or a.png where pictures were converted.
        """
        if path.parent not in self._names:
            names = self._names[path.parent] = {}
            for entry in _entries(path.parent)[0]:
                if entry.suffix.lower() in SUFFIXES and one_line(entry.name):
                    names.setdefault(entry.stem.casefold(), []).append(entry.name)
        alike = self._names[path.parent].get(path.stem.casefold(), [])
        same = [name for name in alike if name.casefold() == path.name.casefold()]
        # A link that leads nowhere has the very name, and is no file.
        return next((name for name in (*same, *alike) if (path.parent / name).is_file()), "")


def unlisted_pictures(base: Path, listed: Iterable[Path]) -> dict[str, int]:
    """How many picture files lie beside those that annotations list, by folder, the most first.

    Args:
        base: it, its folders, those of ``images`` in it, and wherever a listed picture lies are looked at.
        listed: files that annotations name.
    """
    real: dict[Path, str] = {}
    known = set()
    for path in listed:
        if path.parent not in real:
            real[path.parent] = os.path.realpath(path.parent)
        # A disk may not tell IMG.JPG from img.jpg, nor one way to write an accent from another.
        known.add((real[path.parent], _folded(path.name)))
    places = [*real, base]
    for place in (base, base / "images"):
        places += _entries(place)[1]
    counts: Counter[str] = Counter()
    seen = set()
    for place in places:
        there = os.path.realpath(place)
        if there not in seen:
            seen.add(there)
            names = (path.name for path in _entries(place)[0] if path.suffix.lower() in SUFFIXES)
            told = str(place) if one_line(str(place)) else repr(str(place))
            counts[told] += sum((there, _folded(name)) not in known for name in names)
    return {place: count for place, count in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])) if count}


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())


def one_line(text: str) -> bool:
    """Whether a text is one line that leaves a terminal as it is, and can be kept as UTF-8."""
    return all(unicodedata.category(letter) not in ("Cc", "Cs", "Zl", "Zp") for letter in text)


def _files(folder: Path, pattern: str) -> list[Path]:
    found = sorted(path for path in folder.glob(pattern) if path.is_file())
    # Every message about them has their path, and an archive may have brought any name.
    for below in (str(path.relative_to(folder)) for path in found):
        if not one_line(below):
            raise InputError(f"Expected a path of one line of text in {folder}, received {below!r:.200}.")
    return found


def _is_coco(path: Path) -> bool:
    """Whether a JSON file has pictures, categories, and annotations with boxes, whatever else is wrong with it."""
    content = _content(path)
    lists = [content.get(key) for key in ("images", "annotations", "categories")]
    if not all(isinstance(entries, list) for entries in lists):
        return False
    return not lists[1] or (isinstance(lists[1][0], dict) and "bbox" in lists[1][0])


def _content(path: Path) -> dict[str, Any]:
    try:
        # A pipe would be waited for.
        content = read_json(path) if path.is_file() else None
    except InputError:
        return {}
    return content if isinstance(content, dict) else {}


def _instead(folder: Path, jsons: list[Path]) -> str:
    """The rest of the sentence that a folder has no annotations: what it has."""
    if any("bboxbench dataset" in str(_content(folder / name).get("kind")) for name in (MANIFEST, UNFINISHED)):
        return ", which is already a data set: give it to other commands by --data, or look at it with preview."
    if (record := read_record(folder) if (folder / RECORD).is_file() else None) is not None:
        form = next((f" in the format {name}" for name in FORMATS if name == record.get("format")), "")
        return (
            f", which is an export{form}: only COCO can be imported. Export the data set with --format coco, or use it "
            "as it is."
        )
    for name, patterns in _OTHER_FORMATS.items():
        if any(next(folder.glob(pattern), None) for pattern in patterns):
            return f": this looks like a {name} folder; only COCO can be imported. Convert it first."
    deeper = [path for path in _below(folder) if path.suffix == ".json" and path not in jsons]
    for path in deeper[:_MOST_READ]:
        if one_line(str(path)) and _is_coco(path):
            return f". {path.relative_to(folder)} looks like such: {_typed(folder, path)}"
    said = f", as {', '.join((*_SOUGHT, *_TOLD_BY_CONTENT))}; "
    names = [str(path.relative_to(folder)) for path in jsons + deeper]
    if not names:
        return f"{said}found no JSON file. Name the file with --annotations."
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    shown = ", ".join(name if one_line(name) else repr(name)[1:-1] for name in names[:_MOST_NAMED])
    return (
        f"{said}found {shown}{more}, without lists of images, annotations with a bbox, and categories. Name another "
        "file with --annotations."
    )


def _typed(folder: Path, annotations: Path) -> str:
    """The command that imports what one file deep in a folder lists."""
    words = ["bboxbench", "import", str(folder), "--annotations", str(annotations)]
    images = _content(annotations)["images"]
    name = images[0].get("file_name") if images and isinstance(images[0], dict) else None
    if isinstance(name, str) and not any((root / name).exists() for root in picture_roots(annotations, folder, None)):
        words += ["--images", "..."]
        for path in _below(folder):
            if path.as_posix().endswith(f"/{name}"):
                words[-1] = path.as_posix().removesuffix(f"/{name}")
                break
    return shlex.join(words)


def _below(folder: Path) -> Iterator[Path]:
    """Files below a folder, those that lie higher first, as many as somebody would wait for."""
    waiting, left = deque([folder]), _MOST_ENTRIES
    while waiting and left > 0:
        files, folders = _entries(waiting.popleft())
        left -= len(files) + len(folders)
        yield from files
        waiting += folders


def _entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """Files and folders in a folder, by name; none where it may not be looked into. Links lead to no folder."""
    files: list[Path] = []
    folders: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                (folders if entry.is_dir(follow_symlinks=False) else files).append(folder / entry.name)
    except OSError:
        return [], []
    return sorted(files), sorted(folders)
