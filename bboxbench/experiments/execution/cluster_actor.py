"""What trains on a node of a Ray cluster: an actor that holds pictures and engines for all blocks it is dealt.

It imports no Ray, so that it can be tried without, and nothing heavy before it is asked to look about: the module is
imported to unpickle it.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import queue
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from bboxbench import __version__
from bboxbench.data_gen import Dataset, open_dataset
from bboxbench.data_gen.manifest import MANIFEST
from bboxbench.errors import BboxbenchError
from bboxbench.files import make_folder, write_atomically

if TYPE_CHECKING:
    from bboxbench.experiments.estimate import Estimate
    from bboxbench.experiments.plan import Block, Run
    from bboxbench.experiments.spec import SweepSpec
    from bboxbench.experiments.training import TrainedRun, TrainingData

__all__ = ["DATA_VARIABLE", "ClusterActor", "Job", "Told", "find_dataset", "plan_sha256", "versions"]

DATA_VARIABLE = "BBOXBENCH_DATA"
"""Environment variable of a node: a data set's folder, or one that has data sets in it."""
Told = dict[str, float]
"""Epochs finished by run_id, as for an `EpochListener`: what comes between trained runs."""


@dataclass(frozen=True)
class Job:
    """All that a node needs to know of a sweep."""

    spec: SweepSpec
    """With the number of threads that an actor takes."""
    dataset_sha256: str
    folder: str
    """Of the data set, where the driver has it."""
    manifest: str
    """Text of its dataset.json."""
    versions: dict[str, str]
    """Of the driver, as `versions` gives them."""
    plan_sha256: str
    """Of the driver's plan."""
    search: tuple[str, ...]
    """Where the driver finds modules, a loss or network of the user's own among them."""
    keep_weights: bool
    actors: int
    """How many train on the node at once, and share its memory."""


def versions() -> dict[str, str]:
    """What every row says of who trained it, so what all nodes must have alike."""
    return {"bboxbench": __version__, **{name: version(name) for name in ("tensorflow", "keras")}}


def plan_sha256(spec: SweepSpec, dataset_sha256: str) -> str:
    """Identity of what a spec means on this machine: of its first seed's runs, whose names hash every loss's source.

    Two machines that agree in it train the same runs; an own loss that was edited on one of them shows.
    """
    from bboxbench.experiments.plan import plan

    runs = plan(replace(spec, seeds=spec.seeds[:1]), dataset_sha256)
    return hashlib.sha256("\n".join(run.run_id for run in runs).encode()).hexdigest()


def find_dataset(sha256: str, folder: str) -> Dataset | None:
    """The data set of this identity in ``folder``, in what `DATA_VARIABLE` names, or in a folder of that; else None."""
    places = [Path(folder)]
    if given := os.environ.get(DATA_VARIABLE):
        places.append(Path(given))
        with suppress(OSError):
            places.extend(sorted(Path(given).iterdir()))
    for place in places:
        # Another data set, or one that cannot be read, is none: the driver sends its own.
        with suppress(BboxbenchError, OSError):
            found = open_dataset(place)
            if found.sha256 == sha256:
                return found
    return None


def _manifest_folder(job: Job) -> Path:
    """A folder with a data set's manifest and no pictures: enough for all that asks a spec what they are.

    One a data set and user, for an actor is killed in the end and tidies nothing.
    """
    folder = Path(tempfile.gettempdir()) / f"bboxbench-{getpass.getuser()}" / job.dataset_sha256[:16]
    make_folder(folder)
    write_atomically(folder / MANIFEST, job.manifest)
    return folder


class ClusterActor:
    """One process on a node, from its first block to the sweep's end."""

    def __init__(self, job: Job) -> None:
        self._job, self._spec = job, job.spec
        sys.path.extend(place for place in job.search if place not in sys.path)

    def look(self) -> tuple[str, bool]:
        """Whether this node can train: why not, on one line, or empty; and whether it has the pictures.

        Raises:
            BboxbenchError: a shard is damaged, a name is unknown here.
        """
        job = self._job
        for name, wanted in job.versions.items():
            if (here := versions()[name]) != wanted:
                return f"it has {name} {here}, the driver {wanted}; install the same", False
        found = find_dataset(job.dataset_sha256, job.folder)
        self._spec = replace(job.spec, data=str(found.folder if found else _manifest_folder(job)))
        from bboxbench.experiments.runtime import start_tensorflow

        start_tensorflow(self._spec.threads, self._spec.deterministic)
        from bboxbench.experiments.memory import share_memory  # imports Keras, so it comes second

        share_memory(job.actors)
        if plan_sha256(self._spec, job.dataset_sha256) != job.plan_sha256:
            return "it knows this sweep's runs by other names: a loss or network of your own differs there", False
        if found:
            from bboxbench.experiments.training import load_data

            self.take(load_data(found, self._spec.validation))
        return "", found is not None

    def take(self, data: TrainingData) -> None:
        """The pictures, read here or sent."""
        from bboxbench.experiments.execution.block_trainer import BlockTrainer

        self._data = data
        self._trainer = BlockTrainer(self._spec, data, keep_weights=self._job.keep_weights)

    def estimate(self, pending: Sequence[Run]) -> Estimate:
        """What these runs would take if this actor trained them all."""
        from bboxbench.experiments.estimate import estimate_on

        return estimate_on(self._data, self._spec, list(pending))

    def train(self, block: Block) -> Iterator[Told | TrainedRun]:
        """Train a block; gives each run when it is trained, and in between how far all of them are.

        Raises:
            Exception: what was no single run's fault.
        """
        # The engine tells of epochs by a call, and a generator speaks only by giving: so it trains beside.
        events: queue.SimpleQueue[tuple[str, float] | TrainedRun | BaseException | None] = queue.SimpleQueue()

        def work() -> None:
            try:
                for trained in self._trainer.train(block, lambda run, epoch: events.put((run.run_id, epoch))):
                    events.put(trained)
                events.put(None)
            except BaseException as error:
                events.put(error)

        threading.Thread(target=work, daemon=True).start()
        told: Told = {}
        while True:
            try:
                event = events.get(block=not told)
            except queue.Empty:
                yield told
                told = {}
                continue
            if isinstance(event, tuple):
                told[event[0]] = event[1]
                continue
            if told:
                yield told
                told = {}
            if event is None:
                return
            if isinstance(event, BaseException):
                raise event
            yield event

    def ping(self) -> None:
        """Answers: the process is there."""
