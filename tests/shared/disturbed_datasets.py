"""Data sets that tests disturb while they are drawn, and what must hold of their folders afterwards."""

from __future__ import annotations

import subprocess
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
from disturbed_sweeps import PATIENCE, left_over

__all__ = ["SEED", "N", "assert_same_folder", "children_of", "content", "wait_for_shards", "words"]

N, SEED = 2200, 3
"""Of a data set of three shards, which is drawn in a second or two."""


def words(folder: Path, workers: int = 2, n: int = N) -> list[str]:
    """The command line that draws it into ``folder``."""
    return ["generate", "--n", str(n), "--seed", str(SEED), "--workers", str(workers), "--out", str(folder), "--quiet"]


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, and every folder in it, by its path there."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


def assert_same_folder(folder: Path, undisturbed: Path) -> None:
    """Every file of ``folder`` is byte for byte that of one that nothing disturbed, and there is no other."""
    assert left_over(folder) == []
    here, there = content(folder), content(undisturbed)
    assert sorted(here) == sorted(there), sorted(here.keys() ^ there.keys())
    assert here == there, [_difference(name, folder, undisturbed) for name in here if here[name] != there[name]]


def _difference(name: str, folder: Path, undisturbed: Path) -> str:
    """What is not alike: of a shard the arrays, or only how they were packed."""
    if not name.endswith(".npz"):
        return name
    with np.load(folder / name) as one, np.load(undisturbed / name) as other:
        unlike = [array for array in other.files if not np.array_equal(one[array], other[array])]
    return f"{name}: {', '.join(unlike) or 'packed otherwise'}"


def wait_for_shards(folder: Path, process: subprocess.Popen[str], count: int = 1) -> None:
    """Until so many shards are there, of a process that goes on then."""
    deadline = time.monotonic() + PATIENCE
    while len(list(folder.glob("shards/*.npz"))) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def children_of(pid: int) -> list[int]:
    """The processes that a process has started and that run now."""
    with suppress(psutil.NoSuchProcess):
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    return []
