"""``bboxbench generate``: draw pictures of one letter with exact boxes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bboxbench.cli.console import Console, duration
from bboxbench.cli.drawables import show_drawables
from bboxbench.cli.numbers import whole_number
from bboxbench.cli.options import flag, measure, number, option
from bboxbench.cli.termination import termination_heard
from bboxbench.cli.writing import Writing, file_size, pictures_told, say_what_next, writing
from bboxbench.errors import InputError

if TYPE_CHECKING:
    from bboxbench.data_gen import Dataset, DatasetSpec

__all__ = ["add_to"]

WHICH, GLYPHS, PICTURE, EFFECTS, LABELS, OUTPUT = (
    "Which pictures",
    "What is drawn",
    "On what",
    "Effects, drawn anew for each picture",
    "Labels",
    "Output",
)
"""Headings of the options in ``--help``."""


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "generate",
        epilog="Examples:\n\n"
        "`bboxbench generate` - 40,000 pictures into data/letters-n40000-seed0\n\n"
        "`bboxbench generate --preset varied --n 1000 --out mine` - 8 faces, 4 kinds of backgrounds, all effects\n\n"
        "`bboxbench generate --glyphs greek,digits --font STIXGeneral --font fonts/My.ttf`\n\n"
        "`bboxbench generate --background plain,gradient --rotation 15 --noise 8 --masks`\n\n"
        "`bboxbench generate --spec mine.toml --seed 7` - an option wins over the file\n\n"
        "`bboxbench generate --list` - what there is to choose from",
    )(generate)


def generate(
    n: Annotated[int | None, number(WHICH, 1, "40000", "Pictures to draw.", "--n")] = None,
    seed: Annotated[
        int | None,
        option(WHICH, "0", "The same seed draws the same pictures.", "N", parser=whole_number(0, 2**63 - 1)),
    ] = None,
    preset: Annotated[
        str | None, option(WHICH, "letters", "Where to start from: letters, varied, hard.", "NAME")
    ] = None,
    spec: Annotated[
        Path | None, option(WHICH, "", "TOML file: these options as keys, but fonts for --font.", "FILE")
    ] = None,
    resume: Annotated[
        # Not checked here: a folder that cannot be read is one that cannot be written, which is another exit code.
        Path | None,
        option(
            WHICH,
            "",
            "Finish or restore what this folder says it holds; --pictures and --font say where such lie now, if moved.",
            "DIR",
            readable=False,
        ),
    ] = None,
    glyphs: Annotated[
        list[str] | None,
        option(GLYPHS, "latin", "As latin,digits or A-F or U+0391-U+03A9; =ABC is these characters.", "GLYPHS"),
    ] = None,
    font: Annotated[
        list[str] | None,
        option(GLYPHS, "two of DejaVuSansMono", "A face, or the path of a .ttf or .otf file; once for each.", "FONT"),
    ] = None,
    sizes: Annotated[str | None, option(GLYPHS, "48-64", "Pixels per em.", "MIN-MAX")] = None,
    min_contrast: Annotated[
        int | None, number(GLYPHS, 1, "64", "Least difference in luma to what is behind, of 255.")
    ] = None,
    width: Annotated[int | None, number(PICTURE, 1, "200", "In pixels.")] = None,
    height: Annotated[int | None, number(PICTURE, 1, "100", "In pixels.")] = None,
    background: Annotated[
        list[str] | None,
        option(PICTURE, "plain", "Any of plain, white, gradient, noise, texture, pictures.", "NAMES"),
    ] = None,
    pictures: Annotated[
        str | None, option(PICTURE, "", "Folder of pictures, for --background pictures.", "DIR")
    ] = None,
    rotation: Annotated[float | None, measure(EFFECTS, "degrees", "Either way, 180 at most.", "DEGREES")] = None,
    scale: Annotated[str | None, option(EFFECTS, "", "Factors, for each axis its own, as 0.8-1.25.", "MIN-MAX")] = None,
    shear: Annotated[float | None, measure(EFFECTS, "degrees", "Either way, 60 at most.", "DEGREES")] = None,
    shift: Annotated[float | None, measure(EFFECTS, "pixels", "Off the pixel grid, 0.5 at most.", "PX")] = None,
    blur: Annotated[
        float | None, measure(EFFECTS, "pixels", "Of the glyph: its standard deviation, 20 at most.", "PX")
    ] = None,
    noise: Annotated[
        float | None, measure(EFFECTS, "levels", "Of the whole picture: its standard deviation, 100 at most.", "LEVELS")
    ] = None,
    ink_threshold: Annotated[
        int | None,
        number(LABELS, 1, "1", "A pixel is ink if it differs by so many levels from the picture without its glyph."),
    ] = None,
    masks: Annotated[
        bool | None, flag(LABELS, "Keep each glyph's mask and class map, too.", "--masks/--no-masks")
    ] = None,
    out: Annotated[
        Path | None,
        option(OUTPUT, "data/PRESET-nN-seedN", "Folder to draw into.", "DIR", "--out", "-o", readable=False),
    ] = None,
    workers: Annotated[int | None, number(OUTPUT, 1, "one per usable core", "Processes.")] = None,
    dry_run: Annotated[bool, flag(OUTPUT, "Check all, print the whole spec as TOML, then stop.", "--dry-run")] = False,
    listed: Annotated[bool, flag(OUTPUT, "Presets, glyphs, faces and backgrounds to choose from.", "--list")] = False,
    quiet: Annotated[bool, flag(OUTPUT, "No progress, no advice.", "--quiet", "-q")] = False,
    as_json: Annotated[bool, flag(OUTPUT, "One JSON object a line on stdout.", "--json")] = False,
) -> None:
    """Draw pictures of one letter with exact boxes.

    The same command goes on where it was stopped, and does nothing where all is there. The same options draw the same
    pictures, bit by bit, whatever --workers and however often it was stopped. What is left out is as in the preset.
    """
    console = Console(quiet, as_json)
    given = {
        "n": n,
        "seed": seed,
        "preset": preset,
        "glyphs": glyphs or None,
        "fonts": font or None,
        "sizes": sizes,
        "min_contrast": min_contrast,
        "width": width,
        "height": height,
        # Several times the same option is as commas in one.
        "background": ",".join(background) if background else None,
        "pictures": pictures,
        "rotation": rotation,
        "scale": scale,
        "shear": shear,
        "shift": shift,
        "blur": blur,
        "noise": noise,
        "ink_threshold": ink_threshold,
        "masks": masks,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    if listed:
        show_drawables(console)
        return
    wanted = _resumed(resume, out, spec, changes) if resume is not None else _spec(spec, changes)
    folder = resume or out or Path("data") / wanted.folder_name
    if dry_run:
        _describe(console, wanted, folder)
        return
    _draw(console, wanted, folder, workers)


def _spec(file: Path | None, changes: dict[str, Any]) -> DatasetSpec:
    from bboxbench.data_gen.spec_file import read_spec, read_values, spec_of

    typed = read_values(changes, Path.cwd())
    return read_spec(file, **typed) if file is not None else spec_of(typed)


def _resumed(folder: Path, out: Path | None, file: Path | None, changes: dict[str, Any]) -> DatasetSpec:
    from bboxbench.data_gen import DatasetSpec
    from bboxbench.data_gen.manifest import intended_spec

    places = {name: changes[name] for name in ("pictures", "fonts") if name in changes}
    others = {"out": out, "spec": file, **{name: value for name, value in changes.items() if name not in places}}
    if extra := [f"--{name.replace('_', '-')}" for name, value in others.items() if value is not None]:
        raise InputError(
            "Expected --resume alone, since the folder says what it holds, or with the places where its --pictures and "
            f"--font files are now. Received {extra[0]}, too."
        )
    spec = intended_spec(folder).elsewhere(**places)
    spec.check_sources()
    # A reader believes the form of what a folder says; what is to be drawn is checked as if it were typed.
    return DatasetSpec.from_dict(spec.to_dict())


def _describe(console: Console, spec: DatasetSpec, folder: Path) -> None:
    """The spec as TOML on stdout, so that it can be kept, changed and drawn by ``--spec``."""
    from bboxbench.data_gen.spec_file import spec_toml

    console.show(spec_toml(spec).rstrip("\n"))
    console.say(f"{spec.n:,} pictures would go to {folder}; nothing was written.")
    console.event("plan", folder=str(folder), spec=spec.to_dict())


def _draw(console: Console, spec: DatasetSpec, folder: Path, workers: int | None) -> None:
    from bboxbench.data_gen import generate as draw

    with termination_heard(), writing(console, "Drawing", spec.n) as work:
        dataset = draw(spec, folder, workers, work.progress)
    _conclude(console, dataset, folder, work)


def _conclude(console: Console, dataset: Dataset, folder: Path, work: Writing) -> None:
    """What became of it, and what to do next."""
    seconds, pictures = work.seconds, pictures_told(dataset.n)
    if work.worked:
        space = file_size(dataset.size_on_disk)
        console.show(f"Drew {pictures} with exact boxes into {folder}: {space} in {duration(seconds)}.")
    else:
        console.show(f"{folder} already holds these {pictures}, complete; nothing was drawn.")
    say_what_next(console, dataset.n, folder)
    console.event(
        "done",
        folder=str(folder),
        n=dataset.n,
        seed=dataset.spec.seed,
        sha256=dataset.sha256,
        bytes=dataset.size_on_disk,
        seconds=round(seconds, 3),
        drawn=work.worked,
    )
