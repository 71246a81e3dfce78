"""What a run's seed decides: starting weights, sample order, dropout masks and, where a sweep asks for it, the split.

Each is a pure function of the seed. Every cell of a block takes the same from here, whatever its loss, so that cells
are compared in pairs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from bboxbench.errors import InputError

__all__ = ["VARIABLE", "VARY", "deal", "layer_seed", "parse_seeds", "sample_order"]

MAX_SEEDS = 1_000_000
"""The most that one sweep takes; more is a slip of the finger."""

VARIABLE = ("init", "order", "dropout", "split")
"""What may change from seed to seed: starting weights, sample order, dropout masks, which pictures are for what."""

VARY = ("init", "order", "dropout")
"""What does, unless a sweep asks for something else. What does not is as under seed 0."""


def _key(purpose: str, seed: int, detail: str | int) -> bytes:
    return hashlib.sha256(f"bboxbench/{purpose}/{seed}/{detail}".encode()).digest()


def layer_seed(purpose: str, seed: int, layer: str) -> int:
    """The integer seed, 0 to 2**31 - 1, of one layer's initializer or dropout.

    Args:
        purpose: "init" or "dropout".
        seed: the run's seed.
        layer: the layer's name, so that no two layers start from the same numbers.
    """
    return int.from_bytes(_key(purpose, seed, layer)[:4], "little") >> 1


def sample_order(seed: int, epoch: int, n: int) -> npt.NDArray[np.int64]:
    """The order in which an epoch (from 0) of a run reads its ``n`` training pictures: a permutation, shape (n,).

    Raw Philox words are ranked: NumPy keeps those the same from version to version, its `permutation` it does not.
    """
    key = np.frombuffer(_key("order", seed, epoch)[:16], np.uint64)
    return np.argsort(np.random.Philox(key=key).random_raw(n), kind="stable")


def deal(seed: int, n: int) -> npt.NDArray[np.int64]:
    """The order in which the ``n`` samples of a data set are dealt to its splits: a permutation, shape (n,).

    Seed 0 leaves them where they are. Philox is ranked as in `sample_order`.
    """
    if seed == 0:
        return np.arange(n)
    key = np.frombuffer(_key("split", seed, "")[:16], np.uint64)
    return np.argsort(np.random.Philox(key=key).random_raw(n), kind="stable")


def parse_seeds(text: str | int | Iterable[int]) -> tuple[int, ...]:
    """Seeds from ``"20"`` (that many, from 0), ``"0-19"`` (both ends counted) or ``"3,5,8"``; or from a list of them.

    Raises:
        InputError: another form, none at all, or one twice.

    >>> parse_seeds("3")
    (0, 1, 2)
    """
    expected = "Expected seeds as a count (20), a range (0-19) or a list (3,5,8)."
    if isinstance(text, bool):
        raise InputError(f"{expected} Received: {text}.")
    words = [str(text)] if isinstance(text, (str, int)) else [str(word) for word in text]
    if len(words) == 1 and words[0].strip().isdecimal() and isinstance(text, (str, int)):
        words = [f"0-{int(words[0]) - 1}"] if int(words[0]) else []
    seeds: list[int] = []
    seen: set[int] = set()
    for word in ",".join(words).split(","):
        first, dash, last = word.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or (dash and int(last) < int(first)):
            raise InputError(f"{expected} Received: '{text}'.")
        new = range(int(first), int(last if dash else first) + 1)
        if len(seeds) + len(new) > MAX_SEEDS or new.stop > 2**31:
            raise InputError(f"{expected} Received more than {MAX_SEEDS:,} of them, or one above 2**31: '{text}'.")
        if twice := [seed for seed in new if seed in seen]:
            raise InputError(f"{expected} Received seed {twice[0]} more than once in '{text}'.")
        seeds.extend(new)
        seen.update(new)
    return tuple(seeds)
