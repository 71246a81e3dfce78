"""What a worker process does: hold the pictures, train the blocks that its input names, answer on its output.

`bboxbench.experiments.execution.isolation` starts it. Both ways go pickles, one behind the other. Nothing else is read
from its input nor written among its answers, whatever the code of a loss does: standard input is empty here, and
standard output goes where standard error goes.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import queue
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import psutil

from bboxbench.data_gen import Dataset
from bboxbench.errors import BboxbenchError, one_line
from bboxbench.experiments.runtime import start_tensorflow
from bboxbench.experiments.spec import NETWORK, SweepSpec

if TYPE_CHECKING:
    from bboxbench.experiments.execution.block_trainer import BlockTrainer
    from bboxbench.experiments.plan import Block, Run
    from bboxbench.experiments.training import TrainingData

__all__ = ["Setup", "serve"]

OOM_SCORE = "500"
"""Of 1000: where memory runs out, Linux ends this process and not the one that writes the results."""


@dataclass(frozen=True)
class Setup:
    """The first thing a worker is told. It can be read before Keras is imported."""

    spec: SweepSpec
    dataset: Dataset
    keep_weights: bool


def serve() -> None:
    """Be a worker: read a `Setup`, say ready, then answer requests until the input ends. Never returns.

    Requests are ``("estimate", runs)`` and ``("train", block)``. Answers are ``("ready", None)``, ``("epoch", (run_id,
    epoch))``, ``("run", TrainedRun)``, ``("estimate", Estimate)``, ``("end", resident bytes)`` behind a block, and
    ``("refused", error)`` where our own error ended the request.
    """
    requests, answers = _own_streams()
    faulthandler.enable()
    if hasattr(signal, "SIGUSR1"):
        # Whoever ends a worker that hangs asks first where it is.
        faulthandler.register(signal.SIGUSR1, all_threads=True)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    # From now on the end of the input ends this process, whatever it is doing.
    threading.Thread(target=_listen, args=(requests, inbox), daemon=True).start()
    _Worker(inbox.get(), answers).serve(inbox)


class _Worker:
    """Answers requests one after the other."""

    def __init__(self, setup: Setup, answers: BinaryIO) -> None:
        self._setup, self._answers = setup, answers

    def serve(self, inbox: queue.SimpleQueue[Any]) -> None:
        """Load, say ready, and answer for ever."""
        start_tensorflow(self._setup.spec.threads, self._setup.spec.deterministic)
        from bboxbench.experiments.execution.block_trainer import BlockTrainer
        from bboxbench.experiments.training import load_data

        spec = self._setup.spec
        try:
            data = load_data(self._setup.dataset, spec.validation)
        except BboxbenchError as error:
            self._answer("refused", error)
            return
        trainer = BlockTrainer(spec, data, keep_weights=self._setup.keep_weights)
        self._answer("ready")
        while True:
            kind, what = inbox.get()
            try:
                if kind == "estimate":
                    self._estimate(what, data)
                else:
                    self._train(what, trainer)
            except BboxbenchError as error:
                self._answer("refused", error)

    def _estimate(self, pending: list[Run], data: TrainingData) -> None:
        from bboxbench.experiments.estimate import estimate_on

        self._answer("estimate", estimate_on(data, self._setup.spec, pending))

    def _train(self, block: Block, trainer: BlockTrainer) -> None:
        def tell(run: Run, epoch: float) -> None:
            self._answer("epoch", (run.run_id, epoch))

        for trained in trainer.train(block, tell):
            if trained.error:
                trained.error += self._why_unknown(trained.run)
                # What was written must be in the log before the driver looks there.
                sys.stdout.flush()
                sys.stderr.flush()
            self._answer("run", trained)
        self._answer("end", psutil.Process().memory_info().rss)

    def _why_unknown(self, run: Run) -> str:
        """What to do about code that only the caller's process knows, as of a script or a notebook."""
        from bboxbench.experiments.own_network import own_network

        try:
            run.cell.make_loss()
            if self._setup.spec.network != NETWORK:
                own_network(self._setup.spec.network)
        except Exception as error:
            return (
                f" The worker process cannot make what the caller's can ({one_line(error)}): put it into a module that "
                'both can import, or train in the caller\'s process with isolation="none" (--isolation none).'
            )
        return ""

    def _answer(self, kind: str, what: Any = None) -> None:
        try:
            pickle.dump((kind, what), self._answers, pickle.HIGHEST_PROTOCOL)
            self._answers.flush()
        except OSError:
            _end()  # Nobody reads any more.


def _own_streams() -> tuple[BinaryIO, BinaryIO]:
    """Input and output for this module alone."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers


def _listen(requests: BinaryIO, inbox: queue.SimpleQueue[Any]) -> None:
    """Hand on what is asked for; the end of the input, as when the driver was killed, ends this process at once."""
    try:
        while True:
            inbox.put(pickle.load(requests))
    except BaseException:
        _end()
        raise


def _end() -> None:
    """End this process and those that it started, without a word."""
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
