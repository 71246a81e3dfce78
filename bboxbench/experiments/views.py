"""Keeps the tables of a results folder up with its journal without slowing the sweep down."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from bboxbench.errors import CannotWrite
from bboxbench.experiments.figures import box_accuracy_figure
from bboxbench.experiments.journal import Journal
from bboxbench.experiments.tables import runs_table, write_views

__all__ = ["Views"]

SECONDS_BETWEEN = 5.0
"""Lockstep gives a block's runs back within a moment: each would rebuild the same tables."""
SHARE = 0.05
"""Of the time, at most, is spent on tables."""


class Views:
    """Writes every table when it is made, when asked to, and at the end of its ``with`` block, interrupted or not.

    A kill may leave tables older than the journal: the next start makes them anew.

    Args:
        folder: of the results.
        journal: what the tables are made from.
        clock: seconds, rising.

    Raises:
        CannotWrite: disk full, no permission.
    """

    def __init__(self, folder: Path, journal: Journal, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._journal, self._clock = folder, journal, clock
        self._written = -1
        self._figure_due = -math.inf
        self.write()

    def __enter__(self) -> Views:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.write_if_stale()
        elif not isinstance(error, CannotWrite):
            # What ended the sweep is what a person must hear of.
            with suppress(CannotWrite):
                self.write_if_stale()

    def write(self) -> None:
        """Replace every table now."""
        start = self._clock()
        appended = self._journal.appended
        write_views(self._folder, self._journal.records)
        end = self._clock()
        self._written = appended
        self._due = end + max(SECONDS_BETWEEN, (end - start) / SHARE)

    def block_ended(self) -> None:
        """All runs of a block are in the journal: the tables follow at once, and the one figure for looking in before.

        Unless they take too long: then some of the blocks to come bring them.
        """
        start = self._clock()
        if self._written != self._journal.appended and start >= self._figure_due:
            self.write()
            box_accuracy_figure(runs_table(self._journal.records), self._folder / "report" / "box_accuracy.png")
            end = self._clock()
            self._figure_due = end + (end - start) / SHARE

    def write_if_stale(self) -> None:
        """Replace every table if the journal has grown since: by its count, for Ctrl-C may come before `run_came`."""
        if self._written != self._journal.appended:
            self.write()

    def run_came(self) -> None:
        """A run is in the journal: the tables follow at once, or later if they were written a moment ago."""
        if self._clock() >= self._due:
            self.write()
