"""What commands that write a folder of pictures say alike: their progress, how many there are, how large it is."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bboxbench.cli.console import Console, Ticker

__all__ = ["Writing", "file_size", "pictures_told", "say_what_next", "writing"]


class Writing:
    """Progress of one command that writes; `writing` makes it."""

    def __init__(self, console: Console, ticker: Ticker) -> None:
        self._console, self._ticker = console, ticker
        self._start = time.monotonic()
        self.worked = False
        """Whether there was anything to write."""

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._start

    def progress(self, done: int, total: int) -> None:
        """Tell that ``done`` pictures of ``total`` are written; what writes calls it."""
        self.worked = True
        self._ticker.update(done)
        self._console.event("progress", done=done, total=total)


@contextmanager
def writing(console: Console, what: str, total: int) -> Iterator[Writing]:
    """A bar for ``total`` pictures, as `Console.progress`, and one event a step with ``--json``."""
    with console.progress(what, total, "pictures") as ticker:
        yield Writing(console, ticker)


def pictures_told(n: int) -> str:
    """``n`` pictures in words."""
    return f"{n:,} picture{'s' if n > 1 else ''}"


def file_size(size: int) -> str:
    """Bytes as people read them: kilobytes below a megabyte, and never none."""
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{max(1, round(size / 1e3))} kB"


def say_what_next(console: Console, n: int, folder: Path) -> None:
    """What can be done with a data set of ``n`` pictures in ``folder``."""
    from bboxbench.data_gen.splits import LEAST

    place = shlex.quote(str(folder))
    console.say(f"Look at them:   bboxbench preview {place}")
    console.say(f"Check them:     bboxbench verify {place}")
    console.say(f"Take them out:  bboxbench export {place} --format coco")
    if n >= LEAST:
        console.say(f"Train on them:  bboxbench sweep --preset quick --data {place}")
    else:
        console.say(f"To train on them they are too few: with {LEAST} or more, each split has a picture.")
