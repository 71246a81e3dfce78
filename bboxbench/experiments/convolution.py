"""The first half of R networks at once: convolution, LeakyReLU, max-pool and dropout, with their gradients.

All R networks see the same pictures, so their convolutions of F filters are one of R x F filters, and what depends on
the pictures alone is made once. The picture needs no gradient. Two ways of the same result: `dense_features` computes
every position; `window_features` only those that a glyph on a plain background can change.

Letters of shapes: B pictures, R networks, F filters of each, (P, Q) the pooled size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

__all__ = ["FILTER", "SLOPE", "Geometry", "Window", "dense_features", "window_features"]

FILTER = 16
"""Side of the convolution's filters."""
SLOPE = 0.2
"""Of the LeakyReLU for negative values."""
STACKED = 4
"""Rows of a filter that one matrix product of the weight gradient takes: 4 x 16 against R x F columns."""


@dataclass(frozen=True)
class Geometry:
    """Sizes behind a valid 16x16 convolution and a 3x3 max-pool with stride 2."""

    rows: int
    """Pooled rows."""
    columns: int
    """Pooled columns."""

    @classmethod
    def of(cls, height: int, width: int) -> Geometry:
        """Of pictures of this size in pixels."""
        return cls((height - FILTER - 2) // 2 + 1, (width - FILTER - 2) // 2 + 1)

    @property
    def pooled(self) -> int:
        """Positions behind the pool."""
        return self.rows * self.columns

    @property
    def pixels(self) -> tuple[int, int]:
        """Rows and columns of pixels that are read; the pool leaves an odd one out."""
        return 2 * self.rows + FILTER, 2 * self.columns + FILTER


@dataclass(frozen=True)
class Window:
    """The part of the pooled picture that a glyph can change, one size for all pictures.

    A filter that does not touch the glyph sees the background alone: its response is one number a picture and filter.
    """

    size: Geometry

    @classmethod
    def for_glyphs(cls, height: int, width: int, full: Geometry) -> Window:
        """The smallest window that holds any glyph of up to this size in pixels, wherever it stands."""
        rows, columns = ((side + FILTER) // 2 + 1 for side in (height, width))
        return cls(Geometry(min(rows, full.rows), min(columns, full.columns)))

    def origins(self, boxes: Any, full: Geometry) -> tuple[Any, Any]:
        """First pooled row and column of each picture's window, shapes (B,); ``boxes`` are xyxy in pixels, (B, 4)."""
        # The first filter that touches column x starts at x - 15, the first pool that reads it 2 further left.
        first = tf.math.floordiv(tf.cast(boxes[:, :2], tf.int32) - FILTER, 2)
        column = tf.clip_by_value(first[:, 0], 0, full.columns - self.size.columns)
        row = tf.clip_by_value(first[:, 1], 0, full.rows - self.size.rows)
        return row, column


def dense_features(pictures: Any, kernel: Any, bias: Any, mask: Any, compute: Any = tf.float32) -> Any:
    """Pooled responses of every position, after LeakyReLU and dropout.

    Args:
        pictures: (B, height, width, 1) float32.
        kernel: (R, 16, 16, 1, F) float32.
        bias: (R, F) float32.
        mask: (B, P * Q * F) dropout factors, 0 or 1 / (1 - rate), shared by all networks; None in evaluation.
        compute: type of the convolution and its gradient.

    Returns:
        (R, B, P * Q * F) float32, in the order in which Keras flattens (P, Q, F).
    """
    size = Geometry.of(*pictures.shape[1:3])
    replicas, filters = bias.shape
    batch = pictures.shape[0]

    @tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow ships no types
    def features(kernel: Any, bias: Any) -> Any:
        pooled, taken = _pool(_convolve(pictures, kernel, size, compute), size)
        dropped = None if mask is None else tf.reshape(mask, (-1, filters))
        active = _activate(tf.reshape(pooled, (-1, replicas * filters)), bias, dropped)
        out = tf.reshape(active, (replicas, batch, -1))

        def gradient(upstream: Any) -> Any:
            change = _before_activation(upstream, out, mask)
            change = tf.reshape(change, (replicas, batch, size.rows, size.columns, filters))
            change = tf.reshape(tf.transpose(change, (2, 1, 3, 0, 4)), (size.rows, batch, size.columns, -1))
            return _kernel_gradient(pictures, change, taken, size, kernel.shape, compute), _bias_gradient(change, bias)

        return out, gradient

    return features(kernel, bias)


def _convolve(pictures: Any, kernel: Any, size: Geometry, compute: Any) -> Any:
    """Responses (B, 2P + 1, 2Q + 1, R * F) without bias.

    A 16x16 convolution of one channel leaves much of a vector unit idle; 16 vertical shifts of the picture as channels
    make it a 1x16 convolution, nearer to the rate of a matrix product. The shifts are made by a convolution, too, with
    an identity: six times as fast as by slices. Both are measured by benchmarks/levers.py.
    """
    rows, columns = size.pixels
    shift = tf.reshape(tf.eye(FILTER, dtype=compute), (FILTER, 1, 1, FILTER))
    shifted = tf.nn.conv2d(tf.cast(pictures[:, :rows, :columns], compute), shift, 1, "VALID")
    replicas, filters = kernel.shape[0], kernel.shape[-1]
    side_by_side = tf.transpose(kernel[:, :, :, 0], (2, 1, 0, 3))
    weights = tf.reshape(tf.cast(side_by_side, compute), (1, FILTER, FILTER, replicas * filters))
    return tf.nn.conv2d(shifted, weights, 1, "VALID")


@tf.function(jit_compile=True)  # type: ignore[untyped-decorator]  # TensorFlow ships no types
def _pool(responses: Any, size: Geometry) -> tuple[Any, Any]:
    """Maxima (B, P, Q, R * F) of 3x3 positions with stride 2, and which of the nine each is, as int8.

    As in TensorFlow's own pool the first of equal ones is taken.
    """
    rows, columns = 2 * size.rows, 2 * size.columns
    best = taken = None
    for place in range(9):
        i, j = divmod(place, 3)
        values = tf.cast(responses[:, i : i + rows - 1 : 2, j : j + columns - 1 : 2], tf.float32)
        if best is None:
            best, taken = values, tf.zeros_like(values, tf.int8)
        else:
            higher = values > best
            best = tf.where(higher, values, best)
            taken = tf.where(higher, tf.constant(place, tf.int8), taken)
    return best, taken


@tf.function(jit_compile=True)  # type: ignore[untyped-decorator]  # TensorFlow ships no types
def _activate(pooled: Any, bias: Any, mask: Any = None) -> Any:
    """From (N, R * F) to (R, N, F): bias, LeakyReLU and, where there is a mask (N, F), dropout.

    Bias and LeakyReLU rise with their input: they do behind the maximum what they do before it.
    """
    biased = tf.reshape(pooled, (-1, *bias.shape)) + bias
    active = tf.where(biased > 0, biased, SLOPE * biased)
    if mask is not None:
        active *= mask[:, None]
    return tf.transpose(active, (1, 0, 2))


@tf.function(jit_compile=True)  # type: ignore[untyped-decorator]  # TensorFlow ships no types
def _before_activation(upstream: Any, out: Any, mask: Any) -> Any:
    """The gradient at the maxima from that of the features, both (R, B, P * Q * F)."""
    change = tf.where(out > 0, upstream, SLOPE * upstream)
    return change if mask is None else change * mask


def _bias_gradient(change: Any, bias: Any) -> Any:
    return tf.reshape(tf.reduce_sum(change, (0, 1, 2)), bias.shape)


def _kernel_gradient(pictures: Any, change: Any, taken: Any, size: Geometry, shape: Any, compute: Any) -> Any:
    """Gradient of the kernel, (R, 16, 16, 1, F), as matrix products at the four parities of row and column.

    Each maximum sends its gradient to the position it came from. Even and odd positions are kept apart, so that nothing
    is interleaved: a product's inner axis may run over the positions in any order.

    Args:
        pictures: (B, height, width, 1).
        change: gradient at the maxima, (P, B, Q, R * F).
        taken: which of its nine positions each maximum is, (B, P, Q, R * F).
        size: (P, Q).
        shape: of the kernel.
        compute: type of the products.
    """
    replicas, filters = shape[0], shape[-1]
    responses = _at_positions(change, taken, compute)
    patches = _patches(pictures, size, compute)
    parts = []
    for first in range(0, FILTER, STACKED):
        total = tf.zeros((STACKED * FILTER, replicas * filters))
        for parity, response in responses.items():
            rows = patches[parity][first // 2 : first // 2 + size.rows + 1]
            total += tf.reduce_sum(tf.cast(tf.matmul(rows, response), tf.float32), 0)
        parts.append(total)
    kernel = tf.reshape(tf.concat(parts, 0), (FILTER, FILTER, 1, replicas, filters))
    return tf.transpose(kernel, (3, 0, 1, 2, 4))


@tf.function(jit_compile=True)  # type: ignore[untyped-decorator]  # TensorFlow ships no types
def _at_positions(change: Any, taken: Any, compute: Any) -> dict[tuple[int, int], Any]:
    """The gradient at the convolution's responses by parity of row and column, (P + 1, B * (Q + 1), R * F) each."""
    rows, batch, columns, channels = change.shape
    border = [[1, 1], [0, 0], [1, 1], [0, 0]]
    change = tf.pad(change, border)
    taken = tf.pad(tf.transpose(taken, (1, 0, 2, 3)), border, constant_values=-1)

    def sent(i: int, j: int) -> Any:
        """What the pools that read a position as their (i, j) send to it."""
        top, left = 1 - i // 2, 1 - j // 2
        part = (slice(top, top + rows + 1), slice(None), slice(left, left + columns + 1))
        return tf.where(taken[part] == 3 * i + j, change[part], 0.0)

    of_parity = {0: (0, 2), 1: (1,)}
    return {
        (row, column): tf.reshape(
            tf.cast(tf.add_n([sent(i, j) for i in of_parity[row] for j in of_parity[column]]), compute),
            (rows + 1, batch * (columns + 1), channels),
        )
        for row in (0, 1)
        for column in (0, 1)
    }


# A function of its own is traced once a shape, not once a block: it has 256 slices.
@tf.function(autograph=False)  # type: ignore[untyped-decorator]  # TensorFlow ships no types
def _patches(pictures: Any, size: Geometry, compute: Any) -> dict[tuple[int, int], Any]:
    """Shifted pictures by parity of the position, each (P + 7, 64, B * (Q + 1)).

    Row h, channel (s, v), column (b, q) holds pixel (2h + row parity + s, 2q + column parity + v) of picture b.
    """
    batch = pictures.shape[0]
    rows, columns = size.pixels
    padded = tf.pad(tf.cast(pictures[:, :rows, :columns, 0], compute), [[0, 0], [0, STACKED], [0, STACKED]])
    halves = tf.reshape(padded, (batch, (rows + STACKED) // 2, 2, (columns + STACKED) // 2, 2))
    # One transposition: slices with a step of 2 took longer than all that follows.
    phase = tf.transpose(halves, (2, 4, 1, 0, 3))
    height, width = size.rows + 1 + (FILTER - STACKED) // 2, size.columns + 1

    def shifted(row: int, column: int) -> Any:
        part = phase[row % 2][column % 2][row // 2 : row // 2 + height, :, column // 2 : column // 2 + width]
        return tf.reshape(part, (height, batch * width))

    return {
        (i, j): tf.stack([shifted(i + s, j + v) for s in range(STACKED) for v in range(FILTER)], 1)
        for i in (0, 1)
        for j in (0, 1)
    }


def window_features(
    pictures: Any, kernel: Any, bias: Any, mask: Any, boxes: Any, window: Window, compute: Any = tf.float32
) -> Any:
    """The same as `dense_features` of pictures whose pixels outside ``boxes`` are one value a picture.

    Args:
        pictures: (B, height, width, 1) float32.
        kernel: (R, 16, 16, 1, F) float32.
        bias: (R, F) float32.
        mask: (B, P * Q * F) dropout factors; None in evaluation.
        boxes: of the glyphs, xyxy in pixels, (B, 4). They tell where nothing needs computing, and change no number.
        window: large enough for the largest of them.
        compute: type of the convolution and its gradient.

    Returns:
        (R, B, P * Q * F) float32.
    """
    full, size = Geometry.of(*pictures.shape[1:3]), window.size
    replicas, filters = bias.shape
    batch = pictures.shape[0]
    row, column = window.origins(boxes, full)
    seen, ground = _crop(pictures, row, column, size), _background(pictures, boxes)
    inside, place = _places(row, column, size, full)
    back = _window_positions(row, column, size, full)

    @tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow ships no types
    def features(kernel: Any, bias: Any) -> Any:
        pooled, taken = _pool(_convolve(seen, kernel, size, compute), size)
        # (R, F): what a filter answers to pixels that are all 1. Rounded as the convolution rounds.
        total = tf.reduce_sum(_rounded(kernel, compute), (1, 2, 3))
        constant = _rounded(ground, compute)[:, None] * tf.reshape(total, (1, replicas * filters))
        constant = _rounded(constant, compute)
        rows = tf.concat([tf.reshape(pooled, (-1, replicas * filters)), constant], 0)
        active = tf.gather(_activate(rows, bias), place, axis=1)
        out = tf.reshape(active, (replicas, batch, -1))
        if mask is not None:
            out *= mask

        def gradient(upstream: Any) -> Any:
            change = tf.reshape(_before_activation(upstream, out, mask), (replicas, -1, filters))
            outside = _sum_outside(change, inside)
            near = tf.transpose(tf.gather(change, back, axis=1), (1, 0, 2))
            near = tf.reshape(near, (size.rows, batch, size.columns, replicas * filters))
            for_kernel = _kernel_gradient(seen, near, taken, size, kernel.shape, compute)
            # Each of a filter's weights saw the same background there.
            for_ground = tf.reshape(tf.reduce_sum(outside * ground[:, None], 1), (replicas, 1, 1, 1, filters))
            for_bias = _bias_gradient(near, bias) + tf.reduce_sum(outside, 1)
            return for_kernel + for_ground, for_bias

        return out, gradient

    return features(kernel, bias)


def _rounded(values: Any, compute: Any) -> Any:
    """Float32 values as ``compute`` would hold them."""
    return tf.cast(tf.cast(values, compute), tf.float32)


def _sum_outside(change: Any, inside: Any) -> Any:
    """Sums (R, B, F) of the gradient at the maxima, (R, B * P * Q, F), outside the windows, (B, P, Q)."""
    batch = inside.shape[0]
    outside = tf.reshape(1.0 - tf.cast(inside, tf.float32), (1, batch, 1, -1))
    return tf.matmul(outside, tf.reshape(change, (change.shape[0], batch, -1, change.shape[-1])))[:, :, 0]


def _crop(pictures: Any, row: Any, column: Any, size: Geometry) -> Any:
    """The pixels under each picture's window, (B, 2P + 16, 2Q + 16, 1) of the window's (P, Q)."""
    height, width = size.pixels
    rows = tf.gather(pictures, 2 * row[:, None] + tf.range(height), axis=1, batch_dims=1)
    return tf.gather(rows, 2 * column[:, None] + tf.range(width), axis=2, batch_dims=1)


def _background(pictures: Any, boxes: Any) -> Any:
    """The one value of each picture's pixels outside its box, (B,), read from a corner that the box leaves free."""
    covers = tf.reduce_all(boxes[:, :2] == 0, axis=-1)
    return tf.where(covers, pictures[:, -1, -1, 0], pictures[:, 0, 0, 0])


def _places(row: Any, column: Any, size: Geometry, full: Geometry) -> tuple[Any, Any]:
    """Whether each pooled position lies in its picture's window, (B, P, Q), and its row of numbers, (B * P * Q).

    The rows are those of all windows, and behind them one a picture for everything outside.
    """
    batch = row.shape[0]
    down = tf.range(full.rows)[None, :, None] - row[:, None, None]
    right = tf.range(full.columns)[None, None, :] - column[:, None, None]
    inside = (down >= 0) & (down < size.rows) & (right >= 0) & (right < size.columns)
    picture = tf.range(batch)[:, None, None]
    at_window = (picture * size.rows + down) * size.columns + right
    place = tf.where(inside, at_window, batch * size.rows * size.columns + picture)
    return inside, tf.reshape(place, (-1,))


def _window_positions(row: Any, column: Any, size: Geometry, full: Geometry) -> Any:
    """Where each window's positions stand in (B, P, Q), for (rows, B, columns) of the window, flat."""
    batch = row.shape[0]
    down = tf.range(size.rows)[:, None, None] + row[None, :, None]
    right = tf.range(size.columns)[None, None, :] + column[None, :, None]
    return tf.reshape((tf.range(batch)[None, :, None] * full.rows + down) * full.columns + right, (-1,))
