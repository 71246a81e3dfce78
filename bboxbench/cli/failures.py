"""Which runs failed, why, where to read more, and how to train them again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["RETRY", "failure_lines", "failure_values", "retry_command"]

RETRY = "--retry-failed"
MOST = 10
"""So many different errors are listed, not more."""
NAMED = 3
"""So many runs of one error are named."""
LONGEST = 300
"""Characters of an error."""


def retry_command(words: Sequence[str]) -> str:
    """The command that trains failed runs again, to be copied.

    Args:
        words: what stood behind ``bboxbench``.
    """
    return shlex.join(["bboxbench", *(word for word in words if word != RETRY), RETRY])


def failure_values(failed: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Failed runs as a program reads them: ``run_id``, ``error``, ``log``."""
    return [{name: _text(row, name) for name in ("run_id", "error", "log")} for row in failed]


def failure_lines(failed: Sequence[Mapping[str, Any]], total: int, folder: Path, again: str) -> list[str]:
    """The same as a person reads it, runs of one error together; nothing where none failed.

    Args:
        failed: rows of runs, as in runs.csv.
        total: runs that they are part of.
        folder: of the results, in which logs lie.
        again: the command that trains them again, or a hint at it.
    """
    by_error: dict[str, list[Mapping[str, Any]]] = {}
    for row in failed:
        by_error.setdefault(_text(row, "error"), []).append(row)
    if not by_error:
        return []
    lines = [f"{len(failed):,} of {total:,} {'run' if total == 1 else 'runs'} failed:"]
    for error, members in list(by_error.items())[:MOST]:
        names = ", ".join(f"{row['loss']} {row['initializer']} seed {row['seed']}" for row in members[:NAMED])
        more = f" and {len(members) - NAMED:,} more" if len(members) > NAMED else ""
        lines.append(f"  {names}{more}: {error[:LONGEST]}{'...' if len(error) > LONGEST else ''}")
        if log := _text(members[0], "log"):
            lines.append(f"    {folder / log}")
    if len(by_error) > MOST:
        lines.append(f"  and {len(by_error) - MOST:,} other errors: see {folder / 'runs.csv'}")
    return [*lines, f"Train them again: {again}"]


def _text(row: Mapping[str, Any], name: str) -> str:
    """A column that may be missing, or a table's NaN."""
    value = row.get(name)
    return value if isinstance(value, str) else ""
