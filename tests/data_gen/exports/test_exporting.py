"""An export that is stopped, harmed, disturbed or asked for twice ends as one that nothing disturbed, or is refused."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from disturbed_datasets import children_of
from folder_content import content
from workers_seen import gone

from bboxbench.data_gen import Dataset, DatasetSpec, generate
from bboxbench.data_gen.exports import FORMATS, default_folder, export
from bboxbench.data_gen.exports.source import Source
from bboxbench.data_gen.manifest import Manifest
from bboxbench.errors import CannotWrite, FolderConflict, InputError
from bboxbench.files import claim_folder

SMALL = {"width": 64, "height": 48, "sizes": (16, 24)}


@pytest.fixture(scope="module")
def undisturbed(tiny: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of 2,300 pictures as COCO."""
    return export(tiny, "coco", tmp_path_factory.mktemp("undisturbed") / "coco", workers=1).folder


@pytest.mark.parametrize("workers", [2, 3])
def test_the_files_do_not_depend_on_the_number_of_workers(
    workers: int, tiny: Dataset, undisturbed: Path, tmp_path: Path
) -> None:
    assert content(export(tiny, "coco", tmp_path / "again", workers=workers).folder) == content(undisturbed)


@pytest.mark.slow
def test_tfrecords_do_not_depend_on_the_process_that_writes_them(tiny: Dataset, tmp_path: Path) -> None:
    first, second = (export(tiny, "tfrecord", tmp_path / str(count), workers=count).folder for count in (1, 2))
    assert content(first) == content(second)


def test_progress_counts_pictures_from_none_to_all(tiny: Dataset, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    export(tiny, "csv", tmp_path / "csv", workers=1, on_progress=lambda done, total: calls.append((done, total)))
    assert calls == [(0, 2300), (690, 2300), (1150, 2300), (2150, 2300), (2300, 2300)]


@pytest.mark.parametrize("form", [name for name in FORMATS if name != "tfrecord"])
def test_a_finished_export_run_again_does_nothing(form: str, few: Dataset, tmp_path: Path) -> None:
    first = export(few, form, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in first.folder.rglob("*")}
    calls: list[int] = []
    assert export(few, form, tmp_path / "out", on_progress=lambda done, total: calls.append(done)) == first
    assert {path: path.stat().st_mtime_ns for path in first.folder.rglob("*")} == before
    assert calls == []
    sizes = [len(octets) for name, octets in content(first.folder).items() if name != "export.json"]
    assert (first.files, first.bytes) == (len(sizes), sum(sizes))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def alter(path: Path) -> None:
    octets = bytearray(path.read_bytes())
    octets[len(octets) // 2] ^= 1
    path.write_bytes(octets)


@pytest.mark.parametrize("harmed", ["train/00000001.png", "annotations/instances_test.json"])
@pytest.mark.parametrize("harm", [truncate, alter, Path.unlink])
def test_what_was_harmed_is_restored(harm, harmed: str, few: Dataset, tmp_path: Path) -> None:
    folder = export(few, "coco", tmp_path / "out").folder
    before = content(folder)
    harm(folder / harmed)
    export(few, "coco", folder)
    assert content(folder) == before


@pytest.mark.parametrize("form", FORMATS)
def test_how_often_the_data_sets_hash_is_made_does_not_grow_with_its_pictures(
    form: str, few: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, hashed = [], Manifest.sha256.fget

    def counted(manifest: Manifest) -> str:
        made.append(manifest)
        return hashed(manifest)

    monkeypatch.setattr(Manifest, "sha256", property(counted))
    counts = []
    for splits in (("validation",), ("train", "validation", "test")):
        made.clear()
        export(few, form, tmp_path / splits[0], splits, workers=1)
        counts.append(len(made))
    # Of 2 and of 10 pictures.
    assert counts[0] == counts[1] > 0


def test_the_number_of_workers_may_be_any_whole_number(few: Dataset, tmp_path: Path) -> None:
    assert export(few, "csv", tmp_path / "out", workers=np.int64(1)).n == 10


@pytest.mark.parametrize("harm", [truncate, alter, Path.unlink])
def test_what_was_noted_as_written_is_not_trusted(harm, few: Dataset, tmp_path: Path) -> None:
    def stop_after_the_first_piece(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    whole = content(export(few, "coco", tmp_path / "whole").folder)
    with pytest.raises(KeyboardInterrupt):
        export(few, "coco", tmp_path / "out", workers=1, on_progress=stop_after_the_first_piece)
    assert (tmp_path / "out" / ".unfinished" / "train-00000-of-00001.json").is_file()
    # As a machine that goes down leaves it: the note is on disk, the picture is not.
    harm(tmp_path / "out" / "train" / "00000001.png")
    assert content(export(few, "coco", tmp_path / "out").folder) == whole


def test_an_export_without_its_record_is_made_anew_only_where_it_is_known_to_be_one(
    few: Dataset, tmp_path: Path
) -> None:
    folder = export(few, "coco", tmp_path / "out").folder
    (folder / "export.json").unlink()
    with pytest.raises(FolderConflict, match="holds annotations and more"):
        export(few, "coco", folder)


KILLED_AT_EVERY_STEP = """
import os, shutil, signal, sys
from pathlib import Path
from bboxbench.data_gen import open_dataset
from bboxbench.data_gen.exports import export

data, form, place = open_dataset(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
out = place / "out"

def content():
    files = (path for path in out.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(out)): path.read_bytes() for path in files}

def killed_at(step):
    steps, last = 0, None
    def hook(event, arguments):
        nonlocal steps, last
        if event not in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"):
            return
        if not str(arguments[0]).startswith(str(out)):
            return
        steps += 1
        if steps == step:
            # What was written last may have come to the disk by half.
            if last is not None and os.path.exists(last):
                os.truncate(last, os.path.getsize(last) // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        last = arguments[0] if event == "open" and set("wx") & set(str(arguments[1])) else None
    sys.addaudithook(hook)
    export(data, form, out, workers=1)

export(data, form, out, workers=1)
whole = content()
step = 1
while True:
    shutil.rmtree(out)
    child = os.fork()
    if not child:
        killed_at(step)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
    export(data, form, out, workers=1)
    assert content() == whole, step
    step += 1
print(step)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a process at each of its steps, which needs fork")
@pytest.mark.parametrize("form", ["coco", "voc", "csv"])
def test_killed_at_every_step_and_run_again_it_ends_at_the_same_bytes(form: str, tmp_path: Path) -> None:
    data = generate(DatasetSpec.letters(n=4, seed=4, **SMALL), tmp_path / "data")
    command = [sys.executable, "-c", KILLED_AT_EVERY_STEP, str(data.folder), form, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 40


def started(data: Path, out: Path, form: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bboxbench", "export", str(data), "--format", form, "--out", str(out)]
    command += ["--workers", "2"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def wait_for(folder: Path, count: int, process: subprocess.Popen[str]) -> None:
    for _ in range(3000):
        if sum(1 for _ in folder.rglob("*.png")) >= count:
            return
        assert process.poll() is None, "it ended before it could be stopped"
        time.sleep(0.01)
    raise AssertionError("no picture was written in time")


@pytest.mark.parametrize("count", [1, 1600])
def test_workers_killed_with_their_parent_leave_what_can_be_finished(
    count: int, tiny: Dataset, undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with started(tiny.folder, out, "coco") as process:
        wait_for(out, count, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (out / "export.json").exists()
    assert content(export(tiny, "coco", out, workers=1).folder) == content(undisturbed)


@pytest.mark.slow
def test_killed_at_ten_random_moments_and_gone_on_with_at_once_it_ends_at_the_same_bytes(
    tiny: Dataset, undisturbed: Path, tmp_path: Path
) -> None:
    moments = random.Random(7)
    for _ in range(10):
        # Workers of the one before may still be at their last piece.
        with started(tiny.folder, tmp_path / "out", "coco") as process:
            time.sleep(moments.uniform(0.3, 1.2))
            process.kill()
            process.wait()
    assert content(export(tiny, "coco", tmp_path / "out", workers=2).folder) == content(undisturbed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_end_it_and_its_workers_with_130_and_it_can_be_resumed(
    number: signal.Signals, tiny: Dataset, undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with started(tiny.folder, out, "coco") as process:
        wait_for(out, 100, process)
        children = children_of(process.pid)
        assert len(children) == 2
        os.killpg(process.pid, number)
        _, errors = process.communicate(timeout=60)
    assert all(gone(child) for child in children)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert errors.splitlines()[-1].startswith("Interrupted")
    assert content(export(tiny, "coco", out, workers=2).folder) == content(undisturbed)


def test_a_folder_that_holds_something_else_is_refused_and_left_as_it_was(few: Dataset, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FolderConflict, match=r"holds notes.txt\."):
        export(few, "coco", tmp_path)
    assert content(tmp_path) == {"notes.txt": b"mine"}


def test_the_data_sets_own_folder_is_no_place_for_an_export(few: Dataset) -> None:
    before = content(few.folder)
    with pytest.raises(FolderConflict, match=r"holds boxes.csv and more"):
        export(few, "coco", few.folder)
    assert content(few.folder) == before


@pytest.mark.parametrize("finished", [True, False])
def test_another_export_is_refused_with_what_differs(finished: bool, few: Dataset, tmp_path: Path) -> None:
    folder = export(few, "coco", tmp_path / "out").folder
    if not finished:
        (folder / ".unfinished").mkdir()
        (folder / "export.json").rename(folder / ".unfinished" / "export.json")
    other = generate(DatasetSpec.letters(n=10, seed=5, **SMALL), tmp_path / "other")
    before = content(folder)
    with pytest.raises(FolderConflict, match="holds another export: format coco instead of yolo"):
        export(few, "yolo", folder)
    with pytest.raises(FolderConflict, match=r"splits train,validation,test instead of train,test\."):
        export(few, "coco", folder, ("test", "train"))
    with pytest.raises(FolderConflict, match=rf"data set letters-n10-seed4\S* .* instead of .*{other.sha256[:12]}"):
        export(other, "coco", folder)
    assert content(folder) == before


def test_a_second_export_into_the_same_folder_is_refused_while_the_first_runs(few: Dataset, tmp_path: Path) -> None:
    with claim_folder(tmp_path), pytest.raises(FolderConflict, match="Another process is writing"):
        export(few, "coco", tmp_path)


def test_a_file_is_no_folder(few: Dataset, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(InputError, match="received the file"):
        export(few, "coco", tmp_path / "out")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_damaged_shard_is_named_and_nothing_is_said_to_be_finished(
    workers: int, tiny: Dataset, copy: Path, tmp_path: Path
) -> None:
    alter(copy / "shards" / "00001.npz")
    with pytest.raises(InputError, match=r"shards/00001\.npz"):
        export(copy, "coco", tmp_path / "out", workers=workers)
    assert not (tmp_path / "out" / "export.json").exists()
    shutil.copy(tiny.folder / "shards" / "00001.npz", copy / "shards")
    assert export(copy, "coco", tmp_path / "out", workers=workers).n == 2300


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"may not mount a small disk here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize(("form", "workers"), [("coco", 1), ("coco", 2), ("tfrecord", 1)])
def test_a_full_disk_is_one_line_and_goes_on_when_there_is_room(
    form: str, workers: int, tiny: Dataset, small_disk: Path
) -> None:
    with pytest.raises(CannotWrite, match="Cannot write") as refused:
        export(tiny, form, small_disk / "out", workers=workers)
    assert "\n" not in str(refused.value)
    assert not (small_disk / "out" / "export.json").exists()
    subprocess.run(["mount", "-o", "remount,size=40m", str(small_disk)], check=True)
    assert export(tiny, form, small_disk / "out", workers=workers).n == 2300


@pytest.mark.parametrize("form", FORMATS)
def test_some_splits_are_an_export_of_their_own(form: str, few: Dataset, tmp_path: Path) -> None:
    written = export(few, form, tmp_path / "out", ("validation",))
    assert written.n == 2
    record = json.loads((tmp_path / "out" / "export.json").read_text("utf-8"))
    assert record["splits"] == {"validation": 2}
    assert not any(name.startswith(("train", "test")) for name in content(written.folder))


@pytest.mark.parametrize("form", FORMATS)
def test_a_single_picture_can_be_exported(form: str, tmp_path: Path) -> None:
    data = generate(DatasetSpec.letters(n=1), tmp_path / "one")
    assert export(data, form).n == 1
    with pytest.raises(InputError, match=r"pictures in train, received none: .* has 1 in all"):
        export(data, form, tmp_path / "none", ("train",))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"form": "cocoa"}, r"Unknown format 'cocoa'. Did you mean 'coco'\?"),
        ({"splits": ("trian",)}, r"Unknown split 'trian'. Did you mean 'train'\?"),
        ({"splits": ()}, "at least one split"),
        ({"splits": ("test", "test")}, "each split once, received test twice"),
        ({"workers": 0}, "workers"),
        ({"workers": True}, "workers"),
    ],
)
def test_what_cannot_be_is_refused_and_writes_nothing(arguments, message: str, few: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        export(few, **{"form": "coco", "folder": tmp_path / "out", **arguments})
    assert not (tmp_path / "out").exists()


def test_splits_are_kept_in_their_own_order(few: Dataset) -> None:
    assert Source(few, ("test", "train")).splits == ("train", "test")


def test_an_export_lies_beside_its_data_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert default_folder("data/letters-n40-seed0", "coco") == Path("data/letters-n40-seed0-coco")
    assert default_folder("data/x/", "voc") == Path("data/x-voc")
    (tmp_path / "here" / "inner").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here" / "inner")
    assert default_folder(".", "csv") == tmp_path / "here" / "inner-csv"
    assert default_folder("..", "csv") == tmp_path / "here-csv"
