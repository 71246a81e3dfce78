"""What a spec allows a sample to be. Arrays that fit their hashes may still hold what nobody drew.

One table, for the reader, which refuses the first such sample, and for ``verify``, which names all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from bboxbench.data_gen.draws import STEPS
from bboxbench.data_gen.imported import AnySpec, ImportedSpec
from bboxbench.data_gen.packing import Arrays

__all__ = ["boxes_outside", "impossible"]

_Values = npt.NDArray[Any]
_Truth = npt.NDArray[np.bool_]


def boxes_outside(boxes: _Values, width: int, height: int) -> _Truth:
    """Which boxes, xyxy (n, 4), are inverted, empty, or not wholly in a picture of that size: bool (n,)."""
    xmin, ymin, xmax, ymax = boxes.T
    inside = (xmin >= 0) & (ymin >= 0) & (xmin < xmax) & (ymin < ymax) & (xmax <= width) & (ymax <= height)
    return np.asarray(~inside)


def impossible(spec: AnySpec, arrays: Arrays) -> dict[int, list[str]]:
    """What no sample of a spec can be.

    Args:
        spec: of the data set.
        arrays: some or all arrays of a shard, which have the spec's types and shapes.

    Returns:
        By the rows that have such values: what they are, in words. Empty where all can be.
    """
    found: dict[int, list[str]] = {}
    for name, (what, wrong) in _rules(spec).items():
        if name in arrays:
            for row in np.flatnonzero(wrong(arrays[name])).tolist():
                value = arrays[name][row].tolist()
                told = tuple(value) if isinstance(value, list) else value
                found.setdefault(row, []).append(what.format(told))
    return found


def _rules(spec: AnySpec) -> dict[str, tuple[str, Callable[[_Values], _Truth]]]:
    """By arrays: what to say of a value that cannot be, and which values cannot."""
    rules: dict[str, tuple[str, Callable[[_Values], _Truth]]] = {
        "boxes": (
            f"the box {{}} in a picture of {spec.width}x{spec.height}",
            lambda boxes: boxes_outside(boxes, spec.width, spec.height),
        )
    }
    if isinstance(spec, ImportedSpec):
        return {**rules, "labels": _place("class", len(spec.classes))}
    codepoints = np.array([ord(glyph) for glyph in spec.glyphs], np.uint32)
    smallest, largest = spec.sizes
    return {
        **rules,
        "codepoints": ("the codepoint {}, which is none of its glyphs", lambda values: ~np.isin(values, codepoints)),
        "fonts": _place("font", len(spec.fonts)),
        "kinds": _place("background", len(spec.background)),
        "sizes": (
            f"the size {{}}, not from {smallest} to {largest}",
            lambda values: (values < smallest) | (values > largest),
        ),
        "rotations": _amounts("rotation", -spec.rotation, spec.rotation),
        "scales": _amounts("scale", *spec.scale),
        "shears": _amounts("shear", -spec.shear, spec.shear),
        "shifts": _amounts("shift", -spec.shift, spec.shift),
        "blurs": _amounts("blur", 0, spec.blur),
        "noises": _amounts("noise", 0, spec.noise),
    }


def _place(what: str, count: int) -> tuple[str, Callable[[_Values], _Truth]]:
    return f"the {what} number {{}}, not from 0 to {count - 1}", lambda values: values >= count


def _amounts(what: str, least: float, most: float) -> tuple[str, Callable[[_Values], _Truth]]:
    """Amounts are drawn in steps and kept as float32, so they are compared in steps."""
    first, last = round(least * STEPS), round(most * STEPS)

    def wrong(values: _Values) -> _Truth:
        steps = np.rint(values.astype(np.float64) * STEPS).reshape(len(values), -1)
        # What is no number is not within either.
        return np.asarray(~((steps >= first) & (steps <= last)).all(axis=1))

    return f"the {what} {{}}, not from {least:g} to {most:g}", wrong
