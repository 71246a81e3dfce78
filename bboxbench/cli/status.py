"""``bboxbench status``: where a sweep stands, asked from another terminal or after it ended."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bboxbench.cli.console import Console, duration
from bboxbench.cli.failures import RETRY, failure_lines, failure_values

if TYPE_CHECKING:
    from bboxbench.cli.live import Progress
    from bboxbench.experiments.standing import Standing

__all__ = ["add_to"]

SECONDS_BETWEEN_LOOKS = 2.0
"""How often ``--watch`` looks into the folder."""
SILENT = 60.0
"""Seconds without news after which that is said."""


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "status",
        epilog="Examples:\n\n"
        "`bboxbench status results/quick-03c70b2e` - once\n\n"
        "`bboxbench status results/quick-03c70b2e --watch` - until the sweep ends\n\n"
        "`bboxbench status DIR --json` - for a program",
    )(status)


def status(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Results folder of a sweep.", show_default=False)],
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Look again and again until the sweep ends.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")] = False,
) -> None:
    """Say where a sweep stands: whether it runs, what is done in each cell, what failed, how long it will take.

    Only reads, so it may be asked at any time and from anywhere that sees the folder. It ends with 0 whatever became of
    the runs.
    """
    from bboxbench.cli.live import Progress
    from bboxbench.experiments.standing import Standing

    console = Console(as_json=as_json)
    standing = Standing(folder)
    if watch and standing.state == "running":
        _watch(console, standing)
    if as_json:
        # The last word of a watch was an event already.
        if not watch or standing.state == "running":
            console.event("status", **_values(standing))
        return
    console.show(_headline(standing))
    _show_table(console, Progress.of(standing))
    for line in _what_next(standing):
        console.show(line, fold=line.startswith("  "))


def _watch(console: Console, standing: Standing) -> None:
    """Show where it stands until it runs no more."""
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    from bboxbench.cli.live import Progress

    def drawn() -> Group:
        return Group(Text(_headline(standing), no_wrap=True, overflow="ellipsis"), Progress.of(standing, lines=1))

    if console.as_json or not console.stdout.is_terminal:
        before: Any = None
        while standing.state == "running":
            now = (standing.finished, len(standing.failed))
            if now != before:
                before = now
                console.event("status", **_values(standing))
                console.show(Progress.of(standing).words())
            time.sleep(SECONDS_BETWEEN_LOOKS)
            standing.renew()
        console.event("status", **_values(standing))
        return
    # Drawn here and nowhere else: nothing changes while it is drawn.
    with Live(drawn(), console=console.stdout, auto_refresh=False, vertical_overflow="crop", transient=True) as live:
        while standing.state == "running":
            live.update(drawn(), refresh=True)
            time.sleep(SECONDS_BETWEEN_LOOKS)
            standing.renew()


def _values(standing: Standing) -> dict[str, Any]:
    left = standing.seconds_left
    return {
        "folder": str(standing.folder),
        "state": standing.state,
        "killed": standing.killed,
        "pid": standing.progress.get("pid"),
        "runs": standing.planned,
        "finished": standing.finished,
        "failed": failure_values(standing.failed),
        "eta_seconds": None if left is None else round(left, 1),
        "silent_seconds": round(standing.silent_seconds, 1) if standing.state == "running" else None,
        "under_way": {run_id: epochs for run_id, (_, epochs) in standing.under_way().items()},
        "cells": [cell.to_dict() for cell in standing.tally.cells],
    }


def _headline(standing: Standing) -> str:
    place = standing.folder
    if standing.state == "done":
        return f"{place}: done"
    if standing.state == "stopped":
        return f"{place}: stopped{', its process is gone' if standing.killed else ''}"
    silent = f", silent for {duration(standing.silent_seconds)}" if standing.silent_seconds > SILENT else ""
    return f"{place}: running, process {standing.progress.get('pid')}{silent}"


def _show_table(console: Console, progress: Progress) -> None:
    """Every cell, however many: this scrolls."""
    wide = console.stdout.width if console.stdout.is_terminal else 140
    for line in (progress.words(), progress.trains()):
        if line:
            console.show(line)
    for row in progress.table.lines(wide):
        row.rstrip()
        console.stdout.print(row, soft_wrap=True)


def _what_next(standing: Standing) -> list[str]:
    place = shlex.quote(str(standing.folder))
    failures = failure_lines(
        standing.failed, standing.finished, standing.folder, f"the sweep's command with --out {place} {RETRY}"
    )
    if standing.state == "stopped":
        failures.append(f"Go on: the sweep's command with --out {place}")
    elif standing.state == "done":
        failures.append(f"See it: bboxbench report {place}")
    return failures
