"""R networks of the built-in architecture as one: every weight of all of them stacked along a leading axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from bboxbench.experiments.convolution import SLOPE, Geometry, Window, dense_features, window_features
from bboxbench.experiments.network import BoxHead

__all__ = ["Replicas"]


class Replicas:
    """R networks that read the same pictures. Network r's numbers depend on network r's weights alone.

    Args:
        weights: of each network, in the order of `keras.Model.get_weights` of `build_network`.
        heads: of each network, see `bboxbench.experiments.network.HEADS`.
        height: of the pictures, in pixels.
        width: of the pictures, in pixels.
        window: where the pictures' backgrounds are plain, the part that a glyph can change; else None.
        compute: type of convolution and matrix products; weights stay float32.
    """

    def __init__(
        self,
        weights: Sequence[list[npt.NDArray[np.float32]]],
        heads: Sequence[str],
        height: int,
        width: int,
        window: Window | None = None,
        compute: Any = tf.float32,
    ) -> None:
        self.variables = [
            keras.Variable(np.stack(layer), dtype="float32", name=f"stacked_{place}")
            for place, layer in enumerate(zip(*weights, strict=True))
        ]
        """(R, ...) each: kernel and bias of the convolution, then of the three dense layers."""
        self.features = Geometry.of(height, width).pooled * self.variables[0].shape[-1]
        """Numbers behind the pool that dropout acts on."""
        self._heads, self._window, self.compute = tuple(heads), window, compute

    def __len__(self) -> int:
        return len(self._heads)

    def weights_of(self, replica: int) -> list[npt.NDArray[np.float32]]:
        """One network's weights, as `keras.Model.set_weights` takes them."""
        return [np.array(variable.value[replica]) for variable in self.variables]

    def set_weights_of(self, replica: int, weights: list[npt.NDArray[np.float32]]) -> None:
        """The way back from `weights_of`; the other networks stay as they are."""
        for variable, value in zip(self.variables, weights, strict=True):
            variable.value[replica].assign(value)

    def finite(self) -> npt.NDArray[np.bool_]:
        """Whether all of each network's weights are finite, shape (R,)."""
        flat = [tf.reshape(variable.value, (len(self), -1)) for variable in self.variables]
        return np.asarray(
            tf.reduce_all([tf.reduce_all(tf.math.is_finite(values), axis=1) for values in flat], axis=0), np.bool_
        )

    def __call__(self, pictures: Any, boxes: Any, mask: Any = None) -> Any:
        """The boxes that each network draws.

        Args:
            pictures: (B, height, width, 1) grey in [-1, 1].
            boxes: of the glyphs, xyxy in pixels, (B, 4). With a window they say where nothing needs computing.
            mask: (B, features) dropout factors; None in evaluation.

        Returns:
            (R, B, 4) float32, xyxy relative to the picture.
        """
        kernel, bias, *dense = (variable.value for variable in self.variables)
        if self._window is None:
            x = dense_features(pictures, kernel, bias, mask, self.compute)
        else:
            x = window_features(pictures, kernel, bias, mask, boxes, self._window, self.compute)
        *hidden, last = zip(dense[::2], dense[1::2], strict=True)
        x = tf.cast(x, self.compute)
        for kernel, bias in hidden:
            x = tf.matmul(x, tf.cast(kernel, self.compute)) + tf.cast(bias, self.compute)[:, None]
            x = tf.nn.leaky_relu(x, SLOPE)
        # As in the Keras network, the output stays float32 whatever the rest is computed in.
        x = tf.sigmoid(tf.matmul(tf.cast(x, tf.float32), last[0]) + last[1][:, None])
        if set(self._heads) == {"corners"}:
            return x
        return tf.stack([BoxHead(kind).call(x[r]) for r, kind in enumerate(self._heads)])
