"""``bboxbench simulate``: boxes that go down the gradient of a loss by themselves, without a network."""

from __future__ import annotations

import math
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console as RichConsole
from rich.table import Table

from bboxbench.cli.console import Console, Ticker, duration
from bboxbench.cli.numbers import whole_number
from bboxbench.experiments.simulation_listener import SimulationListener

if TYPE_CHECKING:
    import pandas as pd

    from bboxbench.experiments.simulation_cases import SimulationSpec

__all__ = ["add_to", "summary_table"]


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "simulate",
        epilog="Examples:\n\n"
        "`bboxbench simulate` - the full experiment: 1,715,000 boxes, 200 steps, six losses\n\n"
        "`bboxbench simulate --losses mse,iou,giou --points 500` - a tenth of it, with other losses\n\n"
        '`bboxbench simulate --losses "centre_point(size_weight=0.5),my_module:my_loss"`',
    )(simulate)


def simulate(
    losses: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="As giou,centre_point(size_weight=0); package.module:Name is yours. "
            "Default: iou_linear,giou,diou,ciou,eiou,siou.",
        ),
    ] = None,
    points: Annotated[
        int, typer.Option(parser=whole_number(1, 100_000), metavar="N", help="Starting points; 343 boxes at each.")
    ] = 5000,
    steps: Annotated[
        int, typer.Option(parser=whole_number(1, 10_000), metavar="N", help="Steps of gradient descent.")
    ] = 200,
    seed: Annotated[
        int, typer.Option(parser=whole_number(0, 2**63 - 1), metavar="N", help="The same seed draws the same points.")
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            readable=False,
            help="Folder of the results; by default results/simulation-ID.",
        ),
    ] = None,
    threads: Annotated[
        int,
        typer.Option(
            parser=whole_number(0), metavar="N", help="Threads; any number gives the same result; 0: all usable cores."
        ),
    ] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON event a line on stdout.")] = False,
) -> None:
    """Let boxes follow each loss by themselves, without a network.

    The simulation of the DIoU paper (arXiv:1911.08287): anchors of 7 areas and 7 aspect ratios start at points of a
    disc round 7 targets, and take steps of gradient descent. Shows which losses get stuck, and where. The same command
    again computes nothing anew; more losses add to the folder.
    """
    from bboxbench.experiments.simulation_cases import SimulationSpec

    spec = SimulationSpec.of(losses, points=points, steps=steps, seed=seed)
    console = Console(quiet, as_json)
    # A loss by import path may stand in the current folder, which an installed command does not search.
    sys.path.append(str(Path.cwd()))
    with console.status("Loading TensorFlow ..."):
        from bboxbench.experiments.runtime import start_tensorflow

        threads = start_tensorflow(threads)
        from bboxbench.experiments.recipe import Recipe
        from bboxbench.experiments.resolve import loss_warnings
        from bboxbench.experiments.simulation_results import run_simulation
    for text in spec.losses:
        for warning in loss_warnings(Recipe.parse(text, "loss")):
            console.warn(warning)
    with _View(console) as view:
        result = run_simulation(spec, out, view, threads)
    if not as_json:
        # Off a terminal Rich would assume 80 columns and fold names; a file has room.
        wide = console.stdout if console.stdout.is_terminal else RichConsole(width=120, highlight=False)
        wide.print(summary_table(result.summary, spec.steps))
        if (result.summary["non_finite"] > 0).any():
            console.show("mean, median and p95 are of the finite cases alone")
    for path in result.written:
        console.show(f"  {path}")
    rows, paths = result.summary.to_dict("records"), [str(path) for path in result.written]
    console.event("done", folder=str(result.folder), losses=rows, written=paths)


class _View(SimulationListener):
    """Progress on stderr: what there is to do, then a bar over the points of all losses, a line a finished loss."""

    def __init__(self, console: Console) -> None:
        self._console, self._open = console, ExitStack()
        self._ticker: Ticker | None = None
        self._points = self._done = 0

    def __enter__(self) -> _View:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def planned(self, spec: SimulationSpec, folder: Path, kept: tuple[str, ...]) -> None:
        """What there is to do, and the bar."""
        count, points = len(spec.losses), f"{spec.points:,} point{'s' if spec.points > 1 else ''}"
        self._console.say(
            f"{spec.cases:,} boxes (343 at each of {points}), {spec.steps:,} step{'s' if spec.steps > 1 else ''}, "
            f"{count} loss{'es' if count > 1 else ''}; into {folder}"
        )
        if kept:
            self._console.say(f"Finished already: {', '.join(kept)}")
        self._console.event("plan", folder=str(folder), cases=spec.cases, **spec.to_dict(), finished=list(kept))
        self._points = spec.points
        if left := count - len(kept):
            self._ticker = self._open.enter_context(self._console.progress("Simulating", left * spec.points, "points"))

    def progress(self, loss: str, points: int) -> None:
        """Further by a chunk."""
        if self._ticker is not None:
            # The bar's whole line must fit a terminal.
            self._ticker.update(self._done + points, loss.partition("(")[0].rpartition(":")[2][:14])

    def finished(self, row: dict[str, Any]) -> None:
        """A line for the loss."""
        self._done += self._points
        self._console.say(
            f"{row['loss']}: mean error {_number(row['mean_error'])}, {_share(row['converged'])} converged; "
            f"{duration(row['seconds'])}"
        )
        self._console.event("loss", **row)

    def warning(self, text: str) -> None:
        """A line, also with ``--quiet``."""
        self._console.warn(text)


def summary_table(summary: pd.DataFrame, steps: int) -> Table:
    """A row a loss, in 80 columns: errors over the finite cases, shares over all of them.

    Args:
        summary: rows of summary.csv.
        steps: that the boxes took.
    """
    title = f"|dx| + |dy| + |dw| + |dh| after {steps:,} step{'s' if steps > 1 else ''}"
    if len(summary):
        title += f"; {_number(summary['start_error'].iloc[0])} before the first"
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, title=title, title_justify="left")
    table.add_column("loss", overflow="fold")
    for name in ("mean", "median", "p95", "converged", "unmoved", "not finite"):
        table.add_column(name, justify="right", no_wrap=True)
    for _, row in summary.iterrows():
        errors = (_number(row[name]) for name in ("mean_error", "median_error", "p95_error"))
        shares = (_share(row[name]) for name in ("converged", "unmoved", "non_finite"))
        table.add_row(str(row["loss"]), *errors, *shares)
    return table


def _number(value: float) -> str:
    """As in '3.42', '0.0165', '1.6e-04', at most seven characters; '-' where no case is finite."""
    if math.isnan(value):
        return "-"
    return f"{value:.1e}" if 0 < value < 0.001 or value >= 1000 else f"{value:#.3g}".rstrip(".")


def _share(value: float) -> str:
    """As in '98.9%'; nothing is rounded to none or to all."""
    if 0 < value < 0.001:
        return "<0.1%"
    return ">99.9%" if 0.999 < value < 1 else f"{value:.1%}"
