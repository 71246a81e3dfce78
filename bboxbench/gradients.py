"""Values and gradients of a loss, whichever backend Keras runs on.

>>> from bboxbench.gradients import value_and_gradient
>>> from bboxbench.losses import L1Loss
>>> values, gradients = value_and_gradient(L1Loss(), [[0.0, 0.0, 4.0, 4.0]], [[2.0, 0.0, 4.0, 3.0]])
>>> print(values, gradients)
[0.75] [[ 0.25  0.    0.   -0.25]]
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

__all__ = ["value_and_gradient"]

Array = npt.NDArray[Any]


def value_and_gradient(
    loss: Any, y_true: npt.ArrayLike, y_pred: npt.ArrayLike, dtype: str | None = None
) -> tuple[Array, Array]:
    """The loss of each box, and its gradient with respect to the predicted box.

    Args:
        loss: a `keras.losses.Loss` (its `call`, before any reduction), or a function ``(y_true, y_pred)`` of boxes.
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4).
        dtype: of the boxes; by default that of a NumPy array of floats, else float32. JAX makes float32 of float64
            unless ``jax_enable_x64`` is set.

    Returns:
        The values, shape (...), and the gradient of their sum, shape (..., 4), as NumPy arrays, half precision as
        float32. What is not a number is left as it is.

    Raises:
        ValueError: if no gradient reaches the prediction.
    """
    function = loss.call if isinstance(loss, keras.losses.Loss) else loss
    if dtype is None:
        dtype = str(y_pred.dtype) if isinstance(y_pred, np.ndarray) and y_pred.dtype.kind == "f" else "float32"
    # By way of a NumPy array: a backend may read a list as many tensors.
    true, pred = (ops.cast(ops.convert_to_tensor(np.asarray(boxes)), dtype) for boxes in (y_true, y_pred))
    compute = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[keras.backend.backend()]
    values, gradient = compute(function, true, pred)
    if gradient is None:
        raise ValueError("Expected a loss with a gradient for y_pred. Received: none, as if y_pred were not used.")
    return _to_numpy(values), _to_numpy(gradient)


def _to_numpy(tensor: Any) -> Array:
    half = keras.backend.standardize_dtype(tensor.dtype) in ("float16", "bfloat16")
    return np.asarray(ops.convert_to_numpy(ops.cast(tensor, "float32") if half else tensor))


def _tensorflow(function: Any, true: Any, pred: Any) -> tuple[Any, Any]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(pred)
        values = ops.convert_to_tensor(function(true, pred))
    return values, tape.gradient(values, pred)


def _jax(function: Any, true: Any, pred: Any) -> tuple[Any, Any]:
    import jax  # type: ignore[import-not-found, unused-ignore]  # Keras's other backends come by choice

    values, back = jax.vjp(lambda boxes: ops.convert_to_tensor(function(true, boxes)), pred)
    return values, back(ops.ones_like(values))[0]


def _torch(function: Any, true: Any, pred: Any) -> tuple[Any, Any]:
    import torch  # type: ignore[import-not-found, unused-ignore]  # Keras's other backends come by choice

    boxes = pred.detach().clone().requires_grad_(True)
    with torch.enable_grad():
        values = ops.convert_to_tensor(function(true, boxes))
        if not values.requires_grad:
            return values.detach(), None
        (gradient,) = torch.autograd.grad(values.sum(), boxes, allow_unused=True)
    return values.detach(), gradient
