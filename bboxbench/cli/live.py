"""What a person sees of a sweep while it runs: the plan first, then a table of all cells that follows every run."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console as RichConsole
from rich.console import ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bboxbench.cli.cells_table import CellsTable, counts
from bboxbench.cli.console import SECONDS_BETWEEN_LINES, Console, Ticker, duration
from bboxbench.cli.planned import plan_lines, plan_values
from bboxbench.experiments.listener import Listener

if TYPE_CHECKING:
    from bboxbench.experiments.plan import Run
    from bboxbench.experiments.standing import Standing
    from bboxbench.experiments.sweep import Plan
    from bboxbench.experiments.tally import Tally

__all__ = ["LiveView", "Progress", "under_way"]

SECONDS_BETWEEN_EVENTS = 1.0
"""How often a program hears of progress at most, but for the last run's."""
REDRAWN_PER_SECOND = 2
BAR, LEAST_BAR, WORDS = 40, 8, 50
"""Columns of the widest bar and of the narrowest, and those kept free beside it for words."""


def under_way(runs: Collection[tuple[int, float]], of: int) -> str:
    """What trains just now, as in "Training seed 3: 16 runs, epoch 2.4 of 8"; empty where nothing does.

    Args:
        runs: the seed of each, and the epochs that it has finished.
        of: epochs of a run.
    """
    if not runs:
        return ""
    # A run that diverged stays behind while the others of its seed go on.
    furthest: dict[int, float] = {}
    for seed, epoch in runs:
        furthest[seed] = max(epoch, furthest.get(seed, 0.0))
    seeds = sorted(furthest)
    which = f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds[:4]))}"
    which += f" and {len(seeds) - 4:,} more" if len(seeds) > 4 else ""
    count = f"{len(runs):,} {'run' if len(runs) == 1 else 'runs'}"
    low, high = f"{min(furthest.values()):.1f}", f"{max(furthest.values()):.1f}"
    return f"Training {which}: {count}, epoch {low if low == high else f'{low} to {high}'} of {of}"


def progress_words(done: int, planned: int, failed: int, seconds_left: float | None) -> str:
    """As in "12 of 320 runs, 2 failed, about 3 h 20 min left"."""
    words = f"{done:,} of {planned:,} {'run' if planned == 1 else 'runs'}"
    words += f", {failed:,} failed" if failed else ""
    return words + (f", about {duration(seconds_left)} left" if seconds_left and done < planned else "")


class Progress:
    """Where a sweep stands, kept up by whoever hears of it, and drawn: bar, counts, what trains, and the cells.

    Args:
        tally: of its runs.
        epochs: of a run.
        spare: lines of the terminal that stay free.
    """

    def __init__(self, tally: Tally, epochs: int, spare: int = 1) -> None:
        self.tally, self.epochs, self._spare = tally, epochs, spare
        self.table = CellsTable(tally)
        self.under_way: dict[str, tuple[int, float]] = {}
        """Seed and epochs of each run that trains, by its run_id."""
        self.idle = ""
        """What is done where nothing trains."""
        self.seconds_left: Callable[[], float | None] = lambda: None
        self.lock = threading.Lock()
        """Held while anything here changes: what stands on a terminal is drawn by a thread of its own."""

    @classmethod
    def of(cls, standing: Standing, lines: int = 0) -> Progress:
        """The same of a sweep that is read from its folder; ``lines`` are to stand above it."""
        made = cls(standing.tally, int(standing.manifest["settings"]["epochs"]), 1 + lines)
        made.under_way = standing.under_way()
        made.seconds_left = lambda: standing.seconds_left
        return made

    def words(self) -> str:
        """In one line."""
        tally = self.tally
        return progress_words(tally.done, tally.planned, tally.states["failed"], self.seconds_left())

    def trains(self) -> str:
        """What is done just now, in one line; empty where that is nothing."""
        return under_way(self.under_way.values(), self.epochs) or self.idle

    def __rich_console__(self, console: RichConsole, options: ConsoleOptions) -> RenderResult:
        width, height = options.max_width, console.size.height - self._spare
        with self.lock:
            head = [*self._head(width), _cut(self.trains(), width)]
            lines = self.table.lines(width, max(1, height - len(head)))
        yield Group(*head, *lines)

    def _head(self, width: int) -> list[RenderableType]:
        """The bar and the words beside it, or below where they have no room. The bar keeps its width meanwhile."""
        words = self.words()
        bar = ProgressBar(self.tally.planned, self._share(), width=max(LEAST_BAR, min(BAR, width - WORDS - 1)))
        row = Table.grid(padding=(0, 1, 0, 0))
        if cell_len(words) < width - (bar.width or 0):
            row.add_row(bar, Text(words, no_wrap=True))
            return [row]
        row.add_row(bar)
        return [row, _cut(words, width)]

    def _share(self) -> float:
        """Finished runs, and the parts of those that train."""
        return self.tally.done + sum(epoch / self.epochs for _, epoch in self.under_way.values())


def _cut(words: str, width: int) -> Text:
    line = Text(words, no_wrap=True)
    line.truncate(width, overflow="ellipsis")
    return line


class LiveView(Listener):
    """The progress of a sweep: pictures first, then the table of cells, or lines where there is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._drawing: Any = None
        self._ticker: Ticker | None = None
        self._waiting: Any = None
        self._live: Live | None = None
        self._progress: Progress | None = None
        self._forecast: Any = None
        self._last_line = self._last_event = time.monotonic()

    def __enter__(self) -> LiveView:
        self._wait()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._end_what_stands()
        if self._live is not None:
            # The summary takes its place; of a sweep that was stopped it is what remains to be seen.
            self._live.transient = kind is None
            self._live.stop()
            self._live = None

    def drawing(self, done: int, total: int) -> None:
        """A bar for the pictures."""
        if self._ticker is None:
            self._end_what_stands()
            self._drawing = self._console.progress("Drawing", total, "pictures")
            self._ticker = self._drawing.__enter__()
        self._ticker.update(done)
        if done == total:
            self._wait()

    def _wait(self) -> None:
        self._end_what_stands()
        self._waiting = self._console.status("Reading the pictures and timing a few steps ...")
        self._waiting.__enter__()

    def _end_what_stands(self) -> None:
        for each in (self._drawing, self._waiting):
            if each is not None:
                each.__exit__(None, None, None)
        self._drawing = self._waiting = self._ticker = None

    def planned(self, plan: Plan) -> None:
        """The plan, and the table."""
        from bboxbench.experiments.forecast import Forecast
        from bboxbench.experiments.tally import Tally

        self._end_what_stands()
        for line in plan_lines(plan):
            self._console.say(line)
        self._console.event("plan", **plan_values(plan))
        self._progress = Progress(Tally(), plan.spec.epochs)
        for run in plan.all_runs:
            self._progress.tally.plan(run.cell.row())
        for row in plan.kept:
            self._progress.tally.add(row)
        kept = {row["run_id"] for row in plan.kept}
        costs = {run.run_id: plan.estimate.runs.get(run.run_id) for run in plan.all_runs if run.run_id not in kept}
        estimated = bool(costs) and all(costs.values())
        self._forecast = Forecast(
            {run_id: cost if estimated and cost else 1.0 for run_id, cost in costs.items()},
            plan.spec.epochs,
            estimated=estimated,
        )
        self._progress.seconds_left = self._forecast.seconds_left
        if costs and not self._console.quiet and self._console.stderr.is_terminal:
            self._live = Live(
                self._progress,
                console=self._console.stderr,
                refresh_per_second=REDRAWN_PER_SECOND,
                vertical_overflow="crop",
                # What goes to a file must not be drawn on the terminal instead.
                redirect_stdout=sys.stdout.isatty(),
            )
            self._live.start()

    def epoch(self, run: Run, epoch: float) -> None:
        """One epoch further, or a part of one."""
        if self._progress is not None:
            with self._progress.lock:
                self._progress.under_way[run.run_id] = (run.seed, epoch)
                self._forecast.epoch(run.run_id, epoch)
            if epoch and epoch == int(epoch):
                self._console.event("epoch", run_id=run.run_id, epoch=int(epoch))
            self._tell()

    def finished(self, row: dict[str, Any]) -> None:
        """A line for the run where there is no table, or where it failed."""
        progress = self._progress
        if progress is None:
            return
        tally = progress.tally
        # Nothing is printed meanwhile: whoever prints draws the table, too, and waits for the lock.
        with progress.lock:
            progress.under_way.pop(row["run_id"], None)
            tally.add(row)
            self._forecast.finished(row["run_id"])
            if tally.done == tally.planned:
                progress.idle = "Drawing the report ..."
        if self._live is None or row["status"] != "ok":
            self._console.say(f"[{tally.done}/{tally.planned}] {run_words(row)}")
        self._console.event("run", **row)
        self._tell()

    def _tell(self) -> None:
        """Where the sweep stands now: on the terminal, in a line from time to time, to a program."""
        progress = self._progress
        if progress is None:
            return
        tally, now = progress.tally, time.monotonic()
        ended = tally.done == tally.planned
        if self._live is None and now - self._last_line >= SECONDS_BETWEEN_LINES and not ended:
            self._last_line = now
            states = counts(tally.states)
            self._console.say(f"Training: {progress.words()}{f' ({states})' if states else ''}")
        if now - self._last_event >= SECONDS_BETWEEN_EVENTS or ended:
            self._last_event = now
            left = progress.seconds_left()
            self._console.event(
                "progress",
                finished=tally.done,
                runs=tally.planned,
                failed=tally.states["failed"],
                eta_seconds=None if left is None else round(left, 1),
            )

    def warning(self, text: str) -> None:
        """A line, also with ``--quiet``."""
        self._console.warn(text)


def run_words(row: Mapping[str, Any]) -> str:
    """What became of a run, in one line."""
    if row["status"] == "ok":
        symptom = f", {row['symptom']}" if row.get("symptom") else ""
        said = f"{row['outcome']}{symptom}; box accuracy {row['box_accuracy']:.3f}"
    else:
        said = f"failed; {row['error'][:200].rstrip('.')}"
    return f"{row['loss']} {row['initializer']} seed {row['seed']}: {said}; {duration(row['seconds'])}"
