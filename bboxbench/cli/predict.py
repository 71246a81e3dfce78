"""``bboxbench predict``: a saved network draws boxes in anybody's pictures."""

from __future__ import annotations

import csv
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bboxbench.cli.console import Console

if TYPE_CHECKING:
    from bboxbench.experiments.models.prediction import PredictedBox

__all__ = ["add_to"]

COLUMNS = ("picture", "width", "height", "xmin", "ymin", "xmax", "ymax")
"""Of the CSV on stdout; lengths are in pixels of the picture."""


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "predict",
        epilog="Examples:\n\n"
        "`bboxbench predict model.keras a.png b.jpg` - CSV: picture, its size, and the box in its own pixels\n\n"
        "`bboxbench predict results/train-mse-.../model.keras *.png --out drawn` - draws the boxes, too",
    )(predict)


def predict(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="A .keras file, of train, sweep --save-models or your own.", show_default=False
        ),
    ],
    pictures: Annotated[
        list[Path],
        typer.Argument(metavar="PICTURE...", help="PNG, JPEG or the like, of any size.", show_default=False),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="Draw each picture with its box there, too.", readable=False),
    ] = None,
    fit: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="stretch; or pad: keep proportions, fill the rest, as import did where it learned from such.",
        ),
    ] = "stretch",
    modules: Annotated[
        list[str] | None,
        typer.Option(
            "--import", metavar="MODULE", help="A module that registers layers of your own; may be given repeatedly."
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Nothing but data and errors.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")] = False,
) -> None:
    """Draw a box in each picture with a saved network.

    Pictures are turned grey and brought to the size that the network reads; each box comes back in the pixels of its
    own picture. Models are loaded in Keras's safe mode: no code that a file brings along is run.
    """
    from bboxbench.experiments.runtime import start_tensorflow

    console = Console(quiet, as_json)
    with console.status("Loading TensorFlow ..."):
        start_tensorflow()
    from bboxbench.experiments.models.prediction import predict_pictures, save_drawn
    from bboxbench.experiments.models.saving import load_model
    from bboxbench.files import make_folder

    sys.path.append(str(Path.cwd()))
    for name in modules or ():
        _import(name)
    network = load_model(model)
    if out is not None:
        make_folder(out)
    # The pictures given are not to be written, even where one is a drawing.
    taken, drawn = {path.resolve() for path in pictures}, 0
    for number, found in enumerate(predict_pictures(network, pictures, fit)):
        if number == 0 and not as_json:
            sys.stdout.write(_line(COLUMNS))
        _show(console, found)
        if not found.finite:
            console.warn(f"No box in {found.path}: the network gives {found.box.tolist()}.")
        if out is not None:
            place = _free_place(out, found.path, taken)
            save_drawn(found, place)
            taken.add(place.resolve())
            drawn += 1
    if out is not None:
        console.say(f"{drawn} {'picture' if drawn == 1 else 'pictures'} with boxes in {out}")


def _import(name: str) -> None:
    """Import a module of the user's, which makes its layers known to Keras."""
    import importlib

    from bboxbench.errors import InputError, one_line

    try:
        importlib.import_module(name)
    except Exception as error:  # whatever somebody else's module does
        raise InputError(f"Cannot import '{name}': {one_line(error)}") from error


def _show(console: Console, found: PredictedBox) -> None:
    """One row, two decimals; a number that is not finite is left empty."""
    box = [round(float(side), 2) if found.finite else None for side in found.box]
    values = dict(zip(COLUMNS, (str(found.path), found.width, found.height, *box), strict=True))
    console.event("box", **values)
    if not console.as_json:
        sys.stdout.write(_line(tuple(values.values())))


def _line(values: tuple[object, ...]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()


def _free_place(out: Path, picture: Path, taken: set[Path]) -> Path:
    """A file in ``out`` for the drawn picture: none of ``taken``, and no file but a drawing of an earlier call."""
    from bboxbench.experiments.models.prediction import is_drawing

    place, number = out / f"{picture.stem}-box.png", 1
    while place.resolve() in taken or (os.path.lexists(place) and not is_drawing(place)):
        number += 1
        place = out / f"{picture.stem}-box-{number}.png"
    return place
