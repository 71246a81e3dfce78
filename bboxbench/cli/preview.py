"""``bboxbench preview``: what a data set looks like, as a page of samples, as numbers, and as histograms."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bboxbench.cli.console import Console
from bboxbench.cli.numbers import whole_number
from bboxbench.cli.options import OPTIONS, AsJson, flag
from bboxbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from bboxbench.data_gen import Dataset

__all__ = ["add_to"]

COUNT = 24


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "preview",
        epilog="Examples:\n\n"
        "`bboxbench preview data/letters-n40000-seed0` - writes preview.png into the folder\n\n"
        "`bboxbench preview DIR --worst-contrast --histograms` - the faintest samples, and how all are spread\n\n"
        "`bboxbench preview DIR --index 17,40-45 --columns 3 --out seven.png`",
    )(preview)


def preview(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a data set.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Picture to write; by default DIR/preview.png.")
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(parser=whole_number(1), metavar="N", help=f"Samples to show; by default {COUNT}, the first."),
    ] = None,
    columns: Annotated[
        int | None, typer.Option(parser=whole_number(1), metavar="N", help="Pictures side by side.")
    ] = None,
    worst_contrast: Annotated[
        bool, flag(OPTIONS, "Show the samples with the least contrast.", "--worst-contrast")
    ] = False,
    worst_rounding: Annotated[
        bool,
        flag(OPTIONS, "Show imported samples whose boxes rounding to pixels changed most.", "--worst-rounding"),
    ] = False,
    smallest: Annotated[bool, flag(OPTIONS, "Show those with the smallest boxes.", "--smallest")] = False,
    largest: Annotated[bool, flag(OPTIONS, "Show those with the largest boxes.", "--largest")] = False,
    index: Annotated[
        str | None, typer.Option(metavar="LIST", help="Show these samples, as 17 or 17,40-45.", show_default=False)
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Choose among train, validation or test alone.", show_default=False),
    ] = None,
    masks: Annotated[bool, flag(OPTIONS, "Draw the outlines of masks in.", "--masks")] = False,
    histograms: Annotated[
        bool,
        flag(
            OPTIONS,
            "Draw how all samples are spread, too: DIR/histograms.png, or FILE-histograms.png.",
            "--histograms",
        ),
    ] = False,
    quiet: Annotated[bool, flag(OPTIONS, "Nothing but errors and the paths.", "--quiet", "-q")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a page of samples with their boxes drawn in, and say what the data set holds.

    Small pictures are enlarged, so that a box off by a pixel can be seen; large ones are made smaller, and the title
    says how much. Below stand index, class, box, and why it was chosen, its face, or the file it was imported from. The
    last line on stdout is the page's path; with --histograms, theirs stands before it.
    """
    from bboxbench.data_gen import open_dataset
    from bboxbench.data_gen import preview as draw
    from bboxbench.data_gen.choosing import parse_indices
    from bboxbench.data_gen.gallery import MAX_COUNT

    orders = {
        "worst_contrast": worst_contrast,
        "worst_rounding": worst_rounding,
        "smallest": smallest,
        "largest": largest,
    }
    asked = [f"--{name.replace('_', '-')}" for name, wanted in orders.items() if wanted]
    asked += ["--index"] if index is not None else []
    if len(asked) > 1:
        raise InputError(f"Expected one way to choose samples, received {' and '.join(asked)}. Leave all but one out.")
    if index is not None and count is not None:
        raise InputError("Expected --index or --count, received both: the list says how many. Leave --count out.")
    if index is not None and split is not None:
        raise InputError("Expected --index or --split, received both: the list says which samples. Leave --split out.")
    order = next((name for name, wanted in orders.items() if wanted), None)
    indices = None if index is None else parse_indices(index, MAX_COUNT)

    console = Console(quiet, as_json)
    dataset = open_dataset(folder)
    # Read before anything is written, also where histograms alone are of it: it may have been changed.
    table = dataset.table() if histograms or as_json or not quiet else None
    numbers = None if table is None or (quiet and not as_json) else _numbers(dataset, table)
    # Each sample may lie in another shard, all of which is checked.
    with console.status("Reading the samples"):
        path = draw(
            dataset,
            out if out is not None else folder / "preview.png",
            COUNT if count is None else count,
            columns,
            order=order,
            indices=indices,
            split=split,
            masks=masks,
        )
    total = dataset.n if split is None else len(dataset.split(split))
    shown = len(indices) if indices is not None else min(COUNT if count is None else count, total)
    found: dict[str, Any] = {"path": str(path), "count": shown, "total": total}
    if numbers is not None:
        found["summary"] = numbers
        _show(console, numbers)
    if histograms:
        from bboxbench.data_gen.histograms import write_histograms

        spread = folder / "histograms.png" if out is None else out.with_name(f"{out.stem}-histograms.png")
        write_histograms(dataset, spread)
        found["histograms"] = str(spread)
        console.say("How they are spread:")
        console.show(str(spread))
    console.say(f"{shown} of {total:,} sample{'' if total == 1 else 's'}, each with its box:")
    console.show(str(path))
    console.event("done", **found)


def _numbers(dataset: Dataset, table: pd.DataFrame) -> dict[str, Any]:
    from bboxbench.data_gen.rounding import with_rounding
    from bboxbench.data_gen.summary import summarise

    return summarise(with_rounding(table, dataset.spec), dataset.spec.width, dataset.spec.height, dataset.classes)


def _show(console: Console, numbers: dict[str, Any]) -> None:
    """What a data set holds, as two tables on stdout."""
    from rich.console import Group

    from bboxbench.cli.trimmed import Trimmed
    from bboxbench.data_gen.summary import fact_rows, measure_rows

    if console.as_json:
        return
    facts = _table()
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for row in fact_rows(numbers):
        facts.add_row(*row)
    measures = _table(header=True)
    measures.add_column("")
    for title in ("least", "median", "largest"):
        measures.add_column(title, justify="right")
    for measure in measure_rows(numbers):
        measures.add_row(*measure)
    # A class's name is no markup.
    console.stdout.print(Trimmed(Group(facts, measures, "")), markup=False)


def _table(header: bool = False) -> Table:
    from rich.table import Table

    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=header)
