"""A loss as a person reads it: its parameters from signature and docstring, its properties in words, how to use it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bboxbench.losses import LossCard

__all__ = ["Parameter", "explained_arguments", "parameters", "properties", "snippet"]

_TRUE, _PRED = [[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 4.0]]
"""What a snippet computes: the loss of a box's right half."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a loss."""

    name: str
    default: Any
    """`inspect.Parameter.empty` where there is none."""
    value: Any
    """What the recipe gives, else the default."""
    meaning: str
    """Its range and what it is, as the docstring says; may be empty."""

    def shown(self) -> str:
        """As in ``eps = 1e-07``, ``constant = 0.1 (default 12.8)``."""
        if self.value is inspect.Parameter.empty:
            return f"{self.name} (required)"
        told = "" if self.default in (self.value, inspect.Parameter.empty) else f" (default {self.default!r})"
        return f"{self.name} = {self.value!r}{told}"


def parameters(factory: Callable[..., Any], given: dict[str, Any], skip: int = 0) -> list[Parameter]:
    """The parameters of a class or function.

    Args:
        factory: the class or function.
        given: those that a recipe sets, by name.
        skip: how many stand first that are no parameters of the loss: ``y_true`` and ``y_pred`` of a function.
    """
    meanings = explained_arguments(inspect.getdoc(factory) or "")
    named = list(inspect.signature(factory).parameters.values())[skip:]
    found = [
        Parameter(each.name, each.default, given.get(each.name, each.default), meanings.get(each.name, ""))
        for each in named
        if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)
    ]
    others = {name: value for name, value in given.items() if name not in [each.name for each in found]}
    return [*found, *(Parameter(name, inspect.Parameter.empty, value, "") for name, value in others.items())]


def explained_arguments(docstring: str) -> dict[str, str]:
    """What a docstring in Google's style says of each argument, on one line.

    Of ``eps: 0 < eps < 1.`` the value is "0 < eps < 1."; of ``name, dtype: as in Keras.`` both have the same.
    """
    found: dict[str, str] = {}
    section = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)*)", docstring, re.MULTILINE)
    for names, text in re.findall(
        r"^ {4}(\w[\w, *]*): (.*(?:\n {8,}.*)*)", section[1] if section else "", re.MULTILINE
    ):
        meaning = " ".join(text.replace("`", "").split())
        found |= {name.strip(" *"): meaning for name in names.split(",")}
    return found


def properties(card: LossCard) -> dict[str, str]:
    """What is claimed of a loss, in words, each claim by the word or two for what it is about."""
    highest = "no upper bound" if card.upper_bound is None else f"at most {card.upper_bound:.8g}"
    zero = "0 for equal boxes and no others" if card.zero_iff_equal else "not 0 for equal boxes alone"
    pulls = {
        "yes": "a step brings the box nearer",
        "fades": "a step brings the box nearer, with a pull that fades with the distance until none is left",
        "no": "there are boxes that no step brings nearer",
    }
    turns = {"turns": "a step turns it round", "moves": "a step moves it, but does not turn it round"}
    grows = {
        "grows": "a step lets it grow",
        "moves": "a step moves it, but does not let it grow",
        "breaks": "a step makes it NaN",
    }
    unit = "any, and the value is the same" if card.scale_invariant else "any, and the value scales with it"
    same, other = "the same value", "another value"
    return {
        "value": f"{highest}; {zero}",
        "moved away": f"{'never' if card.monotone else 'sometimes'} falls while a box moves straight off its target",
        "no overlap": pulls[card.disjoint],
        "inverted": f"inside its target {turns.get(card.inverted, 'it stays')}",
        "a point": f"inside its target {grows.get(card.point, 'it stays')}",
        "unit": card.units or unit,
        "shifted": f"{same if card.translation_invariant else other} with both boxes elsewhere",
        "exchanged": f"{same if card.symmetric else other} with true and predicted box exchanged",
    }


def snippet(made: Any, call: str, imports: list[str]) -> str:
    """A few lines of Python that run, with what they print.

    Args:
        made: the loss.
        call: what makes it, as in ``GIoULoss()``.
        imports: the lines that ``call`` needs.
    """
    import numpy as np

    unreduced = made.reduction in (None, "none")
    values = np.asarray(made(np.array(_TRUE), np.array(_PRED)))
    lines = [
        "import numpy as np",
        "",
        *imports,
        "",
        f"true, pred = np.array({_TRUE}), np.array({_PRED})",
        f"loss = {call}",
        *(
            [
                "# the mean needs a metric and a callback: from bboxbench.metrics import MeanBoxIoU",
                '# model.compile(optimizer="adam", loss=loss, metrics=[MeanBoxIoU()])',
                "# model.fit(..., callbacks=[bboxbench.losses.WIoUMean()])",
            ]
            if hasattr(made, "iou_mean")
            else ['# model.compile(optimizer="adam", loss=loss)']
        ),
        f"print(round(float(loss(true, pred){'[0]' if unreduced else ''}), 4))  # {round(float(values.sum()), 4)}",
    ]
    return "\n".join(lines)
