"""What pycocotools makes of a COCO export: detections are evaluated on it, and a mask is there or is missed aloud."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bboxbench.data_gen import Dataset, DatasetSpec, generate
from bboxbench.data_gen.exports import Export, export


def opened(folder: Path, split: str = "test") -> Any:
    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(folder / "annotations" / f"instances_{split}.json"))


def precision(truth: Any, detections: list[dict[str, Any]], kind: str) -> float:
    """Mean average precision over IoUs from 0.5 to 0.95, by pycocotools."""
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(truth, truth.loadRes(detections), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])


def detected(truth: Any, *keys: str) -> list[dict[str, Any]]:
    """What a detector without fault would answer."""
    entries = truth.loadAnns(truth.getAnnIds())
    return [{key: entry[key] for key in ("image_id", "category_id", *keys)} | {"score": 0.9} for entry in entries]


def test_boxes_without_masks_are_evaluated(exported: Callable[[str], Export]) -> None:
    truth = opened(exported("coco").folder)
    right = detected(truth, "bbox")
    assert precision(truth, right, "bbox") == pytest.approx(1)
    for entry in right:
        entry["bbox"] = [entry["bbox"][0] + entry["bbox"][2], *entry["bbox"][1:]]
    assert precision(truth, right, "bbox") == 0


def test_where_there_is_no_mask_none_is_made_up_and_who_asks_for_one_is_told(
    exported: Callable[[str], Export],
) -> None:
    truth = opened(exported("coco").folder)
    for entry in truth.loadAnns(truth.getAnnIds()):
        assert entry["segmentation"] == []
        assert entry["area"] == entry["bbox"][2] * entry["bbox"][3]
        with pytest.raises(IndexError):
            truth.annToMask(entry)


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    spec = DatasetSpec.letters(n=20, seed=1, width=64, height=48, sizes=(16, 24), masks=True)
    return generate(spec, tmp_path_factory.mktemp("masked") / "data", workers=1)


def test_boxes_and_masks_are_evaluated_where_there_are_masks(masked: Dataset) -> None:
    from pycocotools import mask as coco_mask

    folder = export(masked, "coco", workers=1).folder
    truth = opened(folder)
    assert precision(truth, detected(truth, "bbox"), "bbox") == pytest.approx(1)
    masks = detected(truth)
    for entry, drawn in zip(masks, truth.loadAnns(truth.getAnnIds()), strict=True):
        entry["segmentation"] = coco_mask.encode(np.asfortranarray(truth.annToMask(drawn)))
    # In a copy of its own: an evaluation of masks writes into what it was given.
    assert precision(opened(folder), masks, "segm") == pytest.approx(1)
