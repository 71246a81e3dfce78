"""``bboxbench collect``: put sweeps that ran on several machines into one folder."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import Annotated

import typer

from bboxbench.cli.console import Console

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "collect",
        epilog="Examples:\n\n"
        "`bboxbench collect one/results two/results --out results/all` - each run once; say it again as more come\n\n"
        "`bboxbench sweep --out results/all ...` - trains what is missing there still",
    )(collect)


def collect(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Results folders of sweeps.", show_default=False)
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            help="Where to: a new folder, or a results folder of the same settings.",
            show_default=False,
            readable=False,
        ),
    ],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Nothing but errors, warnings and the answer.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")] = False,
) -> None:
    """Merge sweeps of the same settings into one folder.

    No run comes in twice: a result beats a failure, and of two results the first stays. Predictions are checked by
    their hash. The folders are only read, and may be of sweeps that still run. Other settings are refused, with the
    difference named.
    """
    from bboxbench.experiments.collecting import collect as merge

    console = Console(quiet, as_json)
    with console.progress("Collecting", 0, "runs") as ticker:
        found = merge(folders, out, console.warn, lambda done, total: ticker.update(done, total=total))
    place = shlex.quote(str(out))
    failed = f", {found.failed} failed" if found.failed else ""
    mended = f", {found.mended} mended" if found.mended else ""
    console.show(f"{found.runs:,} of {found.planned:,} runs{failed} in {out}: {found.added:,} new{mended}")
    if found.runs < found.planned:
        console.say(
            f"The sweep's command with --out {place} trains the {found.planned - found.runs:,} that are missing."
        )
    if found.failed:
        console.say(f"With --retry-failed and --out {place} it trains again what failed.")
    console.say(f"bboxbench report {place} makes the page of all of them.")
    console.event("done", **{**dataclasses.asdict(found), "folder": str(out)})
