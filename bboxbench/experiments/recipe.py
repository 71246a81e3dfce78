"""Names with parameters, as people write them: ``random_uniform(minval=-0.05,maxval=0.05)``, ``adam:0.0005``."""

from __future__ import annotations

import ast
import math
import re
from dataclasses import dataclass, field
from typing import Any

from bboxbench.errors import InputError

__all__ = ["TUNED_RATE", "Recipe", "split_list", "split_rate"]

_NAME = re.compile(r"[A-Za-z_][\w.:]*\Z")

TUNED_RATE = "tuned"
"""Stands for a learning rate: each loss its own, see `bboxbench.experiments.learning_rates`."""


@dataclass(frozen=True)
class Recipe:
    """A registered name and the parameters that differ from its defaults."""

    name: str
    parameters: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, kind: str) -> Recipe:
        """Read ``name`` or ``name(key=value,...)``.

        Values are bare words or Python literals: numbers, strings, booleans, tuples.

        Args:
            text: what the person wrote.
            kind: what it should be, for the message, as in "loss".

        Raises:
            InputError: ``text`` has another form.
        """
        name, bracket, rest = text.strip().partition("(")
        if not _NAME.match(name) or (bracket and not rest.endswith(")")):
            raise InputError(f"Expected a {kind} as name or name(key=value,...). Received: '{text}'.")
        if not bracket:
            return cls(name)
        try:
            call = ast.parse(f"f({rest}", mode="eval").body
            if (
                not isinstance(call, ast.Call)
                or not isinstance(call.func, ast.Name)
                or call.args
                or any(word.arg is None for word in call.keywords)
            ):
                raise ValueError
            # A bare word is a text: a shell takes quotes away, and base=ciou says what is meant.
            parameters = {
                str(word.arg): word.value.id if isinstance(word.value, ast.Name) else ast.literal_eval(word.value)
                for word in call.keywords
            }
            if len(parameters) < len(call.keywords):
                raise ValueError
        except (SyntaxError, ValueError):
            raise InputError(
                f"Expected parameters as key=value, each once, with plain values in the {kind} '{name}'. "
                f"Received: '{text}'."
            ) from None
        return cls(name, parameters)

    def __str__(self) -> str:
        if not self.parameters:
            return self.name
        inside = ",".join(f"{key}={value!r}" for key, value in self.parameters.items())
        return f"{self.name}({inside})"


def split_list(text: str) -> list[str]:
    """Split at the commas that stand outside brackets: ``"mse,giou(eps=1,x=2)"`` gives two items.

    >>> split_list("mse, centre_point(size_weight=0), giou")
    ['mse', 'centre_point(size_weight=0)', 'giou']
    """
    items, depth = [""], 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            items.append("")
        else:
            items[-1] += character
    return [item.strip() for item in items if item.strip()]


def split_rate(text: str) -> tuple[str, float | str | None]:
    """Split ``"adam:0.0005"`` into the optimizer and its learning rate, None where none is given.

    In place of a number may stand the word ``tuned``, which is given back as it is.

    Raises:
        InputError: the rate is neither a finite number above 0 nor ``tuned``.

    >>> split_rate("adam:0.0005")
    ('adam', 0.0005)
    """
    name, colon, rate = text.strip().partition(":") if not text.rstrip().endswith(")") else (text.strip(), "", "")
    if not colon:
        return name, None
    if rate.strip() == TUNED_RATE:
        return name, TUNED_RATE
    try:
        value = float(rate)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise InputError(
            f"Expected a learning rate above 0, as in adam:0.0005, or adam:{TUNED_RATE}. Received: '{text}'."
        )
    return name, value
