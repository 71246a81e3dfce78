"""The worker processes of sweeps, as the system sees them."""

from __future__ import annotations

import time
from contextlib import suppress

import psutil

from bboxbench.experiments.execution.worker import serve

__all__ = ["gone", "is_running", "workers_of"]


def workers_of(pid: int | None = None) -> list[psutil.Process]:
    """Worker processes that the process ``pid``, by default this one, has started and that run."""
    found = []
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if any(serve.__module__ in word for word in child.cmdline()):
                    found.append(child)
    return found


def is_running(pid: int) -> bool:
    """Whether there is such a process, and not only what is left of one."""
    with suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


def gone(pid: int, seconds: float = 10.0) -> bool:
    """Whether the process ends within so many seconds."""
    deadline = time.monotonic() + seconds
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_running(pid)
