"""Numbers as people type them, refused in words where they are none."""

from __future__ import annotations

import math
from collections.abc import Callable

import typer

__all__ = ["amount", "seconds", "whole_number"]


def whole_number(least: int, most: int | None = None) -> Callable[[str | int], int]:
    """A parser for an option that takes a whole number of ``least`` or more, and of ``most`` or less if given."""

    def parse(value: str | int) -> int:
        wanted = f"a whole number of {least} or more" if most is None else f"a whole number from {least} to {most}"
        try:
            number = int(str(value))
        except ValueError:
            number = None
        if number is None or number < least or (most is not None and number > most):
            raise typer.BadParameter(f"expected {wanted}, received '{value}'.")
        return number

    return parse


def amount(unit: str) -> Callable[[str | float], float]:
    """A parser for an option that takes a finite number of 0 or more in a unit, as in "seconds"."""

    def parse(value: str | float) -> float:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and number >= 0):
            raise typer.BadParameter(f"expected {unit}, 0 or more, received '{value}'.")
        return number

    return parse


seconds = amount("seconds")
"""A parser for an option that takes a length of time."""
