"""Signs of life of runs under way: often enough to see that a step was finished, seldom enough to cost nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable

from bboxbench.experiments.plan import Run
from bboxbench.experiments.training import EpochListener

__all__ = ["Pulse"]

TELL_SECONDS = 2.0
"""How often a listener hears of an epoch that is under way."""


class Pulse:
    """Tells a listener where runs are, but not more often than every `TELL_SECONDS`."""

    def __init__(self, on_epoch: EpochListener) -> None:
        self._on_epoch = on_epoch
        self._told = time.monotonic()

    def beat(self, runs: Iterable[Run], epoch: float) -> None:
        """A step is finished: of training, or of looking at pictures. ``epoch`` is as for an `EpochListener`."""
        if time.monotonic() - self._told > TELL_SECONDS:
            self._told = time.monotonic()
            for run in runs:
                self._on_epoch(run, epoch)
