"""The command ``bboxbench``: one thin module a command, each importing what is heavy only when it runs.

This module imports nothing else, so that Ctrl-C is heard from the first moment on.
"""

from __future__ import annotations

import io
import sys

__all__ = ["main"]

INTERRUPTED = 130
BEGINS_ANEW = "the same command begins anew."
GOES_ON = "what is finished is kept. The same command goes on from here."
KEPT = {
    **dict.fromkeys(("generate", "import", "export", "sweep"), GOES_ON),
    "train": "what was seen of the network is kept. The same command begins anew.",
}
"""What is left of an interrupted command that keeps something; all others begin anew."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code: see `bboxbench.errors` for what each means.

    Args:
        arguments: what stands behind ``bboxbench``; by default, of this process.

    Raises:
        SystemExit: always.
    """
    # A file or pipe on Windows may not know the blocks of a histogram: a question mark is no reason to end.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        from bboxbench.cli.commands import run

        code = run(words)
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code == INTERRUPTED:
        from bboxbench.cli.commands import tell_program

        command = next((word for word in words if not word.startswith("-")), "")
        text = f"Interrupted; {KEPT.get(command, BEGINS_ANEW)}"
        tell_program(words, code, text)
        sys.stderr.write(f"{text}\n")
    raise SystemExit(code)
