"""Commands that run as processes of their own and are listened to, so that a test can disturb them in time."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from disturbed_sweeps import PATIENCE, start

__all__ = ["Heard", "wait_until"]


class Heard:
    """A command that is under way, and what it has said so far."""

    def __init__(self, arguments: list[str], cwd: Path) -> None:
        self.started = time.monotonic()
        self.process = start([*arguments, "--json", "--quiet"], cwd)
        self.heard: list[tuple[float, dict[str, Any]]] = []
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()
        self._complaining: list[str] = []
        self._complaints = threading.Thread(target=self._complain, daemon=True)
        self._complaints.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith("\n"):
                self.heard.append((time.monotonic(), json.loads(line)))

    def _complain(self) -> None:
        assert self.process.stderr is not None
        self._complaining += self.process.stderr

    def count(self, kind: str) -> int:
        """Events of a kind so far."""
        return sum(event["event"] == kind for _, event in list(self.heard))

    def when(self, kind: str) -> list[float]:
        """Seconds after the start at which events of a kind came."""
        return [moment - self.started for moment, event in self.heard if event["event"] == kind]

    def alive(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def end(self, seconds: float = PATIENCE) -> tuple[int, str]:
        """Wait for it: exit code and stderr."""
        code = self.process.wait(seconds)
        self._listening.join(seconds)
        self._complaints.join(seconds)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return code, "".join(self._complaining)


def wait_until(done: Callable[[], object], command: Heard, look: float = 0.002) -> bool:
    """Whether it came to pass before the command ended; looked at every so many seconds."""
    deadline = time.monotonic() + PATIENCE
    while command.alive():
        if done():
            return True
        assert time.monotonic() < deadline, command.heard
        time.sleep(look)
    return False
