"""Boxes that go down the gradient of a loss by themselves, without a network.

A network hides its loss: what it learns depends on weights, order and pictures, too. Here the box is the parameter, and
a loss either brings it to its target or does not.

Source: the simulation experiment of Distance-IoU loss, arXiv:1911.08287: its cases (`simulation_cases`), step rule and
error. Boxes are float32, centre and size; nothing is clamped, so a width may become negative.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from bboxbench import losses
from bboxbench.errors import InputError, one_line
from bboxbench.experiments import resolve
from bboxbench.experiments.recipe import Recipe
from bboxbench.experiments.simulation_cases import (
    CASES_PER_POINT,
    CENTRE,
    CONVERGED_IOU,
    Floats,
    SimulationSpec,
    case_sizes,
    draw_points,
    learning_rates,
)

__all__ = ["Simulated", "SimulatedLoss", "resolve_loss", "simulate"]

LARGEST = 1e30
"""An error above this counts as not finite, so that a sum of 343 which are stays below float32's limit."""

TILE = 16
"""Points of a chunk come in multiples of this: vectors of 16 floats then have no remainder, which other instructions,
with other roundings, would compute. So a case has the same bits in a chunk of any size."""
CHUNK = 64
"""Points computed at once: 21,952 cases, 88 kB an array, so that a step stays in a core's second cache. Of 16 to 256
points, 64 to 128 were fastest (AMD EPYC, 1 MB a core)."""


@dataclass(frozen=True)
class SimulatedLoss:
    """A loss as the simulation calls it; `resolve_loss` makes it."""

    name: str
    """Its one spelling."""
    identity: str
    """16 hexadecimal digits that differ where the name, a parameter or, of the user's own, the source does."""
    made: Any
    """The `keras.losses.Loss`."""
    takes_format: bool
    """Whether it was told center_xywh; else it is given corners, as every loss that knows no format expects."""

    def values(self, true: tuple[Any, ...], pred: tuple[Any, ...]) -> Any:
        """One value a box, shape (n,), of boxes given as x, y, w, h of shape (n,) each."""
        boxes = [tf.stack(box if self.takes_format else _corners(box), axis=-1) for box in (true, pred)]
        return self.made.call(*boxes)

    def gradient(self, true: tuple[Any, ...], pred: tuple[Any, ...]) -> tuple[Any, ...]:
        """Its derivative by x, y, w and h of ``pred``, each of shape (n,), by automatic differentiation."""
        with tf.GradientTape() as tape:
            tape.watch(pred)
            values = self.values(true, pred)
        if tuple(values.shape) != tuple(pred[0].shape):
            raise ValueError(f"Expected one value a box, shape {tuple(pred[0].shape)}. Received: {tuple(values.shape)}")
        found = tuple(tape.gradient(values, pred))
        if None in found:
            raise ValueError("Expected a value that can be differentiated by the predicted box. It has no gradient")
        return found


def resolve_loss(text: str) -> SimulatedLoss:
    """The loss of a name, tried on two boxes.

    Raises:
        InputError: an unknown name, a parameter it does not take, a format other than center_xywh, or a loss that does
            not give one differentiable value a box.
    """
    recipe = Recipe.parse(text, "loss")
    chosen = recipe.parameters.get("bounding_box_format", "center_xywh")
    if chosen != "center_xywh":
        raise InputError(
            f"Expected '{recipe.name}' without bounding_box_format, since boxes are center_xywh here. "
            f"Received: {chosen!r}. Leave it out."
        )
    made = resolve.loss(recipe)
    plain = Recipe(recipe.name, {key: v for key, v in recipe.parameters.items() if key != "bounding_box_format"})
    function = getattr(made, "function", None)
    parameters = inspect.signature(type(made) if function is None else function).parameters
    # A class that hands everything on to BoxLoss takes it without naming it.
    takes_format = "bounding_box_format" in parameters or (function is None and hasattr(made, "bounding_box_format"))
    if takes_format:
        made = losses.get(plain.name, **plain.parameters, bounding_box_format="center_xywh")
    spelled, identity = resolve.canonical("loss", plain, made)
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()[:16]
    loss = SimulatedLoss(str(spelled), digest, made, takes_format)
    try:
        # One box that overlaps its target and one beside it.
        loss.gradient(*(tuple(tf.constant(v) for v in box) for box in _TRIAL))
    except Exception as error:  # whatever somebody else's loss does
        raise InputError(f"The loss '{spelled}' cannot be followed: {one_line(error)}.") from error
    return loss


_TRIAL = (([10.0, 10.0], [10.0, 10.0], [1.0, 1.0], [1.0, 1.0]), ([10.5, 8.0], [10.0, 8.0], [1.0, 0.5], [2.0, 1.0]))


def _corners(box: tuple[Any, ...]) -> tuple[Any, ...]:
    x, y, w, h = box
    return (x - w / 2, y - h / 2, x + w / 2, y + h / 2)


@dataclass(frozen=True)
class Simulated:
    """What became of all cases under one loss.

    A case that is not finite has no error, so sums and means of errors leave it out; its IoU counts 0.
    """

    error_sum: npt.NDArray[np.float64]
    """Of abs(dx) + abs(dy) + abs(dw) + abs(dh), before the first step and after each, shape (steps + 1,)."""
    iou_sum: npt.NDArray[np.float64]
    """Likewise."""
    finite: npt.NDArray[np.int64]
    """How many cases are finite, likewise."""
    points: Floats
    """Where the cases start, shape (points, 2)."""
    point_error: npt.NDArray[np.float64]
    """Mean final error of the cases of each point, shape (points,); NaN where none is finite."""
    point_iou: npt.NDArray[np.float64]
    """Mean final IoU."""
    point_converged: npt.NDArray[np.int64]
    """How many of the 343 ended with an IoU of 0.9 or more."""
    point_unmoved: npt.NDArray[np.int64]
    """How many ended exactly where they started."""
    point_finite: npt.NDArray[np.int64]
    """How many ended finite."""
    quantiles: npt.NDArray[np.float64]
    """Median and 95th percentile of the final errors, shape (2,)."""
    seconds: float
    """Compilation included."""


def simulate(
    loss: SimulatedLoss,
    spec: SimulationSpec,
    threads: int = 1,
    progress: Callable[[int], None] = lambda _: None,
    chunk: int = CHUNK,
) -> Simulated:
    """Move every case of ``spec`` by one loss. Neither ``threads`` nor ``chunk`` changes a bit of the result.

    Args:
        loss: of `resolve_loss`.
        spec: how many points and steps; its losses are not looked at.
        threads: chunks computed at the same time.
        progress: told how many points are done, after each chunk.
        chunk: points computed at once, a multiple of 16.

    Raises:
        InputError: the loss cannot be compiled, as one that leaves TensorFlow.
    """
    if chunk < TILE or chunk % TILE:
        raise ValueError(f"Expected a chunk of {TILE} points or a multiple. Received: {chunk}")
    clock = time.perf_counter()
    points = draw_points(spec.points, spec.seed)
    # A few points need no more than a few tiles; the last point fills what is left of the last chunk.
    chunk = min(chunk, -(-spec.points // TILE) * TILE)
    filled = np.pad(points, ((0, -spec.points % chunk), (0, 0)), mode="edge")
    run = _compiled(loss, spec.steps, chunk)
    rates = tf.constant(learning_rates(spec.steps))
    sums = np.zeros((3, spec.steps + 1))
    errors: list[Floats] = []
    at_points: list[npt.NDArray[np.float64]] = []

    def work(start: int) -> list[npt.NDArray[Any]]:
        x, y = filled[start : start + chunk].T
        return [np.asarray(each) for each in run(tf.constant(x), tf.constant(y), rates)]

    pool = ThreadPoolExecutor(threads)
    try:
        waiting = deque((start, pool.submit(work, start)) for start in range(0, spec.points, chunk))
        while waiting:
            start, future = waiting.popleft()
            over_steps, error, iou, unmoved = _result(loss, future)
            used = min(chunk, spec.points - start)
            at_points.append(_at_points(error[:, :used], iou[:, :used], unmoved[:, :used]))
            errors.append(error[:, :used])
            # Tile by tile, in their order: so a sum does not depend on which tiles made a chunk.
            over_steps = np.where(np.arange(chunk) < used, over_steps, 0).astype(np.float64)
            for tile in np.split(over_steps, chunk // TILE, axis=-1):
                sums += tile.sum(axis=-1).T
            progress(start + used)
    finally:
        pool.shutdown(cancel_futures=True)
    final = np.concatenate(errors, axis=1)
    final = final[np.isfinite(final)].astype(np.float64)
    error, iou, converged, unmoved, finite = np.concatenate(at_points, axis=1)
    return Simulated(
        error_sum=sums[0],
        iou_sum=sums[1],
        finite=sums[2].astype(np.int64),
        points=points,
        point_error=error,
        point_iou=iou,
        point_converged=converged.astype(np.int64),
        point_unmoved=unmoved.astype(np.int64),
        point_finite=finite.astype(np.int64),
        quantiles=np.quantile(final, [0.5, 0.95]) if final.size else np.full(2, np.nan),
        seconds=time.perf_counter() - clock,
    )


def _result(loss: SimulatedLoss, future: Future[Any]) -> Any:
    """What a chunk gave; whatever somebody else's loss raises under XLA becomes one line."""
    try:
        return future.result()
    except Exception as error:
        raise InputError(f"The loss '{loss.name}' cannot be compiled by XLA: {one_line(error)}.") from error


def _at_points(error: Floats, iou: Floats, unmoved: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Of each point: mean error, mean IoU, and how many cases converged, stayed, are finite. Shape (5, points)."""
    finite = np.isfinite(error)
    count = finite.sum(axis=0)
    total = np.where(finite, error, 0).sum(axis=0, dtype=np.float64)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    means = (mean, iou.mean(axis=0, dtype=np.float64))
    return np.stack([*means, (iou >= CONVERGED_IOU).sum(axis=0), unmoved.sum(axis=0), count])


def _compiled(loss: SimulatedLoss, steps: int, points: int) -> Callable[..., tuple[Any, ...]]:
    """All steps of ``points`` points as one XLA program: a step is a handful of fusions over arrays in the cache.

    It takes x and y of the points, shape (points,), and the rates. It gives sums over each point's cases before the
    first and after each step (error, IoU, finite), shape (steps + 1, 3, points), and the final error (NaN where it is
    not finite), the IoU and whether the case never moved, each of shape (343, points).
    """
    anchor, target = case_sizes()
    # Cases are one long axis, points turning fastest.
    w, h = (tf.constant(np.repeat(side, points)) for side in anchor.T)
    true_w, true_h = (tf.constant(np.repeat(side, points)) for side in target.T)
    centre = tf.fill([CASES_PER_POINT * points], CENTRE)
    true = (centre, centre, true_w, true_h)

    @tf.function(jit_compile=True, autograph=False)  # type: ignore[untyped-decorator]  # TensorFlow ships no types
    def run(x: Any, y: Any, rates: Any) -> tuple[Any, ...]:
        start = (tf.tile(x, [CASES_PER_POINT]), tf.tile(y, [CASES_PER_POINT]), w, h)

        def step(t: Any, box: tuple[Any, ...], kept: Any) -> tuple[Any, ...]:
            kept = kept.write(t, _sums(*_measured(true, box), points))
            slope = loss.gradient(true, box)
            length = rates[t] * (2 - _iou(true, box))
            return t + 1, tuple(side - length * by for side, by in zip(box, slope, strict=True)), kept

        kept = tf.TensorArray(tf.float32, size=steps + 1, element_shape=(3, points))
        _, box, kept = tf.while_loop(lambda t, *_: t < steps, step, (0, start, kept))
        error, iou = _measured(true, box)
        over_steps = kept.write(steps, _sums(error, iou, points)).stack()
        unmoved = tf.reduce_all(tf.stack([tf.equal(a, b) for a, b in zip(box, start, strict=True)]), axis=0)
        grid = (CASES_PER_POINT, points)
        return (over_steps, *(tf.reshape(each, grid) for each in (error, iou, unmoved)))

    return run  # type: ignore[no-any-return]  # for the same reason


def _measured(true: tuple[Any, ...], box: tuple[Any, ...]) -> tuple[Any, Any]:
    """Error and IoU, each of shape (n,); NaN and 0 where the case is not finite."""
    error = tf.add_n([tf.abs(p - t) for t, p in zip(true, box, strict=True)])
    finite = error < LARGEST  # false for NaN, too
    return tf.where(finite, error, float("nan")), tf.where(finite, _iou(true, box), 0.0)


def _iou(true: tuple[Any, ...], box: tuple[Any, ...]) -> Any:
    """Intersection over union, shape (n,). A target has an area, so the union is never 0."""
    low_x, low_y, high_x, high_y = (
        (tf.maximum if i < 2 else tf.minimum)(t, p)
        for i, (t, p) in enumerate(zip(_corners(true), _corners(box), strict=True))
    )
    intersection = tf.maximum(high_x - low_x, 0.0) * tf.maximum(high_y - low_y, 0.0)
    area = tf.maximum(box[2], 0.0) * tf.maximum(box[3], 0.0)
    return intersection / (area + true[2] * true[3] - intersection)


def _sums(error: Any, iou: Any, points: int) -> Any:
    """Sums over the cases of each point: error, IoU, finite; shape (3, points).

    Written out as additions of whole rows: XLA is free to choose the order of a `reduce_sum`, and took one that was no
    faster.
    """
    finite = tf.math.is_finite(error)
    sums = []
    for values in (tf.where(finite, error, 0.0), iou, tf.cast(finite, tf.float32)):
        rows = tf.reshape(values, (CASES_PER_POINT, points))
        while rows.shape[0] > 1:
            seventh = rows.shape[0] // 7
            rows = tf.add_n([rows[k * seventh : (k + 1) * seventh] for k in range(7)])
        sums.append(rows[0])
    return tf.stack(sums)
