"""``dataset.json``: what a finished folder holds, with a hash of every array; and the mark of an unfinished one."""

from __future__ import annotations

import hashlib
import json
import platform
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from PIL import features

from bboxbench import __version__
from bboxbench.data_gen.attributes import arrays_of
from bboxbench.data_gen.fonts import font_path, font_sha256
from bboxbench.data_gen.imported import BOX_RULE, AnySpec, ImportedSpec, spec_from_dict
from bboxbench.data_gen.json_files import read_json
from bboxbench.data_gen.shards import SHARD_ROWS, shard_file, shard_rows
from bboxbench.data_gen.spec import DatasetSpec
from bboxbench.data_gen.splits import split_ranges
from bboxbench.errors import InputError, read_errors, shortened

__all__ = [
    "MANIFEST",
    "TABLE",
    "UNFINISHED",
    "Manifest",
    "finish_command",
    "intended_spec",
    "read_manifest",
    "read_unfinished",
]

MANIFEST, UNFINISHED, TABLE = "dataset.json", "unfinished.json", "boxes.csv"

KIND = "bboxbench dataset"
SCHEMA = 2
"""Version 1 had plain backgrounds only; what it says is read as it was meant."""


@dataclass(frozen=True)
class Manifest:
    """What ``dataset.json`` says.

    Attributes:
        spec: what was drawn or imported.
        shards: for every shard in order: ``file``, ``rows`` [first, last + 1], ``bytes`` and ``file_sha256`` of the
            file, and ``arrays``, the SHA-256 of every decoded array by name.
        table_sha256: of the bytes of ``boxes.csv``.
    """

    spec: AnySpec
    shards: list[dict[str, Any]]
    table_sha256: str

    @property
    def sha256(self) -> str:
        """The identity of the data: a hash over the hashes of all decoded arrays, in order.

        Neither how the arrays were packed nor how the spec was written enters it.
        """
        names = list(arrays_of(self.spec))
        hashes = [[shard["arrays"][name] for name in names] for shard in self.shards]
        return hashlib.sha256(json.dumps([names, hashes]).encode()).hexdigest()

    def to_json(self) -> str:
        """The text of ``dataset.json``."""
        spec = self.spec
        content = {
            "kind": KIND,
            "schema": SCHEMA,
            "sha256": self.sha256,
            "count": spec.n,
            "width": spec.width,
            "height": spec.height,
            "channels": 3,
            "seed": spec.seed,
            "spec": spec.to_dict(),
            "splits": {name: [rows.start, rows.stop] for name, rows in split_ranges(spec.n).items()},
            "ink_rule": ink_rule(spec),
            "fonts": [
                {"name": name, "file": font_path(face).name, "sha256": font_sha256(face)}
                for name, face in (zip(spec.fonts, spec.faces, strict=True) if isinstance(spec, DatasetSpec) else ())
            ],
            "versions": {
                "bboxbench": __version__,
                "python": platform.python_version(),
                "numpy": np.__version__,
                "pillow": PIL.__version__,
                "freetype": features.version("freetype2"),
            },
            "boxes_csv": {"file": TABLE, "sha256": self.table_sha256},
            "shard_rows": SHARD_ROWS,
            "shards": self.shards,
        }
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def ink_rule(spec: AnySpec) -> str:
    """What a box of this data set is exact about, in words, with what each effect means for it."""
    if isinstance(spec, ImportedSpec):
        return BOX_RULE
    levels = "" if spec.ink_threshold == 1 else f", by {spec.ink_threshold} levels of 255 or more in some channel,"
    where = "the background's" if spec.bare else "that of the same picture drawn without its glyph"
    rule = [
        f"The box is the tightest box round every pixel whose colour differs{levels} from {where}, after blending; "
        "pixel edges, half-open, origin top left."
    ]
    if spec.moved:
        rule.append("A glyph that is turned, stretched, slanted or moved off the pixel grid counts as it is then.")
    if spec.blur:
        rule.append("Blur spreads a glyph: that counts as far as it differs so much, and none of it is cut off.")
    if spec.noise:
        rule.append("Noise is the same with and without the glyph, so it is no ink; it hides what is cut to 0 or 255.")
    if spec.masks:
        rule.append("The mask is these pixels; in the class map those at the edge are 255, to be ignored.")
    return " ".join(rule)


def unfinished_json(spec: AnySpec) -> str:
    """The text of ``unfinished.json``, in a folder from before its first shard until after its manifest."""
    return json.dumps({"kind": f"unfinished {KIND}", "schema": SCHEMA, "spec": spec.to_dict()}, indent=1) + "\n"


def finish_command(spec: AnySpec, folder: Path) -> str:
    """What to type to draw ``spec`` in ``folder``, or to import it there, or to go on with that.

    A folder itself says what is to be drawn, so that is true for every such spec. See
    `bboxbench.data_gen.typed.draw_command` for the options that draw it elsewhere.
    """
    if isinstance(spec, ImportedSpec):
        return spec.command(folder)
    return shlex.join(["bboxbench", "generate", "--resume", str(folder)])


def _load(path: Path, kind: str) -> dict[str, Any]:
    content = read_json(path, _each_once)
    if not isinstance(content, dict) or content.get("kind") != kind:
        raise InputError(f"Expected {path} to say kind '{kind}'; it was not written by bboxbench, or was changed.")
    schema = content.get("schema")
    if type(schema) is not int or schema < 1:
        raise InputError(
            f"Expected schema {SCHEMA} or an older one in {path}, received {shortened(repr(schema))}; it was changed."
        )
    if schema > SCHEMA:
        raise InputError(
            f"Expected schema {SCHEMA} in {path}, received {schema!r}: a newer bboxbench wrote it. "
            "Update with: pip install --upgrade bboxbench."
        )
    return content


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, which may say everything once: two readers could else believe two things."""
    content = dict(pairs)
    if len(content) < len(pairs):
        twice = next(name for place, (name, _) in enumerate(pairs) if name in dict(pairs[:place]))
        raise ValueError(f"it says {twice!r} twice")
    return content


def read_unfinished(folder: Path) -> AnySpec | None:
    """The spec of an unfinished folder; None where the folder does not say it is one.

    Raises:
        InputError: the mark cannot be read or understood.
    """
    path = folder / UNFINISHED
    with read_errors(path):
        there = path.is_file()
    if not there:
        return None
    return _spec(_load(path, f"unfinished {KIND}"), path)


def intended_spec(folder: Path) -> DatasetSpec:
    """What is to be drawn in a folder, be it finished or not.

    Raises:
        InputError: it does not say, or what it says cannot be read or understood, or it was not drawn but imported.
    """
    spec = read_unfinished(folder) or read_manifest(folder).spec
    if isinstance(spec, ImportedSpec):
        raise InputError(
            f"Expected a folder of drawn pictures, received {folder}, whose pictures were imported. "
            f"Go on with: {finish_command(spec, folder)}"
        )
    return spec


def _nothing_to_read(folder: Path) -> InputError:
    """What is said of a folder without a manifest."""
    if not folder.is_dir():
        what = "a file" if folder.exists() else "nothing"
        return InputError(f"Expected a data set's folder at {folder}, found {what}. Draw one: bboxbench generate.")
    unfinished = read_unfinished(folder)
    if unfinished is None:
        # COCO's annotations lie here or one below.
        others = any(path.suffix == ".json" for path in (*folder.glob("*"), *folder.glob("*/*")))
        imported = f", or import COCO's pictures: bboxbench import {shlex.quote(str(folder))}" if others else ""
        return InputError(
            f"Expected a data set in {folder}, which has no {MANIFEST}. Draw one: bboxbench generate{imported}."
        )
    done = len(list((folder / "shards").glob("*.npz")))
    total = -(-unfinished.n // SHARD_ROWS)
    return InputError(
        f"The data set in {folder} is unfinished, {done} of {total} shards are there. "
        f"Finish it: {finish_command(unfinished, folder)}"
    )


def read_manifest(folder: Path) -> Manifest:
    """Read and check ``dataset.json``.

    Raises:
        InputError: there is none, the folder is unfinished, a newer bboxbench wrote it, it contradicts itself, or it
            may not be read.
    """
    path = folder / MANIFEST
    with read_errors(path):
        if not path.is_file():
            raise _nothing_to_read(folder)
    content = _load(path, KIND)
    spec = _spec(content, path)
    shards, table = content.get("shards"), content.get("boxes_csv")
    if not isinstance(table, dict) or not isinstance(table.get("sha256"), str) or not isinstance(shards, list):
        raise InputError(f"{path} lacks its list of shards or its hash of {TABLE}; it was changed.")
    if len(shards) != -(-spec.n // SHARD_ROWS):
        raise InputError(f"{path} lists {len(shards)} shards where {spec.n} samples need {-(-spec.n // SHARD_ROWS)}.")
    names = arrays_of(spec)
    for number, shard in enumerate(shards):
        rows = shard_rows(spec, number)
        # The file's name is ours to know, so a changed manifest cannot lead the reader elsewhere.
        good = isinstance(shard, dict) and shard.get("file") == shard_file(number)
        good = good and shard.get("rows") == [rows.start, rows.stop] and isinstance(shard.get("arrays"), dict)
        good = good and all(isinstance(shard["arrays"].get(name), str) for name in names)
        if not good:
            raise InputError(f"{path} does not describe {shard_file(number)} as it should; it was changed.")
    manifest = Manifest(spec, shards, table["sha256"])
    if content.get("sha256") != manifest.sha256:
        raise InputError(f"{path} was changed: its sha256 is not that of the shards it lists.")
    return manifest


def _spec(content: dict[str, Any], path: Path) -> AnySpec:
    values = content.get("spec")
    if not isinstance(values, dict):
        raise InputError(f"Expected a spec in {path}, received {shortened(repr(values))}.")
    try:
        return spec_from_dict(values)
    except InputError as error:
        raise InputError(f"{path}: {shortened(str(error), 1000)}") from error
