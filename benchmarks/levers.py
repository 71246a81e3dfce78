"""Times what was tried to make lockstep fast against the way before it, in turn: 100 pictures, 16 networks.

Run it as ``python benchmarks/levers.py > docs/data/levers.csv``.
"""

from __future__ import annotations

import csv
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bboxbench.experiments.runtime import start_tensorflow

start_tensorflow()

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from bboxbench.experiments import convolution as ours  # noqa: E402
from bboxbench.experiments.updates import apply_updates  # noqa: E402

BATCH, NETWORKS, FILTERS = 100, 16, 4
FULL = ours.Geometry.of(100, 200)
WINDOW = ours.Window.for_glyphs(65, 39, FULL)
"""Of the default data set, whose largest glyph is 39 x 65 pixels."""
REPEATS = 7


@dataclass(frozen=True)
class Lever:
    """Two ways of one result."""

    name: str
    expected: str
    before: Callable[[], Any]
    tried: Callable[[], Any]
    kept: bool = True


def seconds(work: Callable[[], Any]) -> float:
    """Time one call, until its result is there."""
    clock = time.perf_counter()
    for tensor in tf.nest.flatten(work()):
        # Reading one number waits for the work on any device.
        float(tf.cast(tf.reshape(tensor, [-1])[0], tf.float32))
    return time.perf_counter() - clock


def compiled(function: Callable[..., Any], *arguments: Any, xla: bool = False) -> Callable[[], Any]:
    """``function`` as a graph of its own."""
    built = tf.function(function, autograph=False, jit_compile=xla)
    return lambda: built(*arguments)


def convolution_levers() -> list[Lever]:
    """Forward and backward through the convolution and the pool."""
    channels = NETWORKS * FILTERS
    pictures = tf.random.stateless_normal((BATCH, 100, 200, 1), (0, 0))
    kernel = tf.random.stateless_normal((NETWORKS, 16, 16, 1, FILTERS), (0, 1))
    flat = tf.reshape(tf.transpose(kernel[:, :, :, 0], (1, 2, 0, 3)), (16, 16, 1, channels))
    identity = tf.reshape(tf.eye(16), (16, 1, 1, 16))
    shifted = tf.nn.conv2d(pictures, identity, 1, "VALID")
    responses = tf.nn.conv2d(pictures, flat, 1, "VALID")
    pooled, taken = ours._pool(responses, FULL)
    upstream = tf.random.stateless_normal(pooled.shape, (0, 2))
    change = tf.transpose(upstream, (1, 0, 2, 3))

    def keras_gradient() -> Any:
        """Back through the pool, then TensorFlow's own gradient of the shifted convolution."""
        window = {"ksize": [1, 3, 3, 1], "strides": [1, 2, 2, 1], "padding": "VALID"}
        sent = tf.raw_ops.MaxPoolGrad(orig_input=responses, orig_output=pooled, grad=upstream, **window)
        return tf.raw_ops.Conv2DBackpropFilter(
            input=shifted,
            filter_sizes=[1, 16, 16, channels],
            out_backprop=sent,
            strides=[1, 1, 1, 1],
            padding="VALID",
        )

    def im2col() -> Any:
        """Every patch as a row, a quarter of the batch at a time, and one product."""
        parts = []
        for part in tf.split(pictures, 4):
            wide = tf.concat([part[:, i : i + 85] for i in range(16)], -1)
            patches = tf.concat([wide[:, :, j : j + 185] for j in range(16)], -1)
            parts.append(tf.matmul(tf.reshape(patches, (-1, 256)), tf.reshape(flat, (256, channels))))
        return parts

    def forward(window: ours.Window | None) -> Any:
        bias = tf.zeros((NETWORKS, FILTERS))
        with tf.GradientTape() as tape:
            tape.watch(kernel)
            if window:
                out = ours.window_features(letters, kernel, bias, None, boxes, window)
            else:
                out = ours.dense_features(letters, kernel, bias, None)
        return tape.gradient(out, kernel)

    drawn = np.zeros((BATCH, 100, 200, 1), np.float32)
    drawn[:, 20:85, 80:119] = 1
    # Tensors, not constants of the graph, of which a part could be computed beforehand.
    letters, boxes = tf.constant(drawn), tf.tile(tf.constant([[80, 20, 119, 85]]), (BATCH, 1))
    bias = tf.random.stateless_normal((NETWORKS, FILTERS), (0, 4))
    mask = tf.nn.experimental.stateless_dropout(tf.ones((BATCH * FULL.pooled, FILTERS)), rate=0.2, seed=(0, 5))
    maxima = tf.reshape(pooled, (-1, channels))

    def one_by_one() -> Any:
        by_replica = tf.transpose(tf.reshape(maxima, (-1, NETWORKS, FILTERS)), (1, 0, 2))
        return tf.nn.leaky_relu(by_replica + bias[:, None], ours.SLOPE) * mask

    return [
        Lever(
            "convolution: 16 shifted pictures as channels of a 1x16 convolution, not one channel and 16x16",
            "3 to 5 times as fast",
            compiled(lambda: tf.nn.conv2d(pictures, flat, 1, "VALID")),
            compiled(lambda: ours._convolve(pictures, kernel, FULL, tf.float32)),
        ),
        Lever(
            "convolution: a product over all patches laid out as rows (im2col)",
            "the rate of a product, if laying out is cheap",
            compiled(lambda: ours._convolve(pictures, kernel, FULL, tf.float32)),
            compiled(im2col),
            kept=False,
        ),
        Lever(
            "shifts by a convolution with an identity, not by slices",
            "twice as fast",
            compiled(lambda: tf.concat([pictures[:, i : i + 85] for i in range(16)], -1)),
            compiled(lambda: tf.nn.conv2d(pictures, identity, 1, "VALID")),
        ),
        Lever(
            "pool and its arg max in one pass under XLA, not TensorFlow's pool",
            "as fast, and the arg max for the way back",
            compiled(lambda: tf.nn.max_pool2d(responses, 3, 2, "VALID")),
            lambda: ours._pool(responses, FULL),
        ),
        Lever(
            "gradient of pool and filters: four parity planes and batched products, not TensorFlow's gradients",
            "twice as fast",
            compiled(keras_gradient),
            compiled(lambda: ours._kernel_gradient(pictures, change, taken, FULL, kernel.shape, tf.float32)),
        ),
        Lever(
            "bias, LeakyReLU, dropout and the transposition to the replica axis in one XLA fusion",
            "3 times as fast",
            compiled(one_by_one),
            lambda: ours._activate(maxima, bias, mask),
        ),
        Lever(
            "plain backgrounds: only the window the glyph can change (forward and backward of this half)",
            "3.3 times as fast, as there are positions less",
            compiled(lambda: forward(None)),
            compiled(lambda: forward(WINDOW)),
        ),
    ]


def update_lever() -> Lever:
    """Adam on the stacked weights of the largest layer."""
    variable = keras.Variable(np.zeros((NETWORKS, 15_456, 200), np.float32))
    gradient = tf.random.stateless_normal(variable.shape, (0, 3))
    plain, stacked = keras.optimizers.Adam(0.001), keras.optimizers.Adam()
    plain.build([variable])
    stacked.build([variable])
    rates = tf.fill((NETWORKS,), 0.001)

    def one_by_one() -> Any:
        plain.apply([gradient], [variable])
        return variable.value[0, 0]

    update = tf.function(
        lambda: apply_updates(stacked, [variable], [gradient], rates), autograph=False, jit_compile=True
    )

    def together() -> Any:
        update()
        return variable.value[0, 0]

    return Lever(
        "Adam's update under XLA, not operation by operation", "3 times as fast", compiled(one_by_one), together
    )


def main() -> None:
    """Time both ways of each lever in turn and print a row of CSV for each."""
    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow(["lever", "expected", "before_ms", "tried_ms", "kept"])
    for lever in [*convolution_levers(), update_lever()]:
        for work in (lever.before, lever.tried):
            seconds(work)
        taken = [(seconds(lever.before), seconds(lever.tried)) for _ in range(REPEATS)]
        plain, tried = (1000 * statistics.median(column) for column in zip(*taken, strict=True))
        rows.writerow([lever.name, lever.expected, f"{plain:.1f}", f"{tried:.1f}", "yes" if lever.kept else "no"])
        sys.stdout.flush()


if __name__ == "__main__":
    main()
