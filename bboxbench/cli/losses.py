"""``bboxbench losses``: which losses there are, what each is good for, and what they give on boxes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bboxbench.cli import losses_compare, losses_list, losses_show
from bboxbench.cli.console import Console

__all__ = ["add_to"]

Family = Annotated[
    str | None, typer.Option("--family", metavar="NAME", help="Only this family; the beginning of its name will do.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    group = typer.Typer(help="Box losses: which there are, what each is good for, and what they give on boxes.")
    group.callback(
        invoke_without_command=True,
        epilog="Examples:\n\n"
        "`bboxbench losses` - all of them, by family\n\n"
        "`bboxbench losses show giou` - formula, parameters, properties, how to use it\n\n"
        "`bboxbench losses compare mse giou` - values and gradients on boxes that tell them apart",
    )(losses)
    group.command(
        "list",
        epilog="Examples:\n\n`bboxbench losses list --family gaussian`\n\n`bboxbench losses list --json`",
    )(list_)
    group.command(
        "show",
        epilog="Examples:\n\n"
        "`bboxbench losses show giou ciou`\n\n"
        '`bboxbench losses show "nwd(constant=0.1)"` - with its parameters\n\n'
        "`bboxbench losses show my_module:my_loss` - what is found when your own is tried",
    )(show)
    group.command(
        "compare",
        epilog="Examples:\n\n"
        "`bboxbench losses compare mse giou` - on eight pairs of boxes, from overlapping to identical\n\n"
        '`bboxbench losses compare giou "centre_point(size_weight=0)" --true 0,0,4,4 --pred 2,0,4,4`\n\n'
        "`bboxbench losses compare giou my_module:my_loss --boxes FILE.csv --csv` - 8 numbers a row, true box first",
    )(compare)
    app.add_typer(group, name="losses")


def losses(context: typer.Context, family: Family = None, as_json: AsJson = False) -> None:
    """Box losses: which there are, what each is good for, and what they give on boxes."""
    if context.invoked_subcommand is None:
        list_(family, as_json)
    elif family is not None or as_json:
        name = context.invoked_subcommand
        raise typer.BadParameter(f"expected the options of '{name}' behind it, received them before '{name}'.")


def list_(family: Family = None, as_json: AsJson = False) -> None:
    """List all losses by family, with what each does where boxes are awkward.

    Losses that installed packages offer stand in a family of their own.
    """
    console = _start(as_json)
    losses_list.run(console, family)


def show(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME", show_default=False, help="As giou, nwd(constant=0.1); package.module:Name is yours."
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Show everything known of losses: formula, parameters, properties, how to use them, wrong versions elsewhere.

    A loss of your own is tried on a few boxes, as it is before a sweep; what is found is said.
    """
    console = _start(as_json)
    losses_show.run(console, names)


def compare(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME", show_default=False, help="As mse, nwd(constant=0.1); package.module:Name is yours."
        ),
    ],
    true: Annotated[
        list[str] | None,
        typer.Option("--true", metavar="BOX", help="True box, as 0,0,4,4; one for all, or one a --pred."),
    ] = None,
    pred: Annotated[
        list[str] | None, typer.Option("--pred", metavar="BOX", help="Predicted box; may be given several times.")
    ] = None,
    boxes: Annotated[
        Path | None,
        typer.Option(
            "--boxes",
            metavar="FILE",
            help="CSV, 8 numbers a row: true box, predicted box; before them a label, if any.",
        ),
    ] = None,
    box_format: Annotated[
        str, typer.Option("--format", metavar="NAME", help="Of the boxes: xyxy, yxyx, xywh, center_xywh, rel_xyxy, ...")
    ] = "xyxy",
    as_csv: Annotated[bool, typer.Option("--csv", help="A CSV table on stdout, with all digits.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show values and gradients of losses on boxes, in float64.

    The gradient is the one with respect to the four numbers of the predicted box; a step goes against it. Without
    boxes, on eight pairs that tell losses apart.
    """
    pairs = losses_compare.pairs_of(true, pred, boxes)
    if as_csv and as_json:
        raise typer.BadParameter("expected --csv or --json, received both.")
    console = _start(as_json)
    losses_compare.run(console, names, pairs, box_format, as_csv)


def _start(as_json: bool) -> Console:
    """The streams, with Keras loaded: the cards of the losses stand beside their code."""
    console = Console(as_json=as_json)
    # A loss by import path may stand in the current folder, which an installed command does not search.
    sys.path.append(str(Path.cwd()))
    with console.status("Loading TensorFlow ..."):
        from bboxbench.experiments.runtime import start_tensorflow

        start_tensorflow()
    return console
