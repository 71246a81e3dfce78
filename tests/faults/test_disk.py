"""A disk that is full, and one that is read-only: exit code 4 in one line, and the sweep goes on when it is mended."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from disturbed_sweeps import (
    assert_alike,
    assert_same,
    last_error,
    left_over,
    lines,
    quiet_environment,
    run,
)

from bboxbench.data_gen import Dataset
from bboxbench.errors import CannotWrite
from bboxbench.experiments.execution.executor import Execution
from bboxbench.experiments.listener import Listener
from bboxbench.experiments.spec import SweepSpec
from bboxbench.experiments.sweep import run_sweep


def mount(*arguments: str) -> bool:
    """Whether the system did it; it needs a superuser."""
    try:
        return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own in memory, 8 MB; skipped where this user may not mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)):
        pytest.skip("mounting needs a superuser; the limit on a file's size stands in for it")
    try:
        yield place
    finally:
        # Lazily: whoever still looks into it shall not keep it.
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk: Path, leave: int) -> Path:
    """Take all but ``leave`` bytes of a disk by one file."""
    filler = disk / "filler"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    with filler.open("ab") as stream:
        os.posix_fallocate(stream.fileno(), filler.stat().st_size, max(1, free - leave))
    return filler


@pytest.mark.slow
def test_a_full_disk_ends_a_sweep_with_4_and_it_goes_on_when_there_is_room(
    pictures: Path, four_runs: list[str], undisturbed: Path, disk: Path, tmp_path: Path
) -> None:
    (tmp_path / "r").symlink_to(disk / "r")
    (disk / "r").mkdir()
    # Room for the first tables and a run or two; the last views or predictions do not fit.
    filler = fill(disk, 80_000)
    code, _, err = run(four_runs, tmp_path)
    assert code == 4, err
    assert "no space is left on the disk" in last_error(err)
    kept = lines(tmp_path / "r")
    filler.unlink()
    code, _, err = run(four_runs, tmp_path)
    assert code == 0, err
    assert lines(tmp_path / "r")[: len(kept)] == kept
    assert_same(disk / "r", undisturbed)
    assert left_over(disk / "r") == []


@pytest.mark.slow
def test_a_file_that_may_not_grow_ends_a_sweep_with_4_as_a_full_disk_does(
    four_runs: list[str], undisturbed: Path, tmp_path: Path
) -> None:
    """For those who may not mount a disk of their own."""

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, resource.RLIM_INFINITY))

    code, _, err = run(four_runs, tmp_path, preexec_fn=small_files, env=quiet_environment())
    assert code == 4, err
    assert "the file grew past what the system allows" in last_error(err)
    kept = lines(tmp_path / "r")
    code, _, err = run(four_runs, tmp_path)
    assert code == 0, err
    assert lines(tmp_path / "r")[: len(kept)] == kept
    assert_same(tmp_path / "r", undisturbed)


class FillsUp(Listener):
    """Leaves so many bytes of the disk after so many finished runs."""

    def __init__(self, disk: Path, after: int, leave: int) -> None:
        self.disk, self.after, self.leave = disk, after, leave
        self.finished_runs = 0

    def planned(self, plan: Any) -> None:
        self._look()

    def finished(self, row: dict[str, Any]) -> None:
        self.finished_runs += 1
        self._look()

    def _look(self) -> None:
        if self.finished_runs == self.after:
            fill(self.disk, self.leave)


@pytest.mark.slow
def test_wherever_a_disk_fills_up_what_was_finished_stays(small_dataset: Dataset, disk: Path, tmp_path: Path) -> None:
    """After each run: no room, room for a part of the predictions, for them but no line, for some of the tables."""
    values = {"losses": ["mse", "giou"], "initializers": ["glorot_uniform"], "optimizers": ["adam:0.0005"], "seeds": 2}
    spec = SweepSpec.from_preset("quick", data=str(small_dataset.folder), epochs=1, batch_sizes=6, **values)
    here = Execution("none")
    run_sweep(spec, tmp_path / "undisturbed", execution=here)
    folder = disk / "r"
    for after, leave in ((0, 0), (1, 4096), (2, 8192), (3, 20_000)):
        listener = FillsUp(disk, after - len(lines(folder)), leave)
        with pytest.raises(CannotWrite, match="no space is left"):
            run_sweep(spec, folder, listener, execution=here)
        (disk / "filler").unlink()
        assert len(lines(folder)) in (after, after + 1)
    result = run_sweep(spec, folder, execution=here)
    assert len(result.runs) == 4
    assert_alike(folder, tmp_path / "undisturbed")
    assert left_over(folder) == []


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody may write, the superuser included where mounting is allowed."""
    place = tmp_path / "read_only"
    place.mkdir()
    if mount("--bind", str(place), str(place)) and mount("-o", "remount,ro,bind", str(place)):
        try:
            yield place
        finally:
            subprocess.run(["umount", "-l", str(place)], check=True)
        return
    place.chmod(0o555)
    if os.access(place, os.W_OK):
        pytest.skip("this user may write everywhere, and may not mount")
    yield place
    place.chmod(0o755)


@pytest.mark.slow
def test_a_read_only_folder_ends_a_sweep_with_4_before_anything_is_trained(
    pictures: Path, four_runs: list[str], read_only: Path, tmp_path: Path
) -> None:
    four_runs[four_runs.index("--out") + 1] = str(read_only / "r")
    code, out, err = run(four_runs, tmp_path)
    assert (code, out) == (4, ""), err
    assert any(reason in last_error(err) for reason in ("read-only", "permission denied"))
    assert "finished" not in err
    assert list(read_only.iterdir()) == []
