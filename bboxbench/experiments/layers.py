"""What the network of the case has that Keras has not: the head that reads a box, and the bias it starts from.

Importing this module is all that `keras.saving.load_model(path, safe_mode=True)` needs to load a saved network.
"""

from __future__ import annotations

from typing import Any

import keras

from bboxbench.errors import unknown_name

__all__ = ["HEADS", "BoxHead", "OutputBias"]

HEADS = ("corners", "centre_size", "ordered")


@keras.saving.register_keras_serializable(package="bboxbench")
class BoxHead(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Reads four numbers in [0, 1], shape (..., 4), as an xyxy box relative to the picture.

    Args:
        kind: ``corners``: the numbers are (xmin, ymin, xmax, ymax) as they stand, so the box can be inverted.
            ``centre_size``: (centre x, centre y, width, height); the box can reach beyond the picture.
            ``ordered``: (xmin, ymin, a, b), xmax lies the share a of the way from xmin to the right edge and ymax the
            share b from ymin to the bottom: the box cannot invert and cannot leave the picture.
    """

    def __init__(self, kind: str = "corners", **options: Any) -> None:
        super().__init__(**options)
        if kind not in HEADS:
            raise unknown_name("head", kind, HEADS)
        self.kind = kind

    def call(self, outputs: Any) -> Any:
        """Four numbers in, the box out, the same shape."""
        if self.kind == "corners":
            return outputs
        first, second = outputs[..., :2], outputs[..., 2:]
        if self.kind == "centre_size":
            return keras.ops.concatenate([first - second / 2, first + second / 2], axis=-1)
        return keras.ops.concatenate([first, first + (1 - first) * second], axis=-1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The same shape as the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """What it takes to make this layer again."""
        return {**super().get_config(), "kind": self.kind}


@keras.saving.register_keras_serializable(package="bboxbench")
class OutputBias(keras.initializers.Initializer):  # type: ignore[misc]  # Keras ships no types
    """Starts a bias at given values, shape (4,)."""

    def __init__(self, values: list[float]) -> None:
        self.values = values

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """The values as a tensor of ``shape``."""
        return keras.ops.reshape(keras.ops.convert_to_tensor(self.values, dtype=dtype or keras.config.floatx()), shape)

    def get_config(self) -> dict[str, Any]:
        """What it takes to make this initializer again."""
        return {"values": self.values}
