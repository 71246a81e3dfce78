"""Randomness without memory: every draw is a function of (seed, purpose, index), in whatever order it is asked for.

NumPy promises the raw words of a bit generator for ever, but the numbers that ``Generator`` methods make of them for
one version only. So the words are taken raw and turned into integers here.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

__all__ = [
    "BACKGROUND",
    "MAX_SEED",
    "NOISE",
    "ORDER",
    "SAMPLE",
    "STEPS",
    "TEXTURE",
    "below",
    "between",
    "octets",
    "random_order",
    "words",
]

MAX_SEED = 2**63 - 1

SAMPLE, BACKGROUND, TEXTURE, NOISE, ORDER = 1, 2, 3, 4, 5
"""The purposes under which a seed is used, each with a number of its own, so that what is behind a glyph can be drawn
again without it. The order of an epoch has the epoch in the place of an index."""

STEPS = 1000
"""Steps to a unit in which amounts are drawn: a float32 keeps them, and three decimals write them."""

_BLOCK = 32

_WORDS_A_COUNT = 4
"""Philox makes so many words of every value of its counter."""

_generator = threading.local()


def words(seed: int, purpose: int, index: int) -> Iterator[int]:
    """An endless stream of integers in [0, 2**64), the same for the same three numbers.

    The index stands in the counter's highest word, so the streams of two indices cannot meet.
    """
    for first in itertools.count(0, _BLOCK // _WORDS_A_COUNT):
        yield from _bits(seed, purpose, index, first).random_raw(_BLOCK).tolist()


def _bits(seed: int, purpose: int, index: int, first: int = 0) -> np.random.Philox:
    """A generator to be read from at once: the thread's only one, since making one takes longer than setting it."""
    if not hasattr(_generator, "bits"):
        _generator.bits = np.random.Philox(0)
        _generator.state = _generator.bits.state
    _generator.state["state"]["key"][:] = seed, purpose
    _generator.state["state"]["counter"][:] = first, 0, 0, index
    _generator.bits.state = _generator.state
    bits: np.random.Philox = _generator.bits
    return bits


def below(bound: int, word: int) -> int:
    """An integer in [0, bound) from one word, by multiply and shift; its bias is below ``bound / 2**64``."""
    return (word * bound) >> 64


def between(least: float, most: float, word: int) -> float:
    """An amount in [least, most] from one word, in steps of 1/`STEPS`; both ends belong to it."""
    first, last = round(least * STEPS), round(most * STEPS)
    return (first + below(last - first + 1, word)) / STEPS


def octets(seed: int, purpose: int, index: int, count: int) -> npt.NDArray[np.uint8]:
    """Random octets, uint8 (count,), the same for the same three numbers: those of `words`, each lowest octet first."""
    raw = _bits(seed, purpose, index).random_raw(-(-count // 8)).astype("<u8", copy=False)
    return raw.view(np.uint8)[:count]


def random_order(n: int, seed: int, purpose: int, index: int) -> npt.NDArray[np.int64]:
    """The numbers from 0 to ``n - 1`` in an order that is a function of the other three: int64 (n,)."""
    # Equal words are as good as never, and then the stable sort decides.
    order: npt.NDArray[np.int64] = _bits(seed, purpose, index).random_raw(n).argsort(kind="stable")
    return order
