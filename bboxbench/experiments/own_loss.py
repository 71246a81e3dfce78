"""A loss of the user's own, tried on a handful of boxes before anything is drawn or trained.

What no training could make sense of is a fault. What is legitimate but dangerous is a warning: failing losses are what
this project exists to show. See docs/extending.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import ops

from bboxbench.errors import one_line
from bboxbench.gradients import value_and_gradient
from bboxbench.losses import FunctionLoss

__all__ = ["AWKWARD", "ORDINARY", "Examined", "examine"]

Array = npt.NDArray[np.float32]
Call = Callable[[Any, Any], Any]

ORDINARY = (
    ((0.2, 0.2, 0.6, 0.6), (0.3, 0.25, 0.7, 0.7)),
    ((0.1, 0.3, 0.5, 0.9), (0.15, 0.2, 0.45, 0.8)),
    ((0.2, 0.1, 0.8, 0.7), (0.35, 0.3, 0.6, 0.65)),
    ((0.4, 0.4, 0.6, 0.5), (0.25, 0.3, 0.8, 0.75)),
    ((0.05, 0.1, 0.25, 0.4), (0.1, 0.3, 0.5, 0.45)),
    ((0.5, 0.55, 0.9, 0.95), (0.45, 0.5, 0.85, 0.8)),
)
"""Pairs of a true and a predicted box that overlap, xyxy divided by width and height, as a sweep gives them."""

AWKWARD = {
    "where boxes do not overlap": (
        ((0.1, 0.1, 0.3, 0.4), (0.6, 0.5, 0.9, 0.7)),
        ((0.5, 0.2, 0.9, 0.6), (0, 0, 0.2, 0.9)),
    ),
    "where the prediction is inverted": (((0.2, 0.2, 0.8, 0.8), (0.7, 0.6, 0.35, 0.3)),),
    "where the prediction has no area": (
        ((0.2, 0.2, 0.8, 0.8), (0.4, 0.35, 0.4, 0.35)),
        ((0.2, 0.2, 0.8, 0.8), (0, 0, 0, 0)),
    ),
    "where the boxes are identical": (((0.2, 0.3, 0.6, 0.7), (0.2, 0.3, 0.6, 0.7)),),
}
"""The same for boxes as a network gives them at its worst, and at its best."""


@dataclass(frozen=True)
class Examined:
    """What was found of a loss, each in one line."""

    fault: str = ""
    """Why it cannot be trained, the first reason found; empty if it can."""
    warnings: tuple[str, ...] = ()
    """What is legitimate but dangerous."""
    notes: tuple[str, ...] = ()
    """What a sweep, which gives boxes of shape (batch, 4) in float32, does not mind."""


def examine(name: str, loss: Any) -> Examined:
    """Try a loss on `ORDINARY` and `AWKWARD` boxes.

    Args:
        name: as the person wrote it, for the messages.
        loss: a `keras.losses.Loss`. What it remembers from one call to the next is changed.
    """
    call = partial(loss.function, **loss.parameters) if isinstance(loss, FunctionLoss) else loss.call
    true, pred = boxes_of(ORDINARY)
    if fault := next(_faults(name, call, true, pred), ""):
        return Examined(fault)
    return Examined("", tuple(_warnings(name, call)), tuple(_notes(call, true, pred)))


def boxes_of(pairs: tuple[tuple[Any, Any], ...]) -> tuple[Array, Array]:
    """The true and the predicted boxes of pairs, each of shape (n, 4)."""
    both = np.array(pairs, np.float32)
    return both[:, 0], both[:, 1]


def _faults(name: str, call: Call, true: Array, pred: Array) -> Iterator[str]:
    """What is wrong on boxes that overlap; each reason takes for granted that those before it did not hold."""
    count, mend = len(true), f"Mend it; 'bboxbench losses show {name}' tries it again."
    where = f"{count} overlapping pairs of shape ({count}, 4)"
    try:
        values = _values(call, true, pred)
    except Exception as error:  # whatever somebody else's loss does
        yield f"The loss '{name}' raises on {where}: {_words(error)}. {mend}"
        return
    if values.shape != (count,):
        yield (
            f"Expected the loss '{name}' to give one value a box, shape ({count},) for boxes ({count}, 4). Received: "
            f"shape {values.shape}, {_shape_reason(values.shape, count)}."
        )
        return
    try:
        values, gradient = value_and_gradient(call, true, pred)
    except ValueError:
        yield (
            f"Expected the loss '{name}' to have a gradient for the predicted boxes. Received: none on {where}. "
            "Compute it from y_pred with keras.ops, without rounding, argmax, comparisons or NumPy."
        )
        return
    except Exception as error:
        yield f"The gradient of the loss '{name}' cannot be computed on {where}: {_words(error)}. {mend}"
        return
    for true_box, pred_box, value, slope in zip(true, pred, values, gradient, strict=True):
        if not (np.isfinite(value) and np.isfinite(slope).all()):
            yield (
                f"Expected the loss '{name}' to be finite where boxes overlap. Received: value {value:g}, gradient "
                f"{_box(slope)} for true {_box(true_box)}, predicted {_box(pred_box)}. {mend}"
            )
            return
    yield from _batch_fault(name, call, true, pred, values)
    if not gradient.any():
        yield (
            f"Expected the loss '{name}' to have a gradient where boxes overlap. Received: 0 for each of {where}, so "
            "nothing would learn. Leave out rounding, argmax and comparisons."
        )
        return
    try:
        # Both engines train in a graph, as this is.
        tf.function(call, autograph=False)(tf.constant(true), tf.constant(pred))
    except Exception as error:
        yield (
            f"The loss '{name}' cannot become a graph, in which networks train: {_first_sentence(error)} Use keras.ops "
            "in the place of 'if', of .numpy() and of NumPy."
        )


def _shape_reason(shape: tuple[int, ...], count: int) -> str:
    """What one probably forgot."""
    if shape == ():
        return "one number for the whole batch: a mean, sum or norm needs axis=-1"
    if shape == (count, 4):
        return "four values a box: take their mean or sum with axis=-1"
    if shape == (4,):
        return "one value a coordinate: a mean or sum needs axis=-1, not axis=0"
    if shape == (count, count):
        return "every box against every other: compare each with its own target"
    return "leave out keepdims" if shape == (count, 1) else "each box needs its own"


def _batch_fault(name: str, call: Call, true: Array, pred: Array, values: Array) -> Iterator[str]:
    """Whether a box's value changes with the boxes beside it; not asked where values change by themselves."""
    if not _steady(call, true, pred):
        return
    for index, value in enumerate(values):
        twice = [index, index]
        alone = _values(call, true[twice], pred[twice])
        if _changes(value, alone).any():
            yield (
                f"Expected the loss '{name}' to give a box the same value in any batch. Received: {value:.4g} beside "
                f"others and {alone[0]:.4g} in a batch of its own, for true {_box(true[index])}, predicted "
                f"{_box(pred[index])}. Reduce over the four numbers of a box, axis=-1, alone: a maximum or norm of the "
                "whole batch is in it."
            )
            return


def _warnings(name: str, call: Call) -> Iterator[str]:
    true, pred = boxes_of(ORDINARY)
    lost, stuck, values = [], [], [_values(call, true, pred)]
    if not _steady(call, true, pred):
        yield (
            f"The loss '{name}' gives other values when it is called again with the same boxes: it draws random "
            "numbers, or remembers earlier batches. The runs of a sweep are then not alike but for their axes."
        )
    for where, pairs in AWKWARD.items():
        try:
            value, gradient = value_and_gradient(call, *boxes_of(pairs))
        except Exception as error:
            yield f"The loss '{name}' raises {where}: {_words(error)}. A run that meets such a box fails."
            continue
        values.append(value[np.isfinite(value)])
        # Of two pairs of a kind one is enough: a network meets both.
        if not (np.isfinite(value).all() and np.isfinite(gradient).all()):
            lost.append(f"{where} (value {_worst(value)}, gradient {_worst(gradient)})")
        elif "identical" not in where and not gradient.any(-1).all():
            stuck.append(where)
    if lost:
        yield f"The loss '{name}' is not finite {_listed(lost)}. A step on such a box can put NaN into every weight."
    if (least := float(np.concatenate(values).min())) < -1e-6:
        yield (
            f"The loss '{name}' has negative values, as {least:.4g}: its best is not 0, so a loss near 0 does not mean "
            "good boxes."
        )
    if stuck:
        yield f"The loss '{name}' has gradient 0 {_listed(stuck)}: boxes that start so stay where they are."


def _notes(call: Call, true: Array, pred: Array) -> Iterator[str]:
    """How it takes boxes (batch, n, 4), and float64."""
    rows = np.arange(len(true)).reshape(2, -1)
    try:
        values = _values(call, true[rows], pred[rows])
    except Exception as error:
        yield f"Boxes of shape (batch, n, 4) raise {_words(error)}."
    else:
        if values.shape != rows.shape:
            yield f"Boxes of shape {true[rows].shape} give values of shape {values.shape}, not {rows.shape}."
        elif _steady(call, true, pred) and _changes(values.ravel(), _values(call, true, pred)).any():
            yield "Boxes of shape (batch, n, 4) get other values than the same boxes of shape (batch, 4)."
    try:
        value_and_gradient(call, true.astype(np.float64), pred.astype(np.float64))
    except Exception as error:
        yield f"Boxes in float64 raise {_words(error)}."


def _values(call: Call, true: Array, pred: Array) -> Array:
    values = call(ops.convert_to_tensor(true), ops.convert_to_tensor(pred))
    if values is None:
        raise ValueError("it gives None, as if it had no 'return'")
    return np.asarray(ops.convert_to_numpy(ops.convert_to_tensor(values)))


def _steady(call: Call, true: Array, pred: Array) -> bool:
    """Whether the same boxes get the same values twice."""
    return not _changes(_values(call, true, pred), _values(call, true, pred)).any()


def _changes(a: Any, b: Any) -> Any:
    """Where two values differ by more than float32's rounding over a batch."""
    return ~np.isclose(a, b, rtol=1e-3, atol=1e-6, equal_nan=True)


def _worst(numbers: Array) -> str:
    """'nan' or 'inf' where there is one, else 'finite'."""
    return "nan" if np.isnan(numbers).any() else "inf" if np.isinf(numbers).any() else "finite"


def _box(numbers: Array) -> str:
    return "(" + ", ".join(f"{number:.4g}" for number in numbers) + ")"


def _listed(parts: list[str]) -> str:
    """As in 'a, b and c'."""
    return " and ".join(part for part in (", ".join(parts[:-1]), parts[-1]) if part)


def _words(error: BaseException) -> str:
    """Kind and words of an error, without the full stop at their end."""
    return one_line(error).rstrip(". ")


def _first_sentence(error: BaseException) -> str:
    """TensorFlow explains graphs at length."""
    return f"{one_line(error).partition('. ')[0].rstrip('.')}."
