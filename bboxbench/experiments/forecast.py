"""When a sweep will be done: what its runs were estimated to cost, held against what they took."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping

__all__ = ["Forecast"]

UNFINISHED = 0.92
"""Share of its cost that a run has behind it when its last epoch is trained: its test pictures are to come."""
FINISHES = 1000
"""So many finished runs are remembered as moments from which speed is measured."""


class Forecast:
    """Seconds that are left, from the moment it is made.

    Until the first runs are finished, the estimate of the machine fades into what is measured, by the share of a run
    that is done. From then on only the measured counts, over the second half of the time so far and no less than one
    block: so a machine that slows down or a cluster that grows is followed.

    Args:
        costs: of every run that is to be trained, by its run_id: estimated seconds, or anything in proportion to them.
        epochs: of a run.
        estimated: whether ``costs`` are seconds; else nothing is known before something is measured.
        clock: seconds, rising.
    """

    def __init__(
        self,
        costs: Mapping[str, float],
        epochs: int,
        *,
        estimated: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._left = dict(costs)
        self._epochs, self._estimated, self._clock = epochs, estimated, clock
        self._under_way: dict[str, float] = {}
        self._todo = sum(self._left.values())
        self._done = 0.0
        self._moments: deque[tuple[float, float]] = deque([(clock(), 0.0)], maxlen=FINISHES)

    def epoch(self, run_id: str, epoch: float) -> None:
        """A run has finished this many epochs, or a part of one."""
        if run_id in self._left:
            self._under_way[run_id] = self._left[run_id] * UNFINISHED * min(1.0, epoch / self._epochs)

    def finished(self, run_id: str) -> None:
        """A run is done with, however it ended."""
        self._under_way.pop(run_id, None)
        cost = self._left.pop(run_id, 0.0)
        self._done += cost
        self._todo -= cost
        self._moments.append((self._clock(), self._done + sum(self._under_way.values())))

    def seconds_left(self) -> float | None:
        """What is left, in seconds; None while nothing is known."""
        if not self._left:
            return 0.0
        now, started = self._clock(), sum(self._under_way.values())
        todo = self._todo - started
        since, before = self._since(now)
        work = self._done + started - before
        measured = (now - since) / work if work > 0 and now > since else None
        if self._done > 0 and measured is not None:
            return todo * measured
        if not self._estimated:
            return None if measured is None else todo * measured
        # Runs that train together are told of one by one: the first to speak is no more than one of them.
        share = started / sum(self._left[run_id] for run_id in self._under_way) if self._under_way else 0.0
        pace = 1.0 if measured is None else (1 - share) + share * measured
        return todo * pace

    def _since(self, now: float) -> tuple[float, float]:
        """The moment from which speed is measured, and what was done by then."""
        half = (self._moments[0][0] + now) / 2
        return max((moment for moment in self._moments if moment[0] <= half), default=self._moments[0])
