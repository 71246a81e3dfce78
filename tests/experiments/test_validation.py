from __future__ import annotations

import numpy as np

from bboxbench.boxes import iou, relative_boxes, to_pixels
from bboxbench.experiments.outcomes import keras_accuracy
from bboxbench.experiments.validation import validate


def test_many_networks_at_once_are_measured_as_each_alone() -> None:
    rng = np.random.default_rng(0)
    boxes = np.sort(rng.integers(0, 90, (40, 2, 2)), axis=1).reshape(40, 4).astype(np.int16)
    drawn = np.stack([relative_boxes(boxes, 200, 100) + rng.normal(0, size, (40, 4)) for size in (0, 0.01, 0.3)])
    rows = validate(boxes, drawn, 200, 100, 0.5)
    assert rows[0]["val_keras_accuracy"] == 1
    for row, own in zip(rows, drawn, strict=True):
        overlap = iou(boxes, to_pixels(own, 200, 100))
        assert row == {
            "val_box_accuracy": (overlap >= 0.5).mean(),
            "val_mean_iou": overlap.mean(),
            "val_keras_accuracy": keras_accuracy(relative_boxes(boxes, 200, 100), own),
        }


def test_without_pictures_every_measure_is_empty() -> None:
    (row,) = validate(np.empty((0, 4), np.int16), np.empty((1, 0, 4)), 200, 100, 0.5)
    assert set(row.values()) == {None}
