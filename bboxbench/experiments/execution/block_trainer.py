"""Trains blocks wherever it stands: in the driver's process, in a process of its own, on a machine of a cluster."""

from __future__ import annotations

from collections.abc import Iterator

from bboxbench.experiments.dealt_pictures import Dealer
from bboxbench.experiments.engines import ENGINE_FACTORIES, by_engine
from bboxbench.experiments.environment import device
from bboxbench.experiments.plan import Block
from bboxbench.experiments.runtime import start_tensorflow
from bboxbench.experiments.spec import SweepSpec
from bboxbench.experiments.training import Engine, EpochListener, TrainedRun, TrainingData

__all__ = ["BlockTrainer"]


class BlockTrainer:
    """Holds the engines and the pictures of one sweep for all of its blocks.

    Args:
        spec: of the sweep.
        data: with pictures (`load_data`).
        keep_weights: whether trained runs come back with their weights, 12 MB each for the built-in network.
    """

    def __init__(self, spec: SweepSpec, data: TrainingData, *, keep_weights: bool = False) -> None:
        self._spec, self._keep_weights = spec, keep_weights
        self._dealer = Dealer(spec, data)
        self._threads = start_tensorflow(spec.threads, spec.deterministic)
        self._device = device()
        self._engines: dict[str, Engine] = {}

    def train(self, block: Block, on_epoch: EpochListener) -> Iterator[TrainedRun]:
        """Train every run of ``block``, those that one engine trains together; a run that raises has its ``error``."""
        data = self._dealer.of(block.seed)
        for name, part in by_engine(self._spec, block):
            if name not in self._engines:
                self._engines[name] = ENGINE_FACTORIES[name](self._spec, self._keep_weights)
            for trained in self._engines[name].train(part, data, on_epoch):
                trained.engine, trained.threads, trained.device = name, self._threads, self._device
                yield trained
