"""Roots, powers and exponentials whose gradient stays finite where the bare ones have none.

Each lets NaN through: a network that diverged must show.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from bboxbench.losses.geometry import Tensor

__all__ = ["root", "saturating", "small_power"]


def root(x: Tensor) -> Tensor:
    """Square root of values of at least 0, any shape; at 0 the value and the gradient are 0, not 0 and infinite.

    The distance of two points then rests where they meet.
    """
    none = ops.less_equal(x, 0)
    return ops.where(none, ops.zeros_like(x), ops.sqrt(ops.where(none, ops.ones_like(x), x)))


def small_power(x: Tensor, exponent: Any, eps: float) -> Tensor:
    """``x ** exponent`` for values of at least 0, any shape; up to ``eps`` a straight line to 0 in its place.

    The bare power has an infinite gradient at 0 where the exponent is below 1.
    """
    small = ops.less_equal(x, eps)
    line = x * eps ** (exponent - 1)
    return ops.where(small, line, ops.power(ops.where(small, ops.ones_like(x), x), exponent))


def saturating(x: Tensor) -> Tensor:
    """``1 - exp(-x)``, any shape, exact to the last bits for small x."""
    # Subtracted from 0, not negated: 0 then reads 0.0 and not -0.0.
    return 0.0 - ops.expm1(-x)
