"""Fonts and pictures that change under a spec's hands: it draws what it was made with, or says that it cannot."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from bboxbench.data_gen import DatasetSpec, draw_sample, generate
from bboxbench.data_gen.fonts import font_path
from bboxbench.data_gen.manifest import Manifest
from bboxbench.errors import InputError

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
