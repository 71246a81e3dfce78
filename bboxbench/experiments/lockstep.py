"""The engine ``lockstep``: all runs of a block in one training step, many times faster than one after the other.

The runs of a block see the same pictures in the same order under the same dropout masks, so they can be one network
with a replica axis (`bboxbench.experiments.replicas`). Each replica has its own loss and learning rate; the *sum* of
the losses is differentiated, which leaves every replica the gradient it has alone.
"""

from __future__ import annotations

import gc
import logging
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from bboxbench.boxes import relative_boxes
from bboxbench.data_gen.normalisation import LEVELS
from bboxbench.errors import one_line
from bboxbench.experiments.convolution import Geometry, Window
from bboxbench.experiments.custom_gradients import gradients_forgotten
from bboxbench.experiments.early_stopping import EarlyStopping
from bboxbench.experiments.execution.chunks import by_optimizer, chunks
from bboxbench.experiments.execution.pulse import Pulse
from bboxbench.experiments.fit import untrained
from bboxbench.experiments.memory import MemoryNeed, available_bytes
from bboxbench.experiments.plan import Block, Run
from bboxbench.experiments.replicas import Replicas
from bboxbench.experiments.seeds import layer_seed, sample_order
from bboxbench.experiments.spec import SweepSpec
from bboxbench.experiments.training import EpochListener, Split, TrainedRun, TrainingData
from bboxbench.experiments.updates import apply_updates
from bboxbench.experiments.validation import validate

__all__ = ["LockstepEngine", "LockstepTrainer", "glyph_window", "memory_need", "parts", "predict_all"]

_LOG = logging.getLogger(__name__)

PREDICT_BATCH = 100
"""Pictures a prediction step."""
WORTH = 0.7
"""Share of the positions above which a window saves too little to be worth placing."""


def glyph_window(boxes: npt.NDArray[Any], height: int, width: int) -> Window | None:
    """The window that holds every glyph of pictures with plain backgrounds; None where it would save too little.

    Args:
        boxes: of all glyphs, xyxy in pixels, shape (n, 4).
        height: of the pictures, in pixels.
        width: of the pictures, in pixels.
    """
    columns, rows = (boxes[:, 2:].astype(np.int64) - boxes[:, :2]).max(0)
    full = Geometry.of(height, width)
    window = Window.for_glyphs(int(rows), int(columns), full)
    return window if window.size.pooled <= WORTH * full.pooled else None


def memory_need(spec: SweepSpec, run: Run, height: int, width: int, window: Window | None) -> MemoryNeed:
    """What runs of this one's optimizer take when they train together."""
    itemsize = tf.as_dtype(spec.precision).size
    return MemoryNeed(run.cell.batch_size, height, width, window, run.cell.make_optimizer(), itemsize)


def parts(
    spec: SweepSpec, runs: Sequence[Run], height: int, width: int, window: Window | None, memory: int
) -> Iterator[tuple[Run, ...]]:
    """Runs of a block that train together: of one optimizer, and no more than ``memory`` bytes hold, in like parts.

    Those of a deterministic sweep are its chunks, whatever the memory: that must not change a bit.
    """
    if spec.deterministic:
        yield from chunks(spec, runs)
        return
    for members in by_optimizer(runs):
        count = -(-len(members) // memory_need(spec, members[0], height, width, window).fitting(memory))
        for part in range(count):
            yield members[part * len(members) // count : (part + 1) * len(members) // count]


class LockstepTrainer:
    """Runs of one seed, batch size and optimizer as one network: its training step and its predictions.

    Args:
        runs: what trains together.
        weights: starting weights of each run, as `keras.Model.get_weights` gives them.
        dropout: share of activations dropped.
        height: of the pictures, in pixels.
        width: of the pictures, in pixels.
        window: see `glyph_window`.
        precision: "float32" or "bfloat16".
        dropout_seed: of the masks; None: the runs' own.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        weights: Sequence[list[npt.NDArray[np.float32]]],
        *,
        dropout: float,
        height: int,
        width: int,
        window: Window | None = None,
        precision: str = "float32",
        dropout_seed: int | None = None,
    ) -> None:
        heads = [run.cell.head for run in runs]
        self.replicas = Replicas(weights, heads, height, width, window, tf.as_dtype(precision))
        self._losses = [run.cell.make_loss() for run in runs]
        self._rates = tf.constant([run.cell.learning_rate for run in runs], tf.float32)
        self._optimizer = runs[0].cell.make_optimizer()
        self._optimizer.build(self.replicas.variables)
        self.seed = runs[0].seed
        """The one seed of all runs."""
        self.batch_size = runs[0].cell.batch_size
        """Pictures a step, the same for all runs."""
        masks = self.seed if dropout_seed is None else dropout_seed
        self._dropout, self._dropout_seed = dropout, layer_seed("dropout", masks, "dropout")
        self._step = tf.function(self._train, autograph=False)
        self._forward = tf.function(self._draw, autograph=False)
        self._update = tf.function(self._apply, autograph=False, jit_compile=True)

    @classmethod
    def of(
        cls, spec: SweepSpec, runs: Sequence[Run], height: int, width: int, window: Window | None = None
    ) -> LockstepTrainer:
        """Runs as they start: each with the weights it has under the engine ``fit``."""
        weights = [untrained(run, spec, width, height).get_weights() for run in runs]
        return cls(
            runs,
            weights,
            dropout=spec.dropout,
            height=height,
            width=width,
            window=window,
            precision=spec.precision,
            dropout_seed=spec.seed_of("dropout", runs[0].seed),
        )

    def train(self, pictures: Any, boxes: Any, relative: Any, step: int) -> Any:
        """One training step of every replica; gives their losses before it, shape (R,).

        Args:
            pictures: (B, height, width) grey levels, uint8.
            boxes: true ones, xyxy in pixels, (B, 4) int32.
            relative: the same relative to the picture, (B, 4) float32.
            step: number of steps before this one, of all epochs.
        """
        return self._step(pictures, boxes, relative, tf.constant(step, tf.int32))

    def predict(self, pictures: Any, boxes: Any) -> Any:
        """The boxes every replica draws, (R, B, 4), xyxy relative; arguments as for `train`."""
        return self._forward(pictures, boxes)

    def _train(self, pictures: Any, boxes: Any, relative: Any, step: Any) -> Any:
        mask = self._mask(pictures.shape[0], step)
        with tf.GradientTape() as tape:
            drawn = self.replicas(_normalise(pictures), boxes, mask)
            losses = tf.stack([loss(relative, drawn[r]) for r, loss in enumerate(self._losses)])
            total = tf.reduce_sum(losses)
        variables = [variable.value for variable in self.replicas.variables]
        self._update(tape.gradient(total, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO))
        return losses

    def _draw(self, pictures: Any, boxes: Any) -> Any:
        return self.replicas(_normalise(pictures), boxes)

    def _apply(self, gradients: list[Any]) -> None:
        apply_updates(self._optimizer, self.replicas.variables, gradients, self._rates)

    def _mask(self, batch: int, step: Any) -> Any:
        """Dropout factors (B, features): what Keras's own layer of this seed draws at this step."""
        if not self._dropout:
            return None
        ones = tf.ones((batch, self.replicas.features), self.replicas.compute)
        kept = tf.nn.experimental.stateless_dropout(ones, rate=self._dropout, seed=tf.stack([self._dropout_seed, step]))
        return tf.cast(kept, tf.float32)


def _normalise(pictures: Any) -> Any:
    """Grey levels (B, height, width) to (B, height, width, 1) in [-1, 1], from the table that NumPy takes them from."""
    return tf.gather(tf.constant(LEVELS, tf.float32), tf.cast(pictures, tf.int32))[..., None]


class LockstepEngine:
    """Trains the runs of a block together, as many at once as the memory holds."""

    def __init__(self, spec: SweepSpec, *, keep_weights: bool = False) -> None:
        self._spec, self._keep_weights = spec, keep_weights
        # Asked once: what allocators keep from one block for the next would make later blocks smaller.
        self._memory = available_bytes()

    def train(self, block: Block, data: TrainingData, on_epoch: EpochListener) -> Iterator[TrainedRun]:
        """Train every run of ``block`` on ``data``; a run that raises comes back with its ``error``."""
        window = None
        if data.plain:
            boxes = np.concatenate([split.boxes for split in (data.train, data.validation, data.test)])
            window = glyph_window(boxes, data.height, data.width)
        for part in parts(self._spec, block.runs, data.height, data.width, window, self._memory):
            yield from self._train_or_halve(part, data, window, on_epoch)

    def _train_or_halve(
        self, runs: tuple[Run, ...], data: TrainingData, window: Window | None, on_epoch: EpochListener
    ) -> Iterator[TrainedRun]:
        """Train ``runs`` together; where that raises, in halves, so that one run cannot take the others with it."""
        start = time.perf_counter()
        results = [TrainedRun(run) for run in runs]
        error = trace = ""
        whole = len(runs) == 1
        try:
            with gradients_forgotten():
                self._train_together(results, data, window, on_epoch)
        except Exception as raised:
            error, trace = one_line(raised), traceback.format_exc()
            if self._spec.deterministic and isinstance(raised, tf.errors.ResourceExhaustedError):
                # Halves would fit, with other last bits.
                whole, error = True, f"{error} Expected memory for {len(runs)} networks at once; use a smaller --chunk."
            if not whole:
                _LOG.warning("%d runs together raised %s; training them in halves.", len(runs), error[:300])
            if isinstance(raised, tf.errors.ResourceExhaustedError):
                # Later blocks need not find out again.
                need = memory_need(self._spec, runs[0], data.height, data.width, window)
                self._memory = min(self._memory, need.total(max(1, len(runs) // 2)))
        finally:
            keras.backend.clear_session(free_memory=True)
            gc.collect()
        if error and not whole:
            middle = len(runs) // 2
            for half in (runs[:middle], runs[middle:]):
                yield from self._train_or_halve(half, data, window, on_epoch)
            return
        # Nobody can say which network a step's time went to: each takes an equal share.
        seconds = (time.perf_counter() - start) / len(results)
        for result in results:
            result.error, result.traceback, result.seconds = error, trace, seconds
        yield from results

    def _train_together(
        self, results: list[TrainedRun], data: TrainingData, window: Window | None, on_epoch: EpochListener
    ) -> None:
        """Train, look at the validation pictures after every epoch, and predict the test pictures at the end."""
        spec, runs = self._spec, [result.run for result in results]
        networks = LockstepTrainer.of(spec, runs, data.height, data.width, window)
        stopped: set[int] = set()
        best: dict[int, list[npt.NDArray[np.float32]]] = {}
        stopping = [EarlyStopping(spec.patience) for _ in runs]
        pulse = Pulse(on_epoch)
        for epoch in range(spec.epochs):
            start = time.perf_counter()
            going = [r for r in range(len(runs)) if r not in stopped]
            pending = [runs[r] for r in going]
            losses = self._train_epoch(networks, data, epoch, pending, pulse)
            measures = self._validate(networks, data, epoch, pending, pulse)
            seconds = round((time.perf_counter() - start) / len(runs), 3)
            finite = networks.replicas.finite() & np.isfinite(losses)
            for r in going:
                row = {"epoch": epoch + 1, "train_loss": float(losses[r]), **measures[r], "seconds": seconds}
                results[r].epochs.append(row)
                on_epoch(runs[r], epoch + 1)
                results[r].finite = bool(finite[r])
                if not finite[r] or stopping[r].keeps(measures[r]["val_mean_iou"]):
                    results[r].kept_epoch = epoch + 1
                    if not finite[r] or spec.patience:
                        best[r] = networks.replicas.weights_of(r)
                if not finite[r] or stopping[r].is_over:
                    # It ends here, as it would alone. Its replica goes on beside the others and is not looked at.
                    stopped.add(r)
            if len(stopped) == len(runs):
                break
        for r, weights in best.items():
            networks.replicas.set_weights_of(r, weights)
        longest = max(results, key=lambda result: len(result.epochs))
        drawn = predict_all(networks, data.test, lambda: pulse.beat([longest.run], len(longest.epochs)))
        for r, (result, boxes) in enumerate(zip(results, drawn, strict=True)):
            result.predictions = boxes
            if self._keep_weights:
                result.weights = networks.replicas.weights_of(r)

    def _train_epoch(
        self, networks: LockstepTrainer, data: TrainingData, epoch: int, going: list[Run], pulse: Pulse
    ) -> npt.NDArray[np.float64]:
        """One pass over the training pictures; gives each replica's mean loss, shape (R,)."""
        n, size, split = len(data.train.grey), networks.batch_size, data.train
        order = sample_order(self._spec.seed_of("order", networks.seed), epoch, n)
        relative = relative_boxes(split.boxes, data.width, data.height)
        total = np.zeros(len(networks.replicas))
        for step, start in enumerate(range(0, n, size), epoch * -(-n // size)):
            rows = order[start : start + size]
            losses = networks.train(split.grey[rows], split.boxes[rows].astype(np.int32), relative[rows], step)
            total += np.asarray(losses, np.float64) * len(rows)
            # The looking counts as one more picture: an epoch is finished when that is done.
            pulse.beat(going, epoch + min(start + size, n) / (n + 1))
        return total / n

    def _validate(
        self, networks: LockstepTrainer, data: TrainingData, epoch: int, going: list[Run], pulse: Pulse
    ) -> list[dict[str, float | None]]:
        split, n = data.validation, len(data.train.grey)
        drawn = predict_all(networks, split, lambda: pulse.beat(going, epoch + n / (n + 1)))
        return validate(split.boxes, drawn, data.width, data.height, self._spec.iou_threshold)


def predict_all(
    networks: LockstepTrainer, split: Split, on_batch: Callable[[], None] = lambda: None
) -> npt.NDArray[np.float32]:
    """Boxes that every replica draws on every picture of a split: (R, n, 4), xyxy relative."""
    drawn = []
    for start in range(0, len(split.grey), PREDICT_BATCH):
        rows = slice(start, start + PREDICT_BATCH)
        drawn.append(np.asarray(networks.predict(split.grey[rows], split.boxes[rows].astype(np.int32))))
        on_batch()
    return np.concatenate(drawn, axis=1) if drawn else np.empty((len(networks.replicas), 0, 4), np.float32)
