"""All commands as one Typer app, and how each way of ending becomes an exit code and at most one line."""

from __future__ import annotations

import os
import shutil
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from typer.exceptions import TyperException

from bboxbench import __version__
from bboxbench.cli import (
    collect,
    diagnose,
    export,
    generate,
    import_,
    losses,
    plot,
    predict,
    preview,
    report,
    simulate,
    status,
    sweep,
    train,
    verify,
)
from bboxbench.cli.console import folded
from bboxbench.errors import BboxbenchError, CannotWrite, nearest, write_errors
from bboxbench.jsonl import json_line

__all__ = ["app", "run", "tell_program"]

app = typer.Typer(
    name="bboxbench",
    help="Find out why a bounding-box network does not learn: draw letters with exact boxes, train one network under "
    "every loss x initializer x seed, and see the distribution of box accuracy.",
    epilog="Start with: bboxbench sweep --preset quick",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bboxbench {__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the full traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of the whole command, before the name of a command."""


for module in (
    generate,
    import_,
    verify,
    preview,
    export,
    train,
    predict,
    sweep,
    status,
    collect,
    report,
    plot,
    diagnose,
    simulate,
    losses,
):
    module.add_to(app)


def run(words: list[str]) -> int:
    """Run one command line.

    Args:
        words: what stands behind ``bboxbench``.

    Returns:
        The exit code. What went wrong stands on stderr, in one line; with ``--json`` on stdout, too, as its last event.
    """
    debug = "--debug" in words
    # --debug is understood wherever it stands: a person adds it behind the line that just failed.
    words = [word for word in words if word != "--debug"]
    try:
        with _output_errors():
            # A command may name itself as it was called, as for what to do next.
            return app(words or ["--help"], prog_name="bboxbench", standalone_mode=False, obj=tuple(words)) or 0
    except TyperException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "bboxbench"
        if isinstance(near := getattr(error, "possibilities", None), list):
            # Typer counts the dashes, too, and so finds every short option near to every other.
            meant = nearest(getattr(error, "option_name", "").lstrip("-"), [name.lstrip("-") for name in near], 0.8)
            near[:] = [f"--{meant}"] if meant else []
        message = f"{_one_line(error.format_message())} Try '{command} --help'."
        return _complain(words, message, error.exit_code, debug)
    except BboxbenchError as error:
        return _complain(words, str(error), error.exit_code, debug)
    except BrokenPipeError:
        # The reader of our output (`| head`) has gone.
        _abandon_stdout()
        return BboxbenchError.exit_code
    except Exception as error:
        return _complain(
            words,
            f"{type(error).__name__}: {error}. This is not an error bboxbench expects; --debug shows where it arose.",
            BboxbenchError.exit_code,
            debug,
        )


@contextmanager
def _output_errors() -> Iterator[None]:
    """Turn the system's refusals to write on stdout into `CannotWrite`.

    They alone come without a name: a refusal to open a file names it, and files are written under `write_errors` or
    read under `read_errors`, each where it is done.
    """
    try:
        yield
        sys.stdout.flush()
    except BboxbenchError:
        raise
    except OSError as error:
        if error.filename is not None:
            raise
        try:
            with write_errors("the output"):
                raise
        except CannotWrite:
            _abandon_stdout()
            raise


def _abandon_stdout() -> None:
    """Let what is left for stdout go nowhere, else Python fails once more to write it at its own exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _one_line(message: str) -> str:
    text = " ".join(message.split())
    return text if text.endswith((".", "?", ")")) else text + "."


def _complain(words: list[str], message: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    tell_program(words, code, _one_line(message))
    line = f"Error: {_one_line(message)}"
    sys.stderr.write(f"{folded(line, shutil.get_terminal_size().columns) if sys.stderr.isatty() else line}\n")
    return code


def tell_program(words: list[str], code: int, text: str) -> None:
    """Where ``words`` ask for ``--json``: why the command ends, as the last event on stdout.

    Args:
        words: what stands behind ``bboxbench``.
        code: what the process ends with.
        text: one line.
    """
    if "--json" not in words:
        return
    try:
        sys.stdout.write(json_line({"event": "error", "code": code, "text": text}))
        sys.stdout.flush()
    except OSError:
        # Nobody reads, or nothing takes it: stderr and the exit code still say it.
        _abandon_stdout()
