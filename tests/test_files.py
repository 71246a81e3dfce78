from __future__ import annotations

import errno
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from bboxbench.errors import (
    CannotRead,
    CannotWrite,
    FolderConflict,
    InputError,
    read_errors,
    unknown_name,
    write_errors,
)
from bboxbench.files import (
    LOCK_NAME,
    claim_folder,
    file_sha256,
    make_folder,
    refuse_claimed,
    remove_unfinished,
    write_atomically,
    writing_atomically,
)


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomically(path, "old")
    write_atomically(path, b"n\xc3\xa9w")
    assert path.read_text("utf-8") == "n\u00e9w"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_what_is_written_bit_by_bit_appears_at_the_end_and_not_at_all_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"old")

    def fail() -> None:
        with writing_atomically(path) as stream:
            stream.write(b"one")
            raise InputError("half of it")

    with pytest.raises(InputError, match="half"):
        fail()
    assert path.read_bytes() == b"old"
    with writing_atomically(path) as stream:
        for part in (b"one", b"two"):
            stream.write(part)
            assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"onetwo"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.csv"]


def test_a_write_that_fails_leaves_the_old_file_and_no_part_of_the_new(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    child = (
        "import resource, sys, pathlib\n"
        "from bboxbench.files import write_atomically\n"
        "from bboxbench.errors import CannotWrite\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_atomically(pathlib.Path(sys.argv[1]), b'x' * 5000)\n"
        "except CannotWrite as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", child, str(path)], capture_output=True, text=True, check=True)
    assert "the file grew past what the system allows" in done.stdout
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.bin"]


def test_a_folder_is_claimed_by_one_process_only_and_freed_when_it_is_killed(tmp_path: Path) -> None:
    child = (
        "import sys, time, pathlib\nfrom bboxbench.files import claim_folder\n"
        "with claim_folder(pathlib.Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", child, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(FolderConflict, match="Another process is writing"), claim_folder(tmp_path):
            pass
        with pytest.raises(FolderConflict, match="Another process is writing"):
            refuse_claimed(tmp_path)
        holder.kill()
        holder.wait()
    refuse_claimed(tmp_path)
    with claim_folder(tmp_path):
        pass


@pytest.mark.parametrize("below", ["file", "file/sub", "file/sub/folder"])
def test_a_file_in_the_way_of_a_folder_is_named(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"received the file .*file\."):
        make_folder(tmp_path / below)


def test_a_folder_is_made_with_its_parents_and_may_exist(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_the_hash_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc" * 100_000)
    assert file_sha256(path) == hashlib.sha256(b"abc" * 100_000).hexdigest()


@pytest.mark.parametrize("place", ["none", "folder", "file/below"])
def test_the_hash_of_what_is_no_file_is_bad_input(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(CannotRead, match=f"Cannot read .*{place}"):
        file_sha256(tmp_path / place)


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EISDIR, errno.EACCES, errno.EROFS, errno.EIO, errno.ESTALE]
)
def test_refusals_to_write_become_one_line_with_the_place(number: int) -> None:
    with pytest.raises(CannotWrite, match=r"^Cannot write /data/x: .*\.$"), write_errors("/elsewhere"):
        raise OSError(number, "no", "/data/x")


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EIO])
def test_refusals_to_read_become_one_line_with_the_place_and_code_2(number: int) -> None:
    with pytest.raises(CannotRead, match=r"^Cannot read /data/x: .*\.$") as caught, read_errors("/elsewhere"):
        raise OSError(number, "no", "/data/x")
    assert isinstance(caught.value, InputError)
    assert caught.value.exit_code == 2


def test_other_errors_of_the_system_are_not_disguised() -> None:
    with pytest.raises(BrokenPipeError), write_errors("x"):
        raise BrokenPipeError(errno.EPIPE, "no")
    with pytest.raises(OSError, match="full"), read_errors("x"):
        raise OSError(errno.ENOSPC, "full")


def test_an_error_of_our_own_passes_both_ways_as_it_is() -> None:
    with pytest.raises(CannotWrite, match=r"^no room$"), read_errors("x"), write_errors("y"):
        raise CannotWrite("no room")


def test_a_place_whose_name_is_too_long_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match="name is too long"):
        make_folder(tmp_path / ("x" * 300) / "below")


def test_a_place_that_takes_no_file_is_named_and_not_the_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "x.png"
    with pytest.raises(CannotWrite, match=f"Cannot write {path}: its folder is gone"):
        write_atomically(path, b"x")


def test_the_lock_has_the_name_that_others_overlook(tmp_path: Path) -> None:
    with claim_folder(tmp_path):
        assert {entry.name for entry in tmp_path.iterdir()} <= {LOCK_NAME}


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    assert "Did you mean 'GIoU'?" in str(unknown_name("loss", "gious", ["mse", "GIoU"]))
    assert "Did you mean" not in str(unknown_name("loss", "zzz", ["mse", "GIoU"]))
    assert "Did you mean 'validation'?" in str(unknown_name("split", "val", ["train", "validation", "test"]))
    assert "Did you mean" not in str(unknown_name("loss", "bal", ["balanced_l1", "balanced_l2", "mse"]))


def test_what_a_kill_left_unfinished_is_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "predictions").mkdir()
    kept = [tmp_path / "runs.csv", tmp_path / ".lock", tmp_path / ".mine.tmp", tmp_path / "a.tmp12"]
    left = [tmp_path / ".runs.csv.tmp123", tmp_path / "predictions" / ".run-s0.npz.tmp9"]
    for path in (*kept, *left):
        path.write_text("x")
    remove_unfinished(tmp_path)
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in left)
