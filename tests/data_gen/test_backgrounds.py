from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bboxbench.data_gen import DatasetSpec, draw_sample
from bboxbench.data_gen.backgrounds import ROOM, draw_background, mean_colour
from bboxbench.data_gen.colours import luma, luma_of_images
from bboxbench.data_gen.photographs import listed
from bboxbench.data_gen.spec_checks import BACKGROUNDS
from bboxbench.errors import InputError

DRAWN = [kind for kind in BACKGROUNDS if kind != "pictures"]
SMALL = {"width": 60, "height": 50, "sizes": (16, 20), "n": 1000}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures of other sizes, modes and names, and a file that is none."""
    place = tmp_path / "pictures"
    (place / "more").mkdir(parents=True)
    generator = np.random.default_rng(1)
    for name, shape in (("a.png", (300, 200, 3)), ("b.JPG", (90, 400, 3)), ("more/c.png", (70, 70))):
        pixels = generator.integers(0, 256, shape, np.uint8)
        Image.fromarray(pixels).save(place / name)
    (place / "read me.txt").write_text("not a picture")
    return place


@pytest.mark.parametrize("kind", DRAWN)
@given(seed=st.integers(0, 2**63 - 1), index=st.integers(0, 999), contrast=st.integers(1, 160))
def test_a_background_leaves_room_for_an_ink_that_stands_out(kind: str, seed: int, index: int, contrast: int) -> None:
    spec = DatasetSpec.letters(seed=seed, background=kind, blur=1, min_contrast=contrast, **SMALL)
    found, behind = draw_background(spec, index)
    assert found == kind
    assert (behind.shape, behind.dtype) == ((50, 60, 3), np.uint8)
    grey = luma_of_images(behind[None])
    if kind == "white":
        assert grey.min() == 255
    else:
        # Colours between two are rounded channel by channel, which may cost a level.
        assert grey.max() <= 256 - contrast - ROOM or grey.min() >= contrast + ROOM - 1
    sample = draw_sample(spec, index)
    assert sample.ink is not None
    assert sample.contrast == np.abs(grey.astype(int) - luma(sample.ink)).min() >= contrast


@pytest.mark.parametrize("kind", DRAWN)
def test_a_background_is_the_same_whatever_glyph_is_drawn_on_it(kind: str) -> None:
    spec = DatasetSpec.letters(background=(kind, "gradient" if kind != "gradient" else "plain"), **SMALL)
    other = spec.changed(glyphs="Q", fonts=("DejaVuSerif",), rotation=30, blur=1, noise=9, ink_threshold=9)
    for index in range(20):
        kinds, pictures = zip(*(draw_background(each, index) for each in (spec, other)), strict=True)
        assert kinds[0] == kinds[1]
        np.testing.assert_array_equal(*pictures)


def test_kinds_are_equally_likely_and_samples_say_which_they_are_of() -> None:
    spec = DatasetSpec.letters(background=DRAWN, **SMALL)
    kinds = [draw_background(spec, index)[0] for index in range(1000)]
    assert all(abs(kinds.count(kind) - 200) < 60 for kind in DRAWN)
    assert [draw_sample(spec, index).kind for index in range(50)] == kinds[:50]


def test_a_gradient_goes_from_one_colour_to_another_along_a_line() -> None:
    spec = DatasetSpec.letters(background="gradient", **SMALL)
    for index in range(30):
        behind = draw_background(spec, index)[1].astype(int)
        for axis in (0, 1):
            steps = np.diff(behind, axis=axis)
            # Each channel only rises or only falls, and never by a jump.
            assert all((steps[..., c] >= 0).all() or (steps[..., c] <= 0).all() for c in range(3))
            assert np.abs(steps).max() <= 8


def test_noise_has_grains_and_a_texture_is_smooth() -> None:
    for kind, jump in (("noise", 40), ("texture", 12)):
        behind = draw_background(DatasetSpec.letters(background=kind, **SMALL), 3)[1].astype(int)
        steps = np.abs(np.diff(behind, axis=1)).max(axis=(0, 1)).max()
        assert (steps > jump) == (kind == "noise")


def test_pictures_of_a_folder_are_drawn_on_parts_of_all_of_them(folder: Path) -> None:
    spec = DatasetSpec.letters(background="pictures", pictures=str(folder), **SMALL)
    assert [path.name for path in listed(str(folder))] == ["a.png", "b.JPG", "c.png"]
    parts = [draw_background(spec, index)[1] for index in range(40)]
    # The grey picture has no colour, the others have.
    grey = [bool((part == part[..., :1]).all()) for part in parts]
    assert 2 < sum(grey) < 30
    assert len({part.tobytes() for part in parts}) == 40
    assert spec.pictures_sha256


def test_a_folder_elsewhere_with_the_same_pictures_is_the_same_spec_and_other_pictures_are_not(
    folder: Path, tmp_path: Path
) -> None:
    spec = DatasetSpec.letters(background="pictures", pictures=str(folder), **SMALL)
    before = [draw_sample(spec, index).image for index in range(7)]
    moved = folder.rename(tmp_path / "elsewhere")
    again = DatasetSpec.letters(background="pictures", pictures=str(moved), **SMALL)
    assert again == spec
    assert again.folder_name == spec.folder_name
    np.testing.assert_array_equal([draw_sample(again, index).image for index in range(7)], before)
    again.check_sources()
    Image.fromarray(np.zeros((80, 80, 3), np.uint8)).save(moved / "a.png")
    with pytest.raises(InputError, match="as they were"):
        again.check_sources()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [("d.png", b"no picture", "d.png"), ("d.png", b"", "d.png")],
)
def test_a_file_that_is_no_picture_is_named(folder: Path, name: str, content: bytes, message: str) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        DatasetSpec.letters(background="pictures", pictures=str(folder), **SMALL)


def test_a_folder_without_pictures_or_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found none"):
        DatasetSpec.letters(background="pictures", pictures=str(tmp_path))
    with pytest.raises(InputError, match="found none at"):
        DatasetSpec.letters(background="pictures", pictures=str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="received none; add --pictures FOLDER"):
        DatasetSpec.letters(background="pictures")
    with pytest.raises(InputError, match="add --background pictures"):
        DatasetSpec.letters(pictures=str(tmp_path))


@given(st.integers(0, 2**32))
def test_the_mean_colour_is_the_mean_rounded(seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (7, 11, 3), np.uint8)
    assert np.abs(np.array(mean_colour(pixels)) - pixels.reshape(-1, 3).mean(axis=0)).max() <= 0.5
