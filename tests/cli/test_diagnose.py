"""The command, as a person or a program calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bboxbench.boxes import from_xyxy
from bboxbench.cli import main
from bboxbench.data_gen import Dataset
from bboxbench.experiments.results import ResultsFolder, open_results
from bboxbench.experiments.spec import SweepSpec

HEADING = ",".join(f"{kind}_{side}" for kind in ("true", "pred") for side in ("xmin", "ymin", "xmax", "ymax"))


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["diagnose", *arguments])
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


def boxes(n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    low = rng.uniform(1, [150, 55], (n, 2))
    true = np.concatenate([low, low + rng.uniform(15, 40, (n, 2))], axis=1)
    return true, np.tile([40.0, 20.0, 200.0, 80.0], (n, 1)) + rng.normal(0, 1, (n, 4)) * [1, 1, 0, 1]


def write(path: Path, true: np.ndarray, predicted: np.ndarray) -> str:
    np.savetxt(path, np.concatenate([true, predicted], axis=1), fmt="%.6g", delimiter=",", header=HEADING, comments="")
    return str(path)


@pytest.fixture
def pinned(tmp_path: Path) -> str:
    return write(tmp_path / "predictions.csv", *boxes())


SIZE = ("--width", "200", "--height", "100")


def test_a_file_is_diagnosed_in_words(capsys, pinned: str) -> None:
    code, out, err = run(capsys, pinned, *SIZE)
    assert (code, err) == (0, "")
    assert out.startswith("BLIND, PINNED")
    assert "the right side in 100% of the predictions" in " ".join(out.split())
    assert "What to try\n1. Lower the learning rate" in out


def test_a_stdout_that_knows_no_blocks_gets_all_else(pinned: str) -> None:
    # As of a file or a pipe on Windows.
    command = [sys.executable, "-m", "bboxbench", "diagnose", pinned, *SIZE]
    done = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "cp1252"}, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    out = done.stdout.decode("cp1252")
    assert "What to try" in out
    assert "????" in out


def test_one_json_object_stands_on_one_line_of_stdout(capsys, pinned: str) -> None:
    code, out, _ = run(capsys, pinned, *SIZE, "--json")
    assert code == 0
    (line,) = out.splitlines()
    told = json.loads(line)
    assert (told["event"], told["outcome"], told["symptom"], told["n"]) == ("diagnosis", "blind", "pinned", 120)
    assert told["network"]["sides"][2]["pinned"] == 1
    assert told["guessed"] is False


def test_a_mixed_up_format_is_named(capsys, tmp_path: Path) -> None:
    true, _ = boxes()
    code, out, _ = run(capsys, write(tmp_path / "p.csv", true, true[:, [1, 0, 3, 2]]), *SIZE)
    assert code == 0
    assert out.startswith("FORMATS MIXED UP")
    assert "are yxyx, not xyxy" in out


def test_the_page_is_written_where_it_is_wanted(capsys, pinned: str, tmp_path: Path) -> None:
    code, _, err = run(capsys, pinned, "--png", str(tmp_path / "page.png"))
    assert code == 0
    assert f"The page is {tmp_path / 'page.png'}" in err.replace("\n", "")
    assert (tmp_path / "page.png").read_bytes()[:4] == b"\x89PNG"


def test_a_page_that_cannot_be_written_is_4_in_one_line(capsys, pinned: str, tmp_path: Path) -> None:
    page = tmp_path / "none" / "page.png"
    code, out, err = run(capsys, pinned, "--png", str(page))
    assert (code, err) == (4, f"Error: Cannot write {page}: no such file or directory.\n")
    assert out.startswith("BLIND")
    code, out, _ = run(capsys, pinned, "--png", str(page), "--json")
    assert (code, json.loads(out.splitlines()[0])["png"]) == (4, None)


def test_a_file_may_come_from_stdin(pinned: str) -> None:
    command = [sys.executable, "-m", "bboxbench", "diagnose", "-", *SIZE, "--json"]
    with Path(pinned).open("rb") as file:
        done = subprocess.run(command, stdin=file, capture_output=True, check=True)
    assert json.loads(done.stdout)["n"] == 120


def test_the_advice_to_choose_another_format_can_be_followed(capsys, tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", *(from_xyxy(each, "xywh") for each in boxes()))
    code, _, err = run(capsys, path, *SIZE)
    assert (code, "As xywh all have: choose that format." in err) == (2, True)
    code, out, _ = run(capsys, path, *SIZE, "--format", "xywh")
    assert (code, out.split("\n")[0].split()[:2]) == (0, ["BLIND,", "PINNED"])
    assert "Note: The columns are named as xyxy, and read as xywh" in out


def test_relative_boxes_without_the_size_say_which_option_is_missing(capsys, tmp_path: Path) -> None:
    true, predicted = (from_xyxy(each, "rel_xyxy", 200, 100) for each in boxes())
    path = write(tmp_path / "p.csv", true, predicted)
    code, out, err = run(capsys, path, "--width", "200")
    assert (code, out) == (2, "")
    assert err == (
        "Error: Expected --height of the pictures in pixels: no true number is above 1, so boxes are relative. "
        "Received none.\n"
    )
    code, out, _ = run(capsys, path, *SIZE)
    assert (code, out.split("\n")[0].split()[:2]) == (0, ["BLIND,", "PINNED"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Expected a file of true and predicted boxes. Received none; bboxbench diagnose --example shows one."),
        (("none.csv",), "Cannot read none.csv: it does not exist."),
        (("FILE", "--format", "xyyx"), "Unknown box format 'xyyx'. Did you mean"),
        (("FILE", "--width", "0"), "expected a whole number of 1 or more, received '0'."),
        (("FILE", "--width", "9"), "Expected --width and --height of the pictures, give both. Received --width alone."),
        (("FILE", "--png", "page.jpg"), "Expected --png with a file that ends in .png. Received: page.jpg."),
        (("FILE", "--run", "x"), "Expected the folder of a sweep with --run. Received the file"),
        ((".",), "Expected --run RUN_ID with the folder ., as its runs.csv lists them. Received none."),
        ((".", "--run", "x"), "sweep.json"),
        ((".", "--run", "x", "--width", "9"), "with a file only: a sweep knows its own."),
        (("FILE", "--iou-threshold", "2"), "Expected an IoU threshold above 0 and up to 1. Received: 2.0."),
    ],
)
def test_wrong_usage_is_2_in_one_line(capsys, empty_folder: Path, arguments: tuple[str, ...], said: str) -> None:
    path = write(empty_folder / "p.csv", *boxes())
    code, out, err = run(capsys, *(path if word == "FILE" else word for word in arguments))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_the_example_can_be_diagnosed(capsys, tmp_path: Path) -> None:
    code, out, _ = run(capsys, "--example")
    assert code == 0
    (tmp_path / "example.csv").write_text(out)
    assert run(capsys, str(tmp_path / "example.csv"), *SIZE)[0] == 0


def test_the_command_loads_neither_tensorflow_nor_pandas(pinned: str) -> None:
    code = (
        "import sys\n"
        "from bboxbench.cli import main\n"
        f"try: main(['diagnose', {pinned!r}])\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'tensorflow', 'keras', 'pandas', 'matplotlib', 'scipy', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.fixture
def sweep(small_dataset: Dataset, tmp_path: Path) -> Path:
    """A results folder with one run that predicts boxes a pixel off, and one that failed."""
    folder = tmp_path / "results" / "quick"
    spec = SweepSpec.from_preset("quick", data=str(small_dataset.folder), iou_threshold=0.75)
    truth = from_xyxy(small_dataset.boxes("test"), "rel_xyxy", 200, 100)
    with open_results(folder, spec, small_dataset.sha256, {}) as results:
        _add(results, "mse-s0-0123", np.asarray(truth + 0.005, np.float32), "ok")
        _add(results, "iou-s0-4567", None, "failed")
    return folder


def _add(results: ResultsFolder, run_id: str, predictions: np.ndarray | None, status: str) -> None:
    row = {
        "run_id": run_id,
        "status": status,
        "outcome": "converged",
        "error": "it raised",
        "keras_accuracy": 0.125,
        "pinned_left": 0.25,
        "box_accuracy": 0.9375,
    }
    results.add({"run_id": run_id, "row": row, "epochs": [], "histogram": [0] * 20}, predictions)


def test_a_run_of_a_sweep_is_diagnosed_on_its_own_pictures(capsys, sweep: Path, small_dataset: Dataset) -> None:
    code, out, err = run(capsys, str(sweep), "--run", "mse", "--data", str(small_dataset.folder), "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["outcome"], told["n"], told["width"], told["box_format"]) == ("converged", 20, 200, "rel_xyxy")
    assert told["network"]["edge_error_px"] == pytest.approx(0.75, abs=0.1)


def test_the_figures_of_a_run_are_those_of_its_sweep(capsys, sweep: Path) -> None:
    _, out, _ = run(capsys, str(sweep), "--run", "mse", "--json")
    network = json.loads(out)["network"]
    assert (network["keras_accuracy"], network["sides"][0]["pinned"], network["box_accuracy"]) == (0.125, 0.25, 0.9375)
    _, out, _ = run(capsys, str(sweep), "--run", "mse", "--json", "--iou-threshold", "0.9999")
    assert json.loads(out)["network"]["box_accuracy"] < 0.9


def test_a_run_is_held_to_the_threshold_of_its_sweep_unless_another_is_asked_for(capsys, sweep: Path) -> None:
    for options, threshold in (((), 0.75), (("--iou-threshold", "0.6"), 0.6)):
        _, out, _ = run(capsys, str(sweep), "--run", "mse", "--json", *options)
        assert json.loads(out)["network"]["iou_threshold"] == threshold


def test_a_run_that_is_none_or_failed_is_refused(capsys, sweep: Path) -> None:
    code, _, err = run(capsys, str(sweep), "--run", "giou")
    assert code == 2
    assert "Received 'giou', with which 0 of 2 begin." in err
    code, _, err = run(capsys, str(sweep), "--run", "iou")
    assert code == 2
    assert "Received iou-s0-4567, which failed: it raised." in err
