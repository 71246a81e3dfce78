"""A data set that was tampered with, and every hash with it: ``verify`` finds it all the same."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from forged_shards import forge, forge_table
from PIL import Image
from without_glyphs import without_glyph

from bboxbench.data_gen import DatasetSpec, draw_sample, generate, open_dataset, verify
from bboxbench.data_gen.backgrounds import draw_background
from bboxbench.errors import InputError

Arrays = dict[str, npt.NDArray[Any]]
ROW, OTHER = 4, 9
"""Samples that are tampered with."""


BIG = {"preset": "letters", "n": 12, "width": 90, "height": 70, "sizes": (24, 30), "masks": True}
SPECS: dict[str, dict[str, Any]] = {
    "one colour": {},
    "gradient": {"background": "gradient"},
    "noise": {"background": "noise"},
    "texture": {"background": "texture"},
    "pictures": {"background": "pictures"},
    "white": {"background": ("gradient", "white")},
    "plain": {"background": ("texture", "plain")},
    "turned": {"rotation": 30.0, "scale": (0.8, 1.1), "shear": 10.0, "shift": 0.5},
    "blurred": {"blur": 2.0},
    "noisy": {"noise": 10.0},
    "blurred and noisy": {"background": "white", "blur": 1.5, "noise": 6.0, "ink_threshold": 8},
}
"""Each way a picture's ink is looked for; where there are several backgrounds, the sample has the one of the name."""


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures to draw on."""
    folder = tmp_path_factory.mktemp("photographs")
    rough = np.random.default_rng(2).integers(0, 256, (2, 120, 160, 3), np.uint8)
    for name, pixels in zip(("a.png", "b.png"), rough, strict=True):
        Image.fromarray(pixels).save(folder / name)
    return folder


@pytest.fixture(scope="module", params=SPECS)
def sound(request: pytest.FixtureRequest, photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of each of `SPECS`, in which nothing is wrong."""
    spec = DatasetSpec.from_dict({**BIG, **SPECS[request.param], "seed": 0, "pictures": on(request.param, photographs)})
    if len(spec.background) > 1:
        drawn = (spec.changed(seed=seed) for seed in range(99))
        spec = next(other for other in drawn if draw_background(other, ROW)[0] == request.param)
    folder = generate(spec, tmp_path_factory.mktemp("sound") / "data", workers=1).folder
    assert verify(folder, workers=1).problems == []
    return folder


def on(background: str, photographs: Path) -> str:
    return str(photographs) if background == "pictures" else ""


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


def moved(arrays: Arrays) -> None:
    """The whole picture one pixel to the right."""
    arrays["images"][ROW] = np.roll(arrays["images"][ROW], 1, axis=1)


def no_contrast(arrays: Arrays) -> None:
    """The ink is the colour behind it, and says so."""
    arrays["inks"][ROW] = arrays["backgrounds"][ROW]
    if "contrasts" in arrays:
        arrays["contrasts"][ROW] = 0


def a_mask_pixel(arrays: Arrays) -> None:
    arrays["masks"][ROW][outside(arrays)] ^= 1


def a_class_pixel(arrays: Arrays) -> None:
    arrays["class_maps"][ROW][outside(arrays)] = 7


def an_ignored_pixel(arrays: Arrays) -> None:
    arrays["class_maps"][ROW][outside(arrays)] = 255


def a_pixel_left_out(arrays: Arrays) -> None:
    classes = arrays["class_maps"][ROW]
    classes[tuple(np.argwhere(classes == 255)[0])] = 0


def another_class_inside(arrays: Arrays) -> None:
    classes = arrays["class_maps"][ROW]
    classes[tuple(np.argwhere(classes == 255)[0])] = 250


def a_solid_pixel_ignored(arrays: Arrays) -> None:
    classes = arrays["class_maps"][ROW]
    classes[tuple(np.argwhere((classes > 0) & (classes < 255))[0])] = 255


def an_ignored_pixel_solid(arrays: Arrays) -> None:
    classes = arrays["class_maps"][ROW]
    classes[tuple(np.argwhere(classes == 255)[0])] = classes[(classes > 0) & (classes < 255)][0]


def classes_become(number: int, *ends: int) -> Callable[[Arrays], object]:
    """All pixels of some classes get another."""

    def change(arrays: Arrays) -> None:
        classes = arrays["class_maps"][ROW]
        classes[(classes >= ends[0]) & (classes <= ends[1])] = number

    return change


SEEN_IN_PIXELS: dict[str, Callable[[Arrays], object]] = {
    **{f"{side} side {by:+d}": off("boxes", by, place) for place, side in enumerate(("left", "top", "right", "bottom"))
       for by in (-1, 1)},
    "a pixel outside": a_pixel_outside,
    "the picture moved": moved,
    "two pictures swapped": swapped("images"),
    "two boxes swapped": swapped("boxes"),
    "two samples swapped": swapped("images", "boxes"),
    "the colour behind": off("backgrounds", 3, 1),
    "ink of no contrast": no_contrast,
}  # fmt: skip
"""What the pixels tell, whatever hashes and table say."""

SEEN_IN_MASKS: dict[str, Callable[[Arrays], object]] = {
    "a pixel of the mask": a_mask_pixel,
    "a mask of another number": lambda arrays: np.copyto(arrays["masks"][ROW], 2 * arrays["masks"][ROW]),
    "no mask": lambda arrays: np.copyto(arrays["masks"][ROW], 0),
    "two masks swapped": swapped("masks"),
    "a pixel of the class map": a_class_pixel,
    "a pixel ignored outside": an_ignored_pixel,
    "a pixel left out": a_pixel_left_out,
    "a pixel of another class": another_class_inside,
    "all of another class": classes_become(200, 1, 254),
    "all ignored": classes_become(255, 1, 254),
    "nothing but background": classes_become(0, 1, 255),
    "two class maps swapped": swapped("class_maps"),
    "two masks and class maps swapped": swapped("masks", "class_maps"),
}
"""The same of pictures that have masks."""

SEEN_BY_SEED: dict[str, Callable[[Arrays], object]] = {
    "another contrast": off("contrasts", 1),
    "another kind": lambda arrays: np.copyto(arrays["kinds"][ROW : ROW + 1], (arrays["kinds"][ROW] + 1) % 4),
    "noisy otherwise": off("noises", 1),
}
"""What the background and the noise, drawn again, tell of the numbers that are kept of them."""

SEEN_BY_SPEC: dict[str, Callable[[Arrays], object]] = {
    "a glyph that there is not": lambda arrays: np.copyto(arrays["codepoints"][ROW : ROW + 1], ord("!")),
    "a glyph that is no character": lambda arrays: np.copyto(arrays["codepoints"][ROW : ROW + 1], 0x110000),
    "a font that there is not": off("fonts", 99),
    "a kind that there is not": off("kinds", 99),
    "too large": off("sizes", 999),
    "too small": lambda arrays: np.copyto(arrays["sizes"][ROW : ROW + 1], 1),
    "turned too far": off("rotations", 400),
    "turned by no number": off("rotations", np.nan),
    "stretched too far": off("scales", 50, 0),
    "not stretched at all": lambda arrays: np.copyto(arrays["scales"][ROW], 0),
    "slanted too far": off("shears", -200),
    "moved too far": off("shifts", 1.5, 1),
    "blurred too much": off("blurs", 50),
    "blurred by less than nothing": off("blurs", -50),
    "blurred without end": off("blurs", np.inf),
}
"""What the spec tells: no sample of it is so."""

SEEN_IN_TABLE: dict[str, Callable[[Arrays], object]] = {
    "another glyph": off("codepoints", 1),
    "another font": lambda arrays: np.copyto(arrays["fonts"][ROW : ROW + 1], (arrays["fonts"][ROW] + 1) % 8),
    "another size": off("sizes", 1),
    "another ink": off("inks", 1, 0),
    "turned otherwise": off("rotations", 1),
    "stretched otherwise": off("scales", 0.25, 1),
    "slanted otherwise": off("shears", 1),
    "moved otherwise": off("shifts", 0.125, 0),
    "blurred otherwise": off("blurs", 0.25),
}
"""What only the table beside the shards tells."""


SEEN_ONLY_DRAWN_AGAIN: dict[str, Callable[[Arrays], object]] = {
    **{what: change for what, change in SEEN_IN_TABLE.items() if what != "another glyph"},
    "a solid pixel ignored": a_solid_pixel_ignored,
    "an ignored pixel solid": an_ignored_pixel_solid,
}
"""What nothing tells but the spec, where the table was forged with the shards; a glyph is told by its class map."""


def tampered(varied: Path, tmp_path: Path, change: Callable[[Arrays], object]) -> Path:
    folder = Path(shutil.copytree(varied, tmp_path / "data"))
    forge(folder, change, 0)
    return folder


def samples_named(problems: list[str]) -> set[str]:
    return {problem.partition(": sample ")[2].partition(":")[0] for problem in problems}


def assert_found(folder: Path) -> None:
    """The sample is named, and none that was left alone."""
    problems = verify(folder, workers=1).problems
    assert str(ROW) in samples_named(problems)
    assert samples_named(problems) <= {str(ROW), str(OTHER)}, problems


@pytest.mark.parametrize("what", SEEN_IN_PIXELS)
def test_what_the_pixels_tell_is_found_though_hashes_and_table_were_forged(
    what: str, sound: Path, tmp_path: Path
) -> None:
    folder = tampered(sound, tmp_path, SEEN_IN_PIXELS[what])
    forge_table(folder)
    assert_found(folder)


def test_an_edge_erased_is_found_though_hashes_were_forged(sound: Path, tmp_path: Path) -> None:
    spec = open_dataset(sound).spec
    assert isinstance(spec, DatasetSpec)

    def erase(arrays: Arrays) -> None:
        xmin = arrays["boxes"][ROW, 0]
        without = without_glyph(spec, draw_sample(spec, ROW))
        arrays["images"][ROW, :, xmin] = without[:, xmin]

    assert_found(tampered(sound, tmp_path, erase))


@pytest.mark.parametrize("what", SEEN_IN_MASKS)
def test_a_mask_that_is_not_of_the_pixels_is_found_though_hashes_were_forged(
    what: str, sound: Path, tmp_path: Path
) -> None:
    assert_found(tampered(sound, tmp_path, SEEN_IN_MASKS[what]))


@pytest.mark.parametrize("what", [*SEEN_IN_PIXELS, *SEEN_IN_MASKS, *SEEN_BY_SEED])
def test_of_pictures_with_every_effect_it_is_found_too(what: str, varied: Path, tmp_path: Path) -> None:
    folder = tampered(varied, tmp_path, {**SEEN_IN_PIXELS, **SEEN_IN_MASKS, **SEEN_BY_SEED}[what])
    forge_table(folder)
    assert_found(folder)


@pytest.mark.parametrize("what", SEEN_BY_SPEC)
def test_what_no_sample_of_the_spec_can_be_is_found(what: str, varied: Path, tmp_path: Path) -> None:
    folder = tampered(varied, tmp_path, SEEN_BY_SPEC[what])
    problems = verify(folder, workers=1).problems
    assert any(re.search(f"sample {ROW}: recorded the .*, (not from|which is none of) ", one) for one in problems), (
        problems
    )
    with pytest.raises(InputError, match=f"at sample {ROW} "):
        list(open_dataset(folder).samples([ROW]))


@pytest.mark.parametrize("harm", ["another", "one more", "one less", "renamed", "gone"])
def test_pictures_that_are_not_those_drawn_on_are_refused(harm: str, photographs: Path, tmp_path: Path) -> None:
    pictures = Path(shutil.copytree(photographs, tmp_path / "pictures"))
    spec = DatasetSpec.from_dict({**BIG, "seed": 0, "background": "pictures", "pictures": str(pictures)})
    folder = generate(spec, tmp_path / "data", workers=1).folder
    assert verify(folder, workers=1).problems == []
    if harm == "another":
        Image.open(pictures / "a.png").rotate(180).save(pictures / "a.png")
    elif harm == "one more":
        shutil.copy(pictures / "a.png", pictures / "c.png")
    elif harm == "one less":
        (pictures / "b.png").unlink()
    elif harm == "renamed":
        (pictures / "b.png").rename(pictures / "c.png")
    else:
        shutil.rmtree(pictures)
    with pytest.raises(InputError, match="pictures"):
        verify(folder, workers=1)


@pytest.mark.parametrize("what", SEEN_IN_TABLE)
def test_a_changed_attribute_is_found_though_hashes_were_forged(what: str, varied: Path, tmp_path: Path) -> None:
    folder = tampered(varied, tmp_path, SEEN_IN_TABLE[what])
    problems = verify(folder, workers=1).problems
    assert any(f"sample {ROW}: " in problem for problem in problems), problems


@pytest.mark.parametrize("what", SEEN_ONLY_DRAWN_AGAIN)
def test_what_only_the_spec_tells_is_found_by_drawing_again(what: str, varied: Path, tmp_path: Path) -> None:
    folder = tampered(varied, tmp_path, SEEN_ONLY_DRAWN_AGAIN[what])
    forge_table(folder)
    assert verify(folder, workers=1).problems == []
    (problem,) = verify(folder, workers=1, redraw=True).problems
    assert f"sample {ROW}: drawn again, it has other " in problem


def test_a_sound_data_set_is_the_same_drawn_again(sound: Path, varied: Path) -> None:
    for folder in (sound, varied):
        found = verify(folder, workers=1, redraw=True)
        assert (found.exact, found.problems) == (12, [])


def test_another_seed_in_the_manifest_is_found_by_drawing_again(varied: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(varied, tmp_path / "data"))
    manifest = folder / "dataset.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace('"seed": 5', '"seed": 6'), encoding="utf-8")
    problems = verify(folder, workers=1, redraw=True).problems
    again = [problem for problem in problems if "drawn again, it has other images" in problem]
    assert samples_named(again) == set(map(str, range(12)))


def test_a_data_set_forged_without_a_change_is_sound(sound: Path, tmp_path: Path) -> None:
    """Else the tests above would find the forging, and not what was changed."""
    folder = tampered(sound, tmp_path, lambda arrays: None)
    forge_table(folder)
    assert verify(folder, workers=1).problems == []
