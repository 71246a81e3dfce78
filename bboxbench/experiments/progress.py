"""``progress.json``: how far a sweep is, for whoever looks into its folder from elsewhere while it runs."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from bboxbench.errors import CannotWrite
from bboxbench.experiments.forecast import Forecast
from bboxbench.experiments.plan import Run
from bboxbench.experiments.results import PROGRESS
from bboxbench.files import write_atomically

__all__ = ["ProgressFile"]

SECONDS_BETWEEN = 2.0
"""How often it is written at most."""


class ProgressFile:
    """Keeps ``progress.json`` up while its ``with`` block runs: ``state`` is running, then done, or stopped.

    A process that is killed leaves ``running`` behind: whether ``pid`` still is the process that began at
    ``process_started`` tells. A disk that is full is no reason to end here: whatever matters will say so.

    Args:
        folder: of the results.
        planned: run_id of every run that is asked for.
        finished: of those that are in the journal, the status.
        forecast: of what is left.
    """

    def __init__(
        self,
        folder: Path,
        planned: Iterable[str],
        finished: Mapping[str, str],
        forecast: Forecast,
    ) -> None:
        self._path, self._forecast = folder / PROGRESS, forecast
        self._planned = set(planned)
        self._status = {run_id: status for run_id, status in finished.items() if run_id in self._planned}
        self._under_way: dict[tuple[int, int], dict[str, float]] = {}
        """Finished epochs by run_id, by seed and batch size: many blocks may train at once."""
        self._block_of: dict[str, tuple[int, int]] = {}
        self._started = time.time()
        self._due = 0.0

    def __enter__(self) -> ProgressFile:
        self._write("running")
        return self

    def __exit__(self, *error: object) -> None:
        done = self._status.keys() >= self._planned
        self._write("done" if error[0] is None and done else "stopped")

    def epoch(self, run: Run, epoch: float) -> None:
        """A run is that far."""
        block = self._block_of[run.run_id] = (run.seed, run.cell.batch_size)
        self._under_way.setdefault(block, {})[run.run_id] = epoch
        self._forecast.epoch(run.run_id, epoch)
        self._tell()

    def finished(self, run_id: str, status: str) -> None:
        """A run is in the journal."""
        self._status[run_id] = status
        self._forecast.finished(run_id)
        if (block := self._block_of.pop(run_id, None)) is not None:
            del self._under_way[block][run_id]
            if not self._under_way[block]:
                del self._under_way[block]
                self._due = 0.0  # The end of a block is news.
        self._tell()

    def _tell(self) -> None:
        if time.monotonic() >= self._due:
            self._write("running")

    def _write(self, state: str) -> None:
        under_way = self._under_way if state == "running" else {}
        left = self._forecast.seconds_left() if state == "running" else None
        content: dict[str, Any] = {
            "state": state,
            "machine": platform.node(),
            "pid": os.getpid(),
            "process_started": psutil.Process().create_time(),
            "started": self._started,
            "updated": time.time(),
            "runs": len(self._planned),
            "finished": len(self._status),
            "failed": sum(status == "failed" for status in self._status.values()),
            "blocks": [
                {"seed": seed, "batch_size": batch_size, "runs": runs} for (seed, batch_size), runs in under_way.items()
            ],
            "eta_seconds": None if left is None else round(left, 1),
        }
        with suppress(CannotWrite):
            write_atomically(self._path, json.dumps(content, indent=2) + "\n", synced=False)
        self._due = time.monotonic() + SECONDS_BETWEEN
