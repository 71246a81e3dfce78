"""File systems that are full, or may not be written."""

from __future__ import annotations

import os
import resource
import subprocess
from pathlib import Path

__all__ = ["fill", "limit_files", "mount"]


def mount(*arguments: str) -> bool:
    """Whether the system did it; it needs a superuser."""
    try:
        return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def fill(disk: Path, leave: int) -> Path:
    """Take all but ``leave`` bytes of a disk by one file."""
    filler = disk / "filler"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    with filler.open("ab") as stream:
        os.posix_fallocate(stream.fileno(), filler.stat().st_size, max(1, free - leave))
    return filler


def limit_files(size: int) -> None:
    """From now on no file of this process, and of those that it starts, may grow past so many bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
