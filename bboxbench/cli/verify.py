"""``bboxbench verify``: find every box again from the pixels."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from bboxbench.cli.console import Console, duration
from bboxbench.cli.options import OPTIONS, AsJson, Quiet, Workers, flag
from bboxbench.errors import InputError

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "verify",
        epilog="Examples:\n\n"
        "`bboxbench verify data/letters-n40000-seed0` - exit code 0 if every box and hash is right, else 2\n\n"
        "`bboxbench verify data/letters-n40000-seed0 --redraw` - is every array what the spec draws?",
    )(verify)


def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a data set.", show_default=False)],
    workers: Workers = None,
    pictures: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where the pictures lie now that were drawn on.", show_default=False),
    ] = None,
    redraw: Annotated[
        bool, flag(OPTIONS, "Draw every picture again, too, and compare all that is kept of it.", "--redraw")
    ] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Find every box again from the pixels and check every hash.

    The recorded boxes are believed no more than the rest. On one colour, the background is taken to be that of most
    pixels; all else is drawn again without its glyph. The box is the tightest round what differs. Boxes of imported
    pictures are held against the annotated ones. What does not agree is named on stdout, one line each.

    With --redraw, everything is also drawn again and compared bit by bit: pictures, boxes, masks, class maps,
    attributes. On another processor, or with other versions, blurred and turned glyphs may have other last bits.
    """
    from bboxbench.data_gen import open_dataset
    from bboxbench.data_gen import verify as check
    from bboxbench.data_gen.imported import ImportedSpec
    from bboxbench.data_gen.manifest import finish_command

    console = Console(quiet, as_json)
    dataset = open_dataset(folder)
    start = time.monotonic()
    with console.progress("Checking", dataset.n, "pictures") as ticker:
        found = check(folder, workers, lambda done, total: ticker.update(done), pictures, redraw)
    seconds = time.monotonic() - start
    for problem in found.problems:
        console.show(problem)
        console.event("problem", text=problem)
    held = "as annotated" if isinstance(dataset.spec, ImportedSpec) else "exact"
    console.show(f"{found.exact:,} of {found.total:,} boxes {held}")
    console.event(
        "done", folder=str(folder), total=found.total, exact=found.exact, problems=len(found.problems), seconds=seconds
    )
    if count := len(found.problems):
        raise InputError(
            f"Expected in {folder} what was written there, found {count:,} "
            f"difference{'s' if count > 1 else ''}, listed on stdout. "
            f"Restore it: {finish_command(dataset.spec, folder)}"
        )
    again = ", and all is as the spec draws it" if redraw else ""
    console.say(f"Every hash agrees too{again}. It took {duration(seconds)}.")
