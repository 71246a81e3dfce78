"""Bounds, roots, powers and exponentials, alike on every backend, with a gradient that stays finite.

Keras's own differ between backends: where two numbers coincide TensorFlow gives one of them the whole gradient, others
share it; at 0 the absolute value has a slope on JAX; on PyTorch `maximum` makes float32 of float64. A perfect match has
to be a resting point of every loss, so here a gradient is shared where two numbers coincide.

Each lets NaN through: a network that diverged must show.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from keras import ops

__all__ = [
    "Tensor",
    "at_least",
    "at_most",
    "larger",
    "magnitude",
    "root",
    "saturating",
    "small_power",
    "smaller",
]

Tensor: TypeAlias = Any
"""A tensor of the backend in use, or anything that becomes one: a NumPy array, nested lists. Keras ships no types."""


# Chosen by two comparisons that are both false for NaN, which then goes through the mean.
def larger(a: Tensor, b: Tensor) -> Tensor:
    """The larger of two tensors, element by element; where they are equal, both get half of the gradient."""
    return ops.where(ops.less(a, b), b, ops.where(ops.less(b, a), a, (a + b) / 2))


def smaller(a: Tensor, b: Tensor) -> Tensor:
    """The smaller of two tensors, element by element; where they are equal, both get half of the gradient."""
    return ops.where(ops.less(a, b), a, ops.where(ops.less(b, a), b, (a + b) / 2))


def at_least(x: Tensor, bound: float) -> Tensor:
    """``x``, or ``bound`` where it is below; there it has no gradient, and from the bound on it has."""
    return ops.where(ops.less(x, bound), ops.full_like(x, bound), x)


def at_most(x: Tensor, bound: float) -> Tensor:
    """``x``, or ``bound`` where it is above; there it has no gradient, and up to the bound it has."""
    return ops.where(ops.greater(x, bound), ops.full_like(x, bound), x)


def magnitude(x: Tensor) -> Tensor:
    """Absolute value, any shape, with a gradient of 0 at 0."""
    return ops.where(ops.equal(x, 0), ops.zeros_like(x), ops.abs(x))


def root(x: Tensor) -> Tensor:
    """Square root of values of at least 0, any shape; at 0 the value and the gradient are 0, not 0 and infinite.

    The distance of two points then rests where they meet.
    """
    none = ops.less_equal(x, 0)
    return ops.where(none, ops.zeros_like(x), ops.sqrt(ops.where(none, ops.ones_like(x), x)))


def small_power(x: Tensor, exponent: float, eps: float) -> Tensor:
    """``x ** exponent`` for values of at least 0, any shape; up to ``eps`` a straight line to 0 in its place.

    The bare power has an infinite gradient at 0 where the exponent is below 1.
    """
    small = ops.less_equal(x, eps)
    line = x * eps ** (exponent - 1)
    return ops.where(small, line, ops.where(small, ops.ones_like(x), x) ** exponent)


def saturating(x: Tensor) -> Tensor:
    """``1 - exp(-x)``, any shape, exact to the last bits for small x."""
    # Subtracted from 0, not negated: 0 then reads 0.0 and not -0.0.
    return 0.0 - ops.expm1(-x)
