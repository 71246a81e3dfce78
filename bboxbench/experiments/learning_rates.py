"""Learning rates: one of its own for each loss, as ``adam:tuned`` takes it, and the axis ``learning_rates``.

One rate for all losses ranks rates, not losses. Those behind ``tuned`` were tuned on the validation split of another
data seed and another seed of the network than any sweep of docs/findings.md reports; what was tried, and how each rate
did, stands there under "Learning rates".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bboxbench.errors import unknown_name
from bboxbench.experiments.recipe import Recipe

__all__ = ["TUNED", "UNTUNED", "Rate", "is_tuned", "rates_of", "tuned_rate"]

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


@dataclass(frozen=True)
class Rate:
    """An item of the axis ``learning_rates``: of one loss, or of all that have none of their own."""

    value: float
    loss: str = ""
    """A loss by its name, with all its parameters or some of them; empty: every loss without rates of its own."""

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Read ``0.001`` or ``giou:0.0003``.

        Raises:
            ValueError: another form, or a rate that is not finite or not above 0.

        >>> Rate.parse("giou:3e-4")
        Rate(value=0.0003, loss='giou')
        """
        loss, _, number = text.strip().rpartition(":")
        value = float(number)
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"Expected a learning rate above 0. Received: {text}.")
        if loss:
            Recipe.parse(loss, "loss")
        return cls(value, loss.strip())

    def __str__(self) -> str:
        return f"{self.loss}:{self.value!r}" if self.loss else repr(self.value)

    def is_of(self, *spellings: str) -> bool:
        """Whether it belongs to the loss that is spelled so: the same name, and no parameter of another value."""
        if not self.loss:
            return False
        mine = Recipe.parse(self.loss, "loss")
        losses = [Recipe.parse(text, "loss") for text in spellings]
        return any(loss.name == mine.name and mine.parameters.items() <= loss.parameters.items() for loss in losses)


def rates_of(items: Iterable[str], *spellings: str) -> tuple[Rate, ...]:
    """The items of the axis that a loss takes: its own, else those of no loss; empty where there are neither.

    Args:
        items: as `Rate.parse` reads them.
        spellings: the loss as it was written, and as it is known.
    """
    rates = [Rate.parse(item) for item in items]
    return tuple(r for r in rates if r.is_of(*spellings)) or tuple(r for r in rates if not r.loss)
