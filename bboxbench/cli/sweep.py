"""``bboxbench sweep``: train every loss x initializer x seed and show the distributions of box accuracy."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bboxbench.cli.console import Console, Ticker, duration
from bboxbench.cli.numbers import whole_number
from bboxbench.errors import BboxbenchError

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from bboxbench.experiments.spec import SweepSpec
    from bboxbench.experiments.sweep import Plan, SweepResult

__all__ = ["add_to"]

BLOCKS = " ▁▂▃▄▅▆▇█"
"""Heights of the small histogram in the table."""
BINS = 10

RUNS, TRAINING, PICTURES, OUTPUT = "Which runs", "How each is trained", "Pictures", "Output"
"""Headings of the options in ``--help``."""


def _option(panel: str, default: str, explained: str, metavar: str = "NAMES") -> Any:
    """An option whose default comes from the preset, so that one left out is told from one given."""
    said = f"{explained} Default: {default}." if default else explained
    return typer.Option(help=said, rich_help_panel=panel, metavar=metavar)


def _number(panel: str, least: int, default: str, explained: str, *names: str) -> Any:
    """The same for a whole number of ``least`` or more."""
    said = f"{explained} Default: {default}."
    return typer.Option(*names, help=said, rich_help_panel=panel, metavar="N", parser=whole_number(least))


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
    preset: Annotated[
        str | None, _option(RUNS, "default", "Where to start from: default, quick, as_posted.", "NAME")
    ] = None,
    spec: Annotated[Path | None, _option(RUNS, "", "TOML file with any of these options as keys.", "FILE")] = None,
    losses: Annotated[
        str | None, _option(RUNS, "four", "As mse,giou,centre_point(size_weight=0); package.module:Name is yours.")
    ] = None,
    initializers: Annotated[
        str | None, _option(RUNS, "four", "Any of Keras, as glorot_uniform,random_normal(stddev=0.05).")
    ] = None,
    seeds: Annotated[
        str | None, _option(RUNS, "20", "How many (20), a range (0-19) or a list (3,5,8).", "SEEDS")
    ] = None,
    optimizers: Annotated[
        str | None, _option(RUNS, "adam:0.0005", "With learning rate, as adam:0.001,adadelta:1.0; else Keras's own.")
    ] = None,
    heads: Annotated[str | None, _option(RUNS, "corners", "corners (as posted), centre_size, ordered.")] = None,
    starts: Annotated[str | None, _option(RUNS, "wide", "First box: wide (the middle half), zeros (no area).")] = None,
    epochs: Annotated[int | None, _number(TRAINING, 1, "8", "Passes over the training pictures.")] = None,
    batch_size: Annotated[int | None, _number(TRAINING, 1, "100", "Pictures a step.")] = None,
    dropout: Annotated[float | None, _option(TRAINING, "0.2", "Share dropped, 0 to below 1.", "SHARE")] = None,
    validation: Annotated[
        int | None, _number(TRAINING, 0, "1000", "Validation pictures looked at after each epoch, at most.")
    ] = None,
    iou_threshold: Annotated[
        float | None, _option(TRAINING, "0.5", "IoU from which a box counts as right.", "IOU")
    ] = None,
    engine: Annotated[str | None, _option(TRAINING, "fit", "fit: plain Keras, one run at a time.", "NAME")] = None,
    threads: Annotated[int | None, _number(TRAINING, 0, "0", "Of one operation; 0: all usable cores.")] = None,
    data: Annotated[str | None, _option(PICTURES, "", "Folder of an existing data set.", "DIR")] = None,
    n: Annotated[int | None, _number(PICTURES, 10, "40000", "Pictures to draw, if not there yet.", "--n")] = None,
    data_seed: Annotated[int | None, _number(PICTURES, 0, "0", "Seed of those pictures.")] = None,
    out: Annotated[Path | None, _option(OUTPUT, "results/PRESET-ID", "Folder of the results.", "DIR")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print plan, count and time, then stop.", rich_help_panel=OUTPUT)
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Train again what failed before.", rich_help_panel=OUTPUT)
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.", rich_help_panel=OUTPUT)] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON event a line on stdout.", rich_help_panel=OUTPUT)
    ] = False,
) -> None:
    """Train one network under every loss x initializer x seed.

    Draws the letters first if they are not there. The same command again goes on where it stopped; more seeds, losses
    or initializers add to what is there. Every cell sees the same pictures in the same order.
    """
    from bboxbench.experiments.spec import SweepSpec, read_toml

    given = {
        "losses": losses,
        "initializers": initializers,
        "seeds": seeds,
        "optimizers": optimizers,
        "heads": heads,
        "starts": starts,
        "epochs": epochs,
        "batch_size": batch_size,
        "dropout": dropout,
        "validation": validation,
        "iou_threshold": iou_threshold,
        "engine": engine,
        "threads": threads,
        "data": data,
        "n": n,
        "data_seed": data_seed,
    }
    keys = dict(read_toml(spec)) if spec else {}
    keys |= {name: value for name, value in given.items() if value is not None}
    chosen = preset if preset is not None else keys.pop("preset", "default")
    keys.pop("preset", None)
    resolved = SweepSpec.from_preset(chosen, **keys)
    console = Console(quiet, as_json)
    # A loss by import path may stand in the current folder, which an installed command does not search.
    sys.path.append(str(Path.cwd()))
    if dry_run:
        _dry_run(console, resolved, out)
        return
    _load_tensorflow(console, resolved.threads)
    from bboxbench.experiments.sweep import run_sweep

    with _LiveView(console) as view:
        result = run_sweep(resolved, out, view.listener(), retry_failed=retry_failed)
    _conclude(console, result)
    if result.failed:
        raise BboxbenchError(
            f"{len(result.failed)} of the runs failed; their errors stand in {result.folder / 'runs.csv'}. "
            "Run again with --retry-failed to train them again."
        )


def _load_tensorflow(console: Console, threads: int) -> None:
    from bboxbench.experiments.runtime import start_tensorflow

    with console.status("Loading TensorFlow ..."):
        start_tensorflow(threads)


def _dry_run(console: Console, spec: SweepSpec, out: Path | None) -> None:
    _load_tensorflow(console, spec.threads)
    from bboxbench.experiments.sweep import plan_sweep

    with console.status("Checking names and timing a few steps ..."):
        plan = plan_sweep(spec)
    for line in _plan_lines(plan):
        console.show(line)
    console.show(f"Results would go to {out or spec.folder()}; nothing was written.")
    console.event("plan", **_plan_values(plan))


def _plan_values(plan: Plan) -> dict[str, Any]:
    return {
        "runs": plan.runs,
        "finished": plan.finished,
        "epochs": plan.spec.epochs,
        "n_train": plan.n_train,
        "n_test": plan.n_test,
        "estimated_seconds": round(plan.seconds, 1),
        "spec": plan.spec.to_dict(),
    }


def _plan_lines(plan: Plan) -> list[str]:
    """The plan as a person reads it."""
    spec = plan.spec
    axes = {
        "loss": spec.losses,
        "initializer": spec.initializers,
        "optimizer": spec.optimizers,
        "head": spec.heads,
        "start": spec.starts,
    }
    counted = [_count(len(v), name) for name, v in axes.items() if name in ("loss", "initializer") or len(v) > 1]
    counted.append(_count(len(spec.seeds), "seed"))
    lines = [
        f"Plan: {' x '.join(counted)} = {_count(plan.runs, 'run')}",
        f"  {spec.epochs} epochs of {plan.n_train:,} pictures, batch {spec.batch_size}; {plan.n_test:,} test pictures; "
        f"engine {spec.engine}, {_count(plan.threads, 'thread')}",
    ]
    lines += [f"  {name}: {', '.join(values)}" for name, values in axes.items()]
    for name, rate in plan.rates:
        if any(text == name for text in spec.optimizers):
            paper = "; the paper's is 1.0" if name == "adadelta" else ""
            lines.append(f"  {name} without a rate takes Keras's default, {rate:g}{paper}")
    if plan.finished:
        lines.append(f"  {plan.finished} finished already, {plan.runs - plan.finished} to do")
    if plan.seconds:
        lines.append(
            f"Estimated: about {duration(plan.seconds)} ({plan.step_seconds * 1000:.0f} ms a step, measured just now)"
        )
    return lines


def _count(count: int, word: str) -> str:
    """As in '1 loss', '4 losses'."""
    return f"{count} {word}" if count == 1 else f"{count} {word}{'es' if word.endswith('s') else 's'}"


class _LiveView:
    """The progress of a sweep: pictures first, then epochs of runs with the outcomes so far."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._outcomes: Counter[str] = Counter()
        self._open: Any = None
        self._ticker: Ticker | None = None
        self._runs = self._done = self._epochs = 0

    def __enter__(self) -> _LiveView:
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def _start(self, what: str, total: int, unit: str) -> Ticker:
        self._close()
        self._open = self._console.progress(what, total, unit)
        ticker: Ticker = self._open.__enter__()
        return ticker

    def _close(self) -> None:
        if self._open is not None:
            self._open.__exit__(None, None, None)
            self._open = self._ticker = None

    def listener(self) -> Any:
        """What `run_sweep` talks to. Made here, since its base class comes with TensorFlow."""
        from bboxbench.experiments.sweep import Listener

        view = self

        class Live(Listener):
            def drawing(self, done: int, total: int) -> None:
                view.drawing(done, total)

            def planned(self, plan: Plan) -> None:
                view.planned(plan)

            def epoch(self, run: Any, epoch: int) -> None:
                view.epoch(f"{run.cell.loss} {run.cell.initializer} seed {run.seed}", epoch)

            def finished(self, row: dict[str, Any]) -> None:
                view.finished(row)

            def warning(self, text: str) -> None:
                view._console.say(f"Warning: {text}")

        return Live()

    def drawing(self, done: int, total: int) -> None:
        if self._ticker is None:
            self._ticker = self._start("Drawing", total, "pictures")
        self._ticker.update(done)

    def planned(self, plan: Plan) -> None:
        self._close()
        for line in _plan_lines(plan):
            self._console.say(line)
        self._console.event("plan", **_plan_values(plan))
        self._runs, self._done, self._epochs = plan.runs, plan.finished, plan.spec.epochs
        if plan.finished < plan.runs:
            self._ticker = self._start("Training", plan.runs * self._epochs, "epochs")
            self._ticker.update(self._done * self._epochs, self._note())

    def epoch(self, run: str, epoch: int) -> None:
        if self._ticker is not None:
            self._ticker.update(self._done * self._epochs + epoch, self._note())
        self._console.event("epoch", run=run, epoch=epoch)

    def finished(self, row: dict[str, Any]) -> None:
        self._done += 1
        state = row["outcome"] if row["status"] == "ok" else "failed"
        self._outcomes[state] += 1
        said = f"{state}, {row['symptom']}" if row.get("symptom") else state
        figure = f"box accuracy {row['box_accuracy']:.3f}" if row["status"] == "ok" else row["error"]
        self._console.say(
            f"[{self._done}/{self._runs}] {row['loss']} {row['initializer']} seed {row['seed']}: {said}; {figure}; "
            f"{duration(row['seconds'])}"
        )
        if self._ticker is not None:
            self._ticker.update(self._done * self._epochs, self._note())
        self._console.event("run", **row)

    def _note(self) -> str:
        return ", ".join(f"{count} {name}" for name, count in self._outcomes.most_common())


def _conclude(console: Console, result: SweepResult) -> None:
    """The table and the paths."""
    from rich.console import Console as RichConsole

    if not console.as_json:
        # Off a terminal Rich would assume 80 columns and fold names; a file has room.
        wide = console.stdout if console.stdout.is_terminal else RichConsole(width=120, highlight=False)
        wide.print(_distribution(result))
        for path in result.written:
            console.show(f"  {path}")
    cells = result.distribution.to_dict("records")
    console.event("done", folder=str(result.folder), cells=cells, written=[str(path) for path in result.written])


def _distribution(result: SweepResult) -> Table:
    """One row a cell: outcomes, median and range of box accuracy, and a small histogram over its runs."""
    from rich import box
    from rich.table import Table

    runs, cells = result.runs, result.distribution
    others = [name for name in ("optimizer", "learning_rate", "head", "start") if cells[name].nunique() > 1]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="Box accuracy over the seeds", title_justify="left")
    for name in ("loss", "initializer", *others):
        table.add_column(name.replace("_", " "), overflow="fold")
    table.add_column("runs", justify="right")
    table.add_column("outcomes")
    table.add_column("median", justify="right")
    table.add_column("min to max", justify="right", no_wrap=True)
    table.add_column("0" + " " * (BINS - 2) + "1", no_wrap=True)
    table.add_column("Keras 'accuracy'", justify="right")
    for _, cell in cells.iterrows():
        mine = _runs_of(runs, cell)
        table.add_row(
            *(str(cell[name]) for name in ("loss", "initializer", *others)),
            str(cell["runs"]),
            _outcomes(cell),
            f"{cell['box_accuracy_median']:.3f}",
            f"{cell['box_accuracy_min']:.3f} to {cell['box_accuracy_max']:.3f}",
            _strip(
                [float(x) if ok == "ok" else 0.0 for x, ok in zip(mine["box_accuracy"], mine["status"], strict=True)]
            ),
            f"{cell['keras_accuracy_median']:.2f}",
        )
    table.add_section()
    for _, row in result.baselines.iterrows():
        blank = [""] * (1 + len(others))
        accuracy = row["box_accuracy"]
        table.add_row(
            f"{row['baseline']} box",
            *blank,
            "",
            "ignores the picture",
            f"{accuracy:.3f}",
            "",
            _strip([accuracy]),
            f"{row['keras_accuracy']:.2f}",
            style="dim",
        )
    return table


def _runs_of(runs: pd.DataFrame, cell: pd.Series) -> pd.DataFrame:
    keys = ["loss", "initializer", "optimizer", "learning_rate", "head", "start"]
    return runs[(runs[keys] == cell[keys].to_list()).all(axis=1)]


def _outcomes(cell: pd.Series) -> str:
    """As in '3 converged, 2 blind (2 pinned)'."""
    names = ("converged", "learning", "blind", "diverged", "failed")
    said = ", ".join(f"{cell[name]} {name}" for name in names if cell[name])
    symptoms = ", ".join(f"{cell[name]} {name}" for name in ("pinned", "inverted", "constant") if cell[name])
    return f"{said} ({symptoms})" if symptoms else said


def _strip(values: list[float]) -> str:
    """A histogram of values in [0, 1], one character a tenth."""
    counts = [0] * BINS
    for value in values:
        counts[min(BINS - 1, int(value * BINS))] += 1
    top = max(counts)
    return "".join(BLOCKS[-(-count * (len(BLOCKS) - 1) // top)] for count in counts)
