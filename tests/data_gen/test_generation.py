from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from folder_content import content
from forged_shards import forge
from workers_seen import gone

from bboxbench.data_gen import Dataset, DatasetSpec, draw_sample, generate, open_dataset
from bboxbench.data_gen.fonts import font_path
from bboxbench.data_gen.packing import pack
from bboxbench.data_gen.shards import draw_shard, read_arrays
from bboxbench.data_gen.workers import map_shards, usable_cores
from bboxbench.errors import BboxbenchError, CannotWrite, FolderConflict, InputError


def test_every_sample_on_disk_is_the_one_that_the_spec_draws(tiny: Dataset, tiny_spec: DatasetSpec) -> None:
    for name in ("train", "validation", "test"):
        images, boxes = tiny.images(name), tiny.boxes(name)
        for row, index in enumerate(tiny.split(name)):
            sample = draw_sample(tiny_spec, index)
            np.testing.assert_array_equal(images[row], sample.image)
            np.testing.assert_array_equal(boxes[row], sample.box)


def test_the_folder_does_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    spec = DatasetSpec.letters(n=6500, seed=5, width=40, height=32, sizes=(12, 16))
    one, two, seven = (generate(spec, tmp_path / str(workers), workers=workers).folder for workers in (1, 2, 7))
    assert content(one) == content(two)
    assert content(one) == content(seven)


def test_the_manifest_has_the_hashes_of_the_files_that_it_names(tmp_path: Path) -> None:
    own = Path(shutil.copy(font_path("DejaVuSerif"), tmp_path / "Mine.ttf"))
    fonts = ("DejaVuSans", "STIXGeneral", str(own))
    spec = DatasetSpec.letters(n=1200, fonts=fonts, width=64, height=48, sizes=(16, 24))
    folder = generate(spec, tmp_path / "data", workers=1).folder
    manifest = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))

    def sha256(path: Path) -> str:
        return hashlib.sha256(path.read_bytes()).hexdigest()

    files = [font_path("DejaVuSans"), font_path("STIXGeneral"), own]
    expected = zip(("DejaVuSans", "STIXGeneral", "Mine"), files, strict=True)
    listed = [(font["name"], font["file"], font["sha256"]) for font in manifest["fonts"]]
    assert listed == [(name, path.name, sha256(path)) for name, path in expected]
    assert manifest["boxes_csv"] == {"file": "boxes.csv", "sha256": sha256(folder / "boxes.csv")}
    assert [shard["file_sha256"] for shard in manifest["shards"]] == [
        sha256(folder / shard["file"]) for shard in manifest["shards"]
    ]


def test_progress_counts_samples_from_none_to_all(tiny_spec: DatasetSpec, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    generate(tiny_spec, tmp_path / "data", workers=1, on_progress=lambda done, total: calls.append((done, total)))
    assert calls == [(0, 2300), (1000, 2300), (2000, 2300), (2300, 2300)]


def test_the_same_spec_again_writes_nothing(copy: Path, tiny_spec: DatasetSpec) -> None:
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    calls: list[int] = []
    assert generate(tiny_spec, copy, on_progress=lambda done, total: calls.append(done)).n == 2300
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before
    assert calls == []


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)


def swap(path: Path) -> None:
    path.write_bytes((path.parent / "00000.npz").read_bytes())


def alter_and_repack(path: Path) -> None:
    with np.load(path) as shard:
        arrays = dict(shard)
    arrays["boxes"][5, 0] += 1
    path.write_bytes(pack(arrays))


HARMS = [truncate, flip_a_byte, swap, alter_and_repack, Path.unlink]


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("harm", HARMS)
def test_what_is_found_on_resuming_is_not_trusted(
    tiny: Dataset, tiny_spec: DatasetSpec, copy: Path, harm, finished: bool
) -> None:
    if not finished:
        unfinish(copy, tiny_spec)
    harm(copy / "shards" / "00001.npz")
    generate(tiny_spec, copy, workers=1)
    assert content(copy) == content(tiny.folder)


def unfinish(folder: Path, spec: DatasetSpec) -> None:
    """Bring a folder back to what a generate leaves that is stopped at the end of its shards."""
    (folder / "dataset.json").unlink()
    (folder / "boxes.csv").unlink()
    mark = {"kind": "unfinished bboxbench dataset", "schema": 1, "spec": spec.to_dict()}
    (folder / "unfinished.json").write_text(json.dumps(mark))


def test_a_shard_packed_by_another_deflate_is_kept_since_its_arrays_are_equal(
    tiny: Dataset, tiny_spec: DatasetSpec, copy: Path
) -> None:
    path = copy / "shards" / "00001.npz"
    with np.load(path) as shard:
        np.savez(path, **dict(shard))
    repacked = path.read_bytes()
    assert generate(tiny_spec, copy, workers=1).sha256 == tiny.sha256
    assert path.read_bytes() == repacked


def test_an_unfinished_folder_says_how_to_finish_it(copy: Path, tiny_spec: DatasetSpec) -> None:
    unfinish(copy, tiny_spec)
    with pytest.raises(InputError, match="is unfinished, 3 of 3 shards are there"):
        open_dataset(copy)


@pytest.mark.parametrize("finished", [True, False])
def test_another_spec_is_refused_and_the_difference_named(copy: Path, tiny_spec: DatasetSpec, finished: bool) -> None:
    if not finished:
        unfinish(copy, tiny_spec)
    before = content(copy)
    with pytest.raises(FolderConflict, match=r"another data set: n 2300 instead of 2301, seed 3 instead of 4\."):
        generate(tiny_spec.changed(n=2301, seed=4), copy)
    assert content(copy) == before


def test_a_folder_with_something_else_is_left_as_it_is(tmp_path: Path, tiny_spec: DatasetSpec) -> None:
    (tmp_path / "thesis.tex").write_text("a year's work")
    with pytest.raises(FolderConflict, match=r"holds thesis\.tex"):
        generate(tiny_spec, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("text", ["{", "[]", '{"kind": "recipe"}', '{"kind": "bboxbench dataset", "schema": 99}'])
def test_a_manifest_that_is_not_ours_is_a_conflict(tmp_path: Path, tiny_spec: DatasetSpec, text: str) -> None:
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(FolderConflict):
        generate(tiny_spec, tmp_path)
    assert (tmp_path / "dataset.json").read_text() == text
    with pytest.raises(InputError):
        open_dataset(tmp_path)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path, tiny_spec: DatasetSpec) -> None:
    (tmp_path / "data").write_text("x")
    with pytest.raises(InputError, match="received the file"):
        generate(tiny_spec, tmp_path / "data")
    assert (tmp_path / "data").read_text() == "x"


@pytest.mark.parametrize("workers", [0, -1, 1.5, True])
def test_a_number_of_workers_that_makes_no_sense_is_refused(tmp_path: Path, tiny_spec: DatasetSpec, workers) -> None:
    with pytest.raises(InputError, match="workers"):
        generate(tiny_spec, tmp_path / "data", workers=workers)
    assert not (tmp_path / "data").exists()


def test_what_a_generate_killed_at_its_first_step_leaves_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    (tmp_path / ".unfinished.json.tmp77").write_text("{")
    generate(DatasetSpec.letters(n=3), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != ".lock") == [
        "boxes.csv",
        "dataset.json",
        "shards",
    ]


def test_a_worker_that_dies_is_reported_and_not_waited_for() -> None:
    with pytest.raises(BboxbenchError, match=r"ended early \(SIGKILL\)"):
        list(map_shards(f"{__name__}:die", {}, range(2), 2))


def die(context: dict[str, object], shard: int) -> dict[str, object]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def test_results_come_in_order_and_no_process_runs_far_ahead_of_the_slowest(tmp_path: Path) -> None:
    results = map_shards(f"{__name__}:wait_or_note", {"folder": str(tmp_path)}, range(40), 3)
    assert [shard for shard, _ in results] == list(range(40))
    assert len(list(tmp_path.iterdir())) == 40


def wait_or_note(context: dict[str, str], shard: int) -> dict[str, object]:
    """The first shard waits until the others are done with all that may be begun meanwhile, and some more."""
    folder = Path(context["folder"])
    ahead = 3 * 4 - 1
    if shard == 0:
        for _ in range(1000):
            if len(list(folder.iterdir())) == ahead:
                break
            time.sleep(0.01)
        time.sleep(0.3)
        assert len(list(folder.iterdir())) == ahead
    (folder / str(shard)).touch()
    return {}


def test_a_worker_ends_in_the_middle_of_a_shard_when_its_parent_is_gone(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        f"sys.path[:] = {sys.path!r}\n"
        "from bboxbench.data_gen.workers import map_shards\n"
        f"list(map_shards('{__name__}:write_for_long', {{'folder': {str(tmp_path)!r}}}, range(2), 2))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script])
    children: list[int] = []
    while len(children) < 2:
        assert parent.poll() is None
        children = [int(path.name) for path in tmp_path.iterdir()]
        time.sleep(0.01)
    parent.kill()
    parent.wait()
    assert all(gone(child) for child in children)


@pytest.mark.parametrize("said", ["", '{"task": "bboxbench.data_gen.generation:draw_and_wri'])
def test_a_worker_whose_parent_ended_before_it_said_what_to_do_ends_without_a_word(said: str) -> None:
    code = "from bboxbench.data_gen.workers import serve; serve()"
    done = subprocess.run([sys.executable, "-c", code], input=said, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def write_for_long(context: dict[str, str], shard: int) -> dict[str, object]:
    (Path(context["folder"]) / str(os.getpid())).touch()
    time.sleep(600)
    return {}


def test_a_part_is_not_restored_as_a_part_of_another_data_set(
    tiny: Dataset, tiny_spec: DatasetSpec, copy: Path
) -> None:
    """As where another version draws other pixels: then a whole of two kinds would be left, or all be replaced."""

    def lighten(arrays: dict[str, Any]) -> None:
        arrays["images"][7] ^= 1

    forge(copy, lighten, 1)
    (copy / "shards" / "00002.npz").unlink()
    before = content(copy)
    with pytest.raises(FolderConflict, match=r"00001\.npz cannot be restored here: .* its images are not those"):
        generate(tiny_spec, copy, workers=1)
    after = content(copy)
    assert {name: after[name] for name in before} == before


def test_an_error_in_a_worker_keeps_its_kind_and_its_exit_code() -> None:
    with pytest.raises(CannotWrite, match=r"^no room$"):
        list(map_shards(f"{__name__}:complain", {}, range(2), 2))


def complain(context: dict[str, object], shard: int) -> dict[str, object]:
    raise CannotWrite("no room")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not tie processes to cores")
def test_cores_that_this_process_may_not_use_do_not_count() -> None:
    allowed = os.sched_getaffinity(0)
    assert usable_cores() == len(allowed)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_a_script_without_a_main_guard_can_generate(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "print('imported once')\nfrom bboxbench.data_gen import DatasetSpec, generate\n"
        "spec = DatasetSpec.letters(n=1500, width=64, height=48, sizes=(16, 24))\n"
        f"print(generate(spec, {str(tmp_path / 'data')!r}, workers=2).n)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("imported once\n1500\n", "")


def test_packing_is_the_same_bytes_at_any_time(tiny_spec: DatasetSpec) -> None:
    arrays = draw_shard(tiny_spec, 2)
    first = pack(arrays)
    time.sleep(2.1)  # zip files keep times by two seconds
    assert pack(arrays) == first


def test_shards_are_plain_npz_files(tiny: Dataset, tiny_spec: DatasetSpec) -> None:
    with np.load(tiny.folder / "shards" / "00002.npz", allow_pickle=False) as shard:
        arrays = read_arrays(tiny.folder / "shards" / "00002.npz", tiny_spec, 2)
        assert sorted(shard.files) == sorted(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(shard[name], array)
            assert len(array) == 300
