"""Panels of a figure dealt out to rows that are all full."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["GAP", "LEFT", "NARROWEST", "RIGHT", "ROOM", "WIDTH", "Panel", "full_rows"]

WIDTH = 11.0
"""Of the figure, in inches; so are all lengths below."""
LEFT, RIGHT, GAP = 0.55, 0.25, 0.5
ROOM = WIDTH - LEFT - RIGHT
PANEL, NARROWEST = 2.2, 1.9
"""Width that panels are brought near to, and the least that their titles have room in."""


@dataclass(frozen=True)
class Panel:
    """One thing of all samples.

    Attributes:
        draw: draws it side by side in as many axes as it is given.
        span: how much room it takes; 1 is as much as others have.
        parted: whether that is as many axes, not one.
    """

    draw: Callable[[Sequence[Axes]], None]
    span: int = 1
    parted: bool = False


def full_rows(spans: Sequence[int], first: float) -> list[list[int]]:
    """Places of panels row by row, so that each row is full and their widths are alike; inches of the ``first`` row.

    Args:
        spans: of the panels, in their order, one or more.
        first: inches that the first row has for them; the others have `ROOM`.
    """
    # For so many panels: the least cost of rows that hold them, and those rows.
    best: list[tuple[float, list[list[int]]]] = [(0.0, [])]
    for end in range(1, len(spans) + 1):
        found = []
        for start in range(end):
            units = sum(spans[start:end])
            unit = ((first if start == 0 else ROOM) + GAP) / units - GAP
            # Too narrow is worse than any unevenness, where one panel alone is.
            cost = units * (unit - PANEL) ** 2 + (1e6 if unit < NARROWEST else 0.0)
            found.append((best[start][0] + cost, [*best[start][1], list(range(start, end))]))
        best.append(min(found, key=lambda each: each[0]))
    return best[-1][1]
