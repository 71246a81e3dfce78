"""A data set that was tampered with, and every hash with it: ``verify`` finds it all the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from forged_shards import forge, forge_table

from bboxbench.data_gen import DatasetSpec, generate, verify

Arrays = dict[str, npt.NDArray[Any]]
ROW, OTHER = 4, 9
"""Samples that are tampered with."""


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures with every effect, with masks and class maps."""
    spec = DatasetSpec.from_dict({"preset": "varied", "n": 12, "seed": 5, "masks": True, "width": 120, "height": 100})
    folder = generate(spec, tmp_path_factory.mktemp("varied") / "data", workers=1).folder
    assert verify(folder, workers=1).problems == []
    return folder


def off(name: str, by: Any, *place: int) -> Callable[[Arrays], object]:
    """Adds to an attribute of the sample."""

    def change(arrays: Arrays) -> None:
        arrays[name][(ROW, *place)] += np.asarray(by, arrays[name].dtype)

    return change


def swapped(*names: str) -> Callable[[Arrays], object]:
    """Exchanges two samples in some arrays."""

    def change(arrays: Arrays) -> None:
        for name in names:
            arrays[name][[ROW, OTHER]] = arrays[name][[OTHER, ROW]]

    return change


def outside(arrays: Arrays) -> tuple[int, int]:
    """The row and column of a pixel that the box leaves out."""
    xmin, ymin, xmax, ymax = arrays["boxes"][ROW].tolist()
    height, width = arrays["images"].shape[1:3]
    column = 0 if xmin > 0 else width - 1
    row = 0 if ymin > 0 else height - 1
    assert not (xmin <= column < xmax and ymin <= row < ymax)
    return row, column


def a_pixel_outside(arrays: Arrays) -> None:
    """By more levels than ink must differ by."""
    arrays["images"][ROW][outside(arrays)][0] ^= 128


def an_edge_erased(arrays: Arrays) -> None:
    """The leftmost column of the box becomes as its neighbour outside."""
    xmin = max(1, arrays["boxes"][ROW, 0])
    arrays["images"][ROW, :, xmin] = arrays["images"][ROW, :, xmin - 1]


def moved(arrays: Arrays) -> None:
    """The whole picture one pixel to the right."""
    arrays["images"][ROW] = np.roll(arrays["images"][ROW], 1, axis=1)


def a_mask_pixel(arrays: Arrays) -> None:
    arrays["masks"][ROW][outside(arrays)] ^= 1


def a_class_pixel(arrays: Arrays) -> None:
    arrays["class_maps"][ROW][outside(arrays)] = 7


def another_class_inside(arrays: Arrays) -> None:
    classes = arrays["class_maps"][ROW]
    classes[tuple(np.argwhere(classes == 255)[0])] = 250


SEEN_IN_PIXELS: dict[str, Callable[[Arrays], object]] = {
    **{f"{side} side {by:+d}": off("boxes", by, place) for place, side in enumerate(("left", "top", "right", "bottom"))
       for by in (-1, 1)},
    "a pixel outside": a_pixel_outside,
    "an edge erased": an_edge_erased,
    "the picture moved": moved,
    "two pictures swapped": swapped("images"),
    "two boxes swapped": swapped("boxes"),
    "two samples swapped": swapped("images", "boxes"),
    "the colour behind": off("backgrounds", 3, 1),
    "ink of no contrast": lambda arrays: np.copyto(arrays["inks"][ROW], arrays["backgrounds"][ROW]),
    "a pixel of the mask": a_mask_pixel,
    "a pixel of the class map": a_class_pixel,
    "another class": another_class_inside,
}  # fmt: skip
"""What the pixels tell, whatever hashes and table say."""

SEEN_IN_TABLE: dict[str, Callable[[Arrays], object]] = {
    "another glyph": off("codepoints", 1),
    "another font": lambda arrays: np.copyto(arrays["fonts"][ROW : ROW + 1], (arrays["fonts"][ROW] + 1) % 8),
    "another size": off("sizes", 1),
    "another ink": off("inks", 1, 0),
    "another contrast": off("contrasts", 1),
    "another kind": lambda arrays: np.copyto(arrays["kinds"][ROW : ROW + 1], (arrays["kinds"][ROW] + 1) % 4),
    "turned otherwise": off("rotations", 1),
    "stretched otherwise": off("scales", 0.25, 1),
    "slanted otherwise": off("shears", 1),
    "moved otherwise": off("shifts", 0.125, 0),
    "blurred otherwise": off("blurs", 0.25),
    "noisy otherwise": off("noises", 1),
}
"""What only the table beside the shards tells."""


def tampered(varied: Path, tmp_path: Path, change: Callable[[Arrays], object]) -> Path:
    folder = Path(shutil.copytree(varied, tmp_path / "data"))
    forge(folder, change, 0)
    return folder


@pytest.mark.parametrize("what", SEEN_IN_PIXELS)
def test_what_the_pixels_tell_is_found_though_hashes_and_table_were_forged(
    what: str, varied: Path, tmp_path: Path
) -> None:
    folder = tampered(varied, tmp_path, SEEN_IN_PIXELS[what])
    forge_table(folder)
    problems = verify(folder, workers=1).problems
    assert problems
    assert {problem.partition(": sample ")[2].partition(":")[0] for problem in problems} <= {str(ROW), str(OTHER)}


@pytest.mark.parametrize("what", SEEN_IN_TABLE)
def test_a_changed_attribute_is_found_though_hashes_were_forged(what: str, varied: Path, tmp_path: Path) -> None:
    folder = tampered(varied, tmp_path, SEEN_IN_TABLE[what])
    problems = verify(folder, workers=1).problems
    assert any(f"sample {ROW}: " in problem for problem in problems), problems


def test_a_data_set_forged_without_a_change_is_sound(varied: Path, tmp_path: Path) -> None:
    """Else the tests above would find the forging, and not what was changed."""
    folder = tampered(varied, tmp_path, lambda arrays: None)
    forge_table(folder)
    assert verify(folder, workers=1).problems == []
