"""Pictures as they would be had their glyph not been drawn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bboxbench.data_gen import DatasetSpec
from bboxbench.data_gen.backgrounds import draw_background
from bboxbench.data_gen.noise import add_noise, sensor_noise
from bboxbench.data_gen.samples import Sample

__all__ = ["without_glyph"]


def without_glyph(spec: DatasetSpec, sample: Sample) -> npt.NDArray[np.uint8]:
    """The background of a sample under its noise: uint8 RGB (height, width, 3)."""
    if spec.bare:
        plain = np.empty((spec.height, spec.width, 3), np.uint8)
        plain[:] = sample.background
        return plain
    return add_noise(draw_background(spec, sample.index)[1], sensor_noise(spec, sample.index)[1])
