"""``bboxbench sweep``: train every loss x initializer x seed and show the distributions of box accuracy."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bboxbench.cli.console import Console
from bboxbench.cli.failures import failure_lines, failure_values, retry_command
from bboxbench.cli.live import LiveView
from bboxbench.cli.numbers import seconds
from bboxbench.cli.options import number, option
from bboxbench.cli.planned import plan_lines, plan_values
from bboxbench.cli.termination import termination_heard
from bboxbench.errors import BboxbenchError, InputError, TooManyFailures, unknown_name

if TYPE_CHECKING:
    from bboxbench.experiments.spec import SweepSpec
    from bboxbench.experiments.sweep import SweepResult

__all__ = ["add_to"]

RUNS, TRAINING, PICTURES, OUTPUT = "Which runs", "How each is trained", "Pictures", "Output"
CARRIED_OUT = "How the sweep is carried out"
"""Headings of the options in ``--help``."""
FORMATS = ("table", "markdown")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "sweep",
        epilog="Examples:\n\n"
        "`bboxbench sweep --preset quick` - a few minutes, three different failures\n\n"
        "`bboxbench sweep --seeds 20 --dry-run` - what the full sweep would do, and how long\n\n"
        '`bboxbench sweep --losses "mse,giou" --initializers he_normal --optimizers adam:0.001,adadelta:1.0`\n\n'
        "`bboxbench sweep --spec mine.toml --seeds 40` - keys of the file are these options; an option wins",
    )(sweep)


def sweep(
    context: typer.Context,
    preset: Annotated[
        str | None, option(RUNS, "default", "Where to start from: default, quick, as_posted.", "NAME")
    ] = None,
    spec: Annotated[Path | None, option(RUNS, "", "TOML file with these options as keys.", "FILE")] = None,
    losses: Annotated[
        str | None, option(RUNS, "four", "As mse,giou,centre_point(size_weight=0); package.module:Name is yours.")
    ] = None,
    initializers: Annotated[
        str | None, option(RUNS, "four", "Any of Keras, as glorot_uniform,random_normal(stddev=0.05).")
    ] = None,
    seeds: Annotated[
        str | None, option(RUNS, "20", "How many (20), a range (0-19) or a list (3,5,8).", "SEEDS")
    ] = None,
    optimizers: Annotated[
        str | None,
        option(
            RUNS,
            "adam:tuned",
            "As adam:0.001,adadelta:1.0; adam:tuned has a rate for each loss; without one, Keras's own.",
        ),
    ] = None,
    learning_rates: Annotated[
        str | None,
        option(
            RUNS,
            "the optimizer's",
            "As 0.001,0.0003 for optimizers without a rate of their own, or tuned; giou:0.0003 is for that loss alone.",
            "NUMBERS",
        ),
    ] = None,
    heads: Annotated[str | None, option(RUNS, "corners", "corners (as posted), centre_size, ordered.")] = None,
    starts: Annotated[str | None, option(RUNS, "wide", "First box: wide (the middle half), zeros (no area).")] = None,
    vary: Annotated[
        str | None,
        option(
            RUNS,
            "init,order,dropout",
            "What the seed changes: any of init, order, dropout, split (which pictures test).",
        ),
    ] = None,
    include: Annotated[
        list[str] | None,
        option(RUNS, "", "Train only what matches, as loss=iou,head=c*; once for each rule.", "RULE"),
    ] = None,
    exclude: Annotated[
        list[str] | None, option(RUNS, "", "Leave out what matches, written the same way.", "RULE")
    ] = None,
    batch_sizes: Annotated[str | None, option(RUNS, "100", "Pictures a step, as 50,100.", "NUMBERS")] = None,
    epochs: Annotated[int | None, number(TRAINING, 1, "8", "Passes over the training pictures.")] = None,
    dropout: Annotated[float | None, option(TRAINING, "0.2", "Share dropped, 0 to below 1.", "SHARE")] = None,
    validation: Annotated[
        int | None, number(TRAINING, 0, "1000", "Validation pictures looked at after each epoch, at most.")
    ] = None,
    patience: Annotated[
        int | None,
        number(
            TRAINING, 0, "0", "Epochs without a higher validation mean IoU that end a run; its best is kept. 0: none."
        ),
    ] = None,
    iou_threshold: Annotated[
        float | None, option(TRAINING, "0.5", "IoU from which a box counts as right.", "IOU")
    ] = None,
    network: Annotated[
        str | None,
        option(
            TRAINING,
            "letter_box",
            "package.module:build is your own: a function (initializer, width, height) that returns a keras.Model.",
            "NAME",
        ),
    ] = None,
    precision: Annotated[
        str | None,
        option(TRAINING, "float32", "What networks compute in: float32, bfloat16. Weights stay float32.", "NAME"),
    ] = None,
    engine: Annotated[
        str | None,
        option(
            TRAINING,
            "lockstep",
            "lockstep: all runs of a seed at once; fit: plain Keras, one run at a time.",
            "NAME",
        ),
    ] = None,
    threads: Annotated[int | None, number(TRAINING, 0, "0", "Of one operation; 0: all usable cores.")] = None,
    deterministic: Annotated[
        bool | None,
        typer.Option(
            "--deterministic/--no-deterministic",
            help="The same bits each time on one kind of processor; --threads and --chunk then belong to the sweep.",
            rich_help_panel=TRAINING,
            show_default=False,
        ),
    ] = None,
    chunk: Annotated[int | None, number(TRAINING, 1, "16", "Runs that train together with --deterministic.")] = None,
    cluster: Annotated[
        str | None,
        option(CARRIED_OUT, "this machine", "ray: the nodes of a Ray cluster, see docs/cluster.md.", "NAME"),
    ] = None,
    address: Annotated[
        str | None,
        option(CARRIED_OUT, "the environment variable RAY_ADDRESS", "HOST:PORT of its head, or auto.", "ADDRESS"),
    ] = None,
    data: Annotated[str | None, option(PICTURES, "", "Folder of an existing data set.", "DIR")] = None,
    n: Annotated[int | None, number(PICTURES, 10, "40000", "Pictures to draw, if not there yet.", "--n")] = None,
    data_seed: Annotated[int | None, number(PICTURES, 0, "0", "Seed of those pictures.")] = None,
    isolation: Annotated[
        str,
        typer.Option(
            help="process: blocks train in a process of their own, so that a crash or a lack of memory fails a run and "
            "not the sweep; none: in this one.",
            rich_help_panel=CARRIED_OUT,
            metavar="NAME",
        ),
    ] = "process",
    timeout: Annotated[
        float,
        typer.Option(
            help="Seconds without a finished step after which what trains counts as hung, the compiling of the first "
            "among them, 10 or more; 0: never. Not with --isolation none.",
            rich_help_panel=CARRIED_OUT,
            metavar="SECONDS",
            parser=seconds,
        ),
    ] = 1800.0,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first failed run.", rich_help_panel=CARRIED_OUT)
    ] = False,
    max_failures: Annotated[
        int | None, number(CARRIED_OUT, 0, "0, no bound", "Stop after so many failed runs.")
    ] = None,
    save_models: Annotated[
        str,
        typer.Option(
            "--save-models",
            help="Trained networks to keep as .keras files: none; best of each cell, by validation; all.",
            rich_help_panel=OUTPUT,
            metavar="NAME",
        ),
    ] = "none",
    out: Annotated[
        Path | None,
        # Not checked here: a folder that cannot be read is one that cannot be written, which is another exit code.
        typer.Option(
            "--out",
            "-o",
            help="Folder of the results. Default: results/PRESET-ID.",
            rich_help_panel=OUTPUT,
            metavar="DIR",
            readable=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print plan, count and time, then stop.", rich_help_panel=OUTPUT)
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Train again what failed before.", rich_help_panel=CARRIED_OUT)
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.", rich_help_panel=OUTPUT)] = False,
    shown: Annotated[
        str,
        typer.Option(
            "--format",
            help="Of the summary on stdout: table; markdown, for a pull request.",
            rich_help_panel=OUTPUT,
            metavar="NAME",
        ),
    ] = "table",
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON event a line on stdout.", rich_help_panel=OUTPUT)
    ] = False,
) -> None:
    """Train one network under every loss x initializer x seed.

    Draws the letters first if they are not there. The same command again goes on where it stopped; more seeds, losses
    or initializers add to what is there. Every cell sees the same pictures in the same order.
    """
    from bboxbench.experiments.execution.executor import Execution
    from bboxbench.experiments.spec import SweepSpec, read_toml

    if fail_fast and max_failures not in (None, 1):
        raise InputError(f"Expected --fail-fast or --max-failures. Received both, with {max_failures} failures.")
    execution = Execution(
        isolation,
        timeout,
        max_failures=1 if fail_fast else max_failures or 0,
        cluster=cluster or "",
        address=address or "",
        save_models=save_models,
    )
    given = {
        "losses": losses,
        "initializers": initializers,
        "seeds": seeds,
        "optimizers": optimizers,
        "learning_rates": learning_rates,
        "heads": heads,
        "starts": starts,
        "epochs": epochs,
        "batch_sizes": batch_sizes,
        "vary": vary,
        "include": include or None,
        "exclude": exclude or None,
        "dropout": dropout,
        "validation": validation,
        "patience": patience,
        "iou_threshold": iou_threshold,
        "network": network,
        "precision": precision,
        "engine": engine,
        "threads": threads,
        "deterministic": deterministic,
        "chunk": chunk,
        "data": data,
        "n": n,
        "data_seed": data_seed,
    }
    keys = dict(read_toml(spec)) if spec else {}
    keys |= {name: value for name, value in given.items() if value is not None}
    chosen = preset if preset is not None else keys.pop("preset", "default")
    keys.pop("preset", None)
    resolved = SweepSpec.from_preset(chosen, **keys)
    if shown not in FORMATS:
        raise unknown_name("format", shown, FORMATS)
    if as_json and shown == "markdown":
        raise InputError("Expected --json or --format markdown. Received: both, for one stdout.")
    console = Console(quiet, as_json)
    # A loss or network by import path may stand in the current folder, which an installed command does not search.
    sys.path.append(str(Path.cwd()))
    _load_tensorflow(console, resolved)
    _warn_of_losses(console, resolved)
    if dry_run:
        _dry_run(console, resolved, out)
        return
    from bboxbench.experiments.sweep import run_sweep

    again = retry_command(context.obj)
    try:
        with LiveView(console) as view, termination_heard():
            result = run_sweep(resolved, out, view, retry_failed=retry_failed, execution=execution)
    except TooManyFailures as stopped:
        _conclude(console, stopped.result, shown, again)
        raise
    _conclude(console, result, shown, again)
    if result.failed:
        raise BboxbenchError(
            f"{len(result.failed)} of the runs failed; their errors stand in {result.folder / 'runs.csv'}. "
            "Run again with --retry-failed to train them again."
        )


def _load_tensorflow(console: Console, spec: SweepSpec) -> None:
    from bboxbench.experiments.runtime import start_tensorflow

    with console.status("Loading TensorFlow ..."):
        start_tensorflow(spec.threads, spec.deterministic)


def _warn_of_losses(console: Console, spec: SweepSpec) -> None:
    """What is dangerous about losses, before anything is drawn; a user's own that cannot be trained ends it here."""
    from bboxbench.experiments.recipe import Recipe
    from bboxbench.experiments.resolve import loss_warnings, unit_warning

    for text in spec.losses:
        recipe = Recipe.parse(text, "loss")
        for warning in (*loss_warnings(recipe), unit_warning(recipe)):
            if warning:
                console.warn(warning)


def _dry_run(console: Console, spec: SweepSpec, out: Path | None) -> None:
    from bboxbench.experiments.sweep import plan_sweep

    with console.status("Checking names and timing a few steps ..."):
        plan = plan_sweep(spec, out)
    for line in plan_lines(plan):
        console.show(line)
    console.show(f"Results would go to {out or spec.folder()}; nothing was written.")
    console.event("plan", **plan_values(plan))


def _conclude(console: Console, result: SweepResult, shown: str, again: str) -> None:
    """The summary, what to open, and what failed; ``again`` is the command that trains that again."""
    from rich.console import Console as RichConsole

    from bboxbench.cli.table import summary
    from bboxbench.experiments.summary import markdown_summary

    table = result.runs[result.runs["run_id"].isin(result.failed)]
    failed = [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
    failures = failure_lines(failed, len(result.runs), result.folder, again)
    if shown == "markdown":
        console.show(markdown_summary(result).rstrip("\n"))
        for line in (*_what_to_open(result), *failures):  # stdout may go straight into a pull request
            console.say(line)
    elif not console.as_json:
        # Off a terminal Rich would assume 80 columns and fold names; a file has room.
        wide = console.stdout if console.stdout.is_terminal else RichConsole(width=140, highlight=False)
        wide.print(summary(result, wide.width))
        console.show("")
        for line in _what_to_open(result):
            console.show(line)
        if failures:
            console.show("")
        for line in failures:
            console.show(line, fold=line.startswith("  "))
    cells = result.distribution.to_dict("records")
    console.event(
        "done",
        folder=str(result.folder),
        cells=cells,
        written=[str(path) for path in result.written],
        failed=failure_values(failed),
        retry=again if failed else None,
    )


def _what_to_open(result: SweepResult) -> list[str]:
    """What was written, the page that explains it first."""
    by_kind = {kind: [path for path in result.written if path.suffix == kind] for kind in (".html", ".csv")}
    figures = [path for path in result.written if path.suffix in (".png", ".svg")]
    lines = [f"Open {path} in a browser: the report." for path in by_kind[".html"]]
    if figures:
        lines.append(f"{len(figures)} {'file' if len(figures) == 1 else 'files'} of figures in {figures[0].parent}")
    return [*lines, *(f"Table: {path}" for path in by_kind[".csv"])]
