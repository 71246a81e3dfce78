"""Fonts and pictures that change under a spec's hands: it draws what it was made with, or says that it cannot."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bboxbench.data_gen import DatasetSpec, draw_sample, generate, verify
from bboxbench.data_gen.fonts import font_path
from bboxbench.data_gen.manifest import Manifest, unfinished_json
from bboxbench.errors import FolderConflict, InputError

SMALL = {"n": 20, "width": 60, "height": 50, "sizes": (16, 24)}


@pytest.fixture
def font(tmp_path: Path) -> Path:
    return Path(shutil.copy(font_path("DejaVuSerif"), tmp_path / "My.ttf"))


def swap(font: Path, face: str) -> None:
    shutil.copy(font_path(face), font.with_name("new"))
    font.with_name("new").replace(font)


def drawn_right(spec: DatasetSpec, index: int, right: np.ndarray) -> bool:
    """Whether a sample is drawn, and then as it should be; else its font is named as what is in the way."""
    try:
        np.testing.assert_array_equal(draw_sample(spec, index).image, right)
    except InputError as error:
        assert "My.ttf as it was" in str(error)  # noqa: PT017  # refusing is allowed, and so is drawing
        return False
    return True


def test_a_sample_is_never_drawn_from_a_font_that_took_the_place_of_its_own(font: Path) -> None:
    spec = DatasetSpec.letters(**SMALL, fonts=(str(font),))
    right = [draw_sample(spec.changed(fonts=("DejaVuSerif",)), index).image for index in range(spec.n)]
    np.testing.assert_array_equal(draw_sample(spec, 0).image, right[0])
    swap(font, "STIXGeneral")
    drawn = [drawn_right(spec, index, right[index]) for index in range(spec.n)]
    assert not all(drawn)
    other = DatasetSpec.letters(**SMALL, fonts=(str(font),))
    face = DatasetSpec.letters(**SMALL, fonts=("STIXGeneral",))
    np.testing.assert_array_equal(draw_sample(other, 3).image, draw_sample(face, 3).image)


def test_a_font_that_was_swapped_while_it_was_drawn_from_leaves_nothing_finished(font: Path, tmp_path: Path) -> None:
    spec = DatasetSpec.letters(**SMALL, fonts=(str(font),))

    def swapping(done: int, total: int) -> None:
        if done == total:
            swap(font, "STIXGeneral")

    with pytest.raises(InputError, match=r"My\.ttf as it was"):
        generate(spec, tmp_path / "d", 1, swapping)
    assert not (tmp_path / "d" / "dataset.json").exists()
    swap(font, "DejaVuSerif")
    assert generate(spec, tmp_path / "d", 1).sha256 == generate(spec, tmp_path / "e", 1).sha256


def test_a_manifest_says_one_thing_of_a_font_whatever_its_file_has_become(font: Path) -> None:
    spec = DatasetSpec.letters(**SMALL, fonts=(str(font),))
    swap(font, "STIXGeneral")
    said = json.loads(Manifest(spec, [], "").to_json())
    assert said["fonts"][0]["sha256"] == said["spec"]["font_files"][0]["sha256"] == spec.font_files[0].sha256


def test_a_changed_spec_finds_out_again_what_follows_from_its_fonts(font: Path) -> None:
    spec = DatasetSpec.letters(**SMALL, fonts=(str(font),))
    other = shutil.copy(font_path("DejaVuSans"), font.with_name("Other.ttf"))
    assert spec.changed(fonts=("DejaVuSans",)) == DatasetSpec.letters(**SMALL, fonts=("DejaVuSans",))
    assert spec.changed(fonts=(other,)) == DatasetSpec.letters(**SMALL, fonts=(other,))
    both = spec.changed(fonts=("My", other))
    assert both == DatasetSpec.letters(**SMALL, fonts=(str(font), other))
    assert both.changed(seed=3).font_files == both.font_files


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    repaint(folder, 0)
    return folder


def repaint(folder: Path, seed: int) -> None:
    for name in ("a.png", "b.png"):
        pixels = np.random.default_rng([seed, ord(name[0])]).integers(0, 256, (90, 120, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)


def on(pictures: Path) -> DatasetSpec:
    return DatasetSpec.letters(**SMALL, background="pictures", pictures=str(pictures))


def test_a_folder_of_pictures_that_changed_is_drawn_on_as_it_is_now(pictures: Path, tmp_path: Path) -> None:
    old = on(pictures)
    before = draw_sample(old, 0).image
    repaint(pictures, 1)
    new = on(pictures)
    after = draw_sample(new, 0).image
    assert new != old
    assert not np.array_equal(before, after)
    np.testing.assert_array_equal(after, draw_sample(on(Path(shutil.copytree(pictures, tmp_path / "c"))), 0).image)
    repaint(pictures, 0)
    np.testing.assert_array_equal(draw_sample(old, 0).image, before)
    assert verify(generate(old, tmp_path / "d", 1).folder, 1).problems == []


def test_a_changed_spec_finds_out_again_what_its_pictures_are(pictures: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    repaint(other, 1)
    assert on(pictures).changed(pictures=str(other)) == on(other)
    assert on(pictures).changed(background="plain") == DatasetSpec.letters(**SMALL)
    assert on(pictures).changed(background=("noise", "pictures")).pictures_sha256 == on(pictures).pictures_sha256


def test_a_broken_picture_is_named_before_any_folder_is_made(pictures: Path, tmp_path: Path) -> None:
    whole = (pictures / "a.png").read_bytes()
    (pictures / "a.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"a\.png is damaged: .* Take it out of"):
        on(pictures)
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_a_folder_in_which_nothing_was_drawn_yet_may_be_drawn_into_by_another_spec(tmp_path: Path) -> None:
    spec = DatasetSpec.letters(**SMALL)
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "unfinished.json").write_text(unfinished_json(spec.changed(seed=9)))
    assert generate(spec, tmp_path / "d", 1).spec == spec
    with pytest.raises(FolderConflict, match="seed 0 instead of 9"):
        generate(spec.changed(seed=9), tmp_path / "d", 1)


def test_what_lies_elsewhere_now_is_found_when_one_says_where(pictures: Path, font: Path, tmp_path: Path) -> None:
    spec = on(pictures).changed(fonts=(str(font),))
    folder = generate(spec, tmp_path / "d", 1).folder
    moved, renamed = pictures.rename(tmp_path / "elsewhere"), font.rename(tmp_path / "Renamed.ttf")
    with pytest.raises(InputError, match=r"found none at .*add --pictures FOLDER to verify"):
        verify(folder, 1)
    assert verify(folder, 1, pictures=moved).problems == []
    with pytest.raises(InputError, match=r"does not exist.*--resume DIR --font FILE"):
        draw_sample(spec.changed(sizes=(30, 30)), 0)
    there = spec.elsewhere(moved, [renamed])
    assert there == spec
    there.check_sources()
    assert generate(there, tmp_path / "e", 1).sha256 == generate(there, folder, 1).sha256
    with pytest.raises(InputError, match=r"drawn from \(My with .*received .*Other"):
        spec.elsewhere(fonts=[shutil.copy(font_path("DejaVuSans"), tmp_path / "Other.ttf")])
    with pytest.raises(InputError, match="only for what was drawn on some"):
        DatasetSpec.letters(**SMALL).elsewhere(moved)
    repaint(moved, 1)
    with pytest.raises(InputError, match="as they were, received others"):
        verify(folder, 1, pictures=moved)
