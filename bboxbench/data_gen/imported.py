"""What an imported data set is made of: its spec, the arrays of its shards, its lines of ``boxes.csv``."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bboxbench.data_gen import spec_checks as checks
from bboxbench.data_gen.draws import MAX_SEED
from bboxbench.data_gen.fitting import FITS, Fitting
from bboxbench.data_gen.packing import Arrays
from bboxbench.data_gen.samples import Sample
from bboxbench.data_gen.spec import MAX_N, DatasetSpec
from bboxbench.data_gen.splits import split_ranges
from bboxbench.errors import InputError, unknown_name

__all__ = [
    "BOX_RULE",
    "IMPORTED_COLUMNS",
    "LONGEST_NAME",
    "AnySpec",
    "ImportedSpec",
    "imported_arrays",
    "imported_lines",
    "imported_sample",
    "misplaced",
    "spec_from_dict",
]

BOX_RULE = (
    "The box is the annotated one, brought to the picture's size by the same numbers as its pixels and rounded to "
    "whole pixels; it was not found from ink. Pixel edges, half-open, origin top left."
)

MOST_CLASSES = 2**16
LONGEST_NAME = 1024
"""Bytes of a picture's name, which is a path."""
FAR = 1e9
"""No annotated pixel lies as far from its picture."""


@dataclass(frozen=True)
class ImportedSpec:
    """Everything that decides the pixels of an imported data set, the source's by their hash.

    Args:
        n: number of samples, 1 or more.
        seed: in which order the pictures are dealt, 0 to 2**63 - 1.
        width: of the pictures, in pixels.
        height: of the pictures, in pixels.
        fit: how pictures of another size come to this one, one of `bboxbench.data_gen.fitting.FITS`.
        classes: their names, each once; a sample's label is a place among them.
        source_sha256: over the pictures' files and what is annotated of them, hexadecimal.
        longest_name: bytes of the longest name of a picture, in UTF-8.
        source: what was typed behind ``bboxbench import`` to name the source. It may lie elsewhere tomorrow, so it
            is no part of what makes two specs equal.

    Raises:
        InputError: a value cannot be used.
    """

    n: int
    seed: int
    width: int
    height: int
    fit: str
    classes: tuple[str, ...]
    source_sha256: str
    longest_name: int
    source: tuple[str, ...] = field(default=(), compare=False)

    preset: ClassVar[str] = "imported"
    one_colour: ClassVar[bool] = False
    masks: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for name, least, most in (
            ("n", 1, MAX_N),
            ("seed", 0, MAX_SEED),
            ("width", 1, checks.MAX_SIDE),
            ("height", 1, checks.MAX_SIDE),
            ("longest_name", 1, LONGEST_NAME),
        ):
            object.__setattr__(self, name, checks.whole(name, getattr(self, name), least, most))
        if self.fit not in FITS:
            raise unknown_name("fit", str(self.fit), FITS)
        for name in ("classes", "source"):
            value = getattr(self, name)
            if not isinstance(value, tuple | list) or not all(isinstance(item, str) for item in value):
                raise InputError(f"Expected {name} as a list of texts, received {value!r}.")
            object.__setattr__(self, name, tuple(value))
        if not 1 <= len(set(self.classes)) == len(self.classes) <= MOST_CLASSES:
            raise InputError(f"Expected 1 to {MOST_CLASSES:,} classes, each once, received {len(self.classes):,}.")
        if not isinstance(self.source_sha256, str) or not re.fullmatch("[0-9a-f]{64}", self.source_sha256):
            raise InputError(f"Expected source_sha256 in hexadecimal, received {self.source_sha256!r}.")

    @property
    def folder_name(self) -> str:
        """A name that tells what is inside, with a short hash of all that the name cannot tell."""
        canonical = json.dumps(self.identity(), sort_keys=True)
        return f"{self.preset}-n{self.n}-seed{self.seed}-{hashlib.sha256(canonical.encode()).hexdigest()[:8]}"

    def command(self, folder: Path | str) -> str:
        """What to type to import it into ``folder`` again."""
        size = ["--width", str(self.width), "--height", str(self.height)]
        words = [*(self.source or ["FOLDER"]), *size, "--fit", self.fit, "--seed", str(self.seed)]
        return shlex.join(["bboxbench", "import", *words, "--out", str(folder)])

    def to_dict(self) -> dict[str, Any]:
        """The spec in JSON's own types."""
        values = {**asdict(self), "classes": list(self.classes), "source": list(self.source)}
        return {"preset": self.preset, **values}

    def identity(self) -> dict[str, Any]:
        """`to_dict` without the place that the pictures came from."""
        return {name: value for name, value in self.to_dict().items() if name != "source"}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ImportedSpec:
        """The way back from `to_dict`.

        Raises:
            InputError: a key is unknown or missing, or a value cannot be used.
        """
        given = {key: value for key, value in values.items() if key != "preset"}
        known = [entry.name for entry in fields(cls)]
        for key in given:
            if key not in known:
                raise unknown_name("field of an imported data set's spec", str(key), known)
        if lacking := [name for name in known if name not in given and name != "source"]:
            raise InputError(f"Expected {lacking[0]} in the spec of an imported data set, received {', '.join(given)}.")
        return cls(**given)

    def differences(self, other: AnySpec) -> list[str]:
        """What sets ``other`` apart, one phrase a field, as 'fit 'pad' instead of 'stretch''."""
        if not isinstance(other, ImportedSpec):
            return [f"preset '{self.preset}' instead of '{other.preset}'"]
        mine, theirs = self.identity(), other.identity()
        return [
            f"{key} {_short(mine[key])} instead of {_short(theirs[key])}" for key in mine if mine[key] != theirs[key]
        ]


AnySpec = DatasetSpec | ImportedSpec
"""What a data set's folder may hold."""


def spec_from_dict(values: Mapping[str, Any]) -> AnySpec:
    """The spec, drawn or imported, that gave ``values`` by its ``to_dict``, where its fonts may be elsewhere.

    Raises:
        InputError: a key is unknown, or a value has not the form it should have.
    """
    if values.get("preset") == ImportedSpec.preset:
        return ImportedSpec.from_dict(values)
    return DatasetSpec.recorded(dict(values))


def imported_arrays(spec: ImportedSpec) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
    """The arrays of a shard in order: type, and shape of one row.

    ``names`` are the pictures' in UTF-8, ``source_sizes`` their width and height as they came, ``source_boxes`` the
    annotated boxes in them, xyxy. ``boxes`` follow from these two.
    """
    return {
        "images": (np.dtype("|u1"), (spec.height, spec.width, 3)),
        "boxes": (np.dtype("<i2"), (4,)),
        "labels": (np.dtype("<u2"), ()),
        "source_sizes": (np.dtype("<u4"), (2,)),
        "source_boxes": (np.dtype("<f8"), (4,)),
        "names": (np.dtype(f"|S{spec.longest_name}"), ()),
    }


IMPORTED_COLUMNS = (
    *("index", "split", "xmin", "ymin", "xmax", "ymax", "glyph", "file", "source_width", "source_height"),
    *("source_xmin", "source_ymin", "source_xmax", "source_ymax"),
)
"""Columns of an imported data set's ``boxes.csv``; ``glyph`` is the class, as it is of drawn ones."""


def imported_sample(spec: ImportedSpec, arrays: Arrays, row: int, index: int) -> Sample:
    """A row of a shard as a sample, whose ``glyph`` is its class.

    Raises:
        IndexError: its label is none of the classes.
    """
    return Sample(index, arrays["images"][row], arrays["boxes"][row], spec.classes[arrays["labels"][row]])


def imported_lines(spec: ImportedSpec, rows: range, arrays: Arrays) -> Iterator[str]:
    """The lines of ``boxes.csv`` of a shard, without line ends.

    Raises:
        ValueError: a name is no text.
        IndexError: a label is none of the classes.
    """
    splits = split_ranges(spec.n)
    for row, index in enumerate(rows):
        values = [index, next(name for name, indices in splits.items() if index in indices)]
        values += [*arrays["boxes"][row].tolist(), spec.classes[arrays["labels"][row]]]
        values += [arrays["names"][row].decode("utf-8"), *arrays["source_sizes"][row].tolist()]
        values += [*arrays["source_boxes"][row].tolist()]
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(values)
        yield line.getvalue()


def misplaced(spec: ImportedSpec, arrays: Arrays, row: int) -> list[str]:
    """What cannot be true of a row: its box is not the annotated one brought here, or its padding is no padding."""
    size = tuple(int(side) for side in arrays["source_sizes"][row])
    if not all(size):
        return [f"recorded a source of {size[0]}x{size[1]} pixels"]
    place = Fitting.of((size[0], size[1]), (spec.width, spec.height), spec.fit)
    source = arrays["source_boxes"][row]
    if not (np.abs(source) < FAR).all():
        return [f"recorded the source box {source.tolist()}"]
    expected, recorded = place.rounded(source.tolist()), tuple(arrays["boxes"][row].tolist())
    problems = []
    if expected != recorded:
        problems.append(f"recorded the box {recorded}, its source box comes to {expected}")
    if not place.padding_is_plain(arrays["images"][row]):
        problems.append("what is beside the picture is not its mean colour")
    return problems


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:25]}..."
