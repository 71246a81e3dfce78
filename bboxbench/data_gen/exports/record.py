"""``export.json``, which says what a finished export is, and the notes of an unfinished one, by which it goes on."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from bboxbench import __version__
from bboxbench.data_gen.exports.layout import Format
from bboxbench.data_gen.exports.source import Piece, Source
from bboxbench.errors import CannotRead, FolderConflict, InputError, read_errors, write_errors
from bboxbench.files import LOCK_NAME, make_folder, open_file, write_atomically

__all__ = ["RECORD", "UNFINISHED", "Notes", "claim_of", "content_of", "read_record", "refuse_conflicts", "whole_record"]

RECORD = "export.json"
UNFINISHED = ".unfinished"
"""Folder of notes inside the export's, from before its first picture until after its record."""

KIND = "bboxbench export"
SCHEMA = 1

_IDENTITY = {"format": "format", "dataset": "data set", "splits": "splits"}
"""Keys of a claim that tell one export from another, and how they are called."""


def claim_of(source: Source, form: Format) -> dict[str, Any]:
    """What an export is of: the first lines of its record, and the first of its notes."""
    spec = source.data.spec
    return {
        "kind": KIND,
        "schema": SCHEMA,
        "format": form.name,
        "dataset": {"name": source.name, "sha256": source.sha256},
        "splits": {name: len(source.data.split(name)) for name in source.splits},
        "width": spec.width,
        "height": spec.height,
        "classes": list(source.classes),
        "bboxbench": __version__,
    }


def content_of(folder: Path, names: Iterable[str]) -> dict[str, Any]:
    """How many files, bytes, and the SHA-256 over each one's content and length, in order.

    Raises:
        CannotRead: a file is missing, none, or may not be read.
    """
    digest, count, size = hashlib.sha256(), 0, 0
    for name in names:
        length = 0
        with read_errors(folder / name), open_file(folder / name) as stream:
            # Annotations of a million pictures are some 200 MB.
            while block := stream.read(1 << 20):
                digest.update(block)
                length += len(block)
        digest.update(length.to_bytes(8, "big"))
        count, size = count + 1, size + length
    return {"files": count, "bytes": size, "sha256": digest.hexdigest()}


@dataclass(frozen=True)
class Notes:
    """What an unfinished export has written down for itself. All that it says is checked before it is believed.

    Args:
        folder: of the export.
    """

    folder: Path

    @property
    def place(self) -> Path:
        """The folder of the notes."""
        return self.folder / UNFINISHED

    def begin(self, claim: dict[str, Any]) -> None:
        """Note what is exported; notes of another version or another export are thrown away."""
        path = self.place / RECORD
        if _load(path) != claim:
            make_folder(self.place)
            # The claim itself is replaced, never missing: without one the folder would be taken for somebody else's.
            for note in self.place.iterdir():
                if note != path:
                    note.unlink()
            write_atomically(path, _text(claim))

    @contextmanager
    def writing(self, piece: Piece) -> Iterator[None]:
        """Hold a piece for this process alone, after whoever holds it now.

        A worker outlives its parent that was killed by the piece that it is at: who goes on waits for it to end.

        Raises:
            InputError: the export was finished meanwhile.
        """
        if not self.place.is_dir():
            raise InputError(f"{self.place} was taken away meanwhile. Run the same command again.")
        with FileLock(self.place / f"{piece.name}.lock"):
            yield

    def add(self, piece: Piece, content: dict[str, Any], texts: dict[str, str]) -> None:
        """Note that a piece is written."""
        note = json.dumps({"content": content, "texts": texts})
        write_atomically(self._path(piece), note, synced=False)

    def content(self, piece: Piece, names: list[str]) -> dict[str, Any] | None:
        """What `add` noted of a piece, where its files are all there byte for byte; else None."""
        noted = _load(self._path(piece))
        if noted is None:
            return None
        try:
            found = content_of(self.folder, names)
        except CannotRead:
            return None
        return found if noted.get("content") == found and isinstance(noted.get("texts"), dict) else None

    def texts(self, pieces: Iterable[Piece], kind: str) -> Iterator[str]:
        """What the pieces gave for files put together of all, one by one."""
        for piece in pieces:
            noted = _load(self._path(piece))
            if noted is None:
                raise InputError(f"{self._path(piece)} was taken away meanwhile. Run the same command again.")
            yield noted["texts"][kind]

    def remove(self) -> None:
        """Take all notes away."""
        with write_errors(self.place):
            if self.place.exists():
                shutil.rmtree(self.place)

    def _path(self, piece: Piece) -> Path:
        return self.place / f"{piece.name}.json"


def whole_record(claim: dict[str, Any], pieces: list[dict[str, Any]], whole: list[dict[str, Any]]) -> str:
    """The text of ``export.json``.

    Args:
        claim: see `claim_of`.
        pieces: of every piece ``split``, ``rows`` [first, last + 1], and its `content_of`.
        whole: of every file about all pieces ``file``, and its `content_of`.
    """
    lists = "".join(
        f',\n "{name}": [\n  ' + ",\n  ".join(json.dumps(entry) for entry in entries) + "\n ]"
        for name, entries in (("pieces", pieces), ("whole", whole))
    )
    return _text(claim).removesuffix("\n}\n") + lists + "\n}\n"


def read_record(folder: Path) -> dict[str, Any] | None:
    """What a finished export says it is; None where there is none that can be understood."""
    return _load(folder / RECORD)


def refuse_conflicts(folder: Path, claim: dict[str, Any]) -> None:
    """Raise unless the folder is missing, empty, or holds this export, finished or not.

    Raises:
        FolderConflict: it holds something else.
        InputError: it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"Expected a folder, received the file {folder}. Choose another place with --out.")
    if not folder.is_dir():
        return
    for path in (folder / RECORD, folder / UNFINISHED / RECORD):
        if path.exists():
            _refuse_other(folder, path, claim)
            return
    # A kill in the first moments leaves a folder of notes that holds none.
    foreign = sorted(entry.name for entry in folder.iterdir() if entry.name not in (LOCK_NAME, UNFINISHED))
    if foreign:
        raise FolderConflict(
            f"Expected an empty folder or an export, but {folder} holds {foreign[0]}"
            f"{' and more' if len(foreign) > 1 else ''}. Choose another folder with --out."
        )


def _refuse_other(folder: Path, path: Path, claim: dict[str, Any]) -> None:
    held = _load(path)
    if held is None or held.get("kind") != KIND:
        raise FolderConflict(f"{path} was not written by bboxbench, or was changed. Choose another folder with --out.")
    differing = [
        f"{said} {_short(held.get(key))} instead of {_short(claim[key])}"
        for key, said in _IDENTITY.items()
        if _identity(held.get(key)) != _identity(claim[key])
    ]
    if held.get("schema") != SCHEMA:
        differing.append(f"schema {held.get('schema')!r} instead of {SCHEMA}")
    if differing:
        raise FolderConflict(
            f"{folder} holds another export: {', '.join(differing)}. "
            "Choose another folder with --out, or delete this one."
        )


def _identity(value: Any) -> Any:
    """A data set is known by its hash, whatever it is called."""
    return value.get("sha256", value) if isinstance(value, dict) else value


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return f"{value['name']} ({str(value['sha256'])[:12]})" if {"name", "sha256"} <= set(value) else ",".join(value)
    return str(value)


def _text(claim: dict[str, Any]) -> str:
    return json.dumps(claim, indent=1) + "\n"


def _load(path: Path) -> dict[str, Any] | None:
    """A JSON object from a file that is not trusted; None where there is none."""
    try:
        with open_file(path) as stream:
            content = json.loads(stream.read())
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
