"""Blocks train in a worker process: a crash, a hang or a lack of memory there fails a run and ends nothing else.

The worker is a plain ``python -c`` child spoken to in pickles over its pipes, not ``multiprocessing``, whose spawn runs
the caller's script again. It is in a process group of its own, so that the terminal's Ctrl-C is the driver's to hear,
and ends by itself when its input ends, so that none outlives a driver that was killed.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bboxbench.data_gen import Dataset
from bboxbench.errors import BboxbenchError
from bboxbench.experiments.estimate import Estimate
from bboxbench.experiments.execution.executor import Execution
from bboxbench.experiments.execution.retries import Retries
from bboxbench.experiments.execution.worker import Setup
from bboxbench.experiments.execution.worker_process import WorkerEnded, WorkerProcess
from bboxbench.experiments.plan import Block, Run
from bboxbench.experiments.spec import SweepSpec
from bboxbench.experiments.training import EpochListener, TrainedRun

__all__ = ["Isolated"]

STARTS = 3
"""How often in a row a worker may die before it is ready: that is no block's fault, and more would be in vain."""
PATIENCE = 1800.0
"""Seconds at least that a worker has to load TensorFlow and pictures, or to time a few steps: a short timeout is meant
for steps."""
GROWTH = 300_000_000
"""Resident bytes by which a worker may grow, from one block to another of as many runs, before it is renewed."""


class Isolated:
    """Trains in one worker process, one block after the other, and starts a new one where that ends.

    Args:
        execution: its ``timeout`` and ``keep_weights`` are used.
        spec: of the sweep.
        dataset: whose pictures the worker reads.
        warn: told in one line when a worker ended.
    """

    def __init__(
        self, execution: Execution, spec: SweepSpec, dataset: Dataset, warn: Callable[[str], None] = lambda _: None
    ) -> None:
        self._timeout, self._warn = execution.timeout, warn
        self._setup = Setup(spec, dataset, execution.keep_weights)
        self._worker: WorkerProcess | None = None
        self._resident: dict[int, int] = {}

    def __enter__(self) -> Isolated:
        return self

    def __exit__(self, *error: object) -> None:
        self._end_worker()

    def estimate(self, pending: list[Run]) -> Estimate:
        """As `bboxbench.experiments.execution.executor.Executor.estimate`; nothing where the worker ends on it."""
        if not pending:
            return Estimate(0.0, {})
        worker = self._ready_worker()
        try:
            worker.send(("estimate", pending))
            found: Estimate = self._receive(worker, PATIENCE)[1]
        except WorkerEnded as end:
            self._end_worker()
            self._warn(f"The time could not be estimated: {end}")
            return Estimate(0.0, {})
        return found

    def run(self, blocks: Sequence[Block], on_epoch: EpochListener) -> Iterator[TrainedRun]:
        """As `bboxbench.experiments.execution.executor.Executor.run`.

        Raises:
            BboxbenchError: workers end before they are ready.
        """
        retries = Retries(whole_first=self._setup.spec.deterministic)
        waiting = deque(blocks)
        back: set[str] = set()
        try:
            while waiting:
                block, *parted = retries.parted(waiting.popleft())
                waiting.extendleft(reversed(parted))
                worker = self._ready_worker()
                start = time.monotonic()
                try:
                    for trained in self._train(worker, block, on_epoch):
                        if trained.run.run_id not in back:
                            back.add(trained.run.run_id)
                            yield trained
                except WorkerEnded as end:
                    missing = [run for run in block.runs if run.run_id not in back]
                    log = worker.log()
                    self._end_worker()
                    again = retries.died(block, missing)
                    waiting.extendleft(reversed(again))
                    retried = {run.run_id for part in again for run in part.runs}
                    given_up = [run for run in missing if run.run_id not in retried]
                    self._warn_of(end, len(missing), given_up)
                    for run in given_up:
                        back.add(run.run_id)
                        yield TrainedRun(run, error=str(end), log=log, seconds=time.monotonic() - start)
        finally:
            self._end_worker()

    def _train(self, worker: WorkerProcess, block: Block, on_epoch: EpochListener) -> Iterator[TrainedRun]:
        """Train one block.

        Raises:
            WorkerEnded: the worker died, or finished no step in time.
        """
        runs = {run.run_id: run for run in block.runs}
        worker.clear_log()
        worker.send(("train", block))
        while True:
            kind, what = self._receive(worker)
            if kind == "epoch":
                on_epoch(runs[what[0]], what[1])
            elif kind == "run":
                if what.error:
                    what.log = worker.log()
                yield what
            else:
                break
        grown = what - self._resident.setdefault(len(runs), what)
        if grown > GROWTH:
            # Whatever a library keeps from block to block ends with its process.
            self._end_worker()

    def _receive(self, worker: WorkerProcess, at_least: float = 0.0) -> tuple[str, Any]:
        kind, what = worker.receive(max(self._timeout, at_least) if self._timeout else 0.0)
        if kind == "refused":
            raise what
        return kind, what

    def _ready_worker(self) -> WorkerProcess:
        """The worker, started if need be.

        Raises:
            InputError: it cannot read the pictures.
            BboxbenchError: several in a row ended before they were ready.
        """
        for left in reversed(range(STARTS)):
            if self._worker is not None:
                break
            self._worker, self._resident = WorkerProcess(self._setup), {}
            try:
                self._receive(self._worker, PATIENCE)
            except WorkerEnded as end:
                said = self._worker.log().strip().rpartition("\n")[2]
                self._end_worker()
                if not left:
                    raise BboxbenchError(
                        f"Expected a worker process that trains. {STARTS} ended before they were ready: {end} "
                        f"{said and f'The last one said: {said}. '}"
                        "If memory is short, free some; --isolation none trains in this process."
                    ) from None
        assert self._worker is not None
        return self._worker

    def _end_worker(self) -> None:
        if self._worker is not None:
            self._worker.end()
            self._worker = None

    def _warn_of(self, end: WorkerEnded, missing: int, given_up: list[Run]) -> None:
        again = missing - len(given_up)
        said = []
        if again:
            said.append(f"{again} {'run is' if again == 1 else 'runs are'} tried again")
        said += [f"{run.run_id} has failed" for run in given_up]
        self._warn(f"{end} {', '.join(said) or 'Nothing was lost'}.")
