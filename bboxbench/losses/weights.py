"""Sample weights, one a box: what Keras leaves to the shapes and gets wrong for several boxes a sample."""

from __future__ import annotations

from typing import Any

from keras import ops

from bboxbench.losses.numerics import Tensor

__all__ = ["box_weights"]


def box_weights(sample_weight: Tensor, boxes: Tensor, dtype: Any) -> Tensor:
    """Spread sample weights over the boxes they belong to.

    Keras multiplies values (B, N) by weights (B,) along the *last* axis: an error for B != N, wrong for B == N.

    Args:
        sample_weight: a scalar, or the shape of the first axes of ``boxes``: (B,), (B, 1) or (B, N) for (B, N, 4).
        boxes: a tensor of shape (..., 4).
        dtype: the dtype of the result.

    Returns:
        One weight a box, shape (...).
    """
    weight = ops.cast(ops.convert_to_tensor(sample_weight), dtype)
    rank = len(boxes.shape) - 1
    if len(weight.shape) == rank + 1 and weight.shape[-1] == 1:
        weight = ops.squeeze(weight, axis=-1)
    while 0 < len(weight.shape) < rank:
        weight = ops.expand_dims(weight, axis=-1)
    return ops.broadcast_to(weight, ops.shape(boxes)[:-1])
