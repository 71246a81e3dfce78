"""``bboxbench diagnose``: what is wrong with somebody's own trained network, from its predictions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bboxbench.cli.console import Console
from bboxbench.cli.numbers import whole_number
from bboxbench.errors import CannotWrite, InputError, unknown_name

if TYPE_CHECKING:
    from bboxbench.experiments.diagnosis import Diagnosis

__all__ = ["add_to"]

WIDEST = 100
"""Columns beyond which lines are hard to read."""


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "diagnose",
        epilog="Examples:\n\n"
        "`bboxbench diagnose predictions.csv --width 200 --height 100` - in words\n\n"
        "`bboxbench diagnose predictions.csv --format center_xywh --png page.png` - and as a page\n\n"
        "`bboxbench diagnose --example` - shows how a file may look\n\n"
        "`bboxbench diagnose results/quick-0123abcd --run RUN_ID` - a run of a sweep",
    )(diagnose)


def diagnose(
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="CSV with true_xmin, ..., pred_ymax or alike, .npz with y_true and y_pred, - for stdin, "
            "or a sweep's folder.",
            show_default=False,
        ),
    ] = None,
    box_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="Of the boxes: xyxy, yxyx, xywh, center_xywh, rel_xyxy, ...; beats the heading.",
        ),
    ] = None,
    width: Annotated[
        int | None, typer.Option(parser=whole_number(1), metavar="PX", help="Width of the pictures.")
    ] = None,
    height: Annotated[int | None, typer.Option(parser=whole_number(1), metavar="PX", help="And height.")] = None,
    iou_threshold: Annotated[
        float | None,
        typer.Option(metavar="X", help="A box with at least this IoU is right. Default: 0.5, or the sweep's."),
    ] = None,
    png: Annotated[
        Path | None, typer.Option("--png", metavar="FILE", help="Draw one page there, too, a .png.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")] = False,
    run: Annotated[
        str | None,
        typer.Option(
            "--run", metavar="RUN_ID", help="Of the sweep in the folder, as runs.csv has it; its beginning will do."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="DIR", help="The sweep's pictures, where they are not found.", show_default=False
        ),
    ] = None,
    example: Annotated[bool, typer.Option("--example", help="Print a small file as it may be, and end.")] = False,
) -> None:
    """Say what is wrong with a network, from its true and predicted boxes: outcome, symptom, evidence, what to try.

    Formats, units or rows that got mixed up are looked for first: they look just like a network that does not learn.
    """
    console = Console(as_json=as_json)
    if example:
        from bboxbench.experiments.diagnosis.reading import EXAMPLE

        console.show(EXAMPLE.rstrip())
        console.event("example", text=EXAMPLE)
        return
    if path is None:
        raise InputError(
            "Expected a file of true and predicted boxes. Received none; bboxbench diagnose --example shows one."
        )
    from bboxbench.boxes import BOX_FORMATS

    if box_format is not None and box_format not in BOX_FORMATS:
        raise unknown_name("box format", box_format, BOX_FORMATS)
    if png is not None and png.suffix.lower() != ".png":
        raise InputError(f"Expected --png with a file that ends in .png. Received: {png}.")
    if path.is_dir():
        if run is None:
            raise InputError(
                f"Expected --run RUN_ID with the folder {path}, as its runs.csv lists them. Received none."
            )
        if (box_format, width, height) != (None, None, None):
            raise InputError("Expected --format, --width and --height with a file only: a sweep knows its own.")
        from bboxbench.experiments.diagnosis.of_run import diagnose_run

        found = diagnose_run(path, run, data, iou_threshold)
    elif run is not None or data is not None:
        raise InputError(f"Expected the folder of a sweep with --run. Received the file {path}.")
    else:
        found = _of_file(path, box_format, width, height, iou_threshold)
    failed: CannotWrite | None = None
    if png is not None:
        try:
            found.save_png(png)
        except CannotWrite as error:
            failed = error  # the diagnosis itself is not lost
    if not as_json:
        from rich.text import Text

        head, _, rest = found.text(min(console.stdout.width, WIDEST)).partition("\n")
        console.stdout.print(Text(head, style="bold"), soft_wrap=True)
        console.show(rest)
    console.event("diagnosis", **found.to_dict(), png=None if png is None or failed else str(png))
    if failed is not None:
        raise failed
    if png is not None:
        console.say(f"\nThe page is {png}.")


def _of_file(
    path: Path, box_format: str | None, width: int | None, height: int | None, threshold: float | None
) -> Diagnosis:
    from bboxbench.experiments.diagnosis import diagnose as look
    from bboxbench.experiments.diagnosis.reading import read_pairs

    pairs = read_pairs(path, box_format)
    missing = [name for name, length in (("--width", width), ("--height", height)) if length is None]
    if missing and pairs.box_format.startswith("rel_"):
        why = (
            "no true number is above 1, so boxes are relative"
            if box_format is None
            else f"{pairs.box_format} boxes need it"
        )
        raise InputError(f"Expected {' and '.join(missing)} of the pictures in pixels: {why}. Received none.")
    if len(missing) == 1:
        given = "--height" if width is None else "--width"
        raise InputError(f"Expected --width and --height of the pictures, give both. Received {given} alone.")
    options: dict[str, Any] = {"width": width, "height": height}
    if threshold is not None:
        options["iou_threshold"] = threshold
    found = look(pairs.y_true, pairs.y_pred, bounding_box_format=pairs.box_format, **options)
    return replace(found, guessed=pairs.guessed, notes=(*pairs.notes, *found.notes))
