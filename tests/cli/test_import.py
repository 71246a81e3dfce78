"""The command import: what it says, what it refuses, how it ends; and a whole sweep on what it imported."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from coco_folders import write_one, write_shapes
from PIL import Image

from bboxbench.cli import main
from bboxbench.data_gen import DatasetSpec, generate, open_dataset, verify
from bboxbench.data_gen.exports import export


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


@pytest.fixture(autouse=True)
def _in_a_folder_with_shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_shapes(tmp_path / "shapes", n=10)


def test_it_imports_into_a_folder_that_tells_what_it_holds(capsys: Any, tmp_path: Path) -> None:
    code, out, err = run(capsys, "import", "shapes")
    (folder,) = (tmp_path / "data").iterdir()
    assert code == 0
    assert out.startswith(f"Imported 10 pictures of 3 classes into data/{folder.name} in ")
    assert folder.name.startswith("shapes-n10-seed0-")
    assert "Rounded to whole pixels, boxes have a mean IoU of 0." in err
    assert f"bboxbench sweep --preset quick --data data/{folder.name}" in err
    assert open_dataset(folder).n == 10


def test_the_second_time_it_says_that_nothing_was_written(capsys: Any) -> None:
    run(capsys, "import", "shapes")
    code, out, _ = run(capsys, "import", "shapes")
    assert code == 0
    assert "already holds these 10 pictures, complete; nothing was written" in out


def test_json_gives_events_on_stdout_and_quiet_leaves_stderr_empty(capsys: Any) -> None:
    (Path("shapes/train/0001.jpg")).write_bytes(b"gone")
    code, out, err = run(capsys, "import", "shapes", "--skip", "--out", "d", "--json", "--quiet")
    events = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert [event["event"] for event in events] == ["progress", "progress", "done"]
    done = events[-1]
    assert (done["n"], done["left_out"], done["copies"]) == (9, {"no picture": 1}, 0)
    assert done["classes"] == ["disc", "square", "triangle"]
    assert done["sha256"] == open_dataset("d").sha256
    assert 0 < done["rounding_iou_least"] <= done["rounding_iou_mean"] <= 1


def test_labels_that_rounding_spoils_are_warned_of_also_when_quiet(capsys: Any) -> None:
    code, _, err = run(capsys, "import", "shapes", "--width", "24", "--height", "12", "--out", "d", "--quiet")
    assert code == 0
    assert err.startswith("Warning: rounded to whole pixels of 24 x 12, boxes have a mean IoU of only 0.")
    assert "larger pictures, by --width and --height" in err


def test_boxes_that_need_no_rounding_name_no_least_one(capsys: Any) -> None:
    export(generate(DatasetSpec.letters(n=9), "letters", workers=1), "coco", "whole", workers=1)
    code, _, err = run(capsys, "import", "whole", "--out", "d")
    assert code == 0
    assert "Every box is exactly what was annotated" in err
    assert "least" not in err


def test_what_is_left_out_is_counted_by_kind(capsys: Any) -> None:
    for name in ("0001.jpg", "0002.jpg"):
        Path("shapes/train", name).write_bytes(b"gone")
    Path("shapes/train/0003.png").unlink()
    code, out, _ = run(capsys, "import", "shapes", "--skip")
    assert code == 0
    assert "Left out 3: no picture 2, missing file 1." in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "Expected a folder of pictures at nowhere, found nothing"),
        (["shapes/train"], "Expected COCO annotations in shapes/train"),
        (["shapes", "--annotations", "no.json"], "no.json"),
        (["shapes", "--images", "no"], "Expected a folder of pictures at no, found nothing"),
        (["shapes", "--fit", "crop"], "Unknown fit 'crop'. Expected one of: pad, stretch."),
        (["shapes", "--width", "0"], "whole number of 1 or more"),
        (["shapes", "--height", "5000"], "Expected height to be a whole number of 4096 or less"),
        (["several"], "2 objects"),
        (["shapes", "--exif", "odd"], "Unknown exif 'odd'. Expected one of: auto, stored, upright."),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_what_cannot_be_imported_is_said_in_one_line_and_nothing_is_written(
    capsys: Any, words: list[str], said: str
) -> None:
    write_one(Path("several"), objects=[{}, {}])
    code, out, err = run(capsys, "import", *words, "--out", "out")
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert not Path("out").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse names that are no text")
@pytest.mark.parametrize("option", ["", "--annotations", "--images"])
def test_a_path_that_is_no_text_is_refused_before_anything_is_written(capsys: Any, option: str) -> None:
    odd = os.fsdecode(b"d\xff")
    write_one(Path(odd))
    given = {
        "": [odd],
        "--annotations": ["shapes", option, f"{odd}/annotations.json"],
        "--images": ["shapes", option, odd],
    }
    code, out, err = run(capsys, "import", *given[option], "--out", "out")
    assert (code, out) == (2, "")
    assert "Expected a path that is UTF-8" in err
    assert len(err.strip().splitlines()) == 1
    assert not Path("out").exists()


def test_annotations_without_pictures_are_refused_in_whole_sentences(capsys: Any) -> None:
    write_one(Path("empty"), content='{"images": [], "annotations": [], "categories": []}')
    write_one(Path("bad"), b"none")
    code, _, err = run(capsys, "import", "empty", "--quiet")
    assert code == 2
    assert err == "Error: Expected pictures with one object each in empty; its annotations list none.\n"
    code, _, err = run(capsys, "import", "bad", "--skip", "--quiet")
    assert code == 2
    assert err.startswith(
        "Error: Expected pictures with one object each in bad; none of its 1 can be used. The first: Expected a picture"
    )


def test_help_shows_nothing_to_type_beside_what_is_on_or_off(capsys: Any) -> None:
    _, out, _ = run(capsys, "import", "--help")
    rows = [line for line in out.splitlines() if any(f"│ --{name} " in line for name in ("skip", "quiet", "json"))]
    assert len(rows) == 3
    assert not [row for row in rows if "<bool>" in row]


def test_copies_are_warned_of(capsys: Any) -> None:
    shutil.copy("shapes/train/0000.png", "shapes/train/copy.png")
    path = Path("shapes/annotations/instances_train.json")
    content = json.loads(path.read_text())
    content["images"].append({**content["images"][0], "id": 99, "file_name": "copy.png"})
    content["annotations"].append({**content["annotations"][0], "id": 99, "image_id": 99})
    path.write_text(json.dumps(content))
    code, _, err = run(capsys, "import", "shapes", "--quiet")
    assert code == 0
    assert "Warning: 1 of the pictures is a copy of another" in err


def test_a_folder_that_holds_another_import_is_left_alone(capsys: Any) -> None:
    run(capsys, "import", "shapes", "--out", "out")
    before = Path("out/dataset.json").read_bytes()
    code, _, err = run(capsys, "import", "shapes", "--fit", "stretch", "--out", "out")
    assert code == 3
    assert "fit 'pad' instead of 'stretch'" in err
    assert Path("out/dataset.json").read_bytes() == before


def test_generate_does_not_go_on_with_an_import_but_says_how(capsys: Any) -> None:
    run(capsys, "import", "shapes", "--out", "out")
    code, _, err = run(capsys, "generate", "--resume", "out")
    assert code == 2
    assert "bboxbench import shapes --width 200 --height 100 --fit pad --seed 0 --out out" in err


def test_verify_says_that_boxes_are_the_annotated_ones(capsys: Any) -> None:
    run(capsys, "import", "shapes", "--out", "out")
    code, out, _ = run(capsys, "verify", "out")
    assert (code, out) == (0, "10 of 10 boxes as annotated\n")


def test_the_command_that_an_error_gives_mends_the_folder(capsys: Any) -> None:
    run(
        capsys, "import", "shapes", "--fit", "stretch", "--width", "64", "--height", "64", "--seed", "3", "--out", "out"
    )
    shard = Path("out/shards/00000.npz")
    before = shard.read_bytes()
    shard.write_bytes(before[:-100])
    code, _, err = run(capsys, "verify", "out")
    assert code == 2
    command = err[err.index("bboxbench import") :].strip().rstrip(".")
    assert run(capsys, *shlex.split(command)[1:])[0] == 0
    assert shard.read_bytes() == before


def test_boxes_that_rounding_leaves_nothing_of_are_asked_about_and_not_only_enlarged(capsys: Any) -> None:
    write_one(Path("one"), Image.new("RGB", (4000, 3000)), objects=[{"bbox": [5, 6, 1, 1]}])
    code, _, err = run(capsys, "import", "one", "--out", "d", "--quiet")
    assert code == 0
    assert "hardly a box is left. Are they in pixels of these pictures?" in err


def test_classes_without_pictures_and_unlisted_pictures_are_told(capsys: Any) -> None:
    write_one(Path("one"))
    shutil.copy("one/a.png", "one/b.png")
    code, out, _ = run(capsys, "import", "one", "--out", "d")
    assert code == 0
    assert "2 classes have no picture and were dropped: square, triangle." in out
    assert "1 picture file that no annotation lists was passed over: 1 in one." in out
    _, out, _ = run(capsys, "import", "one", "--out", "d", "--json")
    done = json.loads(out.splitlines()[-1])
    assert (done["classes"], done["classes_without_pictures"]) == (["disc"], ["square", "triangle"])
    assert (done["unlisted"], done["turned"]) == ({"one": 1}, {"unsettled": 0, "reading": "upright"})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            [],
            "Warning: 1 picture carries a rotation that its size cannot settle; it was taken upright, as viewers show",
        ),
        (["--exif", "stored"], ""),
    ],
)
def test_a_rotation_that_nothing_settles_is_warned_of_unless_it_is_said(
    capsys: Any, words: list[str], said: str
) -> None:
    data = Image.Exif()
    data[0x0112] = 3
    Path("turned").mkdir()
    Image.new("RGB", (40, 30)).save("turned/a.png", exif=data)
    write_one(Path("turned"), Path("turned/a.png").read_bytes())
    code, _, err = run(capsys, "import", "turned", "--out", "d", "--width", "40", "--height", "30", "--quiet", *words)
    assert code == 0
    assert err.startswith(said) if said else err == ""


def test_a_rotation_that_other_pictures_settle_is_said_and_not_warned_of(capsys: Any) -> None:
    def turned(orientation: int) -> bytes:
        data, content = Image.Exif(), io.BytesIO()
        data[0x0112] = orientation
        Image.new("RGB", (40, 30)).save(content, "PNG", exif=data)
        return content.getvalue()

    write_one(Path("turned"), turned(3))
    path = Path("turned/annotations.json")
    content = json.loads(path.read_text())
    Path("turned/b.png").write_bytes(turned(6))
    content["images"].append({**content["images"][0], "id": 2, "file_name": "b.png"})
    content["annotations"].append({**content["annotations"][0], "id": 2, "image_id": 2})
    path.write_text(json.dumps(content))
    code, _, err = run(capsys, "import", "turned", "--out", "d")
    assert code == 0
    assert "1 picture carries a rotation that its size cannot settle; it was taken as stored, as is the 1 whose" in err
    assert "Warning" not in err


def test_what_can_be_done_next_is_said_and_why_few_pictures_train_nothing(capsys: Any) -> None:
    _, _, err = run(capsys, "import", "shapes", "--out", "d")
    assert re.findall(r"bboxbench (\w+) (?:--preset quick --data )?d\b", err) == [
        "preview",
        "verify",
        "export",
        "sweep",
    ]
    _, _, err = run(capsys, "import", str(write_one(Path("one"))), "--out", "e")
    assert "bboxbench verify e" in err
    assert "bboxbench sweep" not in err
    assert "To train on them they are too few: with 4 or more, each split has a picture." in err


@pytest.mark.parametrize(
    ("name", "begins"), [("Größe 1!", "Gr-e-1-n1-seed0-"), ("müß", "m-n1-"), ("ß", "imported-n1-")]
)
def test_the_folder_that_is_written_is_called_as_the_source_as_far_as_that_is_easily_typed(
    capsys: Any, name: str, begins: str
) -> None:
    assert run(capsys, "import", str(write_one(Path(name))))[0] == 0
    (folder,) = Path("data").iterdir()
    assert folder.name.startswith(begins)


def test_a_folder_of_drawn_pictures_is_left_alone_in_a_short_line(capsys: Any) -> None:
    generate(DatasetSpec.letters(n=3), "drawn", workers=1)
    code, _, err = run(capsys, "import", "shapes", "--out", "drawn", "--quiet")
    assert (code, err) == (3, "Error: drawn holds drawn pictures. Choose another folder with --out.\n")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there SIGKILL is not")
def test_an_import_that_was_killed_goes_on_to_the_same_bytes(capsys: Any, tmp_path: Path) -> None:
    write_shapes(tmp_path / "many", n=2000, seed=4, sides=(12, 24))
    run(capsys, "import", "many", "--out", "whole", "--quiet")
    command = [sys.executable, "-m", "bboxbench", "import", "many", "--out", "killed", "--quiet", "--workers", "1"]
    started = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    while not list(Path("killed").glob("shards/*.npz")) and started.poll() is None:
        time.sleep(0.002)
    started.send_signal(signal.SIGKILL)
    assert started.wait() == -signal.SIGKILL
    assert Path("killed/unfinished.json").exists()
    code, _, err = run(capsys, "verify", "killed")
    assert code == 2
    assert "bboxbench import many" in err
    assert run(capsys, "import", "many", "--out", "killed", "--quiet")[0] == 0
    for path in Path("whole").rglob("*.*"):
        if path.is_file() and path.name != ".lock":
            assert (Path("killed") / path.relative_to("whole")).read_bytes() == path.read_bytes()
    assert verify("killed").problems == []


@pytest.mark.slow
def test_a_sweep_its_report_and_all_that_follows_run_on_imported_pictures(capsys: Any) -> None:
    """One process, and not what a command line starts by itself: TensorFlow takes its time to load."""
    write_shapes(Path("shapes"), n=30)
    run(capsys, "import", "shapes", "--out", "data/shapes", "--width", "64", "--height", "48")
    words = ["--losses", "mse", "--initializers", "glorot_uniform", "--seeds", "1", "--epochs", "1"]
    words += ["--batch-sizes", "5", "--data", "data/shapes", "--isolation", "none"]
    code, out, err = run(capsys, "sweep", *words, "--dry-run")
    assert code == 0, err
    code, out, err = run(capsys, "sweep", *words, "--out", "results/shapes", "--quiet")
    assert code == 0, err
    # Where the pictures came from is part of no run: they may be imported anew from elsewhere.
    Path("shapes").rename("moved")
    shutil.rmtree("data/shapes")
    run(capsys, "import", "moved", "--out", "data/shapes", "--width", "64", "--height", "48")
    code, out, err = run(capsys, "sweep", *words, "--out", "results/shapes", "--quiet")
    assert code == 0, err
    assert len(Path("results/shapes/journal.jsonl").read_text().splitlines()) == 1
    assert run(capsys, "report", "results/shapes")[0] == 0
    page = Path("results/shapes/report/index.html").read_text(encoding="utf-8")
    assert "Typed in a folder with the pictures and annotations in moved, this makes the sweep again:" in page
    assert "bboxbench import moved --width 64 --height 48 --fit pad --seed 0 --out data/shapes" in page
    assert "an object of class " in page
    assert "letter" not in page.replace("letter_box", "").replace("letter-spacing", "")
    assert run(capsys, "status", "results/shapes")[0] == 0
    run_id = open_results_run("results/shapes")
    assert run(capsys, "diagnose", "results/shapes", "--run", run_id)[0] in (0, 1)
    heart = ["--overfit", "4", "--loss", "mse", "--epochs", "1", "--data", "data/shapes", "--out", "results/heart"]
    assert run(capsys, "train", *heart, "--quiet")[0] in (0, 1)
    code, out, _ = run(capsys, "predict", "results/heart/model.keras", "moved/train/0000.png")
    assert code == 0
    assert out.splitlines()[1].startswith("moved/train/0000.png,")


def open_results_run(folder: str) -> str:
    """A run_id of the table of runs."""
    return Path(folder, "runs.csv").read_text().splitlines()[1].split(",")[0]
