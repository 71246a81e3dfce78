"""Pictures of every kind in a COCO folder: what becomes of them, and of those that cannot be used."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coco_folders import coco, imported_one, write_one, write_shapes
from PIL import Image

from bboxbench.data_gen import verify
from bboxbench.data_gen.fitting import Fitting
from bboxbench.data_gen.importing import plan_import, write_import
from bboxbench.data_gen.picture_files import decode_picture
from bboxbench.errors import FolderConflict, InputError


def exif(orientation: int) -> Image.Exif:
    data = Image.Exif()
    data[0x0112] = orientation
    return data


def palette() -> Image.Image:
    return Image.new("RGB", (40, 30), "teal").quantize(4)


def half_clear() -> Image.Image:
    return Image.new("RGBA", (40, 30), (0, 0, 0, 0))


@pytest.mark.parametrize(
    ("picture", "name", "levels"),
    [
        (lambda: Image.new("L", (40, 30), 77), "a.png", (77, 77, 77)),
        (lambda: Image.new("1", (40, 30), 1), "a.png", (255, 255, 255)),
        (palette, "a.png", (0, 128, 128)),
        (half_clear, "a.png", (255, 255, 255)),
        (lambda: Image.new("LA", (40, 30), (0, 255)), "a.png", (0, 0, 0)),
        (lambda: Image.new("CMYK", (40, 30), (255, 0, 0, 0)), "a.tif", (0, 255, 255)),
        (lambda: Image.fromarray(np.full((30, 40), 257 * 99, np.uint16)), "a.png", (99, 99, 99)),
        (lambda: Image.new("RGB", (40, 30), (9, 8, 7)), "a.bmp", (9, 8, 7)),
        (lambda: Image.new("RGB", (40, 30), (9, 8, 7)), "a.webp", None),
    ],
    ids=["grey", "one bit", "palette", "clear", "grey with alpha", "cmyk", "16 bits", "bmp", "webp"],
)
def test_pictures_of_every_mode_come_as_rgb(
    tmp_path: Path, picture: Callable[[], Image.Image], name: str, levels: tuple[int, int, int] | None
) -> None:
    folder = write_one(tmp_path / "one", picture(), name=name)
    (sample,) = imported_one(folder, width=40, height=30).samples(range(1))
    if levels is not None:
        assert (sample.image == levels).all()


# A TIFF is turned by Pillow itself as it loads, a packed one in another place than a plain one.
FILES = {
    "PNG": {},
    "JPEG": {"quality": 100, "subsampling": 0},
    "WEBP": {"lossless": True},
    "TIFF": {},
    "packed TIFF": {"compression": "tiff_lzw"},
}


def turned_file(orientation: int, kind: str, place: tuple[int, int, int, int]) -> tuple[bytes, Image.Image]:
    """A file of 40 x 20 as stored with an object at ``place`` (xyxy) that says how it was turned; and its pixels."""
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[place[1] : place[3], place[0] : place[2]] = 255
    stored, content = Image.fromarray(pixels), io.BytesIO()
    stored.save(content, kind.removeprefix("packed "), exif=exif(orientation), **FILES[kind])
    return content.getvalue(), stored


@pytest.mark.parametrize("annotated", ["upright", "stored"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", FILES)
def test_the_box_of_a_turned_picture_is_on_its_object_whichever_size_is_annotated(
    tmp_path: Path, kind: str, orientation: int, annotated: str
) -> None:
    content, stored = turned_file(orientation, kind, (2, 2, 10, 6))
    # A picture that is not on its side has one size, which means the upright one.
    seen = stored if annotated == "stored" and orientation > 4 else _turned(stored, orientation)
    rows, columns = np.nonzero(np.asarray(seen)[..., 0])
    box = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
    folder = write_one(
        tmp_path / "one",
        content,
        name=f"a.{kind.split()[-1].lower()}",
        image={"width": seen.width, "height": seen.height},
        objects=[{"bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]]}],
    )
    data = imported_one(folder, width=40, height=40)
    (sample,) = data.samples(range(1))
    assert tuple(sample.box) == Fitting.of(seen.size, (40, 40), "pad").rounded(box)
    # JPEG blurs edges a little.
    marked = sample.image[..., 0] > 128
    inside = np.zeros_like(marked)
    inside[sample.box[1] : sample.box[3], sample.box[0] : sample.box[2]] = True
    assert (marked == inside).all()
    assert verify(data.folder, workers=1).problems == []


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", FILES)
def test_a_picture_has_the_size_that_was_asked_for_or_is_refused(kind: str, orientation: int) -> None:
    content, stored = turned_file(orientation, kind, (2, 2, 10, 6))
    upright = _turned(stored, orientation)
    known = {stored.size: stored, upright.size: upright}
    if len(known) == 1:
        assert decode_picture(content, Path("a")).size == (40, 20)
    for size in ((40, 20), (20, 40), (40, 40), (40, 21), *([None] if len(known) > 1 else [])):
        if size in known:
            found = np.asarray(decode_picture(content, Path("a"), size), int)
            # JPEG blurs edges a little.
            assert np.abs(found - np.asarray(known[size], int)).max() < 128
        else:
            with pytest.raises(InputError, match=r"^Expected .*40x20"):
                decode_picture(content, Path("a"), size)


def _turned(picture: Image.Image, orientation: int) -> Image.Image:
    ways = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_270],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_90],
    }
    for way in ways.get(orientation, []):
        picture = picture.transpose(way)
    return picture


def test_a_turned_picture_that_is_annotated_as_stored_is_left_as_stored(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG", exif=exif(6))
    folder = write_one(tmp_path / "one", content.getvalue(), image={"width": 40, "height": 30})
    (sample,) = imported_one(folder, width=40, height=30).samples(range(1))
    assert (sample.image == pixels).all()


def turned_without_size(folder: Path) -> None:
    content = io.BytesIO()
    Image.new("RGB", (40, 30)).save(content, "PNG", exif=exif(6))
    write_one(folder, content.getvalue(), image={"width": None, "height": None})


def of_another_size(folder: Path) -> None:
    write_one(folder, image={"width": 41})


def no_picture(folder: Path) -> None:
    write_one(folder, b"no picture at all")


def an_empty_file(folder: Path) -> None:
    write_one(folder, b"")


def a_program(folder: Path) -> None:
    """PostScript, which another program would be started for."""
    write_one(folder, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 30\nshowpage\n", name="a.eps")


def cut_off(folder: Path) -> None:
    content = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)).save(content, "PNG")
    write_one(folder, content.getvalue()[:-400])


def a_cut_jpeg(folder: Path) -> None:
    content = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)).save(content, "JPEG")
    write_one(folder, content.getvalue()[:-200], name="a.jpg")


def a_bomb(folder: Path) -> None:
    """A few hundred kilobytes that say they are 100 million pixels."""
    content = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(content, "PNG")
    write_one(folder, content.getvalue(), image={"width": 10_000, "height": 10_000})


def reaching_out_of_its_file(folder: Path) -> None:
    """The annotations do not say how large the picture is."""
    write_one(folder, image={"width": None, "height": None}, objects=[{"bbox": [35, 5, 10, 10]}])


def leading_nowhere(folder: Path) -> None:
    write_one(folder)
    (folder / "a.png").unlink()
    (folder / "a.png").symlink_to(folder / "nowhere")


def several(folder: Path) -> None:
    write_one(folder, objects=[{}, {}, {}])


FAULTS = [
    (turned_without_size, "turned without a size", "taken turned"),
    (of_another_size, "another size than annotated", "41x30"),
    (no_picture, "no picture", "Expected a picture"),
    (an_empty_file, "no picture", "Expected a picture"),
    (a_program, "no picture", "Expected a picture"),
    (cut_off, "damaged picture", "damaged"),
    (a_cut_jpeg, "damaged picture", "damaged"),
    (a_bomb, "too many pixels", "at most"),
    (reaching_out_of_its_file, "box outside the picture", "40x30"),
    (leading_nowhere, "missing file", "a name that no file in "),
    (several, "several objects", "3 objects"),
]


@pytest.mark.parametrize(("make", "kind", "said"), FAULTS, ids=[make.__name__ for make, _, _ in FAULTS])
def test_a_picture_that_cannot_be_used_is_named_and_with_skip_left_out_and_counted(
    tmp_path: Path, make: Callable[[Path], None], kind: str, said: str
) -> None:
    make(tmp_path / "bad")
    with pytest.raises(InputError) as raised:
        plan_import(tmp_path / "bad", workers=1)
    message = str(raised.value)
    assert said in message
    assert "--skip" in message
    assert "\n" not in message
    assert "a.png" in message or "a.jpg" in message or "a.eps" in message
    with pytest.raises(
        InputError, match=r"^Expected pictures with one object each in \S*bad; none of its 1 can be used"
    ) as raised:
        plan_import(tmp_path / "bad", skip=True, workers=1)
    assert " The first: " in str(raised.value)
    # Beside a good picture it is left out.
    write_shapes(tmp_path / "bad", n=2, split="good")
    (tmp_path / "bad/annotations").rename(tmp_path / "bad/kept")
    annotations = json.loads((tmp_path / "bad/annotations.json").read_text())
    good = json.loads((tmp_path / "bad/kept/instances_good.json").read_text())
    for image, entry in zip(good["images"], good["annotations"], strict=True):
        image["file_name"] = f"good/{image['file_name']}"
        image["id"] = entry["image_id"] = f"good {image['id']}"
        entry["id"] = f"good {entry['id']}"
    for key in ("images", "annotations"):
        annotations[key] += good[key]
    (tmp_path / "bad/annotations.json").write_text(json.dumps(annotations))
    with pytest.raises(InputError, match=said):
        plan_import(tmp_path / "bad", workers=1)
    planned = plan_import(tmp_path / "bad", skip=True, workers=1)
    assert (planned.spec.n, planned.left_out) == (2, {kind: 1})


def test_how_many_pictures_cannot_be_used_is_said_with_the_first(shapes: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(shapes, tmp_path / "bad"))
    for name in ("0001.jpg", "0002.jpg"):
        (copy / "train" / name).write_bytes(b"gone")
    with pytest.raises(InputError, match=r"0001\.jpg.* 2 of 10 pictures cannot be used"):
        plan_import(copy, workers=1)


def test_copies_are_counted(shapes: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(shapes, tmp_path / "copies"))
    assert plan_import(copy, workers=1).copies == 0
    shutil.copytree(copy / "val", copy / "more")
    shutil.copy(copy / "annotations/instances_val.json", copy / "annotations/instances_more.json")
    assert plan_import(copy, workers=1).copies == 4


@pytest.mark.parametrize("name", ["007", "a, b", 'say "a"', "größe μ", "NA"])
def test_names_that_look_like_something_else_stay_as_they_are(tmp_path: Path, name: str) -> None:
    folder = write_one(tmp_path / "one", name=f"{name}.png")
    content = json.loads((folder / "annotations.json").read_text())
    # Without an ending, as some tools keep files.
    (folder / f"{name}.png").rename(folder / name)
    content["images"][0]["file_name"] = name
    content["categories"][0]["name"] = name
    (folder / "annotations.json").write_text(json.dumps(content))
    data = imported_one(folder)
    assert data.table()["file"].tolist() == [name]
    assert data.table()["glyph"].tolist() == [name]
    assert data.classes[0] == name
    assert verify(data.folder, workers=1).problems == []


def test_what_rounding_costs_is_told(tmp_path: Path) -> None:
    planned = plan_import(
        write_one(tmp_path / "one", objects=[{"bbox": [5.5, 6, 10, 8]}]), width=40, height=30, workers=1
    )
    # 5.5..15.5 becomes 6..16: 9.5 of 10.5 columns are both's.
    assert planned.rounding == (pytest.approx(9.5 / 10.5), pytest.approx(9.5 / 10.5))
    assert planned.worst == "a.png"


def turned_pictures(folder: Path, orientations: list[int], annotated: str, size: tuple[int, int] = (40, 40)) -> Path:
    """White objects on black in files that say how they were turned, with boxes of them upright or as stored."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for number, orientation in enumerate(orientations):
        sides = size if orientation > 4 else (40, 30)
        pixels = np.zeros((sides[1], sides[0], 3), np.uint8)
        pixels[2:8, 3:15] = 255
        stored = Image.fromarray(pixels)
        name = f"{len(list((folder / 'images').iterdir()))}.png"
        stored.save(folder / "images" / name, exif=exif(orientation))
        seen = stored if annotated == "stored" else _turned(stored, orientation)
        rows, columns = np.nonzero(np.asarray(seen)[..., 0])
        x, y = int(columns.min()), int(rows.min())
        bbox = [x, y, int(columns.max()) + 1 - x, int(rows.max()) + 1 - y]
        images.append({"id": f"{name} {number}", "file_name": name, "width": seen.width, "height": seen.height})
        annotations.append({"id": name, "image_id": f"{name} {number}", "category_id": 1, "bbox": bbox})
    path = folder / "annotations.json"
    content = json.loads(path.read_text()) if path.exists() else coco([], [])
    content["images"] += images
    content["annotations"] += annotations
    path.write_text(json.dumps(content))
    return folder


def on_their_objects(folder: Path, out: Path, **options: str) -> list[bool]:
    """Whether the box of each imported picture is full, and nothing of the object beside it."""
    data = write_import(plan_import(folder, width=40, height=40, workers=1, **options), out, workers=1)
    assert verify(out, workers=1).problems == []
    found = []
    for sample in data.samples(range(data.n)):
        inside = np.zeros(sample.image.shape[:2], bool)
        inside[sample.box[1] : sample.box[3], sample.box[0] : sample.box[2]] = True
        found.append(bool(((sample.image[..., 0] > 128) == inside).all()))
    return found


SQUARE = [2, 3, 4, 5, 6, 7, 8]


def test_turned_pictures_whose_size_settles_nothing_are_taken_upright_and_counted(tmp_path: Path) -> None:
    folder = turned_pictures(tmp_path / "in", [1, *SQUARE], "upright")
    planned = plan_import(folder, workers=1)
    assert (planned.unsettled, planned.reading, planned.settled) == (7, "upright", {})
    assert all(on_their_objects(folder, tmp_path / "out"))


def test_turned_pictures_whose_size_settles_nothing_are_taken_as_those_that_it_settles(tmp_path: Path) -> None:
    folder = turned_pictures(tmp_path / "in", [1, *SQUARE], "stored")
    assert sum(on_their_objects(folder, tmp_path / "guessed")) == 1
    turned_pictures(folder, [6, 8], "stored", (40, 30))
    planned = plan_import(folder, workers=1)
    assert (planned.unsettled, planned.reading, planned.settled) == (7, "stored", {"stored": 2})
    assert all(on_their_objects(folder, tmp_path / "out"))
    # Where others are of the upright picture, nothing tells what these are.
    turned_pictures(folder, [6], "upright", (40, 30))
    planned = plan_import(folder, workers=1)
    assert (planned.reading, planned.settled) == ("upright", {"stored": 2, "upright": 1})


def test_how_turned_pictures_are_taken_can_be_said_and_makes_another_data_set(tmp_path: Path) -> None:
    folder = turned_pictures(tmp_path / "in", SQUARE, "stored")
    assert all(on_their_objects(folder, tmp_path / "out", exif="stored"))
    upright, stored = (plan_import(folder, exif=way, workers=1).spec for way in ("upright", "stored"))
    assert upright == plan_import(folder, workers=1).spec
    assert upright.source_sha256 != stored.source_sha256
    assert "--exif stored" in stored.command("out")
    with pytest.raises(FolderConflict, match="source_sha256"):
        write_import(plan_import(folder, width=40, height=40, workers=1), tmp_path / "out", workers=1)


@pytest.mark.parametrize("way", ["upright", "stored"])
def test_a_picture_on_its_side_without_a_size_can_be_settled_by_saying_how(tmp_path: Path, way: str) -> None:
    folder = turned_pictures(tmp_path / "in", [6], way, (40, 30))
    content = json.loads((folder / "annotations.json").read_text())
    for image in content["images"]:
        del image["width"], image["height"]
    (folder / "annotations.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="--exif"):
        plan_import(folder, workers=1)
    planned = plan_import(folder, exif=way, workers=1)
    data = write_import(planned, tmp_path / "out", workers=1)
    assert data.table()["source_width"].tolist() == [30 if way == "upright" else 40]
    assert planned.unsettled == 1


def test_categories_without_pictures_are_no_classes(tmp_path: Path) -> None:
    """As Roboflow's group above all classes, which would be class 0 and shift all others."""
    folder = write_one(tmp_path / "one")
    content = json.loads((folder / "annotations.json").read_text())
    content["categories"] = [{"id": 0, "name": "cells"}, {"id": 1, "name": "round"}, {"id": 2, "name": "none"}]
    (folder / "annotations.json").write_text(json.dumps(content))
    planned = plan_import(folder, workers=1)
    assert (planned.spec.classes, planned.empty) == (("round",), ("cells", "none"))


@pytest.mark.parametrize("workers", [0, True, 1.5])
def test_a_number_of_workers_that_is_none_is_refused_before_anything_is_read(tmp_path: Path, workers: Any) -> None:
    with pytest.raises(InputError, match=r"^Expected workers to be a whole number of 1 or more"):
        plan_import(tmp_path / "nowhere", workers=workers)
