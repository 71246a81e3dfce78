from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from coco_folders import write_shapes
from PIL import Image

from bboxbench.boxes import mask_to_box
from bboxbench.data_gen import Dataset, DatasetSpec, Sample, draw_sample, gallery, generate, preview
from bboxbench.data_gen.captions import LINE, Caption, middle_out, wrapped
from bboxbench.data_gen.choosing import choose
from bboxbench.data_gen.gallery import (
    MAX_WIDTH,
    _enlargement,
    _framed,
    _read,
    render_gallery,
)
from bboxbench.data_gen.glyph_names import class_labels, glyph_name
from bboxbench.data_gen.importing import plan_import, write_import
from bboxbench.errors import InputError


def inner_edge(framed: np.ndarray) -> tuple[int, int, int, int] | None:
    """What lies within the dark line of a frame and its light one, in pixels of the picture; edges."""
    dark = mask_to_box((framed == np.array(gallery._HALO)).all(axis=-1))
    # The frame takes its own breadth on each side, and so does the paper round the picture.
    return None if dark is None else (dark[0], dark[1], dark[2] - 2 * gallery._FRAME, dark[3] - 2 * gallery._FRAME)


@pytest.mark.parametrize("scale", [1, 2, 5])
def test_the_frame_lies_just_round_the_box_and_covers_none_of_it(scale: int) -> None:
    spec = DatasetSpec.letters(n=40)
    for index in range(40):
        sample = draw_sample(spec, index)
        framed = np.asarray(_framed(sample, scale))
        assert inner_edge(framed) == tuple((sample.box * scale).tolist())
        xmin, ymin, xmax, ymax = sample.box * scale + gallery._FRAME
        plain = np.repeat(np.repeat(sample.image, scale, axis=0), scale, axis=1)
        left, top, right, bottom = sample.box * scale
        assert (framed[ymin:ymax, xmin:xmax] == plain[top:bottom, left:right]).all()


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (128, 128, 128), (80, 0, 120), (10, 10, 60)])
def test_one_line_of_the_frame_stands_out_on_any_colour(colour: tuple[int, int, int]) -> None:
    pixels = np.full((30, 40, 3), colour, np.uint8)
    framed = np.asarray(_framed(Sample(0, pixels, np.array([10, 8, 14, 12], np.int16), "a"), 1))
    frame = framed[8 + gallery._FRAME + 1, 10 : 10 + gallery._FRAME]
    assert np.abs(frame.astype(int) - colour).max() >= 110


def test_a_white_picture_has_an_edge_on_the_page() -> None:
    pixels = np.full((30, 40, 3), 255, np.uint8)
    framed = np.asarray(_framed(Sample(0, pixels, np.array([10, 8, 14, 12], np.int16), "a"), 1))
    edge = framed[gallery._FRAME - 1, gallery._FRAME - 1 : -gallery._FRAME + 1]
    assert len({tuple(pixel) for pixel in edge.tolist()}) == 1
    assert edge.max() < 220


def test_a_gallery_holds_the_pictures_as_they_are_on_disk(tiny: Dataset, tmp_path: Path) -> None:
    path = preview(tiny, tmp_path / "new" / "page.png", count=5, columns=3)
    page = np.asarray(Image.open(path).convert("RGB"))
    colours = {tuple(pixel) for pixel in page.reshape(-1, 3)[::7].tolist()}
    assert all(draw_sample(tiny.spec, index).background in colours for index in range(5))
    assert draw_sample(tiny.spec, 6).background not in colours


@pytest.mark.parametrize(("count", "columns"), [(1, None), (7, 2), (60, 14), (3, 400), (400, None)])
def test_any_count_and_number_of_columns_makes_a_page(
    tiny: Dataset, tmp_path: Path, count: int, columns: int | None
) -> None:
    path = preview(tiny.folder, tmp_path / "page.png", count, columns)
    with Image.open(path) as page:
        wide = min(columns or 1, count)
        assert 300 * wide < page.width <= MAX_WIDTH


def test_more_columns_than_a_page_can_have_are_refused(tiny: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at most 14 columns of pictures that take 384 px each, received 50"):
        preview(tiny, tmp_path / "page.png", 60, 50)
    assert not (tmp_path / "page.png").exists()


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
    framed = np.asarray(_framed(sample, *_enlargement(*size)))
    height, width = framed.shape[:2]
    cell, edge = max(width - 2 * gallery._FRAME, gallery._LEAST_CELL), gallery._FRAME
    # What is left of the page once title, pictures and captions are taken away is paper.
    rest = page.copy()
    rest[:40] = 255
    row_height = (page.shape[0] - 44 - 24) // 2
    for row, column in ((0, 0), (0, 1), (1, 0)):
        top, left = 44 - edge + row * row_height, 24 - edge + column * (cell + 20)
        assert (page[top : top + height, left : left + width] == framed).all()
        caption = np.s_[top + height : top + row_height, left + edge : left + edge + cell]
        assert page[caption].min() < 100, "no caption"
        if row == 0:
            first_line = np.s_[top + height : top + height + 18, left + edge : left + edge + cell]
            assert (page[first_line] != other[first_line]).any(), "a caption without its class"
        rest[top : top + height, left : left + width] = 255
        rest[caption] = 255
    assert (rest == 255).all()
    assert (page[:40, :20] == 255).all()
    assert (page[:40, -20:] == 255).all()


def test_the_frame_of_a_picture_of_many_colours_lies_just_round_its_box() -> None:
    sample = imported("A")
    for scale in (1, 3):
        framed = np.asarray(_framed(sample, scale))
        assert inner_edge(framed) == tuple((sample.box * scale).tolist())


@pytest.mark.parametrize("size", [(60, 400), (4000, 50), (28, 28), (200, 100), (60, 4096), (4096, 1), (4096, 4096)])
def test_pictures_of_any_shape_are_shown_neither_too_large_nor_as_a_speck(size: tuple[int, int]) -> None:
    scale, shrink = _enlargement(*size)
    across, down = (side * scale / shrink for side in size)
    assert max(across, down) <= 2000
    assert -(-min(size) // shrink) * scale >= min(20, min(size) // 2)
    assert 1 in (scale, shrink)


def test_a_title_is_wrapped_and_loses_nothing() -> None:
    title = f"{'x' * 255}: 1 of 300 samples, least contrast first (letters-n300-seed0)"
    lines = wrapped(title, len, 40)
    assert max(map(len, lines)) <= 40
    assert "".join(lines).replace(" ", "") == title.replace(" ", "")
    assert "first" in " ".join(lines).split()
    short, long = (render_gallery([imported("A", 200, 100)], words, 1) for words in ("a title", title))
    assert long.height > short.height
    assert long.width == short.width


def test_captions_of_a_page_are_laid_out_alike_and_keep_the_face_and_the_file() -> None:
    short, long = (replace(imported("A", 160, 100), font=face, size=12) for face in ("A", "A" * 30))
    inked = {}
    for name, samples in (("short", [short]), ("both", [short, long]), ("long", [long])):
        page = np.asarray(render_gallery(samples, "title", 1))
        second_line = page[44 + 200 + 6 + LINE : 44 + 200 + 6 + 2 * LINE, 24:200]
        inked[name] = bool((second_line < 150).any())
    # Alone, the short one has room for its face in its first line.
    assert inked == {"short": False, "both": True, "long": True}
    assert "A" * 30 in Caption.of(long, {}, "", "").origin
    caption = Caption.of(imported("A"), {}, "a reason", "train/a.png")
    assert (caption.reason, caption.origin) == ("a reason", "train/a.png")


def test_a_long_name_of_a_file_is_shortened_in_its_middle() -> None:
    assert middle_out("train/000000000042.png", len, 22) == "train/000000000042.png"
    shorter = middle_out("train/000000000042.png", len, 11)
    assert (len(shorter), shorter[:4], shorter[-4:]) == (11, "trai", ".png")
    assert middle_out("train", len, 1) == ""


def test_a_name_that_the_face_lacks_is_given_by_its_code_points() -> None:
    assert glyph_name("漢字") == "U+6F22 U+5B57"
    assert glyph_name("a 漢 b字") == "a U+6F22 b U+5B57"
    assert glyph_name("traffic  light") == "traffic  light"


def test_imported_pictures_are_shown_with_the_names_of_their_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_import(plan_import(write_shapes(tmp_path / "s", n=5), workers=1), tmp_path / "data", workers=1)
    found: list[list[str]] = []
    monkeypatch.setattr(gallery, "render_gallery", lambda *all: found.append(all[-1]) or render_gallery(*all))
    preview(data, tmp_path / "page.png", indices=[3, 1])
    assert found == [[data.table()["file"][3], data.table()["file"][1]]]


def test_samples_of_one_split_alone_are_chosen(tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[list[int]] = []
    titled = titles(monkeypatch)
    monkeypatch.setattr(gallery, "_read", lambda data, chosen: shown.append(list(chosen)) or _read(data, chosen))
    preview(tiny, tmp_path / "page.png", 3, split="validation")
    preview(tiny, tmp_path / "page.png", 3, split="validation", order="smallest")
    assert shown[0] == [690, 691, 692]
    assert all(index in tiny.split("validation") for index in shown[1])
    table = tiny.table()
    table = table[table["split"] == "validation"]
    assert shown[1] == list(choose(table, "smallest", 3).indices)
    assert "3 of 460 samples of the split validation" in titled[0]
    few = generate(DatasetSpec.letters(n=1), tmp_path / "one", workers=1)
    with pytest.raises(InputError, match="received train, which has none of the 1"):
        preview(few, tmp_path / "none.png", split="train")


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
        without, traced = (
            np.asarray(_framed(sample, scale, masks=masks))[
                gallery._FRAME : -gallery._FRAME, gallery._FRAME : -gallery._FRAME
            ]
            for masks in (False, True)
        )
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
        ({"split": "test", "indices": [1]}, "a split or indices, received both"),
        ({"split": "tset"}, "Did you mean 'test'"),
        ({"order": "worst_rounding"}, "Expected a data set that was imported"),
        ({"indices": []}, "Expected 1 to 400 indices, received 0"),
        ({"indices": [2300]}, "from 0 to 2299, received 2300"),
        ({"order": "largets"}, "Did you mean 'largest'"),
    ],
)
def test_choices_that_cannot_be_made_are_refused(tiny: Dataset, tmp_path: Path, changes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        preview(tiny, tmp_path / "page.png", **changes)
    assert not (tmp_path / "page.png").exists()
