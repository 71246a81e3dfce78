"""Blocks train on a Ray cluster: one long-lived actor for each GPU, or for a node's cores, each dealt what waits.

Two designs were compared. Ray's own retries (``max_restarts``, ``max_task_retries``) start a dead actor anew wherever
there is room and give it the same block: a block that kills its process would kill one after the other, and nobody
could tell that from a node that was switched off. Here nothing is retried by Ray. The driver pins every actor to a
node, so that it knows whose end an end was: a node's, no fault of the block's, or a process's, which may be one.
"""

from __future__ import annotations

import math
import re
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Any

from bboxbench.data_gen import Dataset
from bboxbench.data_gen.manifest import MANIFEST
from bboxbench.errors import InputError, one_line, read_errors
from bboxbench.experiments.estimate import Estimate
from bboxbench.experiments.execution.chunks import blocks_to_train
from bboxbench.experiments.execution.cluster_actor import ClusterActor, Job, plan_sha256, versions
from bboxbench.experiments.execution.cluster_nodes import Seats, connected, seats_of
from bboxbench.experiments.execution.executor import Execution
from bboxbench.experiments.execution.retries import Retries
from bboxbench.experiments.plan import Block, Run
from bboxbench.experiments.spec import SweepSpec
from bboxbench.experiments.training import EpochListener, TrainedRun, load_data

__all__ = ["RayCluster"]

LOOK_SECONDS = 1.0
"""How often the driver looks for new nodes, lost ones and blocks that hang."""
GRACE_SECONDS = 3.0
"""How long a dead process waits for its node's end to be known: who switches a node off ends its processes first."""
PATIENCE_SECONDS = 60.0
"""Without any node that trains, after which a person is told."""
STARTS = 3
"""How often an actor may end before its first block until its node is left out."""


@dataclass(eq=False)
class _Hand:
    """An actor as the driver knows it."""

    seats: Seats
    actor: Any
    awaits: Any
    """The answer that is awaited: Ray's reference, or the generator of a block; None where it has nothing to do."""
    state: str = "starting"
    """starting, fetching, ready, training; doubted (not reachable), dead (as its node may be); and how it ended: lost
    (with its node), cut off, hung, raised."""
    block: Block | None = None
    dealt: float = 0.0
    """When it was given its block."""
    since: float = 0.0
    """Of the last sign of life, or of its end."""
    reason: str = ""
    """What ended it, on one line."""
    said: str = ""
    """All that Ray said of it."""


class RayCluster:
    """Trains blocks on the nodes of a Ray cluster.

    Args:
        execution: with the cluster's address.
        spec: of the sweep.
        dataset: found by its hash on a node, else sent there.
        warn: told of lost nodes, dead processes and nodes that cannot train.
    """

    def __init__(
        self, execution: Execution, spec: SweepSpec, dataset: Dataset, warn: Callable[[str], None] = lambda _: None
    ) -> None:
        self._execution, self._spec, self._dataset, self._warn = execution, spec, dataset, warn
        self._hands: list[_Hand] = []
        self._retries = Retries(whole_first=spec.deterministic)
        self._unfit: dict[str, str] = {}
        self._starts: dict[str, int] = {}
        self._pictures: Any = None
        self._useful = time.monotonic()
        self._looked, self._known = -math.inf, list[dict[str, Any]]()
        self._stack = ExitStack()

    def __enter__(self) -> RayCluster:
        with ExitStack() as stack:
            self._ray = stack.enter_context(connected(self._execution.address))
            self._prepare()
            self._stack = stack.pop_all()
        return self

    def _prepare(self) -> None:
        self._actor_class = self._ray.remote(ClusterActor)
        dataset = self._dataset
        with read_errors(dataset.folder):
            manifest = (dataset.folder / MANIFEST).read_text(encoding="utf-8")
        self._job = Job(
            spec=self._spec,
            dataset_sha256=dataset.sha256,
            folder=str(dataset.folder.resolve()),
            manifest=manifest,
            versions=versions(),
            plan_sha256=plan_sha256(self._spec, dataset.sha256),
            search=tuple(str(Path(place).resolve()) for place in sys.path),
            keep_weights=self._execution.keep_weights,
            actors=1,
        )

    def __exit__(self, *error: object) -> None:
        with self._stack:
            self._dismiss(self._hands)

    def estimate(self, pending: list[Run]) -> Estimate:
        """As `bboxbench.experiments.execution.executor.Executor.estimate`: timed by the first actor that is ready."""
        if not pending:
            return Estimate(0.0, {})
        blocks = len(blocks_to_train(self._spec, pending, {run.run_id for run in pending}))
        while not (ready := [hand for hand in self._hands if hand.state == "ready"]):
            self._hire(blocks)
            for hand in self._heard():
                self._settle(hand)
            for hand in self._ended():
                list(self._bury(hand, deque(), {}))
        try:
            found: Estimate = self._ray.get(
                ready[0].actor.estimate.remote(pending), timeout=self._execution.timeout or None
            )
        except self._ray.exceptions.RayError:
            # Whatever it was, its blocks will show it; an estimate is worth no sweep.
            return Estimate(0.0, {})
        actors = max(1, sum(seats.count for seats in self._seats()))
        runs = {run_id: seconds / actors for run_id, seconds in found.runs.items()}
        return replace(found, seconds=found.seconds / actors, runs=runs)

    def run(self, blocks: Sequence[Block], on_epoch: EpochListener) -> Iterator[TrainedRun]:
        """As `bboxbench.experiments.execution.executor.Executor.run`."""
        due = {run.run_id: run for block in blocks for run in block.runs}
        waiting = deque(blocks)
        try:
            while due:
                self._hire(len(waiting))
                for hand in self._hands:
                    if waiting and hand.state == "ready":
                        block, *parted = self._retries.parted(waiting.popleft())
                        waiting.extendleft(reversed(parted))
                        self._deal(hand, block)
                for hand in self._heard():
                    if hand.state != "training":
                        self._settle(hand)
                        continue
                    for answer in self._answers(hand):
                        if isinstance(answer, dict):
                            for run_id, epoch in answer.items():
                                if run_id in due:
                                    on_epoch(due[run_id], epoch)
                        # What nobody waits for any more has come before.
                        elif due.pop(answer.run.run_id, None):
                            yield answer
                    if hand.state == "ready":
                        self._take_off(hand, due)
                for hand in self._ended():
                    yield from self._bury(hand, waiting, due)
        finally:
            self._dismiss([hand for hand in self._hands if hand.block])

    def _seats(self) -> list[Seats]:
        """Of the nodes that are there now and can train."""
        return [seats for seats in seats_of(self._nodes(), self._spec.threads) if seats.node not in self._unfit]

    def _nodes(self) -> list[dict[str, Any]]:
        """As ``ray.nodes()``, which asks the head, gave them a moment ago."""
        now = time.monotonic()
        if now >= self._looked + LOOK_SECONDS:
            self._known, self._looked = self._ray.nodes(), now
        return self._known

    def _hire(self, waiting: int) -> None:
        """Start actors where there is room, as many as there are blocks for; nodes that joined since are among them.

        Raises:
            InputError: there are nodes, and none can train.
        """
        wanted = waiting - sum(hand.block is None for hand in self._hands)
        seats = self._seats()
        if not seats and self._unfit and not self._hands:
            raise InputError(f"No node of the cluster can train. {' '.join(self._unfit.values())}")
        free = {each: each.count - sum(hand.seats.node == each.node for hand in self._hands) for each in seats}
        # One a node in turn, so that few blocks are spread.
        for each in cycle(seats):
            if wanted <= 0 or not any(count > 0 for count in free.values()):
                return
            if free[each] > 0:
                free[each] -= 1
                wanted -= 1
                self._start(each)

    def _start(self, seats: Seats) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        job = replace(self._job, spec=replace(self._job.spec, threads=seats.threads), actors=seats.count)
        options = self._actor_class.options(
            num_cpus=seats.cpus,
            num_gpus=seats.gpus,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(seats.node, soft=False),
        )
        actor = options.remote(job)
        self._hands.append(_Hand(seats, actor, actor.look.remote(), since=time.monotonic()))

    def _deal(self, hand: _Hand, block: Block) -> None:
        hand.block, hand.state, hand.dealt = block, "training", time.monotonic()
        hand.since = hand.dealt
        hand.awaits = hand.actor.train.options(num_returns="streaming").remote(block)

    def _heard(self) -> list[_Hand]:
        """The actors that have answered, after `LOOK_SECONDS` at the latest."""
        if any(hand.state in ("ready", "training") for hand in self._hands):
            self._useful = time.monotonic()
        elif time.monotonic() - self._useful > PATIENCE_SECONDS:
            self._useful = math.inf  # said once
            self._warn(
                f"No node of the cluster has been ready for {PATIENCE_SECONDS:g} s: none has joined, they are still "
                "starting, or others hold their cores and GPUs (see `ray status`). Waiting."
            )
        awaited = {hand.awaits: hand for hand in self._hands if hand.awaits is not None}
        if not awaited:
            time.sleep(LOOK_SECONDS)
            return []
        ready, _ = self._ray.wait(list(awaited), num_returns=1, timeout=LOOK_SECONDS)
        if ready:
            ready, _ = self._ray.wait(list(awaited), num_returns=len(awaited), timeout=0)
        return [awaited[each] for each in ready]

    def _answers(self, hand: _Hand) -> Iterator[Any]:
        """What an actor at work has given since."""
        hand.since = time.monotonic()
        try:
            yield self._ray.get(next(hand.awaits))
        except StopIteration:
            hand.awaits, hand.state = None, "ready"
        except self._ray.exceptions.RayError as error:
            self._doubt(hand, error)

    def _take_off(self, hand: _Hand, due: dict[str, Run]) -> None:
        """A block has come to its end; one without all of its runs has not."""
        if hand.block and any(run.run_id in due for run in hand.block.runs):
            hand.state, hand.reason = "raised", "it came to its end without all of its runs"
        else:
            hand.block = None

    def _settle(self, hand: _Hand) -> None:
        """What became of an actor that is not training."""
        try:
            answer = self._ray.get(hand.awaits)
        except self._ray.exceptions.RayError as error:
            self._doubt(hand, error)
            return
        if hand.state == "doubted":
            # It lives, but what it said meanwhile is lost. Its block is as if its node had been.
            self._ray.kill(hand.actor)
            hand.state, hand.awaits = "cut off", None
        elif hand.state == "starting" and answer[0]:
            self._leave_out(hand, answer[0])
        elif hand.state == "starting" and not answer[1]:
            hand.state, hand.awaits = "fetching", hand.actor.take.remote(self._sent_pictures())
        else:
            hand.state, hand.awaits = "ready", None
            self._starts[hand.seats.node] = 0

    def _sent_pictures(self) -> Any:
        """Ray's reference to the pictures: read and put into its store once, whoever asks."""
        if self._pictures is None:
            self._pictures = self._ray.put(load_data(self._dataset, self._spec.validation))
        return self._pictures

    def _doubt(self, hand: _Hand, error: Exception) -> None:
        """An actor does not answer: is it dead, is its node, or was it only cut off?"""
        known = self._ray.exceptions
        hand.said = hand.said or str(error)
        hand.reason = hand.reason or _in_short(error)
        if isinstance(error, known.RayTaskError):
            hand.reason = one_line(getattr(error, "cause", error))
            if hand.state == "training":
                hand.state = "raised"
            else:
                self._leave_out(hand, hand.reason)
        elif isinstance(error, known.ActorDiedError):
            hand.state, hand.awaits, hand.since = "dead", None, time.monotonic()
        else:
            # Not reachable, or what it gave is gone with its store. To be asked again: Ray knows in the end.
            hand.state, hand.awaits, hand.since = "doubted", hand.actor.ping.remote(), time.monotonic()

    def _leave_out(self, hand: _Hand, reason: str) -> None:
        """A node that cannot train gets no actor any more."""
        node, name = hand.seats.node, hand.seats.name
        if node not in self._unfit:
            self._unfit[node] = f"Node {name} cannot train: {reason}."
            self._warn(self._unfit[node])
        self._dismiss([hand])

    def _ended(self) -> list[_Hand]:
        """The actors of which it is known that they will not answer any more."""
        now, timeout = time.monotonic(), self._execution.timeout
        alive = {node["NodeID"] for node in self._nodes() if node["Alive"]}
        ended = []
        for hand in self._hands:
            if hand.seats.node not in alive:
                hand.state = "lost"
            elif hand.state == "training" and timeout and now - hand.since > timeout and not self._unheard(hand):
                hand.state, hand.reason = "hung", f"no step was finished within {timeout:g} s"
            dead = hand.state == "dead" and now - hand.since > GRACE_SECONDS
            if dead or hand.state in ("lost", "hung", "raised", "cut off"):
                ended.append(hand)
        return ended

    def _unheard(self, hand: _Hand) -> bool:
        """Whether an answer of an actor at work waits: a driver that writes tables does not listen meanwhile."""
        # One that lies on the actor's node counts, too: time was up before it could be fetched.
        ready, _ = self._ray.wait([hand.awaits], timeout=0, fetch_local=False)
        if ready:
            hand.since = time.monotonic()
        return bool(ready)

    def _bury(self, hand: _Hand, waiting: deque[Block], due: dict[str, Run]) -> Iterator[TrainedRun]:
        """Put the block of an actor that ended back where it is tried again; gives the runs that are given up."""
        name, block = hand.seats.name, hand.block
        self._dismiss([hand])
        missing = [run for run in block.runs if run.run_id in due] if block else []
        if not block or not missing:
            if hand.state != "lost":
                self._count_start(hand)
            return
        what = f"{len(missing)} {'run' if len(missing) == 1 else 'runs'} of seed {block.seed}"
        lost = hand.state in ("lost", "cut off")
        hand.reason = "its node was lost" if lost else hand.reason
        again = (self._retries.node_lost if lost else self._retries.died)(block, missing)
        waiting.extendleft(reversed(again))
        going = {run.run_id for part in again for run in part.runs}
        end = f"Node {name} was lost" if lost else f"The process on node {name} ended: {hand.reason}"
        self._warn(f"{end}. {'Tried again' if again else 'Given up'}: {what} that it trained.")
        for run in missing:
            if run.run_id not in going:
                del due[run.run_id]
                log = f"{hand.said or hand.reason}\nWhat the process wrote stands in Ray's logs on node {name}.\n"
                seconds = time.monotonic() - hand.dealt
                error = f"The process that trained it ended: {hand.reason}"
                yield TrainedRun(run, error=error, log=log, seconds=seconds)

    def _count_start(self, hand: _Hand) -> None:
        node = hand.seats.node
        self._starts[node] = self._starts.get(node, 0) + 1
        if self._starts[node] >= STARTS:
            self._leave_out(hand, f"its process ended {STARTS} times before a block, {hand.reason}")

    def _dismiss(self, hands: Sequence[_Hand]) -> None:
        """End actors at once."""
        for hand in list(hands):
            with suppress(ValueError):
                self._hands.remove(hand)
            with suppress(Exception):  # it may be dead, or the whole cluster gone
                self._ray.kill(hand.actor)


def _in_short(error: Exception) -> str:
    """The one thing that Ray's many lines say of a dead process."""
    said = one_line(error)
    found = re.search(r"Worker exit type: (\w+) Worker exit detail: (.*?)\. ", said)
    return f"{found[1]}, {found[2]}" if found else said[:300]
