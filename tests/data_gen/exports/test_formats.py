"""Every format is read back by a real reader of it and compared with the data set to the pixel."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from export_readers import READERS, SPLITS, class_list, differences, read_voc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bboxbench.data_gen import Dataset, DatasetSpec, generate
from bboxbench.data_gen.exports import FORMATS, Export, export

Exported = Callable[[str], Export]


def test_every_format_has_a_reader() -> None:
    assert list(READERS) == list(FORMATS)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("split", SPLITS)
def test_a_reader_finds_every_pixel_box_and_class(form: str, split: str, odd: Dataset, exported: Exported) -> None:
    assert list(differences(READERS[form](exported(form).folder, split), odd, split)) == []


@pytest.mark.parametrize("form", FORMATS)
def test_class_names_come_back_in_order_whatever_they_are(form: str, odd: Dataset, exported: Exported) -> None:
    folder = exported(form).folder
    assert class_list(form, folder) == list(odd.classes)
    assert json.loads((folder / "export.json").read_text("utf-8"))["classes"] == list(odd.classes)


@pytest.mark.parametrize("form", FORMATS)
def test_file_names_never_depend_on_glyphs(form: str, exported: Exported) -> None:
    names = {path.name for path in exported(form).folder.rglob("*")}
    assert all(name.isascii() and not set(name) & set(" /\\:*?\"'<>|&%#") for name in names)


def test_what_yolo_is_told_of_is_there(tmp_path: Path) -> None:
    one = generate(DatasetSpec.letters(n=1), tmp_path / "one", 1)
    folder = export(one, "yolo", tmp_path / "yolo").folder
    told = yaml.safe_load((folder / "data.yaml").read_text("utf-8"))
    assert (told["train"], told["val"], told["test"]) == (None, None, "images/test")
    assert (folder / told["test"]).is_dir()


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_says_which_data_set_it_is_of(form: str, odd: Dataset, exported: Exported) -> None:
    record = json.loads((exported(form).folder / "export.json").read_text("utf-8"))
    assert (record["format"], record["dataset"]["sha256"]) == (form, odd.sha256)
    assert record["splits"] == {"train": 39, "validation": 26, "test": 65}


@pytest.mark.parametrize("side", range(4))
@pytest.mark.parametrize("by", [-1, 1])
@pytest.mark.parametrize("form", ["coco", "voc", "csv"])
def test_a_reader_that_is_off_by_one_is_noticed(
    form: str, side: int, by: int, odd: Dataset, exported: Exported
) -> None:
    found = READERS[form](exported(form).folder, "validation")
    for picture in found.values():
        picture.box = tuple(edge + by * (place == side) for place, edge in enumerate(picture.box))
    assert len(list(differences(found, odd, "validation"))) == len(found)


def test_a_reader_that_counts_pascals_pixels_from_0_is_noticed(odd: Dataset, exported: Exported) -> None:
    found = read_voc(exported("voc").folder, "test", first=0)
    assert len(list(differences(found, odd, "test"))) == len(found)


def test_a_changed_pixel_is_noticed(odd: Dataset, exported: Exported) -> None:
    found = READERS["csv"](exported("csv").folder, "train")
    found[7].pixels = found[7].pixels ^ [[[0], *[[1]] * 63]] * 48
    assert list(differences(found, odd, "train")) == ["pixels of 7"]


INKED = [chr(code) for code in (*range(0x21, 0x7F), *range(0xA1, 0x180), *range(0x391, 0x3CA), 0x1F600, 0x1D538)]


@st.composite
def specs(draw: st.DrawFn) -> DatasetSpec:
    glyphs = draw(st.lists(st.sampled_from([c for c in INKED if c.isprintable()]), min_size=1, max_size=9, unique=True))
    smallest = draw(st.integers(8, 20))
    return DatasetSpec.letters(
        n=draw(st.integers(1, 12)),
        seed=draw(st.integers(0, 2**63 - 1)),
        width=draw(st.integers(50, 150)),
        height=draw(st.integers(50, 90)),
        sizes=(smallest, smallest + draw(st.integers(0, 6))),
        glyphs="".join(glyphs),
        fonts=("DejaVuSans",),
        background=draw(st.sampled_from(["plain", "white"])),
    )


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(spec=specs())
def test_any_spec_comes_back_from_every_format(form: str, spec: DatasetSpec) -> None:
    with tempfile.TemporaryDirectory() as place:
        data = generate(spec, Path(place) / "data", workers=1)
        folder = export(data, form, workers=1).folder
        for split in SPLITS:
            if data.split(split):
                assert list(differences(READERS[form](folder, split), data, split)) == []
        assert class_list(form, folder) == list(data.classes)
