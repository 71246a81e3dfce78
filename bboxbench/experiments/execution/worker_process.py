"""A worker process as its driver sees it: started, spoken to, listened to, and ended for good."""

from __future__ import annotations

import json
import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from bboxbench.durations import duration

__all__ = ["WorkerEnded", "WorkerProcess"]

LOG_SHOWN = 64_000
"""Bytes of a worker's output that are kept of a failed run: the last ones."""
LOG_HELD = 16_000_000
"""Bytes of output of one block that may lie on disk; what a loss prints at every step must not fill it."""
LOOK_SECONDS = 0.5
"""How often it is looked whether a silent worker still lives, or has been silent for too long."""
LAST_WORDS = 2.0
"""Seconds that a hung worker has to write down where it is, and one that is ending to end."""

_CHILD = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from bboxbench.experiments.execution.worker import serve
serve()
"""


class WorkerEnded(Exception):
    """A worker died, or was ended because it finished no step in time. The message is one line, a whole sentence."""


class WorkerProcess:
    """A child that runs `bboxbench.experiments.execution.worker.serve`, and the text of its output.

    Args:
        setup: the first thing it is told.
    """

    def __init__(self, setup: Any) -> None:
        self._messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._log_end, self._log_file = _log_file()
        apart: dict[str, Any] = {"process_group": 0}
        if sys.platform == "win32":
            apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CHILD, json.dumps([str(place) for place in sys.path])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log_end,
            **apart,
        )
        assert self._process.stdout is not None
        self._ear = threading.Thread(target=_listen, args=(self._process.stdout, self._messages), daemon=True)
        self._ear.start()
        self._last_log: str | None = None
        self.send(setup)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def send(self, request: Any) -> None:
        """Tell it something; where it is dead already, `receive` says so."""
        assert self._process.stdin is not None
        with suppress(OSError):
            pickle.dump(request, self._process.stdin, pickle.HIGHEST_PROTOCOL)
            self._process.stdin.flush()

    def receive(self, timeout: float = 0.0) -> tuple[str, Any]:
        """Its next answer.

        Args:
            timeout: seconds without an answer after which it counts as hung and is ended; 0: never.

        Raises:
            WorkerEnded: it is dead.
        """
        start = time.monotonic()
        message: Any = None
        while True:
            # A process that forked may leave its end of the pipe open behind it: so its end is looked for, too.
            dead = self._process.poll() is not None
            with suppress(queue.Empty):
                message = self._messages.get(timeout=LOOK_SECONDS)
                break
            if dead:
                break
            if timeout and time.monotonic() - start >= timeout:
                self._ask_where()
                self.end()
                raise WorkerEnded(
                    f"No step was finished within {duration(timeout)} (--timeout), so its worker process was ended."
                )
        if message is None:
            # The end of its answers comes a moment before its own.
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(LAST_WORDS)
            code = self._process.poll()
            self.end()
            how = "gave no more answers, so it was ended" if code is None else _ending(code)
            raise WorkerEnded(f"Its worker process {how}.")
        if self._log_file.seek(0, os.SEEK_END) > LOG_HELD:
            self.clear_log()
        answer: tuple[str, Any] = message
        return answer

    def log(self) -> str:
        """The last of what it wrote to stdout and stderr since `clear_log`, after its end, too."""
        if self._last_log is not None:
            return self._last_log
        length = self._log_file.seek(0, os.SEEK_END)
        self._log_file.seek(max(0, length - LOG_SHOWN))
        text = self._log_file.read(LOG_SHOWN).decode(errors="replace")
        return text if length <= LOG_SHOWN else f"[{length - LOG_SHOWN} bytes before this are left out]\n{text}"

    def clear_log(self) -> None:
        """Forget what it wrote so far."""
        # It is opened for appending there: the next line goes to the new end.
        self._log_end.truncate(0)

    def end(self) -> None:
        """End it and what it started, at once; again does nothing. It has nothing that would have to be saved."""
        if self._last_log is not None:
            return
        with suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        self._process.wait()
        self._last_log = self.log()
        self._log_end.close()
        self._log_file.close()
        # Closing a pipe that a thread reads would wait for it: a process that left the group may hold the other end.
        self._ear.join(LAST_WORDS)
        for stream in (self._process.stdin, None if self._ear.is_alive() else self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()

    def _ask_where(self) -> None:
        """Have it write the stack of each of its threads into the log."""
        if not hasattr(signal, "SIGUSR1"):
            return
        before = self._log_file.seek(0, os.SEEK_END)
        with suppress(OSError):
            os.kill(self._process.pid, signal.SIGUSR1)
        deadline = time.monotonic() + LAST_WORDS
        while self._log_file.seek(0, os.SEEK_END) == before and time.monotonic() < deadline:
            time.sleep(0.05)


def _log_file() -> tuple[BinaryIO, BinaryIO]:
    """A file to append to and to read, which is gone with the processes that have it open."""
    descriptor, name = tempfile.mkstemp(prefix="bboxbench-worker-", suffix=".log")
    os.close(descriptor)
    end = Path(name).open("ab", buffering=0)  # noqa: SIM115  # stays open for as long as the process is wanted
    reading = Path(name).open("rb", buffering=0)  # noqa: SIM115  # the same
    with suppress(OSError):  # Windows removes no open file.
        Path(name).unlink()
    return end, reading


def _listen(answers: Any, messages: queue.SimpleQueue[Any]) -> None:
    """Hand on answers as they come, then None."""
    try:
        while True:
            messages.put(pickle.load(answers))
    except Exception:  # The end of the file, in the middle of an answer, too.
        messages.put(None)


def _ending(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = ", as the system does where memory runs out" if name == "SIGKILL" else ""
    return f"was killed by {name}{hint}"
