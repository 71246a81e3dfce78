"""Colours and markers of a sweep's figures, that colour-blind eyes tell apart; all else is the style of the project."""

from __future__ import annotations

from typing import Any

from bboxbench.figure_style import GRID, INK, MUTED, ON_COLOUR, PAPER, STYLE, in_style, style

__all__ = ["GRID", "INK", "MUTED", "ON_COLOUR", "OUTCOME_STYLE", "PAPER", "STYLE", "SYMPTOM_STYLE", "in_style", "style"]

OUTCOME_STYLE: dict[Any, Any] = {
    "converged": ("#009E73", "o"),
    "learning": ("#56B4E9", "s"),
    "blind": ("#E69F00", "D"),
    "diverged": ("#D55E00", "X"),
    "failed": (INK, "x"),
}
"""Colour (Okabe and Ito's palette) and marker of each outcome."""

SYMPTOM_STYLE: dict[Any, Any] = {
    "pinned": ("#CC79A7", "////"),
    "inverted": ("#0072B2", "...."),
    "constant": ("#F0E442", "----"),
}
"""Colour (of the same palette) and hatching of each symptom."""
