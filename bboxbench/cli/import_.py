"""``bboxbench import``: a COCO folder of single-object pictures as a data set."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bboxbench.cli.console import Console, duration
from bboxbench.cli.numbers import whole_number
from bboxbench.cli.options import OPTIONS, AsJson, Quiet, Workers, flag
from bboxbench.cli.termination import termination_heard
from bboxbench.cli.writing import pictures_told, say_what_next, writing

if TYPE_CHECKING:
    from bboxbench.data_gen.imported import ImportedSpec
    from bboxbench.data_gen.importing import Import

__all__ = ["add_to"]

GOOD_ROUNDING = 0.9
"""Mean IoU of rounded boxes with annotated ones below which a person must be told what to do."""

LOST_ROUNDING = 0.1
"""The same below which hardly a box is left, so that its size may not be to blame."""

MOST_NAMED = 5
"""Classes without pictures, and folders with unlisted ones, that are named."""

LONGEST_FOLDER = 60
"""Letters of a source's name that its data set's folder takes over."""


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
            help="From here, or from DIR. By default files named as COCO, CVAT, Roboflow and Label Studio name theirs, "
            "else all COCO files of DIR/annotations or DIR.",
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the pictures; by default they are looked for in DIR."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="DIR", readable=False, help="Folder to write; by default data/NAME-nN-seedN-..."
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
    exif: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Where a picture's size does not settle which way its EXIF rotation is meant: upright, stored, or "
            "auto: as the others.",
        ),
    ] = "auto",
    workers: Workers = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
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
                exif=exif,
                workers=workers,
                on_progress=lambda done, total: ticker.update(done, total=total),
            )
        spec = planned.spec
        out = out if out is not None else Path("data") / _folder_name(folder, spec)
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
    _say_what_was_left(console, planned)
    _say_how_boxes_fare(console, planned)
    _say_how_turned(console, planned, exif)
    if planned.copies:
        those = "is a copy" if planned.copies == 1 else "are copies"
        console.warn(
            f"{planned.copies:,} of the pictures {those} of another: the same may be learned from and tested on."
        )
    say_what_next(console, spec.n, out)
    mean, least = planned.rounding
    console.event(
        "done",
        folder=str(out),
        n=spec.n,
        seed=spec.seed,
        classes=list(spec.classes),
        sha256=dataset.sha256,
        left_out=planned.left_out,
        copies=planned.copies,
        classes_without_pictures=list(planned.empty),
        unlisted=planned.unlisted,
        turned={"unsettled": planned.unsettled, "reading": planned.reading, **planned.settled},
        rounding_iou_mean=round(mean, 4),
        rounding_iou_least=round(least, 4),
        rounding_worst=planned.worst,
        bytes=dataset.size_on_disk,
        seconds=round(seconds, 3),
        written=work.worked,
    )


def _folder_name(source: Path, spec: ImportedSpec) -> str:
    """The spec's own, with the source's name in front, as far as that is easily typed."""
    name = re.sub(r"[^\w.-]+", "-", source.resolve().name, flags=re.ASCII).strip("-.")
    return f"{name[:LONGEST_FOLDER] or spec.preset}{spec.folder_name.removeprefix(spec.preset)}"


def _say_what_was_left(console: Console, planned: Import) -> None:
    if count := len(planned.empty):
        those = "1 class has no picture and was" if count == 1 else f"{count:,} classes have no picture and were"
        console.show(f"{those} dropped: {_some(planned.empty)}.", fold=True)
    if count := sum(planned.unlisted.values()):
        those = "1 picture file that no annotation lists was"
        if count > 1:
            those = f"{count:,} picture files that no annotation lists were"
        places = [f"{number:,} in {place}" for place, number in planned.unlisted.items()]
        console.show(f"{those} passed over: {_some(places)}.", fold=True)


def _some(items: Sequence[str]) -> str:
    more = f" and {len(items) - MOST_NAMED:,} more" if len(items) > MOST_NAMED else ""
    return f"{', '.join(items[:MOST_NAMED])}{more}"


def _say_how_boxes_fare(console: Console, planned: Import) -> None:
    (mean, least), size = planned.rounding, f"{planned.spec.width} x {planned.spec.height}"
    if mean < GOOD_ROUNDING:
        meant = "labels are no better than that. Import larger pictures, by --width and --height, into another folder."
        if mean < LOST_ROUNDING:
            meant = (
                "hardly a box is left. Are they in pixels of these pictures? Look at them with bboxbench preview. If "
                "objects are that small, import larger pictures, by --width and --height."
            )
        console.warn(
            f"rounded to whole pixels of {size}, boxes have a mean IoU of only {mean:.2f} with what was annotated, the "
            f"least {least:.2f} ({planned.worst}): {meant}"
        )
    elif least == 1:
        console.say("Every box is exactly what was annotated: none had to be rounded.")
    else:
        console.say(
            f"Rounded to whole pixels, boxes have a mean IoU of {mean:.3f} with what was annotated, the least "
            f"{least:.2f} ({planned.worst})."
        )


def _say_how_turned(console: Console, planned: Import, asked: str) -> None:
    """How pictures were taken whose size does not say which way a box is meant; a warning where nothing else does."""
    if not planned.unsettled or asked != "auto":
        return
    many = planned.unsettled > 1
    told = f"{planned.unsettled:,} pictures carry a rotation" if many else "1 picture carries a rotation"
    told += f" that {'their' if many else 'its'} size cannot settle; {'they were' if many else 'it was'} taken "
    told += "upright" if planned.reading == "upright" else "as stored"
    if len(planned.settled) == 1:
        alike = planned.settled[planned.reading]
        console.say(f"{told}, as {'is the 1' if alike == 1 else f'are all {alike:,}'} whose size does.")
    else:
        console.warn(
            f"{told}, as viewers show {'them' if many else 'it'}. Look whether boxes lie on their objects; if not, "
            "import with --exif stored into another folder."
        )
