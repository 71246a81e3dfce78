"""Is every box where the ink is? Found again from the pixels, by another way than it was made.

On one colour the pixels alone tell; all else is compared with the same picture drawn again without its glyph. Drawing
it with its glyph again is no other way, so that is done on request alone: it tells whether all arrays are the spec's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bboxbench.boxes import mask_to_box
from bboxbench.data_gen.attributes import columns_of
from bboxbench.data_gen.backgrounds import draw_background, mean_colour
from bboxbench.data_gen.bounds import impossible
from bboxbench.data_gen.colours import Colour, luma, luma_of_images
from bboxbench.data_gen.imported import AnySpec, ImportedSpec, misplaced, spec_from_dict
from bboxbench.data_gen.manifest import TABLE, read_manifest
from bboxbench.data_gen.masks import IGNORED, differing
from bboxbench.data_gen.noise import add_noise, sensor_noise
from bboxbench.data_gen.packing import Arrays, array_sha256
from bboxbench.data_gen.shards import csv_rows, draw_shard, read_arrays, shard_file, shard_rows
from bboxbench.data_gen.spec import DatasetSpec
from bboxbench.data_gen.table_lines import TableLines
from bboxbench.data_gen.workers import map_shards, worker_count
from bboxbench.errors import InputError

__all__ = ["Verification", "ink_from_pixels", "verify"]


@dataclass(frozen=True)
class Verification:
    """What was found.

    Attributes:
        total: samples the data set should have.
        exact: samples whose recorded box, in the shard and in ``boxes.csv``, is the box of the pixels.
        problems: one line each, in the order of the samples; none where all is well.
    """

    total: int
    exact: int
    problems: list[str]


def ink_from_pixels(image: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.bool_] | None, Colour | None]:
    """Find the ink in a picture with a plain background, knowing nothing else of it.

    The background is the colour of more than half of the pixels; the ink is all others.

    Args:
        image: uint8 RGB (height, width, 3).

    Returns:
        bool (height, width), and the background's colour; neither where no colour has a majority.
    """
    # Nearly always the first pixel has it, which is quickly tried; it counts only if it has the majority, too.
    red, green, blue = image[0, 0].tolist()
    ink = _of_another_colour(image, (red, green, blue))
    if 2 * int(np.count_nonzero(ink)) < ink.size:
        return ink, (red, green, blue)
    colours = image.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    # If some value fills more than half of a list, the middle of the sorted list is that value.
    middle = colours.size // 2
    background = int(np.partition(colours, middle, axis=None)[middle])
    ink = colours != background
    if 2 * int(np.count_nonzero(ink)) >= ink.size:
        return None, None
    return ink, (background >> 16, background >> 8 & 255, background & 255)


def _of_another_colour(image: npt.NDArray[np.uint8], colour: Colour) -> npt.NDArray[np.bool_]:
    height, width, _ = image.shape
    # Whole rows at a time: comparing three bytes at a time takes five times as long.
    differs = image.reshape(height, width * 3) != np.frombuffer(bytes(colour) * width, np.uint8)
    ink: npt.NDArray[np.bool_] = differs[:, 0::3] | differs[:, 1::3] | differs[:, 2::3]
    return ink


def verify(
    folder: Path | str,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    pictures: Path | str | None = None,
    redraw: bool = False,
) -> Verification:
    """Compute every box again from the pixels, every hash from the arrays, and compare ``boxes.csv`` with the shards.

    Args:
        folder: a finished data set.
        workers: processes; all usable cores by default.
        on_progress: called with (samples done, samples in all), first with 0.
        pictures: where the pictures lie now that were drawn on; by default where they lay then.
        redraw: draw every sample again, too, and compare all its arrays, bit by bit. Takes as long as drawing did.
            Another processor or version of a library may blur and turn glyphs to other last bits.

    Raises:
        InputError: there is no finished data set in the folder, the pictures that were drawn on or, for ``redraw``,
            fonts are not as they were, the pictures were imported but ``pictures`` or ``redraw`` given, or ``workers``
            is no whole number of 1 or more.
    """
    processes = worker_count(workers)
    folder = Path(folder)
    manifest = read_manifest(folder)
    spec = manifest.spec
    if isinstance(spec, DatasetSpec):
        spec = spec.elsewhere(pictures)
        if redraw:
            spec.check_sources()
        else:
            spec.check_pictures()
    elif pictures is not None:
        raise InputError(f"Expected pictures only for what was drawn on some, received {pictures}.")
    elif redraw:
        raise InputError(f"Expected redraw only for drawn pictures, received {folder}, whose pictures were imported.")
    report = on_progress or (lambda done, total: None)
    report(0, spec.n)
    exact = 0
    found: list[str] = []
    results = map_shards(
        "bboxbench.data_gen.verification:check_shard",
        {"folder": str(folder.absolute()), "spec": spec.to_dict(), "redraw": redraw},
        range(len(manifest.shards)),
        processes,
    )
    with TableLines(folder / TABLE) as table, closing(results):
        table.expect_columns(columns_of(spec))
        for shard, result in results:
            rows = shard_rows(spec, shard)
            listed = manifest.shards[shard]["arrays"]
            found += [
                f"{shard_file(shard)}: its {name} are not those that were written (another SHA-256)"
                for name, sha256 in result["hashes"].items()
                if sha256 != listed[name]
            ]
            found += result["problems"]
            inexact = set(result["inexact"])
            lines = [table.next_line() for _ in rows]
            for row, line, expected in zip(rows, lines, result["csv"], strict=False):
                if line != expected:
                    inexact.add(row)
                    # Of a table that is gone, that is said once.
                    if table.readable:
                        found.append(f"{TABLE}: sample {row}: expected '{expected}', found '{line}'")
            exact += len(rows) - len(inexact)
            report(rows.stop, spec.n)
        table.expect_end(spec.n)
    return Verification(spec.n, exact, table.problems + found)


def check_shard(context: dict[str, Any], shard: int) -> dict[str, Any]:
    """Check one shard; the task of a worker.

    Returns:
        ``hashes`` of all arrays by name; ``problems``; ``inexact``: indices of samples whose box is not the pixels';
        and ``csv``: the lines that ``boxes.csv`` should have for it, none where the shard cannot be read.
    """
    folder = Path(context["folder"])
    spec = _spec(json.dumps(context["spec"]))
    name, rows = shard_file(shard), shard_rows(spec, shard)
    try:
        arrays = read_arrays(folder / name, spec, shard)
    except (InputError, OSError) as error:
        return {"hashes": {}, "problems": [str(error)], "inexact": list(rows), "csv": []}
    hashes = {array: array_sha256(values) for array, values in arrays.items()}
    problems = []
    inexact = []
    # Of a box that cannot be, the pixels tell more.
    cannot = impossible(spec, {array: values for array, values in arrays.items() if array != "boxes"})
    otherwise: dict[int, list[str]] = {}
    if context["redraw"] and isinstance(spec, DatasetSpec):
        otherwise = _unlike(arrays, draw_shard(spec, shard))
    classes = {} if isinstance(spec, ImportedSpec) else {ord(glyph): 1 + k for k, glyph in enumerate(spec.glyphs)}
    for row, index in enumerate(rows):
        if isinstance(spec, ImportedSpec):
            if wrong := misplaced(spec, arrays, row):
                inexact.append(index)
            wrong += [f"recorded {what}" for what in cannot.get(row, ())]
            problems += [f"{name}: sample {index}: {what}" for what in wrong]
            continue
        ink, wrong = _ink(spec, arrays, row, index)
        box = mask_to_box(ink) if ink is not None else None
        recorded = tuple(arrays["boxes"][row].tolist())
        if box != recorded:
            inexact.append(index)
            seen = "no box" if box is None else f"the box {box}"
            wrong.insert(0, f"recorded the box {recorded}, the pixels show {seen}")
        if ink is not None and spec.masks:
            wrong += _masks(arrays, row, ink, classes.get(int(arrays["codepoints"][row]), 0))
        wrong += [f"recorded {what}" for what in cannot.get(row, ())]
        if row in otherwise:
            wrong.append(f"drawn again, it has other {', '.join(otherwise[row])}")
        problems += [f"{name}: sample {index}: {what}" for what in wrong]
    try:
        lines = csv_rows(spec, shard, arrays)
    except (ValueError, IndexError, OverflowError) as error:
        problems.append(f"{name}: its attributes make no sense: {error}")
        lines = []
    return {"hashes": hashes, "problems": problems, "inexact": inexact, "csv": lines}


@lru_cache(maxsize=1)
def _spec(text: str) -> AnySpec:
    """The spec of a worker's task, made once and not again for every shard."""
    return spec_from_dict(json.loads(text))


def _ink(spec: DatasetSpec, arrays: Arrays, row: int, index: int) -> tuple[npt.NDArray[np.bool_] | None, list[str]]:
    """Where a sample's ink is, by its pixels alone; None where they do not tell. And what is wrong with its colours."""
    image = arrays["images"][row]
    recorded = tuple(arrays["backgrounds"][row].tolist())
    wrong = []
    ink: npt.NDArray[np.bool_] | None
    if spec.bare:
        ink, background = ink_from_pixels(image)
        darkest = lightest = luma(recorded)
    else:
        kind, behind = draw_background(spec, index)
        deviation, noise = sensor_noise(spec, index)
        ink = differing(image, add_noise(behind, noise), spec.ink_threshold)
        background = mean_colour(behind)
        grey = luma_of_images(behind[np.newaxis])
        darkest, lightest = int(grey.min()), int(grey.max())
        wrong += _other(arrays, row, "kinds", spec.background.index(kind))
        wrong += _other(arrays, row, "noises", float(np.float32(deviation)))
    if background is not None and background != recorded:
        wrong.append(f"recorded the background {recorded}, the pixels show {background}")
    lightness = luma(tuple(arrays["inks"][row].tolist()))
    contrast = max(darkest - lightness, lightness - lightest, 0)
    if contrast < spec.min_contrast:
        wrong.append(f"contrast {contrast}, expected {spec.min_contrast} or more")
    return ink, wrong + _other(arrays, row, "contrasts", contrast)


def _unlike(arrays: Arrays, drawn: Arrays) -> dict[int, list[str]]:
    """Names of the arrays in which a sample is not what was drawn, by its row."""
    names: dict[int, list[str]] = {}
    for name, expected in drawn.items():
        differs = (arrays[name] != expected).reshape(len(expected), -1).any(axis=1)
        for row in np.flatnonzero(differs).tolist():
            names.setdefault(row, []).append(name)
    return names


def _other(arrays: Arrays, row: int, name: str, expected: float) -> list[str]:
    """What is wrong with a number that follows from the seed, where the data set keeps it."""
    if name not in arrays or arrays[name][row] == expected:
        return []
    return [f"recorded {arrays[name][row]} among its {name}, expected {expected:g}"]


def _masks(arrays: Arrays, row: int, ink: npt.NDArray[np.bool_], number: int) -> list[str]:
    """What is wrong with a sample's mask and class map, whose one class besides what is ignored is ``number``.

    Where its glyph has no class, ``number`` is 0, and nothing can be said of that.
    """
    wrong = []
    if not np.array_equal(arrays["masks"][row], ink):
        wrong.append("its mask is not that of the pixels")
    classes = arrays["class_maps"][row]
    if not np.array_equal(classes > 0, ink):
        wrong.append("its class map does not fit the pixels")
    elif number and (found := np.setdiff1d(classes, (0, IGNORED)).tolist()) != [number]:
        wrong.append(f"its class map has the classes {found}, expected [{number}], that of its glyph")
    return wrong
