"""COCO folders become data sets: boxes stay on their objects, faults are named or counted, nothing depends on order."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coco_folders import SHAPES, write_shapes
from PIL import Image

from bboxbench.data_gen import Dataset, open_dataset, verify
from bboxbench.data_gen.fitting import FITS, Fitting
from bboxbench.data_gen.importing import plan_import, write_import
from bboxbench.data_gen.manifest import read_manifest
from bboxbench.errors import FolderConflict, InputError


@pytest.fixture(scope="session")
def imported(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_import(plan_import(shapes, workers=1), tmp_path_factory.mktemp("imported") / "data", workers=1)


def test_every_sample_has_its_picture_class_and_box(imported: Dataset, shapes: Path) -> None:
    boxes = {}
    for split in ("train", "val"):
        content = json.loads((shapes / f"annotations/instances_{split}.json").read_text())
        for image, entry in zip(content["images"], content["annotations"], strict=True):
            boxes[f"{split}/{image['file_name']}"] = (entry["bbox"], SHAPES[entry["category_id"] - 1])
    table = imported.table()
    assert sorted(table["file"]) == sorted(boxes)
    for sample, row in zip(imported.samples(range(10)), table.to_dict("records"), strict=True):
        (x, y, width, height), label = boxes[row["file"]]
        place = Fitting.of((row["source_width"], row["source_height"]), (200, 100), "pad")
        assert tuple(sample.box) == place.rounded((x, y, x + width, y + height))
        assert sample.glyph == row["glyph"] == label
        assert (sample.font, sample.size, sample.ink, sample.background) == ("", 0, None, None)
        # Shapes are darker than any sky: the middle of the box is the object's.
        xmin, ymin, xmax, ymax = sample.box
        assert sample.image[(ymin + ymax) // 2, (xmin + xmax) // 2].max() < 90
    assert imported.classes == SHAPES


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [(200, 100), (64, 96)])
def test_what_is_imported_verifies(shapes: Path, tmp_path: Path, fit: str, size: tuple[int, int]) -> None:
    planned = plan_import(shapes, fit=fit, width=size[0], height=size[1], workers=1)
    dataset = write_import(planned, tmp_path / "out", workers=1)
    found = verify(dataset.folder, workers=1)
    assert (found.exact, found.problems) == (10, [])
    assert dataset.images("test").shape == (5, size[1], size[0], 3)


def test_the_manifest_says_whose_boxes_they_are(imported: Dataset) -> None:
    content = json.loads((imported.folder / "dataset.json").read_text())
    assert "annotated" in content["ink_rule"]
    assert content["spec"]["preset"] == "imported"
    assert content["spec"]["classes"] == list(SHAPES)


def test_the_order_depends_on_the_seed_and_the_names_alone(shapes: Path, imported: Dataset, tmp_path: Path) -> None:
    turned = Path(shutil.copytree(shapes, tmp_path / "turned"))
    for path in (turned / "annotations").iterdir():
        content = json.loads(path.read_text())
        for key in ("images", "annotations", "categories"):
            content[key].reverse()
        path.write_text(json.dumps(content))
    again = write_import(plan_import(turned, workers=1), tmp_path / "again", workers=1)
    assert again.sha256 == imported.sha256
    assert again.spec == imported.spec
    other = plan_import(shapes, seed=1, workers=1)
    assert [entry["name"] for entry in other._pictures] != imported.table()["file"].tolist()
    assert sorted(entry["name"] for entry in other._pictures) == sorted(imported.table()["file"])


def test_one_picture_more_leaves_the_others_in_their_order(shapes: Path, imported: Dataset, tmp_path: Path) -> None:
    more = Path(shutil.copytree(shapes, tmp_path / "more"))
    write_shapes(more, n=5, seed=9, split="extra")
    names = [entry["name"] for entry in plan_import(more, workers=1)._pictures]
    assert [name for name in names if not name.startswith("extra")] == imported.table()["file"].tolist()


def test_workers_change_nothing(shapes: Path, imported: Dataset, tmp_path: Path) -> None:
    again = write_import(plan_import(shapes, workers=2), tmp_path / "out", workers=2)
    assert again.sha256 == imported.sha256
    assert (again.folder / "boxes.csv").read_bytes() == (imported.folder / "boxes.csv").read_bytes()


def test_a_shard_that_is_lost_is_written_again_by_the_same_import(
    shapes: Path, imported: Dataset, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(imported.folder, tmp_path / "out"))
    before = (folder / "dataset.json").read_bytes()
    (folder / "shards/00000.npz").unlink()
    write_import(plan_import(shapes, workers=1), folder, workers=1)
    assert (folder / "dataset.json").read_bytes() == before
    assert verify(folder, workers=1).problems == []


def test_an_import_that_is_complete_writes_nothing(shapes: Path, imported: Dataset) -> None:
    calls: list[int] = []
    write_import(plan_import(shapes, workers=1), imported.folder, 1, lambda done, total: calls.append(done))
    assert calls == []


def changed_pixel(folder: Path) -> None:
    path = folder / "train/0000.png"
    picture = Image.open(path)
    picture.putpixel((0, 0), (1, 2, 3))
    picture.save(path)


def changed_box(folder: Path) -> None:
    path = folder / "annotations/instances_train.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["bbox"][2] -= 1
    path.write_text(json.dumps(content))


def renamed_class(folder: Path) -> None:
    for path in (folder / "annotations").iterdir():
        path.write_text(path.read_text().replace('"disc"', '"ball"'))


@pytest.mark.parametrize(
    ("change", "said"),
    [(changed_pixel, "source_sha256"), (changed_box, "source_sha256"), (renamed_class, "classes")],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_changed_source_is_refused_by_name(
    shapes: Path, imported: Dataset, tmp_path: Path, change: Callable[[Path], None], said: str
) -> None:
    copy = Path(shutil.copytree(shapes, tmp_path / "changed"))
    change(copy)
    with pytest.raises(FolderConflict, match=said):
        write_import(plan_import(copy, workers=1), imported.folder, workers=1)


@pytest.mark.parametrize(
    ("options", "said"), [({"seed": 1}, "seed"), ({"fit": "stretch"}, "fit"), ({"width": 64}, "width")]
)
def test_other_settings_are_refused_by_name(
    shapes: Path, imported: Dataset, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(FolderConflict, match=said):
        write_import(plan_import(shapes, workers=1, **options), imported.folder, workers=1)


def test_a_folder_of_drawn_letters_is_left_alone(shapes: Path, copy: Path) -> None:
    with pytest.raises(FolderConflict, match=r"holds drawn pictures\. Choose another folder with --out\.$"):
        write_import(plan_import(shapes, workers=1), copy, workers=1)


def test_a_picture_that_changes_between_looking_and_writing_is_named(shapes: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(shapes, tmp_path / "changing"))
    planned = plan_import(copy, workers=1)
    changed_pixel(copy)
    with pytest.raises(InputError, match=r"0000\.png has changed"):
        write_import(planned, tmp_path / "out", workers=1)
    with pytest.raises(InputError, match=r"bboxbench import .*changing"):
        open_dataset(tmp_path / "out")


def test_where_the_source_lies_decides_nothing(shapes: Path, imported: Dataset, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(shapes, tmp_path / "elsewhere"))
    spec = plan_import(moved, workers=1).spec
    assert spec.source != imported.spec.source
    assert (spec, spec.identity(), spec.folder_name) == (
        imported.spec,
        imported.spec.identity(),
        imported.spec.folder_name,
    )


def rewritten(folder: Path, name: str, change: Callable[[Any], None]) -> None:
    """Put other values into an array of the first shard, and their hashes into the manifest, as a forger would."""
    from bboxbench.data_gen.packing import array_sha256, pack
    from bboxbench.data_gen.shards import read_arrays

    manifest = read_manifest(folder)
    arrays = read_arrays(folder / "shards/00000.npz", manifest.spec, 0)
    change(arrays[name])
    (folder / "shards/00000.npz").write_bytes(pack(arrays))
    manifest.shards[0]["arrays"][name] = array_sha256(arrays[name])
    (folder / "dataset.json").write_text(manifest.to_json())


def moved_box(boxes: Any) -> None:
    boxes[0, 0] += 1


def painted_padding(images: Any) -> None:
    images[:, 0, 0] ^= 255
    images[:, -1, -1] ^= 255


def unknown_label(labels: Any) -> None:
    labels[0] = 3


def no_number(boxes: Any) -> None:
    boxes[0, 0] = np.nan


def no_size(sizes: Any) -> None:
    sizes[0] = 0


def no_text(names: Any) -> None:
    names[0] = b"\xff\xfe"


@pytest.mark.parametrize(
    ("array", "change", "said"),
    [
        ("boxes", moved_box, "its source box comes to"),
        ("images", painted_padding, "mean colour"),
        ("labels", unknown_label, "recorded the class number 3, not from 0 to "),
        ("source_boxes", no_number, "recorded the source box"),
        ("source_sizes", no_size, "recorded a source of 0x0"),
        ("names", no_text, "make no sense"),
    ],
)
def test_verify_finds_what_cannot_be_true_even_where_all_hashes_agree(
    imported: Dataset, tmp_path: Path, array: str, change: Callable[[Any], None], said: str
) -> None:
    folder = Path(shutil.copytree(imported.folder, tmp_path / "forged"))
    rewritten(folder, array, change)
    problems = verify(folder, workers=1).problems
    assert any(said in problem for problem in problems), problems


@pytest.mark.parametrize(("array", "change"), [("labels", unknown_label), ("boxes", lambda boxes: boxes.fill(9999))])
def test_a_class_or_box_that_cannot_be_is_refused_on_reading_even_where_all_hashes_agree(
    imported: Dataset, tmp_path: Path, array: str, change: Callable[[Any], None]
) -> None:
    folder = Path(shutil.copytree(imported.folder, tmp_path / "forged"))
    rewritten(folder, array, change)
    with pytest.raises(InputError, match=r"00000\.npz holds .* at sample 0 \(the (class|box) .*Restore it: "):
        list(open_dataset(folder).samples([1]))


def test_what_is_exported_as_coco_comes_back_with_equal_pictures_and_boxes(tiny: Dataset, tmp_path: Path) -> None:
    from bboxbench.data_gen.exports import export

    export(tiny, "coco", tmp_path / "coco", splits=("train",))
    size = {"width": tiny.spec.width, "height": tiny.spec.height}
    back = write_import(plan_import(tmp_path / "coco", **size, workers=1), tmp_path / "back", workers=1)
    assert back.n == len(tiny.split("train"))
    assert set(back.classes) == set(tiny.classes)
    # Pictures are named by their index.
    there = {int("".join(filter(str.isdigit, row))): place for place, row in enumerate(back.table()["file"])}
    found = dict(enumerate(back.samples(range(back.n))))
    for sample in tiny.samples(tiny.split("train")):
        same = found[there[sample.index]]
        assert (same.image == sample.image).all()
        assert (same.box == sample.box).all()
        assert same.glyph == sample.glyph
