"""The network of the case: one convolution, two hidden layers, four outputs; 3,105,552 parameters on 200x100 pictures.

Conv2D 4 filters 16x16, LeakyReLU 0.2, max-pool 3x3 stride 2, dropout, Dense 200, Dense 64 (LeakyReLU 0.2 each), Dense 4
with a sigmoid, and a head that reads the four numbers as a box.
"""

from __future__ import annotations

import math
from typing import Any

import keras

from bboxbench.errors import InputError, unknown_name
from bboxbench.experiments.layers import HEADS, BoxHead, OutputBias
from bboxbench.experiments.recipe import Recipe
from bboxbench.experiments.resolve import initializer
from bboxbench.experiments.seeds import layer_seed

__all__ = ["HEADS", "STARTS", "BoxHead", "build_network", "output_bias"]

STARTS = ("zeros", "wide")
SMALLEST = 16 + 3 - 1
"""Side of the smallest picture, in pixels, of which one 3x3 pool is left behind the 16x16 convolution."""
WIDE_BOX = (0.25, 0.25, 0.75, 0.75)
"""The first box of the start ``wide``, relative to the picture."""


def output_bias(head: str, start: str) -> list[float]:
    """The four biases before the last sigmoid that make the untrained network's first box.

    Args:
        head: one of `HEADS`.
        start: ``zeros`` leaves every output at 1/2: for ``corners`` a box without area at the picture's centre.
            ``wide`` makes the first box (1/4, 1/4, 3/4, 3/4), which overlaps most true ones.
    """
    if start not in STARTS:
        raise unknown_name("start", start, STARTS)
    if head not in HEADS:
        raise unknown_name("head", head, HEADS)
    if start == "zeros":
        return [0.0] * 4
    xmin, ymin, xmax, ymax = WIDE_BOX
    numbers = {
        "corners": WIDE_BOX,
        "centre_size": ((xmin + xmax) / 2, (ymin + ymax) / 2, xmax - xmin, ymax - ymin),
        "ordered": (xmin, ymin, (xmax - xmin) / (1 - xmin), (ymax - ymin) / (1 - ymin)),
    }[head]
    return [math.log(number / (1 - number)) for number in numbers]


def build_network(
    kernel: Recipe,
    seed: int,
    *,
    head: str = "corners",
    start: str = "wide",
    width: int = 200,
    height: int = 100,
    dropout: float = 0.2,
    precision: str = "float32",
    dropout_seed: int | None = None,
) -> Any:
    """The untrained network: (batch, height, width, 1) grey in [-1, 1] to (batch, 4) boxes, xyxy relative.

    Args:
        kernel: initializer of all four kernels; biases start at 0, apart from the last (see `output_bias`).
        seed: the run's seed. Each layer draws from its own stream of it.
        head: one of `HEADS`.
        start: one of `STARTS`.
        width: of the pictures, in pixels.
        height: of the pictures, in pixels.
        dropout: share of activations dropped in training, in [0, 1).
        precision: "float32", or "bfloat16": all layers but the last compute in it; weights and boxes are float32.
        dropout_seed: the same for dropout; None: ``seed``.

    Returns:
        A `keras.Model`, not compiled.

    Raises:
        InputError: an unknown head, start or initializer, a parameter the initializer does not take, or pictures that
            are smaller than the convolution and the pool behind it.
    """
    if min(width, height) < SMALLEST:
        raise InputError(f"Expected pictures of at least {SMALLEST}x{SMALLEST}. Received: {width}x{height}.")
    layers = keras.layers
    hidden = {} if precision == "float32" else {"dtype": keras.DTypePolicy(f"mixed_{precision}")}

    def weights(name: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "kernel_initializer": initializer(kernel, seed=layer_seed("init", seed, name)), **more}

    pictures = keras.Input((height, width, 1), name="picture")
    x = layers.Conv2D(4, 16, padding="valid", **weights("conv"), **hidden)(pictures)
    x = layers.LeakyReLU(negative_slope=0.2, **hidden)(x)
    x = layers.MaxPooling2D(3, strides=2, **hidden)(x)
    x = layers.Dropout(
        dropout, seed=layer_seed("dropout", seed if dropout_seed is None else dropout_seed, "dropout"), **hidden
    )(x)
    x = layers.Flatten(**hidden)(x)
    x = layers.Dense(200, **weights("hidden_200"), **hidden)(x)
    x = layers.LeakyReLU(negative_slope=0.2, **hidden)(x)
    x = layers.Dense(64, **weights("hidden_64"), **hidden)(x)
    x = layers.LeakyReLU(negative_slope=0.2, **hidden)(x)
    bias = OutputBias(output_bias(head, start))
    x = layers.Dense(4, activation="sigmoid", bias_initializer=bias, **weights("box"))(x)
    return keras.Model(pictures, BoxHead(head, name="head")(x), name="letter_box")
