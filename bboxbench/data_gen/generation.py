"""Draw a data set into a folder, on all cores, so that being stopped at any moment costs time and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any

from bboxbench.data_gen.attributes import columns_of
from bboxbench.data_gen.dataset import Dataset, open_dataset
from bboxbench.data_gen.imported import AnySpec
from bboxbench.data_gen.manifest import (
    MANIFEST,
    TABLE,
    UNFINISHED,
    Manifest,
    read_manifest,
    read_unfinished,
    unfinished_json,
)
from bboxbench.data_gen.packing import Arrays, array_sha256, pack
from bboxbench.data_gen.shards import (
    SHARD_ROWS,
    csv_rows,
    draw_shard,
    read_arrays,
    shard_file,
    shard_rows,
)
from bboxbench.data_gen.spec import DatasetSpec
from bboxbench.data_gen.workers import map_shards, worker_count
from bboxbench.errors import CannotRead, FolderConflict, InputError, write_errors
from bboxbench.files import LOCK_NAME, claim_folder, file_sha256, make_folder, write_atomically, writing_atomically

__all__ = ["generate", "keep_shard", "write_dataset"]


def generate(
    spec: DatasetSpec,
    folder: Path | str,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Draw ``spec`` into ``folder``, or finish what was begun there.

    What stands in ``dataset.json`` by its hashes does not depend on the number of workers, nor on having been stopped
    and resumed: shards that are already there are drawn again in memory and kept only where the arrays are equal.

    Args:
        spec: what to draw.
        folder: where to; it and its parents are made.
        workers: processes; all usable cores by default.
        on_progress: called with (samples done, samples in all), first with 0. Never called where the folder holds the
            whole data set already, in which case nothing is written.

    Returns:
        The data set, open for reading.

    Raises:
        FolderConflict: the folder holds another data set or something else, or another process is writing it.
        InputError: the folder is a file, what it says it holds may not be read, or ``workers`` is no whole number of 1
            or more.
        CannotWrite: no space, no permission.
    """
    spec.check_sources()
    return write_dataset(spec, folder, "bboxbench.data_gen.generation:draw_and_write", {}, workers, on_progress)


def write_dataset(
    spec: AnySpec,
    folder: Path | str,
    task: str,
    given: dict[str, Any],
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """`generate` for shards that any task makes, by itself the same ones each time.

    Args:
        spec: what they hold.
        folder: where to; it and its parents are made.
        task: "package.module:function" as `map_shards` takes it, which ends with `keep_shard`. Its context has
            ``spec``, as ``to_dict`` gives it, ``folder``, ``written``, and what is in ``given``.
        given: JSON-able.
        workers: as for `generate`.
        on_progress: as for `generate`.
    """
    folder = Path(folder)
    processes = worker_count(workers)
    with write_errors(folder):
        _refuse_conflicts(spec, folder)
        finished = _is_complete(folder) and not (folder / UNFINISHED).exists()
    if finished:
        return open_dataset(folder)
    make_folder(folder)
    with claim_folder(folder):
        # Another process may have begun, or ended, between the look and the claim.
        _refuse_conflicts(spec, folder)
        if _is_complete(folder):
            # It was killed before the last thing that it does.
            _finish(folder)
        else:
            context = {**given, "spec": spec.to_dict(), "folder": str(folder.absolute()), "written": _written(folder)}
            _write_all(spec, folder, task, context, processes, on_progress or (lambda done, total: None))
    return open_dataset(folder)


def _refuse_conflicts(spec: AnySpec, folder: Path) -> None:
    """Raise unless the folder is missing, holds ``spec``, finished or not, or holds nothing yet."""
    if not folder.is_dir():
        return
    held = _held_spec(folder)
    if held is None:
        foreign = sorted(entry.name for entry in folder.iterdir() if not _is_leftover(entry.name))
        if foreign:
            raise FolderConflict(
                f"Expected an empty folder or a data set, but {folder} holds {foreign[0]}"
                f"{' and more' if len(foreign) > 1 else ''}. Choose another folder with --out."
            )
    elif type(held) is not type(spec) and not _is_without_shards(folder):
        # Their fields have nothing to do with each other.
        what = "drawn" if isinstance(held, DatasetSpec) else "imported"
        raise FolderConflict(f"{folder} holds {what} pictures. Choose another folder with --out.")
    elif held != spec and not _is_without_shards(folder):
        raise FolderConflict(
            f"{folder} holds another data set: {', '.join(held.differences(spec))}. "
            "Choose another folder with --out, or delete this one."
        )


def _held_spec(folder: Path) -> AnySpec | None:
    try:
        if (folder / MANIFEST).is_file():
            return read_manifest(folder).spec
        return read_unfinished(folder)
    except CannotRead:
        # What it holds is not known, so nobody is told to delete it.
        raise
    except InputError as error:
        raise FolderConflict(f"{error} Choose another folder with --out, or delete {folder}.") from error


def _is_without_shards(folder: Path) -> bool:
    """Whether a folder says what it is to hold and nothing of that was drawn: there is nothing to lose in it."""
    return not (folder / MANIFEST).exists() and not any((folder / "shards").glob("*.npz"))


def _written(folder: Path) -> list[dict[str, str]] | None:
    """The hashes of all arrays of a folder that was finished before, by shard; none where it was not."""
    return [shard["arrays"] for shard in read_manifest(folder).shards] if (folder / MANIFEST).is_file() else None


def _is_leftover(name: str) -> bool:
    """Whether a file is one that a generate killed in its first moments leaves in an otherwise empty folder."""
    return name == LOCK_NAME or name.startswith(f".{UNFINISHED}.tmp")


def _is_complete(folder: Path) -> bool:
    """Whether every file that the manifest lists is there, byte for byte."""
    if not (folder / MANIFEST).is_file():
        return False
    manifest = read_manifest(folder)
    listed = [(TABLE, manifest.table_sha256)]
    listed += [(shard["file"], str(shard.get("file_sha256"))) for shard in manifest.shards]
    try:
        return all(file_sha256(folder / name) == expected for name, expected in listed)
    except CannotRead:
        return False


def _write_all(
    spec: AnySpec,
    folder: Path,
    task: str,
    context: dict[str, Any],
    workers: int,
    on_progress: Callable[[int, int], None],
) -> None:
    shards = range(-(-spec.n // SHARD_ROWS))
    _remove_temporaries(folder)
    write_atomically(folder / UNFINISHED, unfinished_json(spec))
    make_folder(folder / "shards")
    made = map_shards(task, context, shards, workers)
    digest = hashlib.sha256()
    records: list[dict[str, Any]] = []
    on_progress(0, spec.n)
    try:
        # Bit by bit, in the order of the shards: all rows of a large data set are more than a small memory holds.
        with writing_atomically(folder / TABLE) as table, closing(made):
            lines = ",".join(columns_of(spec)) + "\n"
            for shard, result in made:
                lines += result.pop("csv")
                digest.update(lines.encode())
                table.write(lines.encode())
                lines = ""
                records.append(result)
                on_progress(shard_rows(spec, shard).stop, spec.n)
    finally:
        _remove_temporaries(folder)
    if isinstance(spec, DatasetSpec):
        # What was swapped while it was drawn from is found before anybody believes the folder.
        spec.check_sources()
    write_atomically(folder / MANIFEST, Manifest(spec, records, digest.hexdigest()).to_json())
    _finish(folder)


def _finish(folder: Path) -> None:
    """Take away what only an unfinished folder has."""
    _remove_temporaries(folder)
    with write_errors(folder):
        (folder / UNFINISHED).unlink(missing_ok=True)


def _remove_temporaries(folder: Path) -> None:
    """Remove what writers that were killed left half-written; the folder is ours alone, so none is still writing."""
    with write_errors(folder):
        for place in (folder, folder / "shards"):
            for temporary in place.glob(".*.tmp*"):
                temporary.unlink(missing_ok=True)


def draw_and_write(context: dict[str, Any], shard: int) -> dict[str, Any]:
    """Draw one shard and `keep_shard` it; the task of a worker."""
    spec = _spec(json.dumps(context["spec"]))
    return keep_shard(context, spec, shard, draw_shard(spec, shard))


def keep_shard(context: dict[str, Any], spec: AnySpec, shard: int, arrays: Arrays) -> dict[str, Any]:
    """Make sure that a shard's file holds just these arrays.

    Args:
        context: as `write_dataset` has it.
        spec: of the data set.
        shard: number of the shard.
        arrays: all of it.

    Returns:
        The shard's entry in the manifest, and ``csv``, its lines of ``boxes.csv``.

    Raises:
        FolderConflict: the folder was finished before, with other arrays in this shard: to restore a part of it would
            make another data set of the whole.
    """
    path = Path(context["folder"]) / shard_file(shard)
    hashes = {name: array_sha256(array) for name, array in arrays.items()}
    written = hashes if context["written"] is None else context["written"][shard]
    if other := [name for name in hashes if hashes[name] != written.get(name)]:
        raise FolderConflict(
            f"{path} cannot be restored here: made again, its {', '.join(other)} are not those of {MANIFEST}, "
            f"by hash. {MANIFEST} was changed, or another processor or other versions, which it lists, wrote it. "
            "Restore it from a copy, or draw the data set anew in another folder with --out."
        )
    if _holds(path, spec, shard, hashes):
        size, sha256 = path.stat().st_size, file_sha256(path)
    else:
        packed = pack(arrays)
        size, sha256 = len(packed), hashlib.sha256(packed).hexdigest()
        write_atomically(path, packed)
    rows = shard_rows(spec, shard)
    return {
        "file": shard_file(shard),
        "rows": [rows.start, rows.stop],
        "bytes": size,
        "file_sha256": sha256,
        "arrays": hashes,
        "csv": "".join(f"{line}\n" for line in csv_rows(spec, shard, arrays)),
    }


@lru_cache(maxsize=1)
def _spec(text: str) -> DatasetSpec:
    """The spec of a worker's task, made once and not again for every shard; it was checked before the work began."""
    return DatasetSpec.recorded(json.loads(text))


def _holds(path: Path, spec: AnySpec, shard: int, hashes: dict[str, str]) -> bool:
    """Whether a file, which is not trusted, holds just the arrays with these hashes."""
    try:
        found = read_arrays(path, spec, shard)
    except (InputError, OSError):
        return False
    return all(array_sha256(array) == hashes[name] for name, array in found.items())
