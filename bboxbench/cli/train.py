"""``bboxbench train``: train one network and see it learn."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bboxbench.cli.console import Console, Ticker
from bboxbench.cli.options import number, option
from bboxbench.errors import BboxbenchError
from bboxbench.experiments.onlooker import Onlooker

if TYPE_CHECKING:
    from bboxbench.experiments.models.by_heart import ByHeart
    from bboxbench.experiments.models.single_training import SingleTraining
    from bboxbench.experiments.plan import Run
    from bboxbench.experiments.spec import SweepSpec
    from bboxbench.experiments.training import TrainingData

__all__ = ["add_to"]

NETWORK, TRAINING, PICTURES, OUTPUT = "Which network", "How it is trained", "Pictures", "Output"
"""Headings of the options in ``--help``."""
FEW_EPOCHS = 30
"""With so many, each has a line of its own."""
WIDEST = 100
"""Columns of a paragraph: longer lines are hard to read."""


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "train",
        epilog="Examples:\n\n"
        "`bboxbench train --overfit 32 --loss giou` - can it learn 32 pictures by heart? Exit code 0 or 1\n\n"
        "`bboxbench train --preset quick --loss mse` - one network of the demo, with a film of it\n\n"
        "`bboxbench train --network my_networks:small --overfit 32` - the first check of your own",
    )(train)


def train(
    preset: Annotated[
        str, option(NETWORK, "", "What is not given is the preset's first: default, quick, as_posted.", "NAME")
    ] = "default",
    loss: Annotated[str | None, option(NETWORK, "mse", "As mse, centre_point(size_weight=0).", "NAME")] = None,
    initializer: Annotated[str | None, option(NETWORK, "glorot_uniform", "Any of Keras.", "NAME")] = None,
    optimizer: Annotated[
        str | None, option(NETWORK, "adam:tuned, a rate for each loss", "As adam:0.001.", "NAME")
    ] = None,
    head: Annotated[str | None, option(NETWORK, "", "corners (default), centre_size, ordered.", "NAME")] = None,
    start: Annotated[str | None, option(NETWORK, "", "First box: wide (default), zeros.", "NAME")] = None,
    network: Annotated[str | None, option(NETWORK, "letter_box", "package.module:build is your own.", "NAME")] = None,
    seed: Annotated[int | None, number(NETWORK, 0, "0", "Of weights, order and dropout.")] = None,
    overfit: Annotated[
        int | None,
        number(TRAINING, 1, "", "Learn so many training pictures by heart, without dropout, and say whether it can."),
    ] = None,
    epochs: Annotated[
        int | None, number(TRAINING, 1, "8; with --overfit at most 300", "Passes over the pictures.")
    ] = None,
    batch_size: Annotated[int | None, number(TRAINING, 1, "100", "Pictures a step.")] = None,
    dropout: Annotated[
        float | None, option(TRAINING, "0.2, with --overfit 0", "Share dropped, 0 to below 1.", "SHARE")
    ] = None,
    validation: Annotated[
        int | None, number(TRAINING, 1, "1000", "Validation pictures looked at after each epoch.")
    ] = None,
    patience: Annotated[
        int | None, number(TRAINING, 0, "0, never", "Stop after so many epochs without a better mean IoU.")
    ] = None,
    iou_threshold: Annotated[
        float | None, option(TRAINING, "0.5", "IoU from which a box counts as right.", "IOU")
    ] = None,
    precision: Annotated[str | None, option(TRAINING, "", "float32 (default), bfloat16.", "NAME")] = None,
    threads: Annotated[int | None, number(TRAINING, 0, "0, all usable cores", "Of one operation.")] = None,
    data: Annotated[str | None, option(PICTURES, "", "Folder of an existing data set.", "DIR")] = None,
    n: Annotated[int | None, number(PICTURES, 10, "40000", "Pictures to draw, if not there.", "--n")] = None,
    data_seed: Annotated[int | None, number(PICTURES, 0, "0", "Seed of those pictures.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Folder of the results. Default: results/train-RUN_ID.",
            rich_help_panel=OUTPUT,
            metavar="DIR",
            readable=False,
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.", rich_help_panel=OUTPUT)] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON event a line on stdout.", rich_help_panel=OUTPUT)
    ] = False,
) -> None:
    """Train one network with plain Keras and see it learn.

    The same four pictures are shown with true and predicted box after every epoch: strip.png and film.gif in the folder
    of the results, beside epochs.csv and model.keras. --overfit is the first check of any network: one that cannot
    learn a few pictures by heart will not learn from many.
    """
    console = Console(quiet, as_json)
    sys.path.append(str(Path.cwd()))
    from bboxbench.experiments.runtime import start_tensorflow

    with console.status("Loading TensorFlow ..."):
        start_tensorflow(threads or 0)
    from bboxbench.experiments.models.single_training import single_spec, train_single

    one = {"losses": loss, "initializers": initializer, "optimizers": optimizer, "heads": head, "starts": start}
    given: dict[str, Any] = {axis: (name,) for axis, name in one.items() if name is not None}
    numbers = {"seeds": seed, "batch_sizes": batch_size}
    given |= {axis: (number,) for axis, number in numbers.items() if number is not None}
    shared = {
        "network": network,
        "epochs": epochs,
        "dropout": dropout,
        "validation": validation,
        "patience": patience,
        "iou_threshold": iou_threshold,
        "precision": precision,
        "threads": threads,
        "data": data,
        "n": n,
        "data_seed": data_seed,
    }
    given |= {name: value for name, value in shared.items() if value is not None}
    spec = single_spec(preset, overfit or 0, **given)
    with _Watching(console) as view:
        result = train_single(spec, out, view, overfit=overfit or 0)
    _conclude(console, result)


class _Watching(Onlooker):
    """Shows a bar of pictures, and a line for every epoch where there are few."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._open: Any = None
        self._ticker: Ticker | None = None
        self._epochs = self._pictures = 0
        self._told = -1.0

    def __enter__(self) -> _Watching:
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def _start(self, what: str, total: int) -> Ticker:
        self._close()
        self._open = self._console.progress(what, total, "pictures")
        ticker: Ticker = self._open.__enter__()
        return ticker

    def _close(self) -> None:
        if self._open is not None:
            self._open.__exit__(None, None, None)
            self._open = self._ticker = None

    def drawing(self, done: int, total: int) -> None:
        """A bar for the pictures that are drawn."""
        if self._ticker is None:
            self._ticker = self._start("Drawing", total)
        self._ticker.update(done)

    def planned(self, run: Run, spec: SweepSpec, data: TrainingData, folder: Path) -> None:
        """What will be trained, and a bar for it."""
        cell, self._epochs, self._pictures = run.cell, spec.epochs, len(data.train.grey)
        self._close()
        self._console.say(
            f"{cell.loss}, {cell.initializer}, {cell.optimizer} at {cell.learning_rate:g}, head {cell.head}, "
            f"start {cell.start}, seed {run.seed}"
        )
        batch = f"batch {cell.batch_size}, dropout {spec.dropout:g}"
        self._console.say(f"  {spec.epochs} epochs of {self._pictures:,} pictures, {batch}; into {folder}")
        self._console.event(
            "plan",
            run_id=run.run_id,
            **cell.row(),
            seed=run.seed,
            epochs=spec.epochs,
            n_train=self._pictures,
            folder=str(folder),
        )
        self._ticker = self._start("Training", self._epochs * self._pictures)
        self._ticker.update(0)

    def under_way(self, epoch: float) -> None:
        """So far along."""
        # The same number again is a sign of life while pictures are looked at.
        if self._ticker is not None and epoch != self._told:
            self._told = epoch
            self._ticker.update(int(epoch * self._pictures), f"epoch {int(epoch) + (epoch < self._epochs)}")

    def epoch(self, row: dict[str, Any]) -> None:
        """A line, where there are few epochs."""
        self._console.event("epoch", **row)
        if self._epochs <= FEW_EPOCHS:
            name = f"epoch {row['epoch']} of {self._epochs}" if row["epoch"] else "untrained"
            loss = f"loss {row['train_loss']:.4g}, " if "train_loss" in row else ""
            self._console.say(
                f"{name}: {loss}mean IoU {row['val_mean_iou']:.3f}, box accuracy {row['val_box_accuracy']:.3f}"
            )


def _conclude(console: Console, result: SingleTraining) -> None:
    """What became of it, what that means, what to open."""
    row, found = result.row, result.by_heart
    if result.failed:
        raise BboxbenchError(f"Training failed: {row['error']}")
    if found is None:
        state = ", ".join(word for word in (row["outcome"], row["symptom"]) if word)
        console.show(
            f"{state}: box accuracy {row['box_accuracy']:.3f}, mean IoU {row['mean_iou']:.3f} on the test pictures"
        )
    else:
        _show_by_heart(console, found)
    names = {path.name: path for path in result.written}
    console.show("")
    console.show(f"See it learn: {names['film.gif']} and {names['strip.png']}")
    console.show(f"Epochs: {names['epochs.csv']}")
    console.show(f"Model: {names['model.keras']}; bboxbench predict draws boxes with it")
    heart = None if found is None else {**vars(found), "advice": [vars(each) for each in found.advice]}
    console.event("done", folder=str(result.folder), **row, by_heart=heart, written=[str(p) for p in result.written])
    if found is not None and not found.learned:
        raise BboxbenchError(
            f"{found.count} pictures were not learned by heart: {found.right} of their boxes are right."
        )


def _show_by_heart(console: Console, found: ByHeart) -> None:
    import textwrap

    from bboxbench.experiments.diagnosis.words import cited

    width = min(console.stdout.width, WIDEST)
    for text in (found.headline, found.meaning):
        console.show(textwrap.fill(text, width, break_on_hyphens=False))
    if found.advice:
        console.show("")
        console.show("Try:")
    for place, each in enumerate(found.advice, start=1):
        text = f"{place}. {each.do} {each.why}"
        console.show(textwrap.fill(text, width, subsequent_indent="   ", break_on_hyphens=False))
        console.show(f"   {cited(each.source)}")
