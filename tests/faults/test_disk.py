"""A disk that is full, and one that is read-only: exit code 4 in one line, and the sweep goes on when it is mended."""

from __future__ import annotations

from functools import partial
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
from small_disks import fill, limit_files

from bboxbench.data_gen import Dataset
from bboxbench.errors import CannotWrite
from bboxbench.experiments.execution.executor import Execution
from bboxbench.experiments.listener import Listener
from bboxbench.experiments.spec import SweepSpec
from bboxbench.experiments.sweep import run_sweep


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
    code, _, err = run(four_runs, tmp_path, preexec_fn=partial(limit_files, 6000), env=quiet_environment())
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
