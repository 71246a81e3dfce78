"""Export a data set on all cores, so that being stopped at any moment costs time and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from bboxbench.data_gen.dataset import Dataset, open_dataset
from bboxbench.data_gen.exports.layout import Format
from bboxbench.data_gen.exports.record import (
    RECORD,
    Notes,
    claim_of,
    content_of,
    read_record,
    refuse_conflicts,
    whole_record,
)
from bboxbench.data_gen.exports.registry import format_named
from bboxbench.data_gen.exports.source import SPLITS, Source
from bboxbench.data_gen.workers import map_shards, worker_count
from bboxbench.errors import CannotRead, InputError, write_errors
from bboxbench.files import claim_folder, make_folder, write_atomically

__all__ = ["Export", "default_folder", "export", "write_piece"]


@dataclass(frozen=True)
class Export:
    """A finished export.

    Attributes:
        folder: where it is.
        form: its format.
        n: its pictures.
        files: its files, without ``export.json``.
        bytes: of these files together.
        dataset_sha256: identity of the data set.
    """

    folder: Path
    form: Format
    n: int
    files: int
    bytes: int
    dataset_sha256: str


def default_folder(data: Path | str, form: str) -> Path:
    """Beside the data set's folder: ``data/letters-n40000-seed0-coco``."""
    folder = Path(data)
    if folder.name in ("", ".."):
        folder = folder.resolve()
    return folder.with_name(f"{folder.name}-{form}")


def export(
    dataset: Dataset | Path | str,
    form: str,
    folder: Path | str | None = None,
    splits: Sequence[str] = SPLITS,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Export:
    """Write a data set's pictures and boxes in another tool's format, or finish what was begun.

    The files' bytes depend neither on the number of workers nor on having been stopped and resumed. A thousand pictures
    count as written once a note says so, and a note is believed only where the files have the hash that it says.

    Args:
        dataset: a data set or its folder.
        form: name of a format, one of `bboxbench.data_gen.exports.FORMATS`.
        folder: where to; by default `default_folder`. It and its parents are made.
        splits: which splits, each once.
        workers: processes; all usable cores by default.
        on_progress: called with (pictures done, pictures in all), first with 0. Never called where the folder holds the
            whole export already, in which case nothing is written.

    Returns:
        What is there now.

    Raises:
        FolderConflict: the folder holds another export or something else, or another process is writing it.
        InputError: an unknown format or split, a data set that cannot be read, a class name that not every format can
            hold, or ``workers`` is no whole number of 1 or more.
        CannotWrite: no space, no permission.
    """
    processes = worker_count(workers)
    chosen = format_named(form)
    source = Source(dataset if isinstance(dataset, Dataset) else open_dataset(dataset), tuple(splits))
    place = Path(folder) if folder is not None else default_folder(source.data.folder, form)
    claim = claim_of(source, chosen)
    with write_errors(place):
        refuse_conflicts(place, claim)
        if found := _complete(place, source, chosen):
            return found
    make_folder(place)
    with claim_folder(place), write_errors(place):
        # Another process may have begun, or ended, between the look and the claim.
        refuse_conflicts(place, claim)
        found = _complete(place, source, chosen)
        if found is None:
            tell = on_progress or (lambda done, total: None)
            found = _write_all(place, source, chosen, processes, tell)
    return found


def _complete(folder: Path, source: Source, form: Format) -> Export | None:
    """What ``export.json`` says, where every file is there byte for byte and no notes are left."""
    record = read_record(folder)
    if record is None or Notes(folder).place.exists():
        return None
    try:
        # Which files there should be the format knows; the record is a file that anybody may write.
        pieces = [content_of(folder, form.piece_files(source, piece)) for piece in source.pieces]
        whole = [{"file": name, **content_of(folder, [name])} for name in form.whole_names(source)]
        agree = _agrees(record["pieces"], pieces) and _agrees(record["whole"], whole)
    except (CannotRead, KeyError, TypeError):
        return None
    return _export(folder, source, form, [*pieces, *whole]) if agree else None


def _agrees(noted: Any, found: list[dict[str, Any]]) -> bool:
    """Whether a list of the record, as long as what was found, says the same of each."""
    return len(noted) == len(found) and all(
        {key: said[key] for key in seen} == seen for said, seen in zip(noted, found, strict=True)
    )


def _export(folder: Path, source: Source, form: Format, entries: list[dict[str, Any]]) -> Export:
    files, size = (sum(entry[key] for entry in entries) for key in ("files", "bytes"))
    return Export(folder, form, source.n, files, size, source.sha256)


def _write_all(
    folder: Path, source: Source, form: Format, workers: int, on_progress: Callable[[int, int], None]
) -> Export:
    notes, claim = Notes(folder), claim_of(source, form)
    notes.begin(claim)
    # The record of before, if any, and what a kill left of one.
    for path in (folder / RECORD, *folder.glob(f".{RECORD}.tmp*")):
        path.unlink(missing_ok=True)
    for split in source.splits:
        make_folder(folder / form.picture_folder(split))
    context = {
        "data": str(source.data.folder.absolute()),
        "sha256": source.sha256,
        "splits": source.splits,
        "format": form.name,
        "folder": str(folder.absolute()),
    }
    on_progress(0, source.n)
    done = 0
    contents: dict[int, dict[str, Any]] = {}
    task = f"{__name__}:write_piece"
    workers = min(workers, max(1, len(source.pieces) // form.pieces_a_process))
    results = map_shards(task, context, range(len(source.pieces)), workers)
    try:
        for number, content in results:
            contents[number] = content
            done += len(source.pieces[number].rows)
            on_progress(done, source.n)
    finally:
        results.close()
    pieces = [
        {"split": piece.split, "rows": [piece.rows.start, piece.rows.stop], **contents[number]}
        for number, piece in enumerate(source.pieces)
    ]

    def texts(split: str, kind: str) -> Iterator[str]:
        return notes.texts((piece for piece in source.pieces if piece.split == split), kind)

    whole = []
    for name, parts in form.whole_files(source, texts):
        _put_together(notes.place / "whole", folder / name, parts)
        whole.append({"file": name, **content_of(folder, [name])})
    if hasattr(os, "sync"):
        # Once for all files: one by one it would take a hundred times as long as the writing.
        os.sync()
    write_atomically(folder / RECORD, whole_record(claim, pieces, whole))
    notes.remove()
    return _export(folder, source, form, [*pieces, *whole])


def _put_together(temporary: Path, path: Path, parts: Iterable[str]) -> None:
    """Write a file part by part, so that memory stays flat, and give it its name at its end."""
    make_folder(path.parent)
    with temporary.open("w", encoding="utf-8", newline="") as stream:
        stream.writelines(parts)
    temporary.replace(path)


def write_piece(context: dict[str, Any], number: int) -> dict[str, Any]:
    """Write one piece unless it is there as it was noted; the task of a worker.

    Returns:
        The piece's `content_of`.
    """
    source = _source(context["data"], context["sha256"], tuple(context["splits"]))
    form, folder, piece = format_named(context["format"]), Path(context["folder"]), source.pieces[number]
    notes, names = Notes(folder), form.piece_files(source, piece)
    with write_errors(folder), notes.writing(piece):
        content = notes.content(piece, names)
        if content is None:
            for place in {(folder / name).parent for name in names}:
                place.mkdir(parents=True, exist_ok=True)
            texts = form.write_piece(folder, source, piece)
            content = content_of(folder, names)
            notes.add(piece, content, texts)
    return content


@lru_cache(maxsize=1)
def _source(data: str, sha256: str, splits: tuple[str, ...]) -> Source:
    dataset = open_dataset(data)
    if dataset.sha256 != sha256:
        raise InputError(
            f"Expected the data set {sha256[:12]} in {data}, found {dataset.sha256[:12]}: it was replaced."
        )
    return Source(dataset, splits)
