"""Randomness without memory: every draw is a function of (seed, purpose, index), in whatever order it is asked for.

NumPy promises the raw words of a bit generator for ever, but the numbers that ``Generator`` methods make of them for
one version only. So the words are taken raw and turned into integers here.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

__all__ = ["MAX_SEED", "SAMPLE", "below", "words"]

MAX_SEED = 2**63 - 1

SAMPLE = 1
"""The purpose under which samples are drawn. A second use of a seed needs a number of its own."""

_BLOCK = 32


def words(seed: int, purpose: int, index: int) -> Iterator[int]:
    """An endless stream of integers in [0, 2**64), the same for the same three numbers.

    The index stands in the counter's highest word, so the streams of two indices cannot meet.
    """
    bits = np.random.Philox(key=np.array([seed, purpose], np.uint64), counter=np.array([0, 0, 0, index], np.uint64))
    while True:
        yield from bits.random_raw(_BLOCK).tolist()


def below(bound: int, word: int) -> int:
    """An integer in [0, bound) from one word, by multiply and shift; its bias is below ``bound / 2**64``."""
    return (word * bound) >> 64
