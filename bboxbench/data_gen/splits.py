"""Which samples train, validate and test: by their index, since every sample is drawn independently."""

from __future__ import annotations

__all__ = ["LEAST", "split_ranges"]

LEAST = 4
"""From so many samples on every split has one."""


def split_ranges(n: int) -> dict[str, range]:
    """Indices of ``train`` (the first 3/10), ``validation`` (the next 2/10) and ``test`` (the last half).

    The cuts are at ``floor(3 n / 10)`` and ``floor(n / 2)``.
    """
    first, second = 3 * n // 10, n // 2
    return {"train": range(first), "validation": range(first, second), "test": range(second, n)}
