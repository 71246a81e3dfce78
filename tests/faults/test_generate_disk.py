"""A disk that is full, a file that may not grow, a read-only folder: generate ends with 4, and goes on when mended."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from disturbed_datasets import assert_same_folder, words
from disturbed_sweeps import last_error, left_over, quiet_environment, run
from small_disks import fill, limit_files

from bboxbench.cli import main
from bboxbench.data_gen import open_dataset, verify
from bboxbench.errors import InputError


def assert_refused_as_unfinished(folder: Path) -> None:
    """Whoever reads it is told, by the library and by the command."""
    assert left_over(folder) == []
    for read in (open_dataset, verify):
        with pytest.raises(InputError, match=r"is unfinished, \d of 3 shards are there"):
            read(folder)
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(folder)])
    assert ended.value.code == 2


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_ends_generate_with_4_and_it_goes_on_when_there_is_room(
    workers: int, undisturbed_pictures: Path, disk: Path, tmp_path: Path
) -> None:
    folder = disk / "data"
    # Room for one shard and a part of the next.
    filler = fill(disk, 1_200_000)
    code, out, err = run(words(folder, workers), tmp_path)
    assert (code, out) == (4, ""), err
    assert "no space is left on the disk" in last_error(err)
    assert len(err.splitlines()) == 1
    assert_refused_as_unfinished(folder)
    filler.unlink()
    code, _, err = run(words(folder, workers), tmp_path)
    assert code == 0, err
    assert_same_folder(folder, undisturbed_pictures)


@pytest.mark.slow
@pytest.mark.parametrize("leave", [0, 1_000, 10_000, 900_000, 1_850_000, 2_000_000, 2_030_000])
def test_wherever_a_disk_fills_up_nothing_half_written_is_read_as_whole(
    leave: int, undisturbed_pictures: Path, disk: Path, tmp_path: Path
) -> None:
    """No room for the folder, for its mark, for a shard, for the last one, for the table, for the manifest."""
    folder = disk / "data"
    filler = fill(disk, leave)
    code, _, err = run(words(folder, 1), tmp_path)
    if code:
        assert code == 4, err
        assert "no space is left on the disk" in last_error(err)
        if folder.exists():
            assert left_over(folder) == []
            with pytest.raises(InputError, match=r"is unfinished|no dataset\.json"):
                open_dataset(folder)
    else:
        assert verify(folder, workers=1).problems == []
    filler.unlink()
    code, _, err = run(words(folder, 1), tmp_path)
    assert code == 0, err
    assert_same_folder(folder, undisturbed_pictures)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_that_may_not_grow_ends_generate_with_4_as_a_full_disk_does(
    workers: int, undisturbed_pictures: Path, tmp_path: Path
) -> None:
    """For those who may not mount a disk of their own."""
    folder = tmp_path / "data"
    limited = {"preexec_fn": partial(limit_files, 200_000), "env": quiet_environment()}
    code, out, err = run(words(folder, workers), tmp_path, **limited)
    assert (code, out) == (4, ""), err
    assert "the file grew past what the system allows" in last_error(err)
    assert_refused_as_unfinished(folder)
    code, _, err = run(words(folder, workers), tmp_path)
    assert code == 0, err
    assert_same_folder(folder, undisturbed_pictures)


def test_a_read_only_folder_ends_generate_with_4_before_anything_is_drawn(read_only: Path, tmp_path: Path) -> None:
    code, out, err = run(words(read_only / "data"), tmp_path)
    assert (code, out) == (4, ""), err
    assert any(reason in last_error(err) for reason in ("read-only", "permission denied"))
    assert list(read_only.iterdir()) == []
