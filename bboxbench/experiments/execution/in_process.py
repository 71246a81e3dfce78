"""Blocks train in the process that asks for them: nothing is started, and nothing protects the caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

from bboxbench.data_gen import Dataset
from bboxbench.experiments.estimate import Estimate, estimate_on
from bboxbench.experiments.execution.block_trainer import BlockTrainer
from bboxbench.experiments.execution.executor import Execution
from bboxbench.experiments.plan import Block, Run
from bboxbench.experiments.spec import SweepSpec
from bboxbench.experiments.training import EpochListener, TrainedRun, TrainingData, load_data

__all__ = ["InProcess"]


class InProcess:
    """Trains here, one block after the other. A crash, a hang or a lack of memory is the caller's own.

    Keras's session is cleared after every block, so that memory does not grow: models that the caller holds in the same
    process should be saved before.
    """

    def __init__(
        self, execution: Execution, spec: SweepSpec, dataset: Dataset, warn: Callable[[str], None] = lambda _: None
    ) -> None:
        self._execution, self._spec, self._dataset = execution, spec, dataset

    def __enter__(self) -> InProcess:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    @cached_property
    def _data(self) -> TrainingData:
        return load_data(self._dataset, self._spec.validation)

    def estimate(self, pending: list[Run]) -> Estimate:
        """As `bboxbench.experiments.execution.executor.Executor.estimate`."""
        if not pending:
            return Estimate(0.0, {})
        return estimate_on(self._data, self._spec, pending)

    def run(self, blocks: Sequence[Block], on_epoch: EpochListener) -> Iterator[TrainedRun]:
        """As `bboxbench.experiments.execution.executor.Executor.run`."""
        if not blocks:
            return
        trainer = BlockTrainer(self._spec, self._data, keep_weights=self._execution.keep_weights)
        for block in blocks:
            yield from trainer.train(block, on_epoch)
