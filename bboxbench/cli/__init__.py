"""The command ``bboxbench``: one thin module a command, each importing what is heavy only when it runs."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated

import typer
from typer.exceptions import TyperException

from bboxbench import __version__
from bboxbench.cli import generate, preview, sweep, verify
from bboxbench.errors import BboxbenchError, write_errors

__all__ = ["app", "main"]

INTERRUPTED = 130

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


for module in (generate, verify, preview, sweep):
    module.add_to(app)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code: see `bboxbench.errors` for what each means.

    Args:
        arguments: what stands behind ``bboxbench``; by default, of this process.

    Raises:
        SystemExit: always.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    # --debug is understood wherever it stands: a person adds it behind the line that just failed.
    words = [word for word in words if word != "--debug"]
    try:
        with write_errors("the output"):
            code = app(words, prog_name="bboxbench", standalone_mode=False) or 0
    except TyperException as error:
        code = _complain(f"{_one_line(error.format_message())} Try 'bboxbench --help'.", error.exit_code, debug)
    except BboxbenchError as error:
        code = _complain(str(error), error.exit_code, debug)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (`| head`) has gone; keep Python from failing once more at its own exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = BboxbenchError.exit_code
    except Exception as error:
        code = _complain(
            f"{type(error).__name__}: {error}. This is not an error bboxbench expects; --debug shows where it arose.",
            BboxbenchError.exit_code,
            debug,
        )
    if code == INTERRUPTED:
        _complain("Interrupted; what is finished is kept. The same command goes on from here.", code, debug=False)
    raise SystemExit(code)


def _one_line(message: str) -> str:
    text = " ".join(message.split())
    return text if text.endswith((".", "?", ")")) else text + "."


def _complain(message: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    sys.stderr.write(f"Error: {_one_line(message)}\n" if code != INTERRUPTED else f"{message}\n")
    return code
