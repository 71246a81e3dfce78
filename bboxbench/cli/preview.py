"""``bboxbench preview``: a page of samples with their boxes drawn in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bboxbench.cli.console import Console
from bboxbench.cli.numbers import whole_number

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "preview",
        epilog="Examples:\n\n"
        "`bboxbench preview data/letters-n40000-seed0` - writes preview.png into the folder\n\n"
        "`bboxbench preview DIR --count 6 --columns 3 --out six.png`",
    )(preview)


def preview(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a data set.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Picture to write; by default DIR/preview.png.")
    ] = None,
    count: Annotated[
        int, typer.Option(parser=whole_number(1), metavar="N", help="Samples to show, from the first on.")
    ] = 24,
    columns: Annotated[
        int | None, typer.Option(parser=whole_number(1), metavar="N", help="Pictures side by side.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Nothing but errors and the path.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")] = False,
) -> None:
    """Write a page of samples with their boxes drawn in.

    Every picture is enlarged, so that a box off by a pixel can be seen; below stand its index, letter, face and box.
    """
    from bboxbench.data_gen import open_dataset
    from bboxbench.data_gen import preview as draw

    console = Console(quiet, as_json)
    dataset = open_dataset(folder)
    path = draw(dataset, out if out is not None else folder / "preview.png", count, columns)
    shown = min(count, dataset.n)
    console.say(f"{shown} of {dataset.n:,} samples, each with its box:")
    console.show(str(path))
    console.event("done", path=str(path), count=shown, total=dataset.n)
