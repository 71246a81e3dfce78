"""The first half of many networks at once against Keras's own layers, value by value and gradient by gradient."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from bboxbench.experiments.convolution import FILTER, Geometry, Window, dense_features, window_features

REPLICAS, FILTERS, BATCH = 3, 4, 2


def draws(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def networks(seed: int) -> tuple[Any, Any]:
    kernel = draws(seed).normal(0, 0.1, (REPLICAS, FILTER, FILTER, 1, FILTERS)).astype(np.float32)
    return tf.constant(kernel), tf.constant(draws(seed + 1).normal(0, 0.1, (REPLICAS, FILTERS)).astype(np.float32))


def by_keras(pictures: Any, kernel: Any, bias: Any, mask: Any) -> Any:
    """Each network by itself, in float64, of Keras's layers as `build_network` stacks them."""
    out = []
    for r in range(REPLICAS):
        x = keras.ops.conv(tf.cast(pictures, tf.float64), kernel[r], padding="valid") + bias[r]
        x = keras.ops.leaky_relu(x, 0.2)
        x = keras.ops.max_pool(x, 3, 2)
        out.append(keras.ops.reshape(x, (pictures.shape[0], -1)) * mask)
    return tf.stack(out)


def value_and_gradients(features: Any, kernel: Any, bias: Any, upstream: Any) -> list[Any]:
    with tf.GradientTape() as tape:
        tape.watch([kernel, bias])
        out = features(kernel, bias)
    gradients = tape.gradient(out, [kernel, bias], output_gradients=tf.cast(upstream, out.dtype))
    return [np.asarray(each, np.float64) for each in (out, *gradients)]


def check_alike(found: list[Any], expected: list[Any], tolerance: float) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert np.abs(one - other).max() <= tolerance * max(1.0, np.abs(other).max())


@pytest.mark.parametrize(("height", "width"), [(18, 18), (19, 20), (24, 31), (40, 33)])
@pytest.mark.parametrize("kind", ["noise", "one grey", "a kernel of zeros, so that all maxima are equal"])
def test_every_position_is_what_keras_makes_of_it(height: int, width: int, kind: str) -> None:
    """Even and odd sizes, where the pool leaves a row or column out, and the smallest picture there is.

    Where responses are equal, Keras's pool sends the gradient to the first: so must ours.
    """
    shape = (BATCH, height, width, 1)
    pictures = np.full(shape, 0.3) if kind == "one grey" else draws(1).uniform(-1, 1, shape)
    pictures = tf.constant(pictures.astype(np.float32))
    kernel, bias = networks(2)
    if kind.startswith("a kernel"):
        kernel = tf.zeros_like(kernel)
    count = Geometry.of(height, width).pooled * FILTERS
    mask = tf.constant(draws(4).choice([0.0, 1.25], (BATCH, count)).astype(np.float32))
    upstream = draws(5).normal(size=(REPLICAS, BATCH, count)).astype(np.float32)
    found = value_and_gradients(lambda k, b: dense_features(pictures, k, b, mask), kernel, bias, upstream)
    double = (tf.cast(kernel, tf.float64), tf.cast(bias, tf.float64), upstream)
    expected = value_and_gradients(lambda k, b: by_keras(pictures, k, b, tf.cast(mask, tf.float64)), *double)
    # Float32 sums of 256 products for the values, of every position for the gradients.
    check_alike(found, expected, 1e-5)


def letter(height: int, width: int, box: tuple[int, int, int, int], seed: int) -> Any:
    """A picture of one grey with noise in a box, xyxy."""
    picture = np.full((height, width, 1), draws(seed).uniform(-1, 1))
    xmin, ymin, xmax, ymax = box
    picture[ymin:ymax, xmin:xmax] = draws(seed + 9).uniform(-1, 1, (ymax - ymin, xmax - xmin, 1))
    return picture


@pytest.mark.parametrize(
    ("masked", "compute", "tolerance"),
    # Float32 sums in another order; bfloat16 keeps 8 bits of each product's result.
    [(True, tf.float32, 1e-5), (False, tf.float32, 1e-5), (True, tf.bfloat16, 0.03)],
    ids=["training", "evaluation", "bfloat16"],
)
def test_the_window_gives_what_every_position_gives_wherever_the_glyph_stands(
    masked: bool, compute: Any, tolerance: float
) -> None:
    """In every corner, at every edge, in the middle, and of every size up to the largest."""
    height, width = 50, 70
    boxes = [(0, 0, 9, 7), (61, 0, 70, 7), (0, 43, 9, 50), (61, 43, 70, 50), (30, 20, 39, 27), (33, 21, 34, 22)]
    boxes += [(0, 20, 5, 27), (65, 21, 70, 24), (31, 0, 36, 5), (30, 45, 39, 50), (17, 17, 26, 24), (16, 15, 25, 22)]
    pictures = np.stack([letter(height, width, box, seed) for seed, box in enumerate(boxes)])
    pictures = tf.constant(pictures.astype(np.float32))
    kernel, bias = networks(3)
    full = Geometry.of(height, width)
    window = Window.for_glyphs(7, 9, full)
    assert window.size.pooled < full.pooled / 2
    count = full.pooled * FILTERS
    mask = tf.constant(draws(4).choice([0.0, 1.25], (len(boxes), count)).astype(np.float32)) if masked else None
    upstream = draws(5).normal(size=(REPLICAS, len(boxes), count)).astype(np.float32)
    where = tf.constant(boxes, tf.int32)
    found = value_and_gradients(
        lambda k, b: window_features(pictures, k, b, mask, where, window, compute), kernel, bias, upstream
    )
    expected = value_and_gradients(lambda k, b: dense_features(pictures, k, b, mask, compute), kernel, bias, upstream)
    check_alike(found, expected, tolerance)


@given(
    st.integers(18, 90),
    st.integers(18, 90),
    st.integers(1, 30),
    st.integers(1, 30),
    st.integers(0, 1000),
    st.integers(0, 1000),
)
def test_a_window_holds_every_pool_that_reads_a_filter_that_touches_the_glyph(
    height: int, width: int, rows: int, columns: int, down: int, right: int
) -> None:
    rows, columns = min(rows, height), min(columns, width)
    top, left = down % (height - rows + 1), right % (width - columns + 1)
    full = Geometry.of(height, width)
    window = Window.for_glyphs(rows, columns, full)
    box = tf.constant([[left, top, left + columns, top + rows]], tf.int32)
    first = [int(value[0]) for value in window.origins(box, full)]
    sizes = [window.size.rows, window.size.columns]
    for start, size, count, low, high in zip(
        first, sizes, (full.rows, full.columns), (top, left), (top + rows, left + columns), strict=True
    ):
        touched = [p for p in range(count) if any(low - FILTER < r < high for r in range(2 * p, 2 * p + 3))]
        assert start >= 0
        assert start + size <= count
        assert all(start <= p < start + size for p in touched)
