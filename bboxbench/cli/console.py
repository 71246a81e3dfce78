"""What a person sees: data on stdout, progress on stderr, no animation off a terminal."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console as RichConsole
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bboxbench.durations import duration
from bboxbench.jsonl import json_line

__all__ = ["Console", "Ticker", "duration", "folded"]

SECONDS_BETWEEN_LINES = 10.0
"""How often plain progress lines come where there is no terminal to redraw."""


class Ticker:
    """Progress of one long piece of work; `Console.progress` makes it."""

    def __init__(self, console: Console, what: str, total: int, unit: str) -> None:
        self._console, self._what, self._total, self._unit = console, what, total, unit
        self._bar: Progress | None = None
        self._start = self._last_line = time.monotonic()
        self._already: int | None = None

    def update(self, done: int, note: str = "", total: int | None = None) -> None:
        """Report that ``done`` of the total is finished; ``note`` is a few words beside the bar.

        A ``total`` takes the place of the one before.

        The first call says what an earlier, interrupted command had done already: it does not count for the ETA.
        """
        if self._already is None:
            self._already = done
        if total is not None:
            self._total = total
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, total=self._total, note=note)
            return
        now = time.monotonic()
        if now - self._last_line < SECONDS_BETWEEN_LINES and done < self._total:
            return
        self._last_line = now
        gained = done - self._already
        left = (
            f", about {duration((now - self._start) / gained * (self._total - done))} left"
            if gained > 0 and done < self._total
            else ""
        )
        tail = f" ({note})" if note else ""
        self._console.say(f"{self._what}: {done:,} of {self._total:,} {self._unit}{left}{tail}")


def folded(text: str, width: int) -> str:
    """``text`` in lines of whole words for a terminal of ``width`` columns, further in where it goes on."""
    inner = " " * (len(text) - len(text.lstrip()) + 2)
    return textwrap.fill(text, width, subsequent_indent=inner, break_long_words=False, break_on_hyphens=False)


class Console:
    """The two streams of one command.

    Args:
        quiet: say nothing but errors; data still goes to stdout.
        as_json: print one JSON object a line on stdout, for programs, in place of text.
    """

    def __init__(self, quiet: bool = False, as_json: bool = False) -> None:
        self.quiet, self.as_json = quiet, as_json
        self.stderr = RichConsole(stderr=True, highlight=False)
        self.stdout = RichConsole(highlight=False)

    def say(self, text: str) -> None:
        """A line for the person, on stderr; not with ``--quiet``."""
        if not self.quiet:
            # A terminal gets whole words a line, further in where they go on; a file gets lines as they are.
            if self.stderr.is_terminal:
                text = folded(text, self.stderr.width)
            self.stderr.print(text, markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """A line that a person must see, on stderr, also with ``--quiet``."""
        said = f"Warning: {text}"
        said = folded(said, self.stderr.width) if self.stderr.is_terminal else said
        self.stderr.print(said, markup=False, soft_wrap=True)
        self.event("warning", text=text)

    def show(self, text: str, fold: bool = False) -> None:
        """A line of the answer, on stdout; not with ``--json``, which has its own form of it.

        Args:
            text: what is to be shown.
            fold: on a terminal, further in where it goes on. Not what somebody may want to copy.
        """
        if not self.as_json:
            text = folded(text, self.stdout.width) if fold and self.stdout.is_terminal else text
            self.stdout.print(text, markup=False, soft_wrap=True)

    def event(self, kind: str, **values: Any) -> None:
        """One JSON object on one line of stdout, with ``--json`` only."""
        if self.as_json:
            sys.stdout.write(json_line({"event": kind, **values}))
            sys.stdout.flush()

    @contextmanager
    def status(self, text: str) -> Iterator[None]:
        """A line that stands while short work of unknown length goes on; on a terminal only."""
        if self.quiet or not self.stderr.is_terminal:
            yield
            return
        with self.stderr.status(text) as line:
            # Draws at once: the next moment, stderr may be turned elsewhere while TensorFlow loads.
            line.update(spinner="dots")
            yield

    @contextmanager
    def progress(self, what: str, total: int, unit: str) -> Iterator[Ticker]:
        """A bar with ETA on a terminal, a line every ten seconds elsewhere, nothing with ``--quiet``."""
        ticker = Ticker(self, what, total, unit)
        if self.quiet or not self.stderr.is_terminal:
            yield ticker
            return
        # A bar's whole line must fit, else the terminal wraps it and every refresh leaves a line behind.
        bar_width = max(8, min(40, self.stderr.width - 60))
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=bar_width),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        # What goes to a file must not be drawn on the terminal instead.
        with Progress(*columns, console=self.stderr, redirect_stdout=sys.stdout.isatty()) as bar:
            bar.add_task(what, total=total, note="")
            ticker._bar = bar
            yield ticker
