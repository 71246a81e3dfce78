"""``bboxbench import``: a COCO folder of single-object pictures as a data set."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Annotated

import typer

from bboxbench.cli.console import Console, duration
from bboxbench.cli.numbers import whole_number
from bboxbench.cli.options import Workers, flag
from bboxbench.cli.termination import termination_heard
from bboxbench.cli.writing import pictures_told, writing

__all__ = ["add_to"]

OPTIONS = "Options"
"""Heading in ``--help``: the one that all options have that name none."""

GOOD_ROUNDING = 0.9
"""Mean IoU of rounded boxes with annotated ones below which a person must be told what to do."""


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "import",
        epilog="Examples:\n\n"
        "`bboxbench import shapes` - finds annotations and pictures, and says what cannot be used\n\n"
        "`bboxbench import shapes --skip --out data/shapes` - leaves out what cannot be used\n\n"
        "`bboxbench import shapes --annotations labels.json --images photos` - where they lie elsewhere\n\n"
        "`bboxbench sweep --preset quick --data data/shapes` - then train on them",
    )(import_)


def import_(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder with COCO annotations and pictures.", show_default=False)
    ],
    annotations: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="By default annotations.json, annotations/instances_*.json, _annotations.coco.json or result.json "
            "in DIR.",
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the pictures; by default they are looked for in DIR."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="DIR", readable=False, help="Folder to write; by default data/imported-..."
        ),
    ] = None,
    width: Annotated[
        int, typer.Option(parser=whole_number(1), metavar="PX", help="Width of the data set's pictures.")
    ] = 200,
    height: Annotated[int, typer.Option(parser=whole_number(1), metavar="PX", help="Height of them.")] = 100,
    fit: Annotated[
        str,
        typer.Option(metavar="NAME", help="pad: keep proportions, fill the rest; stretch: each side by itself."),
    ] = "pad",
    seed: Annotated[
        int,
        typer.Option(
            parser=whole_number(0, 2**63 - 1), metavar="N", help="Deals the pictures to training, validation and test."
        ),
    ] = 0,
    skip: Annotated[bool, flag(OPTIONS, "Leave out pictures that cannot be used.", "--skip")] = False,
    workers: Workers = None,
    quiet: Annotated[bool, flag(OPTIONS, "No progress, no advice.", "--quiet", "-q")] = False,
    as_json: Annotated[bool, flag(OPTIONS, "One JSON object a line on stdout.", "--json")] = False,
) -> None:
    """Import a COCO folder of pictures with one object each as a data set.

    Every picture is brought to one size and its box with it, rounded to whole pixels. Pictures are dealt anew by
    --seed, whatever their order and the splits they came in. The same command goes on where it was stopped.
    """
    from bboxbench.data_gen.importing import plan_import, write_import

    console = Console(quiet, as_json)
    start = time.monotonic()
    with termination_heard():
        with console.progress("Looking at", 0, "pictures") as ticker:
            planned = plan_import(
                folder,
                annotations=annotations,
                images=images,
                width=width,
                height=height,
                fit=fit,
                seed=seed,
                skip=skip,
                workers=workers,
                on_progress=lambda done, total: ticker.update(done, total=total),
            )
        spec = planned.spec
        out = out if out is not None else Path("data") / spec.folder_name
        with writing(console, "Importing", spec.n) as work:
            dataset = write_import(planned, out, workers, work.progress)
    seconds = time.monotonic() - start
    pictures = pictures_told(spec.n)
    if work.worked:
        kinds = f"{len(spec.classes)} class{'es' if len(spec.classes) > 1 else ''}"
        console.show(f"Imported {pictures} of {kinds} into {out} in {duration(seconds)}.")
    else:
        console.show(f"{out} already holds these {pictures}, complete; nothing was written.")
    if planned.left_out:
        counts = ", ".join(f"{kind} {count:,}" for kind, count in planned.left_out.items())
        console.show(f"Left out {sum(planned.left_out.values()):,}: {counts}.", fold=True)
    mean, least = planned.rounding
    if mean < GOOD_ROUNDING:
        console.warn(
            f"rounded to whole pixels of {spec.width} x {spec.height}, boxes have a mean IoU of only {mean:.2f} with "
            f"what was annotated, the least {least:.2f} ({planned.worst}): labels are no better than that. "
            "Import larger pictures, by --width and --height, into another folder."
        )
    elif least == 1:
        console.say("Every box is exactly what was annotated: none had to be rounded.")
    else:
        console.say(
            f"Rounded to whole pixels, boxes have a mean IoU of {mean:.3f} with what was annotated, the least "
            f"{least:.2f} ({planned.worst})."
        )
    if planned.copies:
        those = "is a copy" if planned.copies == 1 else "are copies"
        console.warn(
            f"{planned.copies:,} of the pictures {those} of another: the same may be learned from and tested on."
        )
    place = shlex.quote(str(out))
    console.say(f"Look at them:   bboxbench preview {place}")
    console.say(f"Train on them:  bboxbench sweep --preset quick --data {place}")
    console.event(
        "done",
        folder=str(out),
        n=spec.n,
        seed=spec.seed,
        classes=list(spec.classes),
        sha256=dataset.sha256,
        left_out=planned.left_out,
        copies=planned.copies,
        rounding_iou_mean=round(mean, 4),
        rounding_iou_least=round(least, 4),
        rounding_worst=planned.worst,
        bytes=dataset.size_on_disk,
        seconds=round(seconds, 3),
        written=work.worked,
    )
