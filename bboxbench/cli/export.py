"""``bboxbench export``: a data set in another tool's format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bboxbench.cli.console import Console, duration
from bboxbench.cli.options import AsJson, Quiet, Workers
from bboxbench.cli.termination import termination_heard
from bboxbench.cli.writing import file_size, pictures_told, writing
from bboxbench.errors import InputError

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "export",
        epilog="Examples:\n\n"
        "`bboxbench export data/letters-n40000-seed0 --format coco` - into data/letters-n40000-seed0-coco\n\n"
        "`bboxbench export DIR --format yolo --splits train,validation --out mine`",
    )(export)


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a data set.", show_default=False)],
    forms: Annotated[
        list[str],
        typer.Option(
            "--format",
            "-f",
            metavar="NAME",
            help="coco, yolo, voc, imagefolder (Hugging Face), tfrecord or csv.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", readable=False, help="Folder to write; by default DIR-NAME."),
    ] = None,
    splits: Annotated[
        str,
        typer.Option(
            metavar="NAMES", help="As train,validation: names with commas between; all by default.", show_default=False
        ),
    ] = "train,validation,test",
    workers: Workers = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Write a data set's pictures and boxes in another tool's format.

    Pictures become PNG files, so no pixel changes; boxes follow the format's own convention. The same command goes on
    where it was stopped, and does nothing where all is there. export.json, written last, says which data set it is of.
    """
    from bboxbench.data_gen import open_dataset
    from bboxbench.data_gen.exports import default_folder
    from bboxbench.data_gen.exports import export as write
    from bboxbench.data_gen.exports.registry import format_named
    from bboxbench.data_gen.exports.source import Source

    console = Console(quiet, as_json)
    form, *others = forms
    if others:
        raise InputError(f"Expected one --format, received {', '.join(forms)}. Call it for each.")
    chosen = format_named(form)
    source = Source(open_dataset(folder), tuple(name.strip() for name in splits.split(",") if name.strip()))
    place = out if out is not None else default_folder(folder, form)
    with termination_heard(), writing(console, "Exporting", source.n) as work:
        written = write(source.data, form, place, source.splits, workers, work.progress)
    seconds, pictures = work.seconds, pictures_told(written.n)
    if work.worked:
        space = file_size(written.bytes)
        console.show(f"Exported {pictures} as {chosen.title} into {place}: {space} in {duration(seconds)}.")
    else:
        console.show(f"{place} already holds these {pictures} as {chosen.title}, complete; nothing was written.")
    console.say(f"Read them:  {chosen.reading(place, source)}")
    console.event(
        "done",
        folder=str(place),
        format=form,
        splits=list(source.splits),
        n=written.n,
        files=written.files,
        bytes=written.bytes,
        dataset_sha256=written.dataset_sha256,
        seconds=round(seconds, 3),
        written=work.worked,
    )
