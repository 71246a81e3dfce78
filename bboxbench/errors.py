"""What can go wrong, as one small tree; each branch carries the exit code of the command line.

::

    BboxbenchError        1   some runs failed, or anything not named below
    +-- TooManyFailures   1   a sweep stopped at as many failed runs as it was told to
    +-- InputError        2   wrong usage or bad input
    |   +-- CannotRead    2   a file that is to be read is gone, or may not be read
    +-- FolderConflict    3   the folder holds something else
    +-- CannotWrite       4   disk full, no permission

A run cut short by Ctrl-C ends with 130. Every message is one line: what was expected, what was received, what to do.
"""

from __future__ import annotations

import difflib
import errno
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = [
    "BboxbenchError",
    "CannotRead",
    "CannotWrite",
    "FolderConflict",
    "InputError",
    "TooManyFailures",
    "one_line",
    "read_errors",
    "shortened",
    "unknown_name",
    "write_errors",
]


class BboxbenchError(Exception):
    """Anything that bboxbench itself reports. ``exit_code`` is what the process ends with."""

    exit_code = 1


class TooManyFailures(BboxbenchError):
    """So many runs of a sweep failed that it stopped, as it was told to; its tables are written."""

    result: Any = None
    """The `bboxbench.experiments.sweep.SweepResult`, as far as the sweep came."""


class InputError(BboxbenchError, ValueError):
    """An argument, a file or a spec that cannot be used as it is."""

    exit_code = 2


class CannotRead(InputError):
    """A file that is to be read is gone, is a folder, or may not be read."""


class FolderConflict(BboxbenchError):
    """A folder already holds something else, which is left as it was."""

    exit_code = 3


class CannotWrite(BboxbenchError, OSError):
    """The disk is full, or the place may not be written."""

    exit_code = 4

    def __str__(self) -> str:
        """The message alone; OSError would print its arguments as a tuple."""
        return str(self.args[0]) if self.args else ""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> InputError:
    """The error for a name that is not in a registry, with the nearest known one.

    Args:
        kind: what the name should have been, as in "loss".
        name: what was received.
        known: the names that exist.
    """
    options = sorted(known)
    near = nearest(name, options)
    said = shortened(name if name.isprintable() else repr(name)[1:-1])
    guess = f" Did you mean '{near}'?" if near else ""
    return InputError(f"Unknown {kind} '{said}'.{guess} Expected one of: {', '.join(options)}.")


def nearest(name: str, known: Sequence[str], alike: float = 0.6) -> str:
    """The known name that was most likely meant by ``name``, whatever its case; "" where none is near.

    Args:
        name: what was received.
        known: the names that exist.
        alike: from which share of letters in common on one is near, 0 to 1, as `difflib` counts them. Beyond that, one
            that begins with it, or it with that, is, if there is one alone and both have three letters or more.
    """
    lowered = [option.lower() for option in known]
    near = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=alike)
    begun = [
        option
        for option in lowered
        if min(len(name), len(option)) > 2 and (option.startswith(name.lower()) or name.lower().startswith(option))
    ]
    near = near or (begun if len(begun) == 1 else [])
    return known[lowered.index(near[0])] if near else ""


def shortened(text: str, most: int = 300) -> str:
    """Text of a file's, which may be longer than anybody reads, as far as a message has room."""
    return text if len(text) <= most else f"{text[:most]}..."


def one_line(error: BaseException) -> str:
    """The kind and the words of somebody else's error on one line, without the colours Keras gives a terminal."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", f"{type(error).__name__}: {error}")
    return " ".join(plain.split())


@contextmanager
def read_errors(place: Path | str) -> Iterator[None]:
    """Turn the operating system's refusals to read ``place`` into one-line `CannotRead`; the twin of `write_errors`.

    Raises:
        CannotRead: the file or its folder is missing, one is in the other's place, or permission is missing.
    """
    reasons = {
        errno.ENOENT: "it does not exist",
        errno.ENOTDIR: "a part of its path is a file",
        errno.EISDIR: "expected a file, found a folder",
        errno.EACCES: "permission denied; change its permissions",
        errno.EPERM: "permission denied; change its permissions",
        errno.ENAMETOOLONG: "the name is too long",
        errno.ELOOP: "its links lead round in a circle",
        errno.EIO: "the disk does not give its content; restore it from a copy",
    }
    with _told(reasons, lambda said: CannotRead(f"Cannot read {said}"), place):
        yield


@contextmanager
def write_errors(place: Path | str) -> Iterator[None]:
    """Turn the operating system's refusals to write at ``place`` into one-line `CannotWrite`.

    Raises:
        CannotWrite: on a full disk or quota, missing permission, a read-only file system, or a disk that fails.
    """
    reasons = {
        errno.ENOSPC: "no space is left on the disk; free some and run the same command again",
        errno.EDQUOT: "the disk quota is used up; free some and run the same command again",
        errno.EFBIG: "the file grew past what the system allows; raise the limit and run the same command again",
        errno.EISDIR: "a folder is in its place; remove it, or choose another place",
        errno.EACCES: "permission denied; choose another folder or change its permissions",
        errno.EPERM: "permission denied; choose another folder or change its permissions",
        errno.EIO: "the disk does not take it; check the disk, or choose another folder",
        errno.ESTALE: "its folder on the file server is gone; mount it again and run the same command again",
        errno.EROFS: "the file system is read-only; choose another folder",
        errno.ENOENT: "its folder is gone or cannot be made; choose another folder",
        errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    }
    with _told(reasons, lambda said: CannotWrite(f"Cannot write {said}"), place):
        yield


@contextmanager
def _told(reasons: dict[int, str], error_of: Callable[[str], BboxbenchError], place: Path | str) -> Iterator[None]:
    """Turn an `OSError` with one of the reasons into our own; what we raised ourselves and all else passes."""
    try:
        yield
    except BboxbenchError:
        raise
    except OSError as error:
        if error.errno not in reasons:
            raise
        raise error_of(f"{error.filename or place}: {reasons[error.errno]}.") from error
