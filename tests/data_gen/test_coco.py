"""Annotations found where people have them, and every fault of theirs told in a line that names the place."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from coco_folders import SHAPES, coco, write_one, write_shapes
from hypothesis import given
from hypothesis import strategies as st

from bboxbench.data_gen.coco import Fault, read_coco
from bboxbench.data_gen.json_files import read_json
from bboxbench.errors import CannotRead, InputError


def only_fault(folder: Path) -> Fault:
    listing = read_coco(folder)
    assert listing.pictures == []
    (fault,) = listing.faults
    assert "\n" not in fault.text
    return fault


def test_pictures_come_with_their_size_box_and_class(tmp_path: Path) -> None:
    listing = read_coco(write_shapes(tmp_path / "shapes"))
    content = json.loads((tmp_path / "shapes/annotations/instances_train.json").read_text())
    assert listing.faults == []
    assert listing.classes == SHAPES
    assert [one.name for one in listing.pictures] == [f"train/{image['file_name']}" for image in content["images"]]
    for one, image, entry in zip(listing.pictures, content["images"], content["annotations"], strict=True):
        x, y, width, height = entry["bbox"]
        assert one.size == (image["width"], image["height"])
        assert one.box == (x, y, x + width, y + height)
        assert one.label == SHAPES[entry["category_id"] - 1]
        assert one.path.is_file()


def test_all_splits_of_a_coco_folder_are_read(tmp_path: Path) -> None:
    for seed, split in enumerate(("train2017", "val2017")):
        write_shapes(tmp_path, n=3, seed=seed, split=split)
    names = [one.name for one in read_coco(tmp_path).pictures]
    assert names == [
        f"{split}/{number}"
        for split in ("train2017", "val2017")
        for number in sorted(path.name for path in (tmp_path / split).iterdir())
    ]


def test_annotations_and_pictures_may_lie_elsewhere(tmp_path: Path) -> None:
    write_one(tmp_path / "photos")
    file = (tmp_path / "photos/annotations.json").rename(tmp_path / "labels.json")
    (tmp_path / "empty").mkdir()
    (one,) = read_coco(tmp_path / "empty", file, tmp_path / "photos").pictures
    assert (one.name, one.path) == ("a.png", tmp_path / "photos/a.png")


def test_a_picture_that_two_files_list_alike_is_one_picture(tmp_path: Path) -> None:
    write_shapes(tmp_path, n=3)
    (tmp_path / "train").rename(tmp_path / "images")
    there = tmp_path / "annotations/instances_train.json"
    shutil.copy(there, tmp_path / "annotations/instances_trainval.json")
    listing = read_coco(tmp_path)
    assert (len(listing.pictures), listing.faults) == (3, [])


def test_a_picture_that_two_files_list_differently_is_none(tmp_path: Path) -> None:
    write_shapes(tmp_path, n=3)
    (tmp_path / "train").rename(tmp_path / "images")
    content = json.loads((tmp_path / "annotations/instances_train.json").read_text())
    content["annotations"][0]["bbox"][2] += 1
    (tmp_path / "annotations/instances_val.json").write_text(json.dumps(content))
    listing = read_coco(tmp_path)
    assert len(listing.pictures) == 2
    assert [fault.kind for fault in listing.faults] == ["listed twice"]


NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    "bbox",
    [
        [NAN, 6, 10, 8],
        [5, 6, INFINITE, 8],
        [5, 6, -10, 8],
        [5, 6, 10, 0],
        [1e308, 6, 1e308, 8],
        [5, 6, 10],
        [5, 6, 10, "8"],
        [5, 6, 10, True],
        [5, 6, 10, None],
        "5 6 10 8",
        None,
        {"x": 5},
        [10**400, 6, 10, 8],
    ],
    ids=str,
)
def test_what_is_no_box_is_a_fault_that_names_picture_and_box(tmp_path: Path, bbox: Any) -> None:
    fault = only_fault(write_one(tmp_path, objects=[{"bbox": bbox}]))
    assert fault.kind == "impossible box"
    assert "a.png" in fault.text
    assert "annotations.json" in fault.text
    assert repr(bbox)[:20] in fault.text


@pytest.mark.parametrize(
    "bbox", [[-2, 6, 10, 8], [5, 6, 37, 8], [5, 29, 10, 3], [40, 6, 1, 8], [-1, 6, 0.9, 8]], ids=str
)
def test_a_box_that_reaches_out_of_the_picture_is_a_fault(tmp_path: Path, bbox: Any) -> None:
    fault = only_fault(write_one(tmp_path, objects=[{"bbox": bbox}]))
    assert fault.kind == "box outside the picture"
    assert "40x30" in fault.text


@pytest.mark.parametrize("bbox", [[-1, -0.5, 10, 8], [30, 20, 11, 11], [0, 0, 40, 30], [0.25, 0, 39.9, 30.4]], ids=str)
def test_a_box_may_reach_a_pixel_beyond_the_picture(tmp_path: Path, bbox: Any) -> None:
    assert len(read_coco(write_one(tmp_path, objects=[{"bbox": bbox}])).pictures) == 1


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("no object", {"objects": []}),
        ("several objects", {"objects": [{}, {}]}),
        ("crowd", {"objects": [{"iscrowd": 1}]}),
        ("crowd", {"objects": [{}, {"iscrowd": 1}]}),
        ("unknown category", {"objects": [{"category_id": 9}]}),
        ("duplicated id", {"objects": [{"id": 7}, {"id": 7}]}),
        ("missing file", {"image": {"file_name": "b.png"}}),
        ("missing file", {"image": {"file_name": "b" * 5000 + ".png"}}),
        ("impossible size", {"image": {"width": -40}}),
        ("impossible size", {"image": {"width": "wide"}}),
        ("impossible size", {"image": {"height": None}}),
        ("impossible size", {"image": {"height": 30.5}}),
        *(
            ("path that leads elsewhere", {"image": {"file_name": name}})
            for name in (
                "../a.png",
                "x/../../a.png",
                "/etc/passwd",
                "C:\\a.png",
                "..\\a.png",
                "",
                "a\n.png",
                "a\0.png",
                5,
                [],
            )
        ),
    ],
    ids=repr,
)
def test_each_fault_has_its_kind_and_names_the_picture(tmp_path: Path, kind: str, given: dict[str, Any]) -> None:
    fault = only_fault(write_one(tmp_path / "data", **given))
    assert fault.kind == kind
    assert "annotations.json" in fault.text
    named = (given.get("image") or {}).get("file_name", "a.png")
    assert str(named)[:50] in fault.text or repr(named)[:50] in fault.text


def test_pictures_that_share_an_id_are_all_faults(tmp_path: Path) -> None:
    write_one(tmp_path)
    shutil.copy(tmp_path / "a.png", tmp_path / "b.png")
    size = {"width": 40, "height": 30}
    images = [{"id": 1, "file_name": f"{name}.png", **size} for name in "ab"]
    entry = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5]}
    (tmp_path / "annotations.json").write_text(json.dumps(coco(images, [entry])))
    assert [(fault.name, fault.kind) for fault in read_coco(tmp_path).faults] == [
        ("a.png", "duplicated id"),
        ("b.png", "duplicated id"),
    ]


@pytest.mark.parametrize("name", ["a\n\x1b[31mowned.png", "\u2028", "\ud800", "\r" * 3000])
@pytest.mark.parametrize("fault", ["two pictures", "two annotations", "none"])
def test_no_name_breaks_the_line_of_a_fault_or_colours_the_terminal(tmp_path: Path, name: str, fault: str) -> None:
    images = [{"id": 1, "file_name": name}] * (2 if fault == "two pictures" else 1)
    entries = [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5]}]
    write_one(tmp_path, content=json.dumps(coco(images, entries * (2 if fault == "two annotations" else 1))))
    found = only_fault(tmp_path)
    assert found.text.isprintable()
    assert len(found.text) < 500
    assert found.kind == "path that leads elsewhere"


@pytest.mark.parametrize("id_", ["\n" * 3000, "9" * 3000])
def test_an_endless_id_leaves_the_line_of_a_fault_short(tmp_path: Path, id_: str) -> None:
    images = [{"id": id_, "file_name": name} for name in ("a.png", "b.png")]
    entries = [{"id": id_, "image_id": f"no {id_}", "category_id": 1, "bbox": [1, 1, 5, 5]}]
    faults = read_coco(write_one(tmp_path, content=json.dumps(coco(images, entries)))).faults
    assert len(faults) == 3
    assert all(fault.text.isprintable() and len(fault.text) < 500 for fault in faults)


@pytest.mark.parametrize("name", [b"s\xff", b"a\nb", b"\x1b[31m"])
@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_folder_whose_name_is_no_line_of_text_is_refused_in_one(tmp_path: Path, name: bytes) -> None:
    split = os.fsdecode(name)
    write_shapes(tmp_path, n=2, split=split)
    with pytest.raises(InputError, match="Expected a path of one line of text") as raised:
        read_coco(tmp_path)
    assert str(raised.value).isprintable()
    # Where it is named, each picture in it has a name that nothing can keep.
    faults = read_coco(tmp_path, tmp_path / f"annotations/instances_{split}.json").faults
    assert [fault.kind for fault in faults] == ["path that leads elsewhere"] * 2


def with_categories(folder: Path, *names: str, of_object: int) -> Path:
    """A folder of one object, of the category with this number of those with ``names``, numbered from 0."""
    write_one(folder, objects=[{"category_id": of_object}])
    content = json.loads((folder / "annotations.json").read_text())
    content["categories"] = [{"id": place, "name": name} for place, name in enumerate(names)]
    (folder / "annotations.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize("of_object", [0, 1, 2])
def test_a_category_without_objects_may_have_the_name_of_a_class(tmp_path: Path, of_object: int) -> None:
    """As Roboflow writes it: the group above all classes is a category, and often has the name of one of them."""
    names = ("raccoon", "raccoon", "cat")
    listing = read_coco(with_categories(tmp_path, *names, of_object=of_object))
    assert listing.classes == ("raccoon", "cat")
    assert [one.label for one in listing.pictures] == [names[of_object]]
    assert listing.faults == []


class Compared(str):
    """A text that counts how often such are compared."""

    __slots__ = ()
    times = 0

    def __eq__(self, other: object) -> bool:
        Compared.times += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_no_category_is_compared_with_each_other_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = with_categories(tmp_path, *map(str, range(500)), of_object=7)
    read = read_json(folder / "annotations.json")
    for category in read["categories"]:
        category["name"] = Compared(category["name"])
    monkeypatch.setattr("bboxbench.data_gen.coco.read_json", lambda path: read)
    Compared.times = 0
    assert len(read_coco(folder).classes) == 500
    # Each with each would be 124,750 times.
    assert Compared.times < 5_000


def test_an_annotation_of_no_picture_is_a_fault(tmp_path: Path) -> None:
    write_one(tmp_path, objects=[{}, {"image_id": 5}])
    listing = read_coco(tmp_path)
    assert [one.name for one in listing.pictures] == ["a.png"]
    assert [fault.kind for fault in listing.faults] == ["annotation without a picture"]


def test_a_picture_may_come_without_its_size(tmp_path: Path) -> None:
    (one,) = read_coco(write_one(tmp_path, image={"width": None, "height": None})).pictures
    assert one.size is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "Expected JSON"),
        ("{", "Expected JSON"),
        ('{"images": [', "Expected JSON"),
        ("[" * 100_000, "Expected JSON"),
        ("\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "Expected JSON"),
        ("[]", "results of a detector"),
        ("5", "received int"),
        ("{}", "a list of images, received no 'images' at all"),
        ('{"images": 5}', "a list of images, received int"),
        ('{"images": [5]}', "images[0] to be an object"),
        ('{"images": [{"id": 1}]}', "'file_name' in images[0]"),
        ('{"images": [{"id": [], "file_name": "a.png"}]}', "'id' of images[0]"),
        ('{"images": []}', "a list of annotations"),
        ('{"images": [], "annotations": [{"image_id": 1, "id": 1, "segments_info": []}]}', "'category_id' in"),
        ('{"images": [], "annotations": [{"image_id": 1, "id": 1, "caption": "a cat"}]}', "'category_id' in"),
        ('{"images": [], "annotations": []}', "a list of categories"),
        ('{"images": [], "annotations": [], "categories": [{"id": 1, "name": 5}]}', "a name of categories[0]"),
        ('{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a\\nb"}]}', "a name of categories[0]"),
        (
            '{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}',
            "each category once",
        ),
        (
            '{"images": [], "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": []}, '
            '{"id": 2, "image_id": 2, "category_id": 2, "bbox": []}], '
            '"categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "a"}]}',
            "each category once",
        ),
    ],
    ids=lambda text: text[:60],
)
def test_what_is_not_coco_is_refused_in_one_line_that_names_the_file(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(InputError) as raised:
        read_coco(write_one(tmp_path, content=content))
    assert said in str(raised.value)
    assert "annotations.json" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 500


def test_a_folder_without_annotations_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"annotations/instances_\*\.json.*--annotations"):
        read_coco(tmp_path)


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "nowhere"):
        with pytest.raises(InputError, match=place.name):
            read_coco(place)
    with pytest.raises(CannotRead, match=r"no\.json"):
        read_coco(tmp_path, tmp_path / "no.json")


def test_classes_are_in_the_order_of_their_ids_not_of_the_file(tmp_path: Path) -> None:
    write_one(tmp_path)
    content = json.loads((tmp_path / "annotations.json").read_text())
    content["categories"].reverse()
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    assert read_coco(tmp_path).classes == SHAPES


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from(
        [
            *((key,) for key in ("images", "annotations", "categories")),
            *((key, 0) for key in ("images", "annotations", "categories")),
            *(("images", 0, key) for key in ("id", "file_name", "width", "height")),
            *(("annotations", 0, key) for key in ("id", "image_id", "category_id", "bbox", "iscrowd")),
            *(("annotations", 0, "bbox", place) for place in range(4)),
            *(("categories", 0, key) for key in ("id", "name")),
        ]
    ),
    values,
)
def test_whatever_stands_in_the_place_of_a_value_is_refused_or_told(place: tuple[Any, ...], value: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_one(Path(folder))
        content: Any = json.loads(Path(folder, "annotations.json").read_text())
        entry = content
        for key in place[:-1]:
            entry = entry[key]
        entry[place[-1]] = value
        Path(folder, "annotations.json").write_text(json.dumps(content))
        listing, told = None, []
        try:
            listing = read_coco(Path(folder))
        except InputError as error:
            told.append(str(error))
        if listing is not None:
            told += [fault.text for fault in listing.faults]
            for one in listing.pictures:
                assert one.box[0] < one.box[2]
                assert one.box[1] < one.box[3]
                assert one.label in listing.classes
        assert all(len(text.splitlines()) == 1 for text in told)
