"""Annotations and pictures where other tools put them are taken; where they lie elsewhere, it is said what to type."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from coco_folders import write_one, write_shapes
from PIL import Image

from bboxbench.data_gen import Dataset, DatasetSpec, generate
from bboxbench.data_gen.coco import read_coco
from bboxbench.data_gen.coco_places import unlisted_pictures
from bboxbench.data_gen.exports import export
from bboxbench.data_gen.importing import plan_import
from bboxbench.errors import InputError


def refused(folder: Path, **options: Any) -> str:
    with pytest.raises(InputError) as raised:
        plan_import(folder, workers=1, **options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def roboflow(folder: Path) -> None:
    """Each split a folder with its own annotations and pictures."""
    for seed, split in enumerate(("train", "valid")):
        write_shapes(folder, n=2, seed=seed, split=split)
        (folder / f"annotations/instances_{split}.json").rename(folder / split / "_annotations.coco.json")
    (folder / "annotations").rmdir()


def cvat(folder: Path) -> None:
    write_shapes(folder, n=2, split="default")
    (folder / "images").mkdir()
    (folder / "default").rename(folder / "images/default")


def coco_2017(folder: Path) -> None:
    """With the other annotations of the same pictures, which are none of objects."""
    write_shapes(folder, n=2, split="train2017")
    for name in ("captions", "person_keypoints", "stuff"):
        (folder / f"annotations/{name}_train2017.json").write_text("{}")


def label_studio(folder: Path) -> None:
    pictures_in_a_folder_of_their_own(folder)
    content = (folder / "annotations.json").read_text().replace('"a.png"', '"images/a.png"')
    (folder / "annotations.json").unlink()
    (folder / "result.json").write_text(content)


def label_studio_on_windows(folder: Path) -> None:
    label_studio(folder)
    content = (folder / "result.json").read_text().replace("images/a.png", "images\\\\a.png")
    (folder / "result.json").write_text(content)


def one_file_beside_the_pictures(folder: Path) -> None:
    write_one(folder)


def pictures_in_a_folder_of_their_own(folder: Path) -> None:
    write_one(folder)
    (folder / "images").mkdir()
    (folder / "a.png").rename(folder / "images/a.png")


def paths_in_the_annotations(folder: Path) -> None:
    write_one(folder, image={"file_name": "photos/2024/a.png"})
    (folder / "photos/2024").mkdir(parents=True)
    (folder / "a.png").rename(folder / "photos/2024/a.png")


@pytest.mark.parametrize(
    ("lay_out", "names"),
    [
        (roboflow, ["train/0000.png", "train/0001.jpg", "valid/0000.png", "valid/0001.jpg"]),
        (cvat, ["images/default/0000.png", "images/default/0001.jpg"]),
        (coco_2017, ["train2017/0000.png", "train2017/0001.jpg"]),
        (label_studio, ["images/a.png"]),
        (label_studio_on_windows, ["images/a.png"]),
        (one_file_beside_the_pictures, ["a.png"]),
        (pictures_in_a_folder_of_their_own, ["images/a.png"]),
        (paths_in_the_annotations, ["photos/2024/a.png"]),
    ],
)
def test_annotations_are_found_where_tools_put_them(tmp_path: Path, lay_out: Any, names: list[str]) -> None:
    lay_out(tmp_path)
    listing = read_coco(tmp_path)
    assert [one.name for one in listing.pictures] == names
    assert listing.faults == []


def fiftyone(folder: Path) -> None:
    write_shapes(folder, n=2, split="data")
    (folder / "annotations/instances_data.json").rename(folder / "labels.json")
    (folder / "annotations").rmdir()


def mmdetection(folder: Path) -> None:
    write_shapes(folder, n=2, split="train")
    (folder / "annotations/instances_train.json").rename(folder / "annotations/train.json")
    (folder / "annotations/captions.json").write_text('{"images": [], "annotations": [{"caption": ""}]}')


def a_file_beside_a_folder_of_its_name(folder: Path) -> None:
    write_shapes(folder, n=2, split="train")
    (folder / "annotations/instances_train.json").rename(folder / "train.json")
    (folder / "settings.json").write_text('{"lr": 1}')
    (folder / "broken.json").write_text("{")


@pytest.mark.parametrize(
    ("lay_out", "names"),
    [
        (fiftyone, ["data/0000.png", "data/0001.jpg"]),
        (mmdetection, ["train/0000.png", "train/0001.jpg"]),
        (a_file_beside_a_folder_of_its_name, ["train/0000.png", "train/0001.jpg"]),
    ],
)
def test_files_of_any_name_are_taken_where_they_have_what_coco_has(
    tmp_path: Path, lay_out: Callable[[Path], None], names: list[str]
) -> None:
    lay_out(tmp_path)
    listing = read_coco(tmp_path)
    assert [one.name for one in listing.pictures] == names
    assert (listing.faults, listing.unlisted) == ([], {})


def test_annotations_that_lie_deep_are_named_with_the_command_that_takes_them(tmp_path: Path) -> None:
    source = write_shapes(tmp_path / "a b/deep/down", n=3)
    (source / "annotations").rename(source / "boxes")
    (source / "train").rename(source.parent / "photos")
    said = refused(tmp_path / "a b")
    assert "deep/down/boxes/instances_train.json looks like such: bboxbench import " in said
    words = shlex.split(said[said.index("bboxbench import") :])
    assert words[3::2] == ["--annotations", "--images"]
    planned = plan_import(Path(words[2]), annotations=Path(words[4]), images=Path(words[6]), workers=1)
    assert planned.spec.n == 3


def test_json_files_that_are_not_coco_are_named(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        (tmp_path / f"{name}.json").write_text("{}")
    assert "found a.json, b.json, c.json and 1 more, without lists of images" in refused(tmp_path)
    (tmp_path / "none").mkdir()
    assert "found no JSON file. Name the file with --annotations." in refused(tmp_path / "none")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("data.yaml", "YOLO"),
        ("labels/train/1.txt", "YOLO"),
        ("train/labels/1.txt", "YOLO"),
        ("Annotations/1.xml", "Pascal VOC"),
        ("train/1.xml", "Pascal VOC"),
    ],
)
def test_a_folder_of_another_format_is_called_what_it_looks_like(tmp_path: Path, file: str, name: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).touch()
    assert f"this looks like a {name} folder; only COCO can be imported" in refused(tmp_path)


@pytest.mark.parametrize("form", ["yolo", "voc", "csv"])
def test_an_export_in_another_format_is_known_by_its_record(tmp_path: Path, form: str) -> None:
    export(generate(DatasetSpec.letters(n=4), tmp_path / "drawn", workers=1), form, tmp_path / "out", workers=1)
    assert f"is an export in the format {form}: only COCO can be imported" in refused(tmp_path / "out")


def test_a_data_set_is_known_as_one(tiny: Dataset) -> None:
    assert "which is already a data set: give it to other commands by --data" in refused(tiny.folder)


def test_places_are_looked_for_where_they_were_typed_and_then_in_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_one(tmp_path / "source")
    (folder / "annotations.json").rename(folder / "mine.json")
    (folder / "photos").mkdir()
    (folder / "a.png").rename(folder / "photos/a.png")
    monkeypatch.chdir(tmp_path)
    planned = plan_import("source", annotations=Path("mine.json"), images=Path("photos"), workers=1)
    assert planned.spec.source == ("source", "--annotations", "source/mine.json", "--images", "source/photos")
    # What lies where it was typed comes first.
    write_one(tmp_path / "other", objects=[]).joinpath("annotations.json").rename("mine.json")
    assert "received no object: expected one object a picture" in refused(
        Path("source"), annotations=Path("mine.json"), images=Path("photos")
    )


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("inner", ["", "inner/"])
def test_pictures_that_all_lie_elsewhere_are_found_and_the_option_is_named(
    tmp_path: Path, inner: str, skip: bool
) -> None:
    folder = write_one(tmp_path / "source", image={"file_name": f"{inner}a.png"})
    (folder / "some/where" / inner).mkdir(parents=True)
    (folder / "a.png").rename(folder / "some/where" / inner / "a.png")
    said = refused(folder, skip=skip)
    assert said.endswith(f"{inner}a.png lies in {folder}/some/where: add --images {folder}/some/where.")
    assert "--skip" not in said
    assert plan_import(folder, images=folder / "some/where", workers=1).spec.n == 1


def test_a_picture_that_lies_elsewhere_under_another_path_is_named(tmp_path: Path) -> None:
    folder = write_one(tmp_path / "source", image={"file_name": "server/a.png"})
    (folder / "x/y").mkdir(parents=True)
    (folder / "a.png").rename(folder / "x/y/a.png")
    assert f"a.png lies in {folder}/x/y: make 'file_name' its path" in refused(folder)


def test_one_of_several_pictures_that_is_missing_is_not_looked_for(tmp_path: Path) -> None:
    folder = write_shapes(tmp_path / "source", n=3)
    (folder / "elsewhere/deep").mkdir(parents=True)
    (folder / "train/0001.jpg").rename(folder / "elsewhere/deep/0001.jpg")
    assert read_coco(folder).hint == ""


@pytest.mark.parametrize("there", ["a.PNG", "A.png", "a.jpg"])
def test_a_picture_of_nearly_the_name_is_named(tmp_path: Path, there: str) -> None:
    folder = write_one(tmp_path / "source")
    (folder / "a.png").rename(folder / there)
    if not (folder / "a.png").exists():
        assert f"has: did you mean {there}, which is there?" in refused(folder)


def test_pictures_that_no_annotation_lists_are_counted_by_folder(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        write_shapes(tmp_path, n=3, split=split)
        (tmp_path / f"annotations/instances_{split}.json").rename(tmp_path / split / "_annotations.coco.json")
    (tmp_path / "valid/_annotations.coco.json").unlink()
    shutil.copy(tmp_path / "train/0000.png", tmp_path / "train/more.PNG")
    (tmp_path / "train/notes.txt").touch()
    assert read_coco(tmp_path).unlisted == {str(tmp_path / "valid"): 3, str(tmp_path / "train"): 1}


@pytest.mark.parametrize("place", ["images", "data", "."])
def test_maps_in_a_folder_of_the_annotations_name_are_not_taken_for_the_pictures(tmp_path: Path, place: str) -> None:
    fiftyone(tmp_path)
    if place != "data":
        (tmp_path / place).mkdir(exist_ok=True)
        for picture in list((tmp_path / "data").iterdir()):
            picture.rename(tmp_path / place / picture.name)
    (tmp_path / "labels").mkdir()
    for picture in (tmp_path / place).glob("*.[pj][np]g"):
        with Image.open(picture) as opened:
            Image.new("L", opened.size).save(tmp_path / "labels" / picture.name)
    taken = [Path(one["path"]).parent for one in plan_import(tmp_path, workers=1)._pictures]
    assert taken == [tmp_path / place] * 2


@pytest.mark.parametrize(("listed", "there"), [("IMG.JPG", "img.jpg"), ("caf\u00e9.png", "cafe\u0301.png")])
def test_a_listed_picture_is_known_however_its_name_is_written(tmp_path: Path, listed: str, there: str) -> None:
    """As on disks that do not tell the two apart."""
    for name in (there, "other.png"):
        (tmp_path / name).touch()
    assert unlisted_pictures(tmp_path, [tmp_path / listed]) == {str(tmp_path): 1}


def test_a_picture_that_is_listed_and_faulty_is_no_unlisted_one(tmp_path: Path) -> None:
    listing = read_coco(write_one(tmp_path, objects=[]))
    assert (len(listing.faults), listing.unlisted) == (1, {})


def test_a_shared_id_counts_pictures_and_not_what_comes_of_it(tmp_path: Path) -> None:
    folder = write_shapes(tmp_path / "source", n=20)
    path = folder / "annotations/instances_train.json"
    content = json.loads(path.read_text())
    for place in (1, 2):
        content["images"][place]["id"] = content["images"][0]["id"]
    path.write_text(json.dumps(content))
    said = refused(folder)
    assert "0000.png in " in said
    assert " 3 of 20 pictures cannot be used. Annotations are of 2 pictures that are not listed. Mend" in said


def test_a_list_that_is_missing_is_called_missing(tmp_path: Path) -> None:
    said = refused(write_one(tmp_path, content='{"images": [], "annotations": []}'))
    assert said.endswith("a list of categories, received no 'categories' at all.")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_no_name_of_a_folder_breaks_the_line_in_which_unlisted_pictures_are_told(tmp_path: Path) -> None:
    folder = write_one(tmp_path / "source")
    (folder / "a\n\x1b[31m").mkdir()
    shutil.copy(folder / "a.png", folder / "a\n\x1b[31m/b.png")
    ((place, count),) = read_coco(folder).unlisted.items()
    assert place.isprintable()
    assert count == 1


@pytest.mark.parametrize("name", ["...json", "annotations/instances_...json"])
def test_no_name_of_an_annotation_file_leads_to_pictures_outside_of_the_folder(tmp_path: Path, name: str) -> None:
    folder = write_one(tmp_path / "source")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / "annotations.json").rename(folder / name)
    (folder / "a.png").rename(tmp_path / "a.png")
    listing = read_coco(folder, folder / name)
    assert [fault.kind for fault in listing.faults] == ["missing file"]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes that lie in folders")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    for name in ("dataset.json", "deep/a.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        os.mkfifo(tmp_path / name)
    assert "Expected COCO annotations in" in refused(tmp_path)
