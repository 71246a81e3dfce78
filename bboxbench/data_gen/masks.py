"""Which pixels are ink, and the class map made of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["IGNORED", "SOLID", "class_map", "differing"]

Pixels = npt.NDArray[np.uint8]

SOLID = 3, 4
"""The part of a glyph's fullest coverage, as a fraction, from which on a pixel belongs to it.

Of a sharp glyph that is three quarters of a pixel. A thin or blurred one covers no pixel as far, and has its class
nonetheless.
"""

IGNORED = 255
"""The class of ink that covers less: evaluation leaves it out, as that of Pascal VOC does."""


def differing(picture: Pixels, without: Pixels, threshold: int) -> npt.NDArray[np.bool_]:
    """Where a picture differs from the same picture without its glyph: the ink, by definition.

    Args:
        picture: uint8 RGB (height, width, 3).
        without: the same without the glyph, of that shape.
        threshold: levels by which some channel must differ.

    Returns:
        bool (height, width).
    """
    # The larger minus the smaller stays within octets.
    apart = np.maximum(picture, without) - np.minimum(picture, without)
    # The last axis is too short to be reduced fast.
    most = np.maximum(np.maximum(apart[..., 0], apart[..., 1]), apart[..., 2])
    return np.asarray(most >= threshold)


def class_map(ink: npt.NDArray[np.bool_], coverage: Pixels, number: int) -> Pixels:
    """Classes of pixels: 0 the background, ``number`` the glyph, `IGNORED` ink at its edge, by `SOLID`.

    Args:
        ink: bool (height, width), from `differing`.
        coverage: 0..255, of that shape.
        number: class of the glyph, 1 to 254.

    Returns:
        uint8 (height, width).
    """
    part, whole = SOLID
    # Of what is ink: noise can hide the fullest pixel.
    fullest = int(coverage[ink].max(initial=0))
    solid = whole * coverage.astype(np.int32) >= part * fullest
    return np.where(ink, np.where(solid, number, IGNORED), 0).astype(np.uint8)
