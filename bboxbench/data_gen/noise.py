"""The noise of a sensor: the same for a picture and for the same picture without its glyph."""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from bboxbench.data_gen.draws import NOISE, between, octets
from bboxbench.data_gen.spec import DatasetSpec

__all__ = ["add_noise", "sensor_noise"]

_LEVELS = 4096
"""Values the normal distribution is cut into, each equally likely; the outermost are 3.7 standard deviations out."""

_LEAD = 8
"""Octets before those of the pixels: the word that the standard deviation comes from."""


@lru_cache(maxsize=1)
def _quantiles() -> npt.NDArray[np.float64]:
    normal = NormalDist()
    return np.array([normal.inv_cdf((place + 0.5) / _LEVELS) for place in range(_LEVELS)])


def sensor_noise(spec: DatasetSpec, index: int) -> tuple[float, npt.NDArray[np.int16] | None]:
    """The noise of one picture.

    Returns:
        Its standard deviation in levels of 0..255, 0 to ``spec.noise``; and what is added to each channel of each
        pixel, int16 (height, width, 3), normally distributed and rounded, or None where that is nothing.
    """
    if not spec.noise:
        return 0.0, None
    values = spec.height * spec.width * 3
    drawn = octets(spec.seed, NOISE, index, _LEAD + 2 * values)
    deviation = between(0, spec.noise, int.from_bytes(drawn[:_LEAD].tobytes(), "little"))
    if not deviation:
        return 0.0, None
    table = np.rint(_quantiles() * deviation).astype(np.int16)
    places = drawn[_LEAD:].view("<u2") >> 4
    return deviation, table.take(places).reshape(spec.height, spec.width, 3)


def add_noise(image: npt.NDArray[np.uint8], noise: npt.NDArray[np.int16] | None) -> npt.NDArray[np.uint8]:
    """A picture under noise of its shape, cut to 0..255; the picture itself where there is none."""
    if noise is None:
        return image
    noisy: npt.NDArray[np.uint8] = np.clip(image + noise, 0, 255).astype(np.uint8)
    return noisy
