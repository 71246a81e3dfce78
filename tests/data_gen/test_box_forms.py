"""Boxes of another form than COCO's are known by all of a source together, never by one of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from coco_folders import write_shapes

from bboxbench.data_gen.importing import plan_import
from bboxbench.errors import InputError


def rewritten(folder: Path, form: Any, sized: bool = True, sides: tuple[int, int] = (60, 200), n: int = 12) -> Path:
    """Shapes whose bbox is what ``form`` makes of it and its picture's width and height."""
    write_shapes(folder, n=n, sides=sides)
    path = folder / "annotations/instances_train.json"
    content = json.loads(path.read_text())
    for image, entry in zip(content["images"], content["annotations"], strict=True):
        size = (image["width"], image["height"]) if sized else (image.pop("width"), image.pop("height"))
        entry["bbox"] = form(*entry["bbox"], *size)
    path.write_text(json.dumps(content))
    return folder


def fractions(x: float, y: float, w: float, h: float, width: int, height: int) -> list[float]:
    return [x / width, y / height, w / width, h / height]


def centred_fractions(x: float, y: float, w: float, h: float, width: int, height: int) -> list[float]:
    return [(x + w / 2) / width, (y + h / 2) / height, w / width, h / height]


def corners(x: float, y: float, w: float, h: float, width: int, height: int) -> list[float]:
    return [x, y, x + w, y + h]


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("form", [fractions, centred_fractions])
def test_fractions_of_the_picture_are_refused(tmp_path: Path, form: Any, skip: bool) -> None:
    folder = rewritten(tmp_path / "shapes", form)
    with pytest.raises(
        InputError, match=r"^Expected boxes in pixels .*all 12 boxes lie within 0\.\.1: these look like"
    ):
        plan_import(folder, skip=skip, workers=1)


@pytest.mark.parametrize("bbox", [[0, 0, 1, 1], [0.25, 0.5, 0.5, 0.25]])
def test_one_box_in_the_first_pixel_is_honest_among_others(tmp_path: Path, bbox: list[float]) -> None:
    folder = rewritten(tmp_path / "shapes", lambda *box: list(box[:4]))
    path = folder / "annotations/instances_train.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["bbox"] = bbox
    path.write_text(json.dumps(content))
    assert plan_import(folder, workers=1).spec.n == 12


def test_boxes_that_all_are_the_first_pixel_are_pixels(tmp_path: Path) -> None:
    assert plan_import(rewritten(tmp_path / "shapes", lambda *box: [0, 0, 1, 1]), workers=1).spec.n == 12


@pytest.mark.parametrize("sized", [True, False])
@pytest.mark.parametrize("skip", [False, True])
def test_corners_are_asked_for_where_most_boxes_leave_their_picture_and_none_is_skipped(
    tmp_path: Path, skip: bool, sized: bool
) -> None:
    folder = rewritten(tmp_path / "shapes", corners, sized)
    said = r"leaves the picture in \d+ of 12, but read as corners all 12 fit: are these \[xmin, ymin, xmax, ymax\]\?"
    with pytest.raises(InputError, match=said) as raised:
        plan_import(folder, skip=skip, workers=1)
    assert "--skip" not in str(raised.value)


def some_leave(x: float, y: float, w: float, h: float, width: int, height: int) -> list[float]:
    """Boxes near the left upper corner that fit in both readings, but for a few."""
    return [1, 1, width - 2, height - 2] if width % 3 else [3, 3, width, height]


def test_corners_are_only_asked_for_where_few_boxes_leave_their_picture(tmp_path: Path) -> None:
    folder = rewritten(tmp_path / "shapes", some_leave)
    with pytest.raises(InputError, match=r"But read as corners all 12 fit: are these .*--skip"):
        plan_import(folder, workers=1)
    planned = plan_import(folder, skip=True, workers=1)
    assert planned.left_out == {"box outside the picture": 12 - planned.spec.n}
    assert planned.spec.n > 6


def test_of_a_few_boxes_most_may_leave_their_picture_by_chance(tmp_path: Path) -> None:
    leave = iter([True] * 6 + [False] * 3)
    folder = rewritten(tmp_path / "shapes", lambda *box: [3, 3, *box[-2:]] if next(leave) else [1, 1, 5, 5], n=9)
    with pytest.raises(InputError, match=r"But read as corners all 9 fit: are these .*--skip"):
        plan_import(folder, workers=1)
    assert plan_import(folder, skip=True, workers=1).spec.n == 3


def test_boxes_that_fit_neither_way_are_no_corners(tmp_path: Path) -> None:
    folder = rewritten(tmp_path / "shapes", lambda x, y, w, h, width, height: [x + width, y, w, h])
    with pytest.raises(InputError, match="reaches out of its") as raised:
        plan_import(folder, workers=1)
    assert "corners" not in str(raised.value)
