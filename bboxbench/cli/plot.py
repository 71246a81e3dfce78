"""``bboxbench plot``: draw a figure of a sweep anew, as PNG and SVG."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bboxbench.cli.console import Console
from bboxbench.errors import InputError, unknown_name

__all__ = ["add_to"]

ALL = "all"
"""Names every figure."""


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "plot",
        epilog="Examples:\n\n"
        "`bboxbench plot --list` - the names, and what each shows\n\n"
        "`bboxbench plot results/quick-03c70b2e box_accuracy` - DIR/report/box_accuracy.png and .svg\n\n"
        "`bboxbench plot DIR all --format svg --out slides`",
    )(plot)


def plot(
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Results folder of a sweep.", show_default=False)
    ] = None,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="Of the figure; all for every one that has something to show.", show_default=False
        ),
    ] = None,
    names: Annotated[bool, typer.Option("--list", help="Name all figures, and stop.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Folder to write to. Default: DIR/report.")
    ] = None,
    kind: Annotated[
        str, typer.Option("--format", metavar="png|svg|both", help="What to write.", show_default=True)
    ] = "both",
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="Folder of the pictures, if they are not in data/ beside results/."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Nothing but errors and the paths.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")] = False,
) -> None:
    """Draw figures of a sweep, finished or not.

    Colours are told apart by colour-blind eyes, and text in the SVG stays text.
    """
    console = Console(quiet, as_json)
    if kind not in ("png", "svg", "both"):
        raise InputError(f"Expected --format png, svg or both. Received: {kind}.")
    with console.status("Loading matplotlib ..."):
        from bboxbench.experiments.figures import FIGURES, FORMATS, telling_figures, write_figures
        from bboxbench.experiments.recorded import read_sweep
    if names:
        _list(console)
        return
    if folder is None or name is None:
        missing = "neither" if folder is None else "no name"
        raise InputError(f"Expected a results folder and the name of a figure. Received: {missing}; see --list.")
    if name != ALL and name not in FIGURES:
        raise unknown_name("figure", name, [*FIGURES, ALL])
    sweep = read_sweep(folder)
    if not len(sweep.runs):
        raise InputError(f"Expected a sweep with a finished run. Received: {folder}, which has none yet.")
    dataset = sweep.dataset(data)
    wanted = telling_figures(sweep) if name == ALL else [name]
    if dataset is None and "pinned_sides" in wanted:
        console.warn(
            f"The pictures {sweep.pictures.folder_name} were not found, so pinned_sides has no true sides. "
            "Say where they are with --data."
        )
    formats = FORMATS if kind == "both" else (kind,)
    place = out if out is not None else folder / "report"
    paths: list[Path] = []
    with console.progress("Drawing", len(wanted) * len(formats), "files") as ticker:
        ticker.update(0)
        for path in write_figures(sweep, place, wanted, formats, dataset):
            paths.append(path)
            ticker.update(len(paths), path.name)
    for path in paths:
        console.show(str(path))
    console.event("done", folder=str(folder), written=[str(path) for path in paths])


def _list(console: Console) -> None:
    from bboxbench.experiments.figures import FIGURES

    width = max(map(len, FIGURES))
    for entry in FIGURES.values():
        console.show(f"{entry.name:{width}}  {entry.explanation}")
        console.event("figure", name=entry.name, title=entry.title, explanation=entry.explanation)
