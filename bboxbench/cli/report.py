"""``bboxbench report``: one page that explains a sweep, or its summary as text."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bboxbench.cli.console import Console, duration
from bboxbench.errors import InputError, unknown_name

if TYPE_CHECKING:
    from bboxbench.experiments.recorded import RecordedSweep

__all__ = ["add_to"]

FORMATS = ("html", "table", "markdown")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "report",
        epilog="Examples:\n\n"
        "`bboxbench report results/quick-03c70b2e` - writes DIR/report/index.html; open it in a browser\n\n"
        "`bboxbench report DIR --data /elsewhere/letters-n4000-seed0` - with pictures that lie elsewhere\n\n"
        "`bboxbench report DIR --format markdown` - the summary on stdout, for a pull request; writes nothing",
    )(report)


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Results folder of a sweep.", show_default=False)],
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="Folder of the pictures, if they are not in data/ beside results/."),
    ] = None,
    shown: Annotated[
        str,
        typer.Option("--format", metavar="NAME", help="html: write the page; table, markdown: the summary on stdout."),
    ] = "html",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Nothing but errors, warnings and the path.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")] = False,
) -> None:
    """Write one page that explains a sweep, finished or not.

    Which combinations of loss and initializer converged, how the others failed, on real pictures, how sure all of that
    is, and how it was made. The page is one file and loads nothing. A sweep makes it at its end by itself.
    """
    console = Console(quiet, as_json)
    if shown not in FORMATS:
        raise unknown_name("format", shown, FORMATS)
    if as_json and shown != "html":
        raise InputError(f"Expected --json with the page, or one --format. Received: --json and --format {shown}.")
    from bboxbench.experiments.recorded import read_sweep

    sweep = read_sweep(folder)
    if shown != "html":
        if not len(sweep.runs):
            raise InputError(f"Expected a sweep with a finished run. Received: {folder}, which has none yet.")
        _summary(console, sweep, shown)
        return
    start = time.monotonic()
    with console.status("Drawing the page ..."):
        from bboxbench.experiments.report import write_page

        dataset = sweep.dataset(data)
        if dataset is None:
            console.warn(
                f"The pictures {sweep.pictures.folder_name} were not found, so the page shows none. "
                "Say where they are with --data."
            )
        path = write_page(sweep, dataset)
    seconds, size = time.monotonic() - start, path.stat().st_size
    runs = len(sweep.runs)
    console.say(f"{runs:,} {'run' if runs == 1 else 'runs'} on one page, {size / 1e6:.1f} MB, in {duration(seconds)}:")
    console.show(str(path))
    console.event("done", path=str(path), runs=runs, bytes=size, pictures=dataset is not None, seconds=seconds)


def _summary(console: Console, sweep: RecordedSweep, shown: str) -> None:
    from rich.console import Console as RichConsole

    from bboxbench.cli.table import summary
    from bboxbench.experiments.summary import markdown_summary

    if shown == "markdown":
        console.show(markdown_summary(sweep, sweep.planned).rstrip("\n"))
        return
    # Off a terminal Rich would assume 80 columns and fold names; a file has room.
    wide = console.stdout if console.stdout.is_terminal else RichConsole(width=140, highlight=False)
    wide.print(summary(sweep, wide.width, sweep.planned))
