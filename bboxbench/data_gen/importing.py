"""A COCO folder of single-object pictures made a data set: every picture looked at, then brought to one size."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from bboxbench.boxes import iou
from bboxbench.data_gen import spec_checks as checks
from bboxbench.data_gen.box_forms import Box, corners_meant, outside
from bboxbench.data_gen.coco import ORPHAN, Fault, ListedPicture, read_coco
from bboxbench.data_gen.coco_places import given_place
from bboxbench.data_gen.dataset import Dataset
from bboxbench.data_gen.draws import MAX_SEED
from bboxbench.data_gen.fitting import FITS, Fitting, fit_picture
from bboxbench.data_gen.generation import keep_shard, write_dataset
from bboxbench.data_gen.imported import ImportedSpec, imported_arrays
from bboxbench.data_gen.picture_files import check_place, decode_picture, decode_turned
from bboxbench.data_gen.shards import shard_rows
from bboxbench.data_gen.workers import map_shards, worker_count
from bboxbench.errors import CannotRead, InputError, read_errors, unknown_name

__all__ = ["READINGS", "Import", "plan_import", "write_import"]

READINGS = ("auto", "upright", "stored")
"""How pictures are taken that EXIF data turn where their size does not settle whether boxes are of them upright or as
stored: ``auto`` is stored where all pictures whose size settles it are, else upright."""

CHECKED_AT_ONCE = 20
"""Pictures that a worker looks at before it tells of them."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Import:
    """What an import will write; `plan_import` finds it.

    Attributes:
        spec: of the data set.
        left_out: how many pictures of which kind of fault, where such are left out.
        copies: pictures whose file is, byte for byte, that of another one: they can come to learn and to test.
        rounding: IoU of the boxes in whole pixels with themselves before they were rounded: the mean and the least.
        worst: name of the picture with the least.
        empty: names of categories that no picture is of, which are no classes of the data set.
        unlisted: how many picture files beside the listed ones no annotation lists, by folder.
        unsettled: pictures that EXIF data turn and whose size does not settle which way their boxes are meant.
        reading: how these were taken, upright or stored.
        settled: how many pictures' sizes do settle it, by how; of one kind alone, they tell of the others.
    """

    spec: ImportedSpec
    left_out: dict[str, int]
    copies: int
    rounding: tuple[float, float]
    worst: str
    empty: tuple[str, ...]
    unlisted: dict[str, int]
    unsettled: int
    reading: str
    settled: dict[str, int]
    _pictures: list[dict[str, Any]] = field(repr=False)


@dataclass(frozen=True)
class _Seen:
    """A picture whose file was looked at."""

    listed: ListedPicture
    size: tuple[int, int]
    sha256: str
    turned: str
    """As `decode_turned` tells it."""


def plan_import(
    folder: Path | str,
    *,
    annotations: Path | None = None,
    images: Path | None = None,
    width: int = 200,
    height: int = 100,
    fit: str = "pad",
    seed: int = 0,
    skip: bool = False,
    exif: str = "auto",
    workers: int | None = None,
    on_progress: Progress | None = None,
) -> Import:
    """Read the annotations and look at every picture to its last pixel; nothing is written.

    Pictures are dealt anew: their order, and so which of them train and which test, depends on the seed and their names
    alone, neither on the order in the annotations nor on the splits they came in.

    Args:
        folder: a COCO folder, of pictures with one object each.
        annotations: the one file to read; by default what lies where tools put it. Where nothing is there, it is looked
            for in ``folder``.
        images: where the pictures lie; by default they are looked for in ``folder``. It is found as ``annotations`` is.
        width: of the data set's pictures, in pixels.
        height: the same.
        fit: how pictures of another size come to this one, one of `FITS`.
        seed: of the order, 0 to 2**63 - 1.
        skip: leave pictures out that cannot be used, instead of refusing all.
        exif: how turned pictures are taken whose size does not settle it, one of `READINGS`.
        workers: processes; all usable cores by default.
        on_progress: called with (pictures looked at, pictures in all), first with 0.

    Raises:
        InputError: a setting is out of range, there are no annotations, they are not COCO's, boxes altogether are
            written in another form, or a picture cannot be used and is not to be left out; the first such one is named.
    """
    folder = Path(folder)
    # What is wrong with the settings need not wait until all pictures are looked at.
    for name, value, least, most in (
        ("width", width, 1, checks.MAX_SIDE),
        ("height", height, 1, checks.MAX_SIDE),
        ("seed", seed, 0, MAX_SEED),
    ):
        checks.whole(name, value, least, most)
    if fit not in FITS:
        raise unknown_name("fit", str(fit), FITS)
    if exif not in READINGS:
        raise unknown_name("exif", str(exif), READINGS)
    processes = worker_count(workers)
    annotations, images = given_place(annotations, folder), given_place(images, folder)
    for place in filter(None, (folder, annotations, images)):
        check_place(place)
    listing = read_coco(folder, annotations, images)
    faults = {fault.name: fault for fault in listing.faults}
    total = len(listing.pictures) + sum(fault.kind != ORPHAN for fault in listing.faults)
    if faults and not skip:
        raise _unusable(faults, total, listing.hint)
    asked = "" if exif == "auto" else exif
    seen, unreadable, unsized = _look_at_all(listing.pictures, asked, processes, on_progress or (lambda done, n: None))
    hint = listing.hint or corners_meant(folder, unsized)
    faults |= unreadable
    if faults and not skip:
        raise _unusable(faults, total, hint)
    if not seen:
        found = "its annotations list none."
        if faults:
            found = " ".join(filter(None, (f"none of its {total:,} can be used. The first: {_first(faults)}", hint)))
        raise InputError(f"Expected pictures with one object each in {folder}; {found}")
    # A picture's place is its own: one more picture leaves the others in their order.
    seen.sort(key=lambda one: hashlib.sha256(f"{seed}:{one.listed.name}".encode()).digest())
    typed = [str(folder)]
    typed += ["--annotations", str(annotations)] if annotations else []
    typed += ["--images", str(images)] if images else []
    typed += ["--skip"] if skip else []
    typed += ["--exif", exif] if asked else []
    settled = dict(sorted(Counter(one.turned for one in seen if one.turned in READINGS).items()))
    reading = asked or ("stored" if list(settled) == ["stored"] else "upright")
    used = {one.listed.label for one in seen}
    spec = ImportedSpec(
        n=len(seen),
        seed=seed,
        width=width,
        height=height,
        fit=fit,
        classes=tuple(name for name in listing.classes if name in used),
        source_sha256=_source_sha256(seen, reading),
        longest_name=max(len(one.listed.name.encode()) for one in seen),
        source=tuple(typed),
    )
    kinds = Counter(fault.kind for fault in faults.values())
    copies = len(seen) - len({one.sha256 for one in seen})
    overlaps = [_rounding(one, spec) for one in seen]
    worst = int(np.argmin(overlaps))
    return Import(
        spec,
        dict(sorted(kinds.items(), key=lambda kind: (-kind[1], kind[0]))),
        copies,
        (float(np.mean(overlaps)), overlaps[worst]),
        seen[worst].listed.name,
        tuple(name for name in listing.classes if name not in used),
        listing.unlisted,
        sum(one.turned == "unsettled" for one in seen),
        reading,
        settled,
        [_as_json(one, spec, reading) for one in seen],
    )


def write_import(
    planned: Import, folder: Path | str, workers: int | None = None, on_progress: Progress | None = None
) -> Dataset:
    """Write what was planned into ``folder``, or finish what was begun there; as `generate` does.

    Args:
        planned: by `plan_import`.
        folder: where to; it and its parents are made.
        workers: processes; all usable cores by default.
        on_progress: called with (samples done, samples in all), first with 0. Never called where the folder holds the
            whole data set already, in which case nothing is written.

    Raises:
        FolderConflict: the folder holds another data set or something else, or another process is writing it.
        InputError: a picture has changed since it was looked at.
        CannotWrite: no space, no permission.
    """
    given = {"pictures": planned._pictures}
    return write_dataset(planned.spec, folder, f"{__name__}:import_and_write", given, workers, on_progress)


def import_and_write(context: dict[str, Any], shard: int) -> dict[str, Any]:
    """Make one shard of the source's pictures and `keep_shard` it; the task of a worker."""
    spec = ImportedSpec.from_dict(context["spec"])
    rows = shard_rows(spec, shard)
    arrays = {name: np.empty((len(rows), *shape), dtype) for name, (dtype, shape) in imported_arrays(spec).items()}
    size = (spec.width, spec.height)
    for row, index in enumerate(rows):
        entry = context["pictures"][index]
        path, (w, h), box = Path(entry["path"]), entry["size"], entry["box"]
        with read_errors(path):
            content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != entry["sha256"]:
            raise InputError(f"{path} has changed since it was looked at. Run the same command again.")
        arrays["images"][row] = fit_picture(decode_picture(content, path, (w, h), entry["reading"]), size, spec.fit)
        arrays["boxes"][row] = Fitting.of((w, h), size, spec.fit).rounded(box)
        arrays["labels"][row] = entry["label"]
        arrays["source_sizes"][row] = (w, h)
        arrays["source_boxes"][row] = box
        arrays["names"][row] = entry["name"].encode()
    return keep_shard(context, spec, shard, arrays)


def look_at(context: dict[str, Any], chunk: int) -> dict[str, Any]:
    """Decode some pictures to the end; the task of a worker.

    Returns:
        ``seen``: for each picture its ``size``, ``sha256`` and how it was ``turned``, or the ``kind`` and ``text`` of
        what is wrong with it, and its ``size`` where that is a box.
    """
    some = context["pictures"][chunk * CHECKED_AT_ONCE : (chunk + 1) * CHECKED_AT_ONCE]
    asked = context["reading"]
    return {"seen": [_look_at_one(Path(entry["path"]), entry["size"], entry["box"], asked) for entry in some]}


def _look_at_one(path: Path, size: list[int] | None, box: Box, asked: str) -> dict[str, Any]:
    try:
        with read_errors(path):
            content = path.read_bytes()
        picture, turned = decode_turned(content, path, (size[0], size[1]) if size else None, asked)
    except InputError as error:
        return {"kind": _kind(error, bool(size)), "text": str(error)}
    if outside(box, picture.size):
        corners = ", ".join(f"{edge:g}" for edge in box)
        by = f"{picture.width}x{picture.height}"
        text = f"{path}: received a box ({corners}), which reaches out of its {by} pixels."
        return {"kind": "box outside the picture", "text": text, "size": picture.size}
    return {"size": picture.size, "sha256": hashlib.sha256(content).hexdigest(), "turned": turned}


def _kind(error: InputError, sized: bool) -> str:
    """What is wrong with a picture's file, by what reading it raised, and whether its annotations tell a size."""
    cause = error.__cause__
    if isinstance(error, CannotRead):
        return "file that cannot be read"
    if isinstance(cause, UnidentifiedImageError):
        return "no picture"
    if isinstance(cause, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "too many pixels"
    if cause is not None:
        return "damaged picture"
    if sized:
        return "another size than annotated"
    return "turned without a size"


def _look_at_all(
    pictures: list[ListedPicture], asked: str, workers: int, on_progress: Progress
) -> tuple[list[_Seen], dict[str, Fault], list[tuple[Box, tuple[int, int]]]]:
    """Every picture whose file is as it should be, what is wrong with each other one, and sizes that were not told.

    Returns:
        The good ones; faults by name; box and size of each picture that came without a size.
    """
    unsized: list[tuple[Box, tuple[int, int]]] = []
    seen: list[_Seen] = []
    faults: dict[str, Fault] = {}
    entries = [{"path": str(one.path), "size": one.size, "box": one.box} for one in pictures]
    context = {"pictures": entries, "reading": asked}
    done = 0
    on_progress(0, len(pictures))
    results = map_shards(f"{__name__}:look_at", context, range(-(-len(pictures) // CHECKED_AT_ONCE)), workers)
    try:
        for chunk, result in results:
            first = chunk * CHECKED_AT_ONCE
            for one, found in zip(pictures[first : first + CHECKED_AT_ONCE], result["seen"], strict=True):
                if one.size is None and "size" in found:
                    unsized.append((one.box, (found["size"][0], found["size"][1])))
                if "kind" in found:
                    faults[one.name] = Fault(one.name, found["kind"], found["text"])
                else:
                    seen.append(_Seen(one, (found["size"][0], found["size"][1]), found["sha256"], found["turned"]))
                done += 1
            on_progress(done, len(pictures))
    finally:
        results.close()
    return seen, faults, unsized


def _unusable(faults: dict[str, Fault], total: int, hint: str) -> InputError:
    orphans = sum(fault.kind == ORPHAN for fault in faults.values())
    bad = len(faults) - orphans
    more = f" {bad:,} of {total:,} pictures cannot be used." if bad > 1 else ""
    more += f" Annotations are of {orphans:,} pictures that are not listed." if orphans > 1 else ""
    more += f" {hint}" if hint else ""
    # What lies elsewhere is all there: to leave it out leaves nothing.
    advice = "" if hint.endswith(".") else " Mend that, or leave such pictures out with --skip."
    return InputError(f"{_first(faults)}{more}{advice}")


def _first(faults: dict[str, Fault]) -> str:
    # An annotation without a picture is often what another fault comes to.
    return min(faults.values(), key=lambda fault: (fault.kind == ORPHAN, fault.name)).text


def _source_sha256(seen: list[_Seen], reading: str) -> str:
    """Over all that decides the arrays, whatever the order and wherever the files lie."""
    lines = []
    for one in seen:
        how = ["stored"] if _reading(one, reading) == "stored" else []
        lines.append([one.listed.name, one.sha256, *one.size, *one.listed.box, one.listed.label, *how])
    return hashlib.sha256(json.dumps(sorted(lines)).encode()).hexdigest()


def _reading(one: _Seen, reading: str) -> str:
    """How a picture is taken whose size does not settle that; nothing of all others."""
    return reading if one.turned == "unsettled" else ""


def _rounding(one: _Seen, spec: ImportedSpec) -> float:
    place = Fitting.of(one.size, (spec.width, spec.height), spec.fit)
    return float(iou(place.exact(one.listed.box), place.rounded(one.listed.box)))


def _as_json(one: _Seen, spec: ImportedSpec, reading: str) -> dict[str, Any]:
    listed = one.listed
    return {
        "path": str(listed.path.absolute()),
        "name": listed.name,
        "sha256": one.sha256,
        "size": list(one.size),
        "box": list(listed.box),
        "label": spec.classes.index(listed.label),
        "reading": _reading(one, reading),
    }
