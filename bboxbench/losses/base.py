"""What all box losses have in common: one value a box, and how those become one number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import keras
from keras import ops

from bboxbench.losses.geometry import check_box_format, computing_dtype
from bboxbench.losses.numerics import Tensor
from bboxbench.losses.weights import box_weights

__all__ = ["BoxLoss", "FunctionLoss", "check_flag", "check_number", "check_option"]

Option = TypeVar("Option", bound=str)


def check_number(
    name: str,
    value: Any,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> float:
    """Return ``value`` as a float if it lies within the bounds.

    Args:
        name: the parameter, for the message.
        value: what was received.
        above: a bound that the value must exceed, if any.
        at_least: a bound that the value may equal, if any.
        below: a bound that the value must stay under, if any.
        at_most: a bound that the value may equal, if any.

    Raises:
        ValueError: if it is no finite number, or not within the bounds.
    """
    number = math.nan if isinstance(value, bool | str) else _as_float(value)
    bounds = [
        (">", above, above is None or number > above),
        (">=", at_least, at_least is None or number >= at_least),
        ("<", below, below is None or number < below),
        ("<=", at_most, at_most is None or number <= at_most),
    ]
    if not math.isfinite(number) or not all(kept for _, _, kept in bounds):
        wanted = " and ".join(
            ["a finite number", *(f"{sign} {bound:g}" for sign, bound, _ in bounds if bound is not None)]
        )
        raise ValueError(f"Expected {name} to be {wanted}. Received: {name}={value!r}")
    return number


def check_option(name: str, value: Any, options: Sequence[Option]) -> Option:
    """Return ``value`` if it is one of ``options``.

    Args:
        name: the parameter, for the message.
        value: what was received.
        options: what may be.

    Raises:
        ValueError: if it is none of them.
    """
    if not isinstance(value, str) or value not in options:
        raise ValueError(f"Expected {name} to be one of {', '.join(map(str, options))}. Received: {name}={value!r}")
    return value  # type: ignore[return-value]  # one of them, as was just seen


def check_flag(name: str, value: Any) -> bool:
    """Return ``value`` if it is True or False; a text would count as True whatever it says.

    Raises:
        ValueError: if it is neither.
    """
    if not isinstance(value, bool):
        raise ValueError(f"Expected {name} to be True or False. Received: {name}={value!r}")
    return value


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


class BoxLoss(keras.losses.Loss):  # type: ignore[misc]  # Keras ships no types
    """Base class of the box losses: `call` gives one value a box, Keras's reductions do the rest.

    A subclass implements ``call(y_true, y_pred)`` by its pure function and adds its own parameters to `get_config`.

    Args:
        bounding_box_format: the order of a box's four numbers, one of `bboxbench.losses.BOX_FORMATS`, for ``y_true``
            and ``y_pred`` alike. The ``rel_`` names say that coordinates are already divided by the picture's width
            and height; coordinates are used as given in any case.
        reduction: Keras's name for what becomes of the values: "sum_over_batch_size" (their mean), "sum", "mean",
            "mean_with_sample_weight", "none".
        name: the name of the instance.
        dtype: what to compute in, Keras's default float if None. Half precision is raised to float32. On PyTorch the
            reductions themselves, which are Keras's, round float64 to float32; "none" does not.

    Call arguments:
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        sample_weight: optional weights, of the shape of the boxes without their last axis or of its first axes: for
            boxes (B, N, 4) a weight (B,) counts for all N boxes of a sample. Where the weight is 0, or Keras's mask
            leaves a box out, a true box may hold anything, NaN included.

    Returns:
        A scalar, or shape (...) when the reduction is "none". An empty batch gives 0.
    """

    def __init__(
        self,
        *,
        bounding_box_format: str = "xyxy",
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=computing_dtype(dtype))
        self.bounding_box_format = check_box_format(bounding_box_format)

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> Tensor:
        """Compute the loss of a batch; see the class for the arguments."""
        # Keras would take a nested list for many tensors of one number each.
        y_true, y_pred = (
            boxes if ops.is_tensor(boxes) else ops.convert_to_tensor(boxes, dtype=self.dtype)
            for boxes in (y_true, y_pred)
        )
        boxes = ops.convert_to_tensor(y_pred, dtype=self.dtype)
        if sample_weight is not None:
            sample_weight = box_weights(sample_weight, boxes, self.dtype)
        mask = getattr(y_pred, "_keras_mask", None)
        for weight in (sample_weight, mask):
            if weight is None:
                continue
            # A true box that is NaN, as padding may be, times weight 0 is NaN still and would reach every weight of the
            # network. Where nothing counts, the target becomes what the prediction already is.
            unused = ops.expand_dims(ops.equal(box_weights(weight, boxes, self.dtype), 0), axis=-1)
            y_true = ops.where(unused, ops.stop_gradient(boxes), ops.convert_to_tensor(y_true, dtype=self.dtype))
        loss = super().__call__(y_true, y_pred, sample_weight)
        if self.reduction not in (None, "none") and len(loss.shape) > 0:
            loss = ops.sum(loss)  # Keras hands an empty batch back unreduced
        return loss

    def get_config(self) -> dict[str, Any]:
        """Every parameter of the constructor, so that a saved model finds its loss again."""
        config: dict[str, Any] = super().get_config()
        return {**config, "dtype": self.dtype, "bounding_box_format": self.bounding_box_format}


@keras.saving.register_keras_serializable(package="bboxbench")
class FunctionLoss(BoxLoss):
    """A loss made from a plain function ``(y_true, y_pred, **parameters)`` that gives one value a box.

    Args:
        function: takes true and predicted boxes of shape (..., 4), returns values of shape (...). To be saved with a
            model it must be known to Keras, as any custom function (`keras.saving.register_keras_serializable`).
        parameters: keyword arguments handed on to the function.
        bounding_box_format: must be the format that the function itself expects; it is not handed on.
        reduction: as in `BoxLoss`.
        name: the name of the instance; the function's if None.
        dtype: as in `BoxLoss`.

    Raises:
        ValueError: when called, if the function did not give one value a box: a norm or a mean without an axis gives
            one number for the whole batch, which trains but means something else.
    """

    def __init__(
        self,
        function: Any,
        *,
        parameters: dict[str, Any] | None = None,
        bounding_box_format: str = "xyxy",
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        if not callable(function):
            raise ValueError(f"Expected a function (y_true, y_pred). Received: function={function!r}")
        super().__init__(
            bounding_box_format=bounding_box_format,
            reduction=reduction,
            name=name or getattr(function, "__name__", None),
            dtype=dtype,
        )
        self.function = function
        self.parameters = dict(parameters or {})

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """One value a box, shape (..., 4) to (...)."""
        values = ops.convert_to_tensor(self.function(y_true, y_pred, **self.parameters))
        wanted, received = tuple(y_pred.shape[:-1]), tuple(values.shape)
        if len(wanted) != len(received) or any(
            None not in (w, r) and w != r for w, r in zip(wanted, received, strict=True)
        ):
            raise ValueError(
                f"Expected loss '{self.name}' to give one value a box, shape {wanted} for boxes {tuple(y_pred.shape)}. "
                f"Received: shape={received}"
            )
        return values

    def get_config(self) -> dict[str, Any]:
        """Every parameter of the constructor, the function in Keras's own serialized form."""
        function = keras.saving.serialize_keras_object(self.function)
        parameters = keras.saving.serialize_keras_object(self.parameters)
        return {**super().get_config(), "function": function, "parameters": parameters}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> FunctionLoss:
        """The way back from `get_config`, under Keras's own rules of what may be loaded."""
        return cls(
            **{**config, **{k: keras.saving.deserialize_keras_object(config[k]) for k in ("function", "parameters")}}
        )
