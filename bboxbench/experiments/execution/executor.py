"""How a sweep is carried out: where its blocks train, and what ends them. Never part of a run's identity."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bboxbench.errors import InputError, unknown_name

if TYPE_CHECKING:
    from bboxbench.data_gen import Dataset
    from bboxbench.experiments.estimate import Estimate
    from bboxbench.experiments.plan import Block, Run
    from bboxbench.experiments.spec import SweepSpec
    from bboxbench.experiments.training import EpochListener, TrainedRun, TrainingData

__all__ = ["CLUSTERS", "ISOLATIONS", "SAVE_MODELS", "Execution", "Executor", "make_executor"]

ISOLATIONS = ("process", "none")
"""``process``: blocks train in a process of their own, whose end is no end of the sweep. ``none``: in the caller's."""

CLUSTERS = ("", "ray")
"""What blocks are sent to; empty: this machine."""

SAVE_MODELS = ("none", "best", "all")
"""Which trained networks are kept."""

SHORTEST = 10.0
"""Seconds of the shortest timeout: signs of life come every two, and a busy machine may swallow some."""


@dataclass(frozen=True)
class Execution:
    """How blocks are trained. Two sweeps that differ in this only have the same runs.

    Raises:
        InputError: a value out of its range, or an unknown name.
    """

    isolation: str = "process"
    timeout: float = 1800.0
    """Seconds without a finished step after which a block is ended; 0: never. Building and the first step, which
    compiles, count as one step."""
    max_failures: int = 0
    """Failed runs of one command after which it stops; 0: no bound, 1: the first ends it."""
    cluster: str = ""
    address: str = ""
    """Of the cluster; empty: the environment variable RAY_ADDRESS."""
    save_models: str = "none"

    def __post_init__(self) -> None:
        for kind, known in (("isolation", ISOLATIONS), ("cluster", CLUSTERS), ("save_models", SAVE_MODELS)):
            if getattr(self, kind) not in known:
                raise unknown_name(kind, getattr(self, kind), [name for name in known if name])
        if self.address and not self.cluster:
            raise InputError(f"Expected a cluster for the address {self.address}. Received none: add --cluster ray.")
        if not (math.isfinite(self.timeout) and (self.timeout == 0 or self.timeout >= SHORTEST)):
            raise InputError(f"Expected a timeout of {SHORTEST:g} seconds or more, or 0. Received: {self.timeout}.")
        if self.max_failures < 0:
            raise InputError(f"Expected max_failures of 0 or more. Received: {self.max_failures}.")

    @property
    def keep_weights(self) -> bool:
        """Whether trained runs come back with their weights."""
        return self.save_models != "none"


class Executor(Protocol):
    """Trains blocks somewhere. A context manager: leaving it, however, ends every process that it started."""

    def __enter__(self) -> Executor: ...

    def __exit__(self, *error: object) -> None: ...

    def estimate(self, pending: list[Run]) -> Estimate:
        """How long these runs will take where they will train; nothing is loaded or timed where there are none.

        Raises:
            InputError: a shard is missing, cut or altered.
        """
        ...

    def run(self, blocks: Sequence[Block], on_epoch: EpochListener) -> Iterator[TrainedRun]:
        """Train every block. Each run of each comes back exactly once, trained or with its error, in any order.

        Closing the iterator ends what is under way.

        Raises:
            InputError: a shard is missing, cut or altered.
        """
        ...


def make_executor(
    execution: Execution, spec: SweepSpec, dataset: Dataset, data: TrainingData, warn: Callable[[str], None]
) -> Executor:
    """The executor that ``execution`` asks for; what it needs is imported now, and nothing is started yet.

    Args:
        execution: what is wanted.
        spec: of the sweep.
        dataset: whose pictures are trained on. Who trains reads them, by `load_data`.
        data: its boxes and sizes (`load_boxes`).
        warn: told in one line of what was mended: a block that is tried again, a node that was lost.
    """
    if execution.cluster == "ray":
        from bboxbench.experiments.execution.cluster import RayCluster

        return RayCluster(execution, spec, dataset, warn)
    if execution.isolation == "none":
        from bboxbench.experiments.execution.in_process import InProcess

        return InProcess(execution, spec, dataset, warn)
    from bboxbench.experiments.execution.isolation import Isolated

    return Isolated(execution, spec, dataset, warn)
