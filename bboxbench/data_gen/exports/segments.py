"""Masks in the forms of other tools: COCO's run lengths, Pascal VOC's palette and its map of objects."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bboxbench.data_gen.masks import IGNORED

__all__ = ["VOC_PALETTE", "object_map", "run_lengths"]

Pixels = npt.NDArray[np.uint8]


def run_lengths(mask: Pixels) -> dict[str, list[int]]:
    """A mask as COCO's uncompressed RLE: lengths of runs of 0 and 1 by turns, 0 first, down the columns.

    Not compressed, since readers without pycocotools understand it, too.

    Args:
        mask: (height, width), 0 or 1.

    Returns:
        ``size`` [height, width] and ``counts``.
    """
    flat = mask.ravel(order="F")
    edges = np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1, [flat.size]])
    counts = np.diff(edges).tolist()
    return {"size": list(mask.shape), "counts": [0, *counts] if flat[0] else counts}


def object_map(class_map: Pixels) -> Pixels:
    """Which object each pixel belongs to: 1 for the only one, 0 for the background, 255 stays what is to be ignored."""
    return np.where((class_map > 0) & (class_map != IGNORED), 1, class_map).astype(np.uint8)


def _voc_palette() -> bytes:
    """Pascal VOC's colours: bits 0, 3, 6 of the number are the highest of red, 1, 4, 7 of green, 2, 5 of blue."""
    colours = np.zeros((256, 3), np.uint8)
    numbers = np.arange(256)
    for place in range(8):
        colours[:, place % 3] |= ((numbers >> place & 1) << (7 - place // 3)).astype(np.uint8)
    return colours.tobytes()


VOC_PALETTE = _voc_palette()
"""Red, green and blue of 256 classes; of 255, to be ignored, (224, 224, 192)."""
