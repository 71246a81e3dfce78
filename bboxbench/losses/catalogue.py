"""What the losses of this package share: a class beside its pure function, and a card that says what it is good for."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypedDict

import keras

from bboxbench.losses.base import BoxLoss
from bboxbench.losses.numerics import Tensor

__all__ = ["CatalogueLoss", "LossCard", "LossOptions"]


@dataclass(frozen=True)
class LossCard:
    """What is claimed of a loss; ``docs/losses.md`` shows it, and the tests hold every claim, the denials too.

    Claims about two boxes are about boxes with sides from 1/2 to 2, up to 10 apart, at the default parameters.

    Attributes:
        family: as the page groups them, as in "IoU".
        formula: the value of one box, in plain text.
        source: paper and arXiv id, or who first wrote it down.
        purpose: what it is for, in a sentence or two.
        zero_iff_equal: 0 for equal boxes, and for no others.
        upper_bound: no value is larger; None where there is no bound.
        monotone: never falls while the predicted box moves straight away from the true one's centre.
        disjoint: the pull that brings a box without overlap nearer: "yes", "fades" with the distance until none is
            left, or "no".
        scale_invariant: the same for boxes in any unit.
        translation_invariant: the same wherever the pair of boxes lies.
        symmetric: the same with the boxes exchanged.
        units: what unit the boxes must be in for the default parameters, empty where it does not matter.
        unit_parameters: those that make it fit another unit.
        inverted: what a step does to an inverted prediction inside its target: it "turns" round, "moves" otherwise, or
            "stays".
        point: what a step does to a prediction that is a point, neither wide nor high, inside its target: it "grows",
            "moves" otherwise, "stays", or "breaks" (every coordinate becomes NaN).
        wrong_elsewhere: known wrong or differing versions, with where they were seen.
    """

    family: str
    formula: str
    source: str
    purpose: str
    zero_iff_equal: bool
    upper_bound: float | None
    monotone: bool
    disjoint: Literal["yes", "fades", "no"]
    scale_invariant: bool
    symmetric: bool
    inverted: Literal["turns", "moves", "stays"]
    point: Literal["grows", "moves", "stays", "breaks"]
    translation_invariant: bool = True
    units: str = ""
    unit_parameters: tuple[str, ...] = ()
    wrong_elsewhere: tuple[str, ...] = ()


class LossOptions(TypedDict, total=False):
    """What every loss of the catalogue takes beside its own parameters; see `BoxLoss` for what each means."""

    bounding_box_format: str
    reduction: str | None
    name: str | None
    dtype: Any


class CatalogueLoss(BoxLoss):
    """A loss class made from its pure function: the function's parameters are the class's, and all are kept.

    A subclass names its ``function`` and ``card``, and its constructor lists the parameters, checks them and hands them
    on. Each is an attribute of the instance and an entry of `get_config`.

    Args:
        **parameters: those of the function, and those of `BoxLoss`. ``name`` is the function's if left out.
    """

    function: ClassVar[Callable[..., Tensor]]
    card: ClassVar[LossCard]
    _own: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Read the parameters off the function, and show all of them in the signature that `help` prints."""
        super().__init_subclass__(**kwargs)
        if not hasattr(cls, "function"):
            return  # a kind of loss, not a loss
        if cls.__module__.startswith("bboxbench."):
            # So that a model compiled with the function itself can be loaded again.
            keras.saving.register_keras_serializable(package="bboxbench")(cls.function)
        of_function = inspect.signature(cls.function).parameters.values()
        cls._own = tuple(p.name for p in of_function if p.kind is p.KEYWORD_ONLY and p.name != "bounding_box_format")
        own = [
            p.replace(kind=p.KEYWORD_ONLY)
            for p in list(inspect.signature(cls.__init__).parameters.values())[1:]
            if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        ]
        common = [p for p in inspect.signature(BoxLoss.__init__).parameters.values() if p.kind is p.KEYWORD_ONLY]
        default_name = cls.function.__name__
        common = [p.replace(default=default_name) if p.name == "name" else p for p in common]
        cls.__signature__ = inspect.Signature([*own, *(p for p in common if p.name not in {q.name for q in own})])

    def __init__(self, **parameters: Any) -> None:
        defaults = inspect.signature(self.function).parameters
        own = {name: parameters.pop(name, defaults[name].default) for name in self._own}
        super().__init__(**{"name": self.function.__name__, **parameters})
        for name, value in own.items():
            setattr(self, name, value)

    def own_parameters(self) -> dict[str, Any]:
        """The function's own parameters by name, as they stand now."""
        return {name: getattr(self, name) for name in self._own}

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """One value a box, shape (..., 4) to (...)."""
        function = type(self).function
        return function(y_true, y_pred, bounding_box_format=self.bounding_box_format, **self.own_parameters())

    def get_config(self) -> dict[str, Any]:
        """Every parameter of the constructor, so that a saved model finds its loss again."""
        return {**super().get_config(), **self.own_parameters()}
