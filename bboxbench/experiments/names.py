"""Initializers as a person reads them, on pages and in figures: short, and always with their spread, which decides."""

from __future__ import annotations

import re

__all__ = ["short"]

_NUMBER = r"\d+(?:\.\d+)?(?:e-?\d+)?"
_UNIFORM = re.compile(rf"\brandom_uniform\(minval=-({_NUMBER}),maxval=\1\)")
_NORMAL = re.compile(rf"\b(random_normal|truncated_normal)\(mean=0\.0,(stddev={_NUMBER})\)")


def short(text: str) -> str:
    """A name or a whole sentence with its initializers short: only what says that they lie round 0 is left out.

    >>> short("mse under random_normal(mean=0.0,stddev=0.0289) converged")
    'mse under random_normal(stddev=0.0289) converged'
    >>> short("random_uniform(minval=-0.05,maxval=0.05)")
    'random_uniform(±0.05)'
    """
    return _NORMAL.sub(r"\1(\2)", _UNIFORM.sub(r"random_uniform(±\1)", text))
