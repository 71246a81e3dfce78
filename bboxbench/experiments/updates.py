"""Keras's optimizers on stacked weights: one update for many networks, each with its own learning rate."""

from __future__ import annotations

from typing import Any

import keras

__all__ = ["apply_updates", "why_not_elementwise"]

ELEMENTWISE = ("SGD", "RMSprop", "Adam", "AdamW", "Adadelta", "Adagrad", "Adamax", "Ftrl", "Lion")
"""Keras's classes whose update of a weight reads that weight, its gradient and its own state, and nothing else."""

_WHOLE = ("clipnorm", "global_clipnorm", "use_ema", "gradient_accumulation_steps", "loss_scale_factor")
"""Options under which an update reads more than that, or comes another way than step by step."""


def why_not_elementwise(optimizer: Any) -> str:
    """Why networks that are stacked along an axis would not train as they do alone; empty where they would.

    Args:
        optimizer: a `keras.optimizers.Optimizer`.
    """
    kind = type(optimizer)
    if kind not in {getattr(keras.optimizers, name) for name in ELEMENTWISE}:
        return f"{kind.__name__}'s update of one weight depends on others, or on a schedule of its own"
    if option := next((name for name in _WHOLE if getattr(optimizer, name, None)), None):
        return f"{kind.__name__} with {option} does not update each weight by itself"
    return ""


def apply_updates(optimizer: Any, variables: list[Any], gradients: list[Any], rates: Any) -> None:
    """One training step of all networks, as `Optimizer.apply` would do it for each alone.

    Keras keeps one rate an optimizer and refuses a vector; its update rules take any that broadcasts.

    Args:
        optimizer: built on ``variables``, and elementwise (see `why_not_elementwise`).
        variables: `keras.Variable` of shape (R, ...), R networks stacked.
        gradients: of the same shapes.
        rates: learning rate of each network, shape (R,).
    """
    for variable, gradient in zip(variables, gradients, strict=True):
        rate = keras.ops.reshape(rates, (-1,) + (1,) * (len(variable.shape) - 1))
        if optimizer.clipvalue:
            gradient = keras.ops.clip(gradient, -optimizer.clipvalue, optimizer.clipvalue)
        if optimizer.weight_decay:
            variable.assign(variable - variable * optimizer.weight_decay * rate)
        optimizer.update_step(gradient, variable, rate)
    optimizer.iterations.assign_add(1)
