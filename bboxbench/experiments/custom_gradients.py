"""TensorFlow keeps a gradient that was given by hand for ever, and with it the graph it came from and its variables.

`tf.custom_gradient` enters one into a registry whenever a graph is traced, and takes none out. After 14 blocks of four
networks that was 2.6 GB. What this module takes out no trained graph needs any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tensorflow.python.framework import ops

__all__ = ["gradients_forgotten"]

PREFIX = "CustomGradient-"
"""How TensorFlow names them."""


@contextmanager
def gradients_forgotten() -> Iterator[None]:
    """What was traced within it is not differentiated behind it: its gradients are taken out of the registry."""
    known = set(_registry())
    try:
        yield
    finally:
        for name in set(_registry()) - known:
            if name.startswith(PREFIX):
                _registry().pop(name, None)


def _registry() -> dict[str, Any]:
    """No public name leads there; a version without this one keeps them, and a test says so."""
    found: dict[str, Any] = getattr(ops.gradient_registry, "_registry", {})
    return found
