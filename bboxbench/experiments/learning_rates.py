"""A learning rate of its own for each loss, as ``adam:tuned`` takes it: one rate for all ranks rates, not losses.

Tuned on the validation split of another data seed and another seed of the network than any sweep of docs/findings.md
reports; what was tried, and how each rate did, stands there under "Learning rates".
"""

from __future__ import annotations

from collections.abc import Mapping

from bboxbench.errors import unknown_name

__all__ = ["TUNED", "UNTUNED", "is_tuned", "tuned_rate"]

TUNED: Mapping[str, Mapping[str, float]] = {
    "adam": {
        "mse": 0.0005,
        "iou": 0.0002,
        "giou": 0.0003,
        "centre_point": 0.001,
    }
}
"""By optimizer and name of the loss: the highest validation box accuracy, mean of the last three epochs of all runs."""

UNTUNED: Mapping[str, float] = {"adam": 0.0003}
"""What a loss that was not tuned takes, by optimizer."""


def is_tuned(optimizer: str, loss: str) -> bool:
    """Whether the rate that `tuned_rate` gives was tuned for this loss.

    Args:
        optimizer: its name, as ``adam``.
        loss: its name without parameters, as ``giou``.
    """
    return loss in TUNED.get(optimizer, {})


def tuned_rate(optimizer: str, loss: str) -> float:
    """The learning rate of a loss under an optimizer, above 0.

    Args:
        optimizer: its name, as ``adam``.
        loss: its name without parameters, as ``giou``; another than the tuned ones takes `UNTUNED`.

    Raises:
        InputError: no rates were tuned for this optimizer.
    """
    if optimizer not in TUNED:
        raise unknown_name("optimizer with tuned learning rates", optimizer, TUNED)
    return TUNED[optimizer].get(loss, UNTUNED[optimizer])
