"""``bboxbench generate``: draw pictures of one letter with exact boxes."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Annotated

import typer

from bboxbench.cli.console import Console, duration
from bboxbench.cli.numbers import whole_number

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "generate",
        epilog="Examples:\n\n"
        "`bboxbench generate` - 40,000 pictures into data/letters-n40000-seed0\n\n"
        "`bboxbench generate --n 1000 --seed 7 --out mine` - fewer, others, elsewhere\n\n"
        "`bboxbench generate --sizes 16-64` - small letters too\n\n"
        "`bboxbench generate --background white` - black letters on white",
    )(generate)


def generate(
    n: Annotated[int, typer.Option("--n", parser=whole_number(1), metavar="N", help="Pictures to draw.")] = 40_000,
    seed: Annotated[
        int,
        typer.Option(parser=whole_number(0, 2**63 - 1), metavar="N", help="The same seed draws the same pictures."),
    ] = 0,
    preset: Annotated[str, typer.Option(metavar="NAME", help="The recipe: letters.")] = "letters",
    sizes: Annotated[
        str | None, typer.Option(metavar="MIN-MAX", help="Letter sizes in pixels per em; of the preset: 48-64.")
    ] = None,
    background: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="plain: one random colour a picture; white: black on white."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="DIR", readable=False, help="Folder to draw into; by default data/letters-nN-seedN."
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(parser=whole_number(1), metavar="N", help="Processes; by default one per usable core.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no advice.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")] = False,
) -> None:
    """Draw pictures of one letter with exact boxes.

    The same command goes on where it was stopped, and does nothing where all is there. The same options draw the same
    pictures, bit by bit, whatever --workers and however often it was stopped.
    """
    from bboxbench.data_gen import DatasetSpec
    from bboxbench.data_gen import generate as draw
    from bboxbench.data_gen.presets import PRESETS
    from bboxbench.data_gen.spec_checks import parse_sizes
    from bboxbench.errors import unknown_name

    if preset not in PRESETS:
        raise unknown_name("preset", preset, PRESETS)
    changes = {"sizes": sizes and parse_sizes(sizes), "background": background}
    spec = DatasetSpec.letters(n=n, seed=seed, **{name: value for name, value in changes.items() if value is not None})
    folder = out if out is not None else Path("data") / spec.folder_name
    console = Console(quiet, as_json)
    start, worked = time.monotonic(), False
    with console.progress("Drawing", spec.n, "pictures") as ticker:

        def progress(done: int, total: int) -> None:
            nonlocal worked
            worked = True
            ticker.update(done)
            console.event("progress", done=done, total=total)

        dataset = draw(spec, folder, workers, progress)
    seconds = time.monotonic() - start
    pictures = f"{spec.n:,} picture{'s' if spec.n > 1 else ''}"
    if worked:
        size = dataset.size_on_disk
        space = f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{max(1, round(size / 1e3))} kB"
        console.show(f"Drew {pictures} with exact boxes into {folder}: {space} in {duration(seconds)}.")
    else:
        console.show(f"{folder} already holds these {pictures}, complete; nothing was drawn.")
    place = shlex.quote(str(folder))
    console.say(f"Look at them:   bboxbench preview {place}")
    console.say(f"Check them:     bboxbench verify {place}")
    console.say(f"Train on them:  bboxbench sweep --preset quick --data {place}")
    console.event(
        "done",
        folder=str(folder),
        n=spec.n,
        seed=spec.seed,
        sha256=dataset.sha256,
        bytes=dataset.size_on_disk,
        seconds=round(seconds, 3),
        drawn=worked,
    )
