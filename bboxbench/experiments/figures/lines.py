"""How lines of many losses are told apart."""

from __future__ import annotations

from typing import Any

from bboxbench.experiments.figures.style import INK

__all__ = ["loss_styles"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", INK)
"""Okabe and Ito's palette but for its yellow, which is too pale for a line on white."""
MARKERS = "osD^vXP*<>"
LINES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)))


def loss_styles(names: list[str]) -> dict[str, dict[str, Any]]:
    """Colour, marker and line of each loss: 7, 10 and 3 turn at different speeds, so that 210 losses differ."""
    return {
        name: {
            "color": COLOURS[k % len(COLOURS)],
            "marker": MARKERS[k % len(MARKERS)],
            "linestyle": LINES[k % len(LINES)],
        }
        for k, name in enumerate(names)
    }
