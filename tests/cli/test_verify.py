from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bboxbench.cli import main
from bboxbench.data_gen import DatasetSpec, generate
from bboxbench.data_gen.exports import export
from bboxbench.data_gen.importing import plan_import, write_import


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["verify", *arguments])
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return generate(DatasetSpec.letters(n=1200, width=64, height=48, sizes=(16, 24)), tmp_path / "d", 1).folder


def test_a_sound_data_set_is_0_and_says_how_many(capsys, folder: Path) -> None:
    code, out, _ = run(capsys, str(folder), "--workers", "1")
    assert (code, out) == (0, "1,200 of 1,200 boxes exact\n")


def test_problems_are_2_with_a_line_each_and_one_on_stderr(capsys, folder: Path) -> None:
    path = folder / "shards" / "00001.npz"
    with np.load(path) as shard:
        arrays = dict(shard)
    arrays["boxes"][3, 0] += 1
    np.savez(path, **arrays)
    code, out, err = run(capsys, str(folder), "--workers", "1", "--quiet")
    assert code == 2
    lines = out.splitlines()
    assert lines[-1] == "1,199 of 1,200 boxes exact"
    assert any("00001.npz: its boxes are not those" in line for line in lines)
    assert any("sample 1003: recorded the box" in line for line in lines)
    assert err.startswith(f"Error: Expected in {folder} what was written there, found {len(lines) - 1} differences, ")
    assert "Restore it: " in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("harm", ["missing", "cut", "a folder"])
def test_a_shard_that_cannot_be_read_is_named(capsys, folder: Path, harm: str) -> None:
    path = folder / "shards" / "00001.npz"
    data = path.read_bytes()
    path.unlink()
    if harm == "cut":
        path.write_bytes(data[:500])
    elif harm == "a folder":
        path.mkdir()
    code, out, err = run(capsys, str(folder), "--json", "--workers", "1", "--quiet")
    events = [json.loads(line) for line in out.splitlines()]
    assert code == 2
    assert [event["event"] for event in events] == ["problem", "done", "error"]
    assert "00001.npz" in events[0]["text"]
    assert (events[1]["exact"], events[1]["total"]) == (1000, 1200)
    assert "found 1 difference, listed on stdout. Restore it: " in err
    assert err.count("\n") == 1


def test_drawing_again_says_that_it_did_so(capsys, folder: Path) -> None:
    code, out, err = run(capsys, str(folder), "--redraw", "--workers", "1")
    assert (code, out) == (0, "1,200 of 1,200 boxes exact\n")
    assert "Every hash agrees too, and all is as the spec draws it." in err


def test_imported_pictures_cannot_be_drawn_again(capsys, tmp_path: Path) -> None:
    drawn = generate(DatasetSpec.letters(n=12, width=64, height=48, sizes=(16, 24)), tmp_path / "d", 1)
    export(drawn, "coco", tmp_path / "coco")
    folder = write_import(plan_import(tmp_path / "coco", width=64, height=48), tmp_path / "imported", 1).folder
    code, out, err = run(capsys, str(folder), "--redraw")
    assert (code, out) == (2, "")
    assert err == f"Error: Expected redraw only for drawn pictures, received {folder}, whose pictures were imported.\n"


def test_no_data_set_is_2_in_one_line(capsys, tmp_path: Path) -> None:
    code, out, err = run(capsys, str(tmp_path / "none"))
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_an_unfinished_data_set_is_2_with_the_command_that_finishes_it(capsys, folder: Path) -> None:
    mark = {"kind": "unfinished bboxbench dataset", "schema": 1, "spec": DatasetSpec.letters(n=1200).to_dict()}
    (folder / "unfinished.json").write_text(json.dumps(mark))
    (folder / "dataset.json").unlink()
    code, _, err = run(capsys, str(folder))
    assert code == 2
    assert f"Finish it: bboxbench generate --resume {folder}" in err


def test_pictures_that_moved_are_verified_where_they_are_now(capsys, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)).save(pictures / "a.png")
    spec = DatasetSpec.letters(n=12, background="pictures", pictures=str(pictures))
    folder = str(generate(spec, tmp_path / "d", 1).folder)
    pictures.rename(tmp_path / "moved")
    code, _, err = run(capsys, folder, "--workers", "1")
    assert (code, err.count("\n")) == (2, 1)
    assert "add --pictures FOLDER" in err
    code, out, _ = run(capsys, folder, "--workers", "1", "--pictures", str(tmp_path / "moved"))
    assert (code, out) == (0, "12 of 12 boxes exact\n")
