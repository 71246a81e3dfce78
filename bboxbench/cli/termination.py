"""SIGTERM, as a system or a scheduler sends it before it ends a process, means the same as Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["termination_heard"]


@contextmanager
def termination_heard() -> Iterator[None]:
    """Within it, SIGTERM raises KeyboardInterrupt: tables are written, and what was started is ended."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python hears signals in its main thread alone.
        return

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
