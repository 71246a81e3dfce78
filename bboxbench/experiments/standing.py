"""Where a sweep stands, from its folder alone, while another process writes it or after: without TensorFlow."""

from __future__ import annotations

import json
import platform
import time
from pathlib import Path
from typing import Any

import psutil

from bboxbench.errors import CannotRead, read_errors
from bboxbench.experiments.asked import cell_of
from bboxbench.experiments.journal import Follower
from bboxbench.experiments.recorded import read_manifest
from bboxbench.experiments.results import JOURNAL, MANIFEST, PROGRESS
from bboxbench.experiments.tally import Tally

__all__ = ["Standing"]

FRESH = 30.0
"""Seconds since the last renewal within which a sweep on another machine counts as running."""
CLOCKS = 2.0
"""Seconds by which two accounts of one process's start may differ."""


class Standing:
    """Where the sweep in a folder stands. Made once and renewed, it reads only what came since.

    Args:
        folder: of the results.

    Raises:
        InputError: there is no sweep in ``folder``, it is damaged, or a newer bboxbench wrote it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest: dict[str, Any] = {}
        """The content of sweep.json."""
        self._seen: tuple[int, ...] | None = None
        self._follower = Follower(folder / JOURNAL)
        self._rows: dict[str, dict[str, Any]] = {}
        self._asked: dict[str, str] = {}
        self.tally = Tally()
        self.progress: dict[str, Any] = {}
        """The content of progress.json; empty where there is none."""
        self.renew()

    def renew(self) -> None:
        """Read what came since.

        Raises:
            InputError: as for the constructor.
        """
        # It names every run that was asked for, so it is long, and changes by another command alone.
        if (now := _signature(self.folder / MANIFEST)) is None or now != self._seen:
            self._read_manifest()
            self._seen = now
        # One that is in nobody's plan any more, as of a loss that was edited, is no part of where a sweep stands.
        for record in self._follower.new():
            run_id, row = record["run_id"], record["row"]
            if self._counted and run_id not in self._counted:
                continue
            if (before := self._rows.get(run_id)) is not None:
                self.tally.take_back(before)
            self._rows[run_id] = row
            self.tally.add(row)
        self.progress = _progress(self.folder / PROGRESS)
        self.read_at = time.time()

    def _read_manifest(self) -> None:
        self.manifest = read_manifest(self.folder)
        asked = self.manifest.get("runs", {})
        for name, run_id in asked.items():
            if name not in self._asked and (cell := cell_of(name)) is not None:
                self.tally.plan(cell)
            self._asked[name] = run_id
        self._counted = set(asked.values())

    @property
    def planned(self) -> int:
        """Runs that were asked for, by whatever commands."""
        return max(len(set(self._asked.values())), len(self._rows))

    @property
    def finished(self) -> int:
        """Runs in the journal, failed ones included."""
        return len(self._rows)

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The rows, as in runs.csv, of the runs that failed."""
        return [row for row in self._rows.values() if row["status"] != "ok"]

    @property
    def state(self) -> str:
        """What the sweep does: "running", "done" (nothing is left), "stopped" (something is, and no process works)."""
        if self.progress.get("state") == "running" and self._lives():
            return "running"
        return "done" if self.finished >= self.planned else "stopped"

    @property
    def killed(self) -> bool:
        """Whether its process ended without a word."""
        return self.state != "running" and self.progress.get("state") == "running"

    @property
    def silent_seconds(self) -> float:
        """How long nothing was heard of the process; 0 where it does not say."""
        updated = self.progress.get("updated")
        return max(0.0, self.read_at - float(updated)) if updated is not None else 0.0

    @property
    def seconds_left(self) -> float | None:
        """What a running sweep said it would take, less what has passed since; None where it does not say."""
        eta = self.progress.get("eta_seconds")
        if eta is None or self.state != "running":
            return None
        return max(0.0, float(eta) - (time.time() - self.read_at) - self.silent_seconds)

    def under_way(self) -> dict[str, tuple[int, float]]:
        """Seed and finished epochs of each run that trains just now, by its run_id."""
        if self.state != "running":
            return {}
        return {
            run_id: (int(block["seed"]), float(epochs))
            for block in self.progress.get("blocks", [])
            for run_id, epochs in block.get("runs", {}).items()
            if run_id not in self._rows or self._rows[run_id]["status"] != "ok"
        }

    def _lives(self) -> bool:
        """Whether the process that wrote progress.json does still."""
        fresh = self.silent_seconds < FRESH
        if self.progress.get("machine", platform.node()) != platform.node():
            return fresh  # Its processes are not to be seen from here.
        try:
            process = psutil.Process(int(self.progress["pid"]))
            started, status = process.create_time(), process.status()
        except (psutil.Error, KeyError, ValueError):
            return False
        if status == psutil.STATUS_ZOMBIE:
            return False
        # A process is told by its start. A clock that was set moves that, so one that speaks is believed, too.
        return abs(started - float(self.progress.get("process_started", started))) < CLOCKS or fresh


def _signature(path: Path) -> tuple[int, ...] | None:
    """What differs when a file was written anew; None where it cannot be seen."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _progress(path: Path) -> dict[str, Any]:
    """Its content; nothing where it is not there or not whole, for it is no truth, only news."""
    try:
        with read_errors(path):
            found = json.loads(path.read_bytes())
    except (CannotRead, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
