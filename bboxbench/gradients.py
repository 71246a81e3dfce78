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


def value_and_gradient(loss: Any, y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> tuple[Array, Array]:
    """The loss of each box, and its gradient with respect to the predicted box.

    Args:
        loss: a `keras.losses.Loss` (its `call`, before any reduction, in the dtype of the boxes), or a function
            ``(y_true, y_pred)`` of boxes.
        y_true: true boxes, shape (..., 4).
        y_pred: predicted boxes, shape (..., 4). Their dtype is computed in: float32 for lists, and for float64 on JAX
            unless ``jax_enable_x64`` is set.

    Returns:
        The values, shape (...), and the gradient of their sum, shape (..., 4), as NumPy arrays. Not a number is left as
        it is.

    Raises:
        ValueError: if no gradient reaches the prediction.
    """
    function = loss.call if isinstance(loss, keras.losses.Loss) else loss
    pred = np.asarray(y_pred)
    pred = pred.astype(pred.dtype if isinstance(y_pred, np.ndarray) and pred.dtype.kind == "f" else np.float32)
    true = ops.convert_to_tensor(np.asarray(y_true, pred.dtype))
    compute = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[keras.backend.backend()]
    values, gradient = compute(function, true, pred)
    if gradient is None:
        raise ValueError("Expected a loss with a gradient for y_pred. Received: none, as if y_pred were not used.")
    return np.asarray(ops.convert_to_numpy(values)), np.asarray(ops.convert_to_numpy(gradient))


def _tensorflow(function: Any, true: Any, pred: Array) -> tuple[Any, Any]:
    import tensorflow as tf

    boxes = tf.constant(pred)
    with tf.GradientTape() as tape:
        tape.watch(boxes)
        values = ops.convert_to_tensor(function(true, boxes))
    return values, tape.gradient(values, boxes)


def _jax(function: Any, true: Any, pred: Array) -> tuple[Any, Any]:
    import jax  # type: ignore[import-not-found, unused-ignore]  # Keras's other backends come by choice

    values, back = jax.vjp(lambda boxes: ops.convert_to_tensor(function(true, boxes)), ops.convert_to_tensor(pred))
    return values, back(ops.ones_like(values))[0]


def _torch(function: Any, true: Any, pred: Array) -> tuple[Any, Any]:
    import torch  # type: ignore[import-not-found, unused-ignore]  # Keras's other backends come by choice

    boxes = ops.convert_to_tensor(pred).requires_grad_(True)
    with torch.enable_grad():
        values = ops.convert_to_tensor(function(true, boxes))
        if not values.requires_grad:
            return values.detach(), None
        (gradient,) = torch.autograd.grad(values.sum(), boxes, allow_unused=True)
    return values.detach(), gradient
