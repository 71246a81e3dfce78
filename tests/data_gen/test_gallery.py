from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bboxbench.boxes import mask_to_box
from bboxbench.data_gen import Dataset, DatasetSpec, Sample, draw_sample, gallery, generate, preview
from bboxbench.data_gen.gallery import _enlargement, _framed, _read, _standing_out, box_colour, render_gallery
from bboxbench.data_gen.glyph_names import class_labels
from bboxbench.errors import InputError


@pytest.mark.parametrize("scale", [1, 2, 5])
def test_the_frame_covers_just_the_box(scale: int) -> None:
    spec = DatasetSpec.letters(n=40)
    for index in range(40):
        sample = draw_sample(spec, index)
        framed = np.asarray(_framed(sample, scale))
        pen = mask_to_box((framed == np.array(box_colour(sample.ink, sample.background))).all(axis=-1))
        assert pen == tuple((sample.box * scale).tolist())


def test_the_pen_can_be_told_from_ink_and_background() -> None:
    spec = DatasetSpec.letters(n=300)
    for index in range(300):
        sample = draw_sample(spec, index)
        pen = np.array(box_colour(sample.ink, sample.background))
        assert min(np.abs(pen - sample.ink).max(), np.abs(pen - sample.background).max()) >= 60


def test_a_gallery_holds_the_pictures_as_they_are_on_disk(tiny: Dataset, tmp_path: Path) -> None:
    path = preview(tiny, tmp_path / "new" / "page.png", count=5, columns=3)
    page = np.asarray(Image.open(path).convert("RGB"))
    colours = {tuple(pixel) for pixel in page.reshape(-1, 3)[::7].tolist()}
    assert all(draw_sample(tiny.spec, index).background in colours for index in range(5))
    assert draw_sample(tiny.spec, 6).background not in colours


@pytest.mark.parametrize(("count", "columns"), [(1, None), (7, 2), (60, 20), (3, 400)])
def test_any_count_and_number_of_columns_makes_a_page(
    tiny: Dataset, tmp_path: Path, count: int, columns: int | None
) -> None:
    path = preview(tiny.folder, tmp_path / "page.png", count, columns)
    with Image.open(path) as page:
        wide = min(columns or 1, count)
        assert page.width > 300 * wide


def test_more_than_there_are_shows_all(tmp_path: Path) -> None:
    data = generate(DatasetSpec.letters(n=2), tmp_path / "two")
    more, all_of_them, fewer = (
        preview(data, tmp_path / f"{count}.png", count=count).read_bytes() for count in (24, 2, 1)
    )
    assert more == all_of_them != fewer


@pytest.mark.parametrize("changes", [{"count": 0}, {"count": 401}, {"count": 2.0}, {"columns": 0}])
def test_numbers_out_of_range_are_refused(tiny: Dataset, tmp_path: Path, changes) -> None:
    with pytest.raises(InputError, match="from 1 to 400"):
        preview(tiny, tmp_path / "page.png", **changes)
    assert not (tmp_path / "page.png").exists()


@pytest.mark.parametrize("name", ["page.jpg", "page", "folder.png"])
def test_a_path_that_is_no_png_is_refused(tiny: Dataset, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match=r"\.png file"):
        preview(tiny, tmp_path / name)


def imported(glyph: str, width: int = 64, height: int = 48) -> Sample:
    """A photograph, as far as a gallery can tell: many colours, no ink, no face."""
    pixels = np.random.default_rng(len(glyph)).integers(0, 256, (height, width, 3), np.uint8)
    return Sample(7, pixels, np.array([3, 4, width // 2, height // 2], np.int16), glyph)


@pytest.mark.parametrize("size", [(16, 16), (64, 48), (200, 100), (640, 480), (1000, 30), (20, 900)])
@pytest.mark.parametrize(
    "glyph", ["A", "traffic light", "a class with a name that is longer than any caption", "\u4e00", ""]
)
def test_pictures_that_were_not_drawn_are_shown_with_the_name_of_their_class(size: tuple[int, int], glyph: str) -> None:
    sample = imported(glyph, *size)
    page, other = (
        np.asarray(render_gallery([each] * 3, "a folder", 2, ("reason", "", "")))
        for each in (sample, replace(sample, glyph="lorry"))
    )
    framed = np.asarray(_framed(sample, *_enlargement(size[0])))
    height, width = framed.shape[:2]
    # What is left of the page once title, pictures and captions are taken away is paper.
    rest = page.copy()
    rest[:44] = 255
    for row, column in ((0, 0), (0, 1), (1, 0)):
        top, left = 44 + row * (height + 46), 24 + column * (width + 20)
        assert (page[top : top + height, left : left + width] == framed).all()
        caption = np.s_[top + height : top + height + 26, left : left + width]
        assert page[caption].min() < 100, "no caption"
        assert (page[caption] != other[caption]).any(), "a caption without its class"
        rest[top : top + height + 26, left : left + width] = 255
    assert (rest == 255).all()
    assert (page[:44, :20] == 255).all()
    assert (page[:44, -20:] == 255).all()


def test_the_frame_of_a_picture_of_many_colours_covers_just_its_box() -> None:
    sample = imported("A")
    for scale in (1, 3):
        plain = np.repeat(np.repeat(sample.image, scale, axis=0), scale, axis=1)
        changed = (np.asarray(_framed(sample, scale)) != plain).any(axis=-1)
        assert mask_to_box(changed) == tuple((sample.box * scale).tolist())


def test_the_pen_stands_out_from_what_is_under_the_frame() -> None:
    for grey in (0, 128, 255):
        pen = _standing_out([(grey, grey, grey)] * 10)
        assert np.abs(np.array(pen) - grey).max() >= 120


def titles(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Titles of the pages that `preview` makes from now on."""
    found: list[str] = []

    def noted(samples, title, *more):
        found.append(title)
        return render_gallery(samples, title, *more)

    monkeypatch.setattr(gallery, "render_gallery", noted)
    return found


def test_a_page_bears_the_name_of_its_folder_then_what_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = titles(monkeypatch)
    spec = DatasetSpec.letters(n=2)
    for name in (spec.folder_name, "mine"):
        data = generate(spec, tmp_path / name, workers=1)
        preview(data, tmp_path / "page.png")
    monkeypatch.chdir(tmp_path / "mine")
    preview(".", tmp_path / "page.png")
    assert found[:2] == ["letters-n2-seed0: 2 of 2 samples", "mine: 2 of 2 samples (letters-n2-seed0)"]
    assert found[2] == found[1]


def test_a_page_says_by_how_much_its_pictures_are_made_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = titles(monkeypatch)
    for width in (799, 800, 1300):
        preview(generate(DatasetSpec.letters(n=1, width=width), tmp_path / f"{width}", workers=1), tmp_path / "a.png")
    assert ["shown at" in title for title in found] == [False, True, True]
    assert ", shown at 1/3" in found[2]


def test_captions_of_classes_that_look_alike_give_the_code_point() -> None:
    alone, among = (
        np.asarray(render_gallery([imported("\u0391")], "title", classes=classes)) for classes in ("\u0391", "A\u0391")
    )
    assert (alone != among).any()
    assert class_labels("A\u0391B") == {"A": "A U+0041", "\u0391": "\u0391 U+0391", "B": "B"}
    assert class_labels(["A", "a car", "\u4e00"]) == {"A": "A", "a car": "a car", "\u4e00": "U+4E00"}


def test_large_pictures_are_made_smaller() -> None:
    page = render_gallery([imported("A", 4000, 2000)], "large")
    assert page.width < 600


@pytest.mark.parametrize("preset", ["letters", "varied"])
@pytest.mark.parametrize("scale", [1, 2, 4])
def test_outlines_run_along_the_border_of_the_mask_inside_it(preset: str, scale: int) -> None:
    spec = DatasetSpec(preset=preset, n=4, masks=True)
    for index in range(4):
        sample = draw_sample(spec, index)
        without, traced = (np.asarray(_framed(sample, scale, masks=masks)) for masks in (False, True))
        changed = (without != traced).any(axis=-1)
        mask = np.repeat(np.repeat(sample.mask, scale, axis=0), scale, axis=1) > 0
        assert changed.any()
        assert not (changed & ~mask).any()


def test_masks_are_shown_where_there_are_some(tmp_path: Path) -> None:
    spec = DatasetSpec(preset="varied", n=3, masks=True, width=64, height=48, sizes=(16, 24))
    data = generate(spec, tmp_path / "masks", workers=1)
    with_masks, without = (
        preview(data, tmp_path / f"{masks}.png", masks=masks).read_bytes() for masks in (True, False)
    )
    assert with_masks != without
    plain = generate(spec.changed(masks=False), tmp_path / "plain", workers=1)
    with pytest.raises(InputError, match="Expected a data set with masks"):
        preview(plain, tmp_path / "page.png", masks=True)


def test_samples_stand_in_the_order_of_their_indices_and_shards_are_read_once(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    verified = Dataset._verified

    def counted(self: Dataset, number: int, names):
        read.append(number)
        return verified(self, number, names)

    monkeypatch.setattr(Dataset, "_verified", counted)
    preview(tiny, tmp_path / "page.png", columns=4, indices=[2100, 5, 2200, 6])
    assert read == [0, 2]
    page = Image.open(tmp_path / "page.png").convert("RGB")
    for place, index in enumerate([2100, 5, 2200, 6]):
        cell = np.asarray(page.crop((24 + place * (384 + 20), 44, 24 + place * (384 + 20) + 384, 44 + 288)))
        assert (cell[-1, -1] == draw_sample(tiny.spec, index).image[-1, -1]).all()


def test_samples_of_many_shards_keep_none_of_them_in_memory(tiny: Dataset) -> None:
    for sample in _read(tiny, [2100, 5]):
        assert sample.image.base is None
        assert (sample.image == draw_sample(tiny.spec, sample.index).image).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"order": "smallest", "indices": [1]}, "an order or indices, received both"),
        ({"indices": []}, "Expected 1 to 400 indices, received 0"),
        ({"indices": [2300]}, "from 0 to 2299, received 2300"),
        ({"order": "largets"}, "Did you mean 'largest'"),
    ],
)
def test_choices_that_cannot_be_made_are_refused(tiny: Dataset, tmp_path: Path, changes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        preview(tiny, tmp_path / "page.png", **changes)
    assert not (tmp_path / "page.png").exists()
