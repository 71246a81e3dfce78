"""Writing that survives: whole files or none, synced before they are believed, one writer a folder."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from bboxbench.errors import CannotRead, FolderConflict, InputError, read_errors, write_errors

__all__ = [
    "LOCK_NAME",
    "claim_folder",
    "file_sha256",
    "make_folder",
    "open_file",
    "refuse_claimed",
    "remove_unfinished",
    "sync_folder",
    "write_atomically",
    "writing_atomically",
]

LOCK_NAME = ".lock"
"""The empty file in a folder by which `claim_folder` holds it."""


def write_atomically(path: Path, content: bytes | str, *, synced: bool = True) -> None:
    """Replace the file at ``path`` by ``content`` so that readers see the old file or the new one, never a part.

    The content is synced to disk before it takes the name, and the folder after; without ``synced`` neither is, for
    what is of no use after the machine went down.

    Raises:
        CannotWrite: disk full, no permission, read-only.
    """
    with writing_atomically(path, synced=synced) as stream:
        stream.write(content.encode("utf-8") if isinstance(content, str) else content)


@contextmanager
def writing_atomically(path: Path, *, synced: bool = True) -> Iterator[BinaryIO]:
    """`write_atomically` for what is written bit by bit: it takes the name when the block ends without an error.

    Raises:
        CannotWrite: disk full, no permission, read-only.
    """
    temporary = path.with_name(f".{path.name}.tmp{os.getpid()}")
    with write_errors(path):
        try:
            with temporary.open("wb") as stream:
                yield stream
                stream.flush()
                if synced:
                    os.fsync(stream.fileno())
            temporary.replace(path)
        except OSError as error:
            # Nobody knows the name of the temporary; it is the target that cannot be written.
            if error.filename == str(temporary):
                error.filename = str(path)
            raise
        finally:
            temporary.unlink(missing_ok=True)
        if synced:
            sync_folder(path.parent)


def remove_unfinished(folder: Path) -> None:
    """Remove what `write_atomically` left in ``folder`` and below when a kill ended it; call it who holds the folder.

    Raises:
        CannotWrite: no permission, read-only.
    """
    with write_errors(folder):
        for left in folder.rglob(".*.tmp*"):
            if re.fullmatch(r"\..+\.tmp\d+", left.name):
                left.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` durable. Windows cannot open folders and needs no such call."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Create the folder ``path`` and its parents, if need be.

    Raises:
        InputError: ``path`` or one of its parents is a file.
        CannotWrite: no permission, disk full, read-only.
    """
    with write_errors(path):
        for place in (path, *path.parents):
            if place.exists():
                if not place.is_dir():
                    raise InputError(f"Expected a folder, received the file {place}. Choose another place with --out.")
                break
        path.mkdir(parents=True, exist_ok=True)


@contextmanager
def claim_folder(folder: Path) -> Iterator[None]:
    """Hold ``folder`` for this process alone; the operating system lets go of it when the process ends, however.

    Raises:
        FolderConflict: another live process holds it.
        CannotWrite: the folder cannot be written.
    """
    lock = FileLock(folder / LOCK_NAME)
    with write_errors(folder):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise FolderConflict(
                f"Another process is writing {folder}. Wait for it to end, or choose another folder with --out."
            ) from None
    try:
        yield
    finally:
        lock.release()


def refuse_claimed(folder: Path) -> None:
    """Refuse a folder that another process is writing now; it may be claimed a moment later all the same.

    Raises:
        FolderConflict: another live process holds it.
        CannotWrite: it was claimed before and cannot be written now.
    """
    with write_errors(folder):
        there = (folder / LOCK_NAME).exists()
    if there:
        with claim_folder(folder):
            pass


def open_file(path: Path) -> BufferedReader:
    """Open an ordinary file for reading: a pipe would keep its reader waiting, a device might give bytes for ever.

    Raises:
        CannotRead: it is neither an ordinary file nor a link to one.
        OSError: as `open` does.
    """

    def at_once(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))

    stream = open(path, "rb", opener=at_once)  # noqa: SIM115  # Path.open takes no opener; the caller closes it
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise CannotRead(f"Cannot read {path}: expected a file, found a pipe or a device.")
    return stream


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes.

    Raises:
        CannotRead: it is missing, a folder, or may not be read.
    """
    with read_errors(path), open_file(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
