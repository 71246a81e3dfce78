"""Initializers as a person reads them: without the parameters that stand at Keras's default."""

from __future__ import annotations

import re

__all__ = ["DEFAULTS", "short"]

DEFAULTS: dict[str, dict[str, str]] = {
    "random_normal": {"mean": "0.0", "stddev": "0.05"},
    "truncated_normal": {"mean": "0.0", "stddev": "0.05"},
    "random_uniform": {"minval": "-0.05", "maxval": "0.05"},
    "variance_scaling": {"scale": "1.0", "mode": "fan_in", "distribution": "truncated_normal"},
    "orthogonal": {"gain": "1.0"},
    "identity": {"gain": "1.0"},
}
"""Keras's defaults, written down: importing Keras takes longer than making the page."""

_CALL = re.compile(rf"\b({'|'.join(DEFAULTS)})\(([^()]*)\)")


def short(text: str) -> str:
    """A name or a whole sentence with its initializers short.

    >>> short("mse under random_normal(mean=0.0,stddev=0.0289) converged")
    'mse under random_normal(stddev=0.0289) converged'
    >>> short("random_uniform(minval=-0.05,maxval=0.05)")
    'random_uniform'
    """

    def call(found: re.Match[str]) -> str:
        usual = DEFAULTS[found[1]]
        pairs = [pair.partition("=") for pair in found[2].split(",")]
        kept = [f"{name}={value}" for name, _, value in pairs if usual.get(name.strip()) != value.strip()]
        return f"{found[1]}({','.join(kept)})" if kept else found[1]

    return _CALL.sub(call, text)
