"""What a sweep looks at after every epoch, for one network or for many at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bboxbench.boxes import iou, relative_boxes, to_pixels
from bboxbench.experiments.outcomes import keras_accuracy

__all__ = ["validate"]


def validate(
    boxes: npt.NDArray[np.int16], predictions: npt.ArrayLike, width: int, height: int, threshold: float
) -> list[dict[str, float | None]]:
    """Measures of the validation pictures, a row a network.

    Args:
        boxes: true ones, xyxy in pixels, shape (n, 4).
        predictions: of R networks, xyxy relative to the picture, shape (R, n, 4).
        width: of the pictures, in pixels.
        height: of the pictures, in pixels.
        threshold: IoU from which a box counts as right.

    Returns:
        A row of the columns ``val_...`` for each network; None in them where the sweep looks at no pictures.
    """
    predicted = np.asarray(predictions)
    if not len(boxes):
        names = ("val_box_accuracy", "val_mean_iou", "val_keras_accuracy")
        return [dict.fromkeys(names) for _ in predicted]
    overlap = iou(boxes, to_pixels(predicted, width, height))
    columns: dict[str, Any] = {
        "val_box_accuracy": (overlap >= threshold).mean(-1),
        "val_mean_iou": overlap.mean(-1),
        "val_keras_accuracy": keras_accuracy(relative_boxes(boxes, width, height), predicted),
    }
    return [{name: float(values[r]) for name, values in columns.items()} for r in range(len(predicted))]
