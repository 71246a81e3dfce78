"""Losses of the form ``1 - IoU + penalties``, and what other losses do with them.

Most published box losses are the shortfall ``1 - IoU`` plus penalties on what else is wrong. Those that reweight "any"
loss change the parts: alpha-IoU raises each to a power, Inner-IoU and Focaler-IoU put another overlap in the place of
IoU and keep the penalties. So a loss that gives its `Terms` can be the base of all three, and so can they.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import keras
from keras import ops

from bboxbench.losses import registry
from bboxbench.losses.catalogue import CatalogueLoss
from bboxbench.losses.geometry import Corners, overlap_areas
from bboxbench.losses.numerics import Tensor, at_least

__all__ = ["ComposableLoss", "Terms", "WrapperLoss", "base_loss", "bases", "shortfall", "shortfall_of"]


class Terms(NamedTuple):
    """The parts of a loss, each of shape (...): its value is their sum.

    Attributes:
        shortfall: 1 - IoU, or 1 minus what stands in its place, in [0, 1] for boxes that are not inverted.
        penalties: what is added, each at least 0.
    """

    shortfall: Tensor
    penalties: tuple[Tensor, ...] = ()

    def total(self) -> Tensor:
        """The value of the loss, shape (...)."""
        value = self.shortfall
        for penalty in self.penalties:
            value = value + penalty
        return value


def shortfall(true: Corners, pred: Corners, eps: float) -> Tensor:
    """``1 - IoU`` of matching boxes, shape (...), computed as ``(U - I) / max(U, eps)``.

    The same wherever the union exceeds ``eps``, exact for boxes that nearly match, and 0 for two identical boxes
    without area.
    """
    return shortfall_of(*overlap_areas(true, pred), eps)


def shortfall_of(shared: Tensor, whole: Tensor, eps: float) -> Tensor:
    """``1 - shared / whole`` of areas, shape (...), without a gradient where nothing is shared.

    There the value is 1 whatever the boxes, but the gradients of ``whole`` would cancel to rounding errors only, and an
    optimizer that normalises its steps, as Adam, would walk boxes away on them.
    """
    whole = ops.where(ops.equal(shared, 0), ops.stop_gradient(whole), whole)
    return (whole - shared) / at_least(whole, eps)


class ComposableLoss(CatalogueLoss):
    """A loss that gives its `Terms`, so that alpha-IoU, Inner-IoU and Focaler-IoU can take it as their base.

    A subclass names ``terms_of``, a function of the corners of true and predicted boxes and of the loss's parameters.
    """

    terms_of: ClassVar[Callable[..., Terms]]

    def terms(self, true: Corners, pred: Corners) -> Terms:
        """The parts of the loss of matching boxes, each of shape (...)."""
        return type(self).terms_of(true, pred, **self.own_parameters())


def base_loss(base: Any) -> ComposableLoss:
    """The loss that a wrapper is put round.

    Args:
        base: a registered name, or the instance of a loss. Of an instance only the formula and its parameters count;
            format, reduction and dtype are the wrapper's.

    Raises:
        ValueError: if it is not of the form ``1 - IoU + penalties``.
    """
    loss = registry.get(base) if isinstance(base, str) else base
    if not isinstance(loss, ComposableLoss):
        received = repr(base) if isinstance(base, str) else getattr(base, "name", repr(base))
        raise ValueError(
            f"Expected base to be a loss of the form 1 - IoU + penalties, one of: {', '.join(bases())}. "
            f"Received: base={received}"
        )
    return loss


def bases() -> list[str]:
    """The registered names that `base_loss` takes, sorted."""
    return [name for name in registry.names() if issubclass(registry.loss_class(name), ComposableLoss)]


class WrapperLoss(ComposableLoss):
    """A loss put round another one, ``base``, which is kept in `get_config` with all its parameters."""

    base: Any

    def get_config(self) -> dict[str, Any]:
        """Every parameter of the constructor, the base by its name or in Keras's own serialized form."""
        base = self.base if isinstance(self.base, str) else keras.saving.serialize_keras_object(self.base)
        return {**super().get_config(), "base": base}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> WrapperLoss:
        """The way back from `get_config`."""
        base = config.get("base")
        if isinstance(base, dict):
            config = {**config, "base": keras.saving.deserialize_keras_object(base)}
        return cls(**config)
