from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bboxbench.data_gen import Dataset
from bboxbench.errors import InputError
from bboxbench.experiments.recorded import SIDES_COLUMNS, RecordedSweep, read_sweep, sides_table
from bboxbench.experiments.results import read_predictions
from bboxbench.experiments.tables import BASELINES

WriteSweep = Callable[..., Path]
FATES = {"mse": "good", "iou": "pinned", "iou_unguarded": "diverged", "giou": "failed"}


@pytest.fixture(scope="module")
def folder(write_sweep: WriteSweep, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sweep(tmp_path_factory.mktemp("recorded") / "results" / "mine", FATES)


@pytest.mark.parametrize("name", ["runs", "distribution", "comparisons", "epochs", "iou_histogram", "baselines"])
def test_the_frames_are_those_of_the_files(folder: Path, name: str) -> None:
    written = pd.read_csv(folder / f"{name}.csv")
    frame = getattr(read_sweep(folder), name)
    again = pd.read_csv(StringIO(frame.to_csv(index=False)))
    pd.testing.assert_frame_equal(again, written)


def test_reading_and_drawing_need_no_tensorflow() -> None:
    code = (
        "import bboxbench.experiments.recorded, bboxbench.experiments.figures, sys\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_predictions_of_a_run_are_the_ones_kept(folder: Path) -> None:
    sweep = read_sweep(folder)
    for run_id in ("mse-glorot_uniform-s1", "iou_unguarded-glorot_uniform-s0"):
        np.testing.assert_array_equal(sweep.predictions(run_id), read_predictions(folder, run_id))


@pytest.mark.parametrize("run_id", ["giou-glorot_uniform-s0", "unknown"])
def test_a_failed_or_unknown_run_has_no_predictions(folder: Path, run_id: str) -> None:
    with pytest.raises(InputError, match="Expected the predictions of a finished run"):
        read_sweep(folder).predictions(run_id)


def test_predictions_that_were_changed_are_refused(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    file = copy / "predictions" / "mse-glorot_uniform-s0.npz"
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(InputError, match="are not whole"):
        read_sweep(copy).predictions("mse-glorot_uniform-s0")


def test_a_sweep_that_has_only_begun_is_read_as_empty(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "sweep.json", tmp_path)
    sweep = read_sweep(tmp_path)
    assert [len(frame) for frame in (sweep.runs, sweep.epochs, sweep.iou_histogram, sweep.baselines)] == [0] * 4
    assert list(sweep.baselines) == list(BASELINES)
    assert len(sweep.distribution) == len(sweep.comparisons) == 0
    assert list(sides_table(sweep)) == list(SIDES_COLUMNS)


def test_a_line_that_is_being_written_is_passed_over(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "sweep.json", tmp_path)
    journal = (folder / "journal.jsonl").read_bytes()
    (tmp_path / "journal.jsonl").write_bytes(journal[:-100])
    assert len(read_sweep(tmp_path).runs) == len(read_sweep(folder).runs) - 1


def damaged(folder: Path, change: Any) -> None:
    manifest = json.loads((folder / "sweep.json").read_text())
    change(manifest)
    (folder / "sweep.json").write_text(json.dumps(manifest))


def test_a_folder_that_does_not_say_what_was_asked_for_is_read_by_its_axes(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    damaged(copy, lambda manifest: manifest.pop("runs"))  # as an older version wrote it
    assert read_sweep(copy).planned == len(FATES) * 2
    damaged(copy, lambda manifest: manifest["spec"].update(seeds=[0, 1, 2]))
    assert read_sweep(copy).planned == len(FATES) * 3


def test_runs_that_were_asked_for_and_are_not_there_are_planned(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    names = {"one": "mse-glorot_uniform-s0", "another": "mse-glorot_uniform-s7"}
    damaged(copy, lambda manifest: manifest.update(runs=names))
    sweep = read_sweep(copy)
    assert sweep.planned == len(sweep.runs) + 1


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (lambda f: shutil.rmtree(f), "nothing there"),
        (lambda f: (f / "sweep.json").unlink(), "a folder without sweep.json"),
        (lambda f: (f / "sweep.json").write_text("{"), "which is damaged"),
        (lambda f: (f / "sweep.json").write_text("[]"), "which is damaged"),
        (lambda f: damaged(f, lambda m: m.pop("settings")), "which is damaged"),
        (lambda f: damaged(f, lambda m: m["settings"].pop("pictures")), "which is damaged"),
        (lambda f: damaged(f, lambda m: m.update(runs=3)), "which is damaged"),
        (lambda f: damaged(f, lambda m: m.update(schema=99)), "Received: 99; update bboxbench"),
        (lambda f: (f / "baselines.csv").write_text("nothing\n1\n"), "baselines"),
    ],
    ids=["gone", "no sweep", "torn", "a list", "no settings", "no pictures", "runs", "newer", "baselines"],
)
def test_what_is_no_sweep_is_said_in_one_line(folder: Path, tmp_path: Path, prepare: Any, said: str) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    prepare(copy)
    with pytest.raises(InputError) as error:
        read_sweep(copy)
    assert said in str(error.value)
    assert str(error.value).startswith("Expected")
    assert "\n" not in str(error.value)


def test_the_pictures_are_found_where_the_spec_says(folder: Path, small_dataset: Dataset) -> None:
    found = read_sweep(folder).dataset()
    assert found is not None
    assert found.folder == small_dataset.folder


def without_named_folder(folder: Path) -> RecordedSweep:
    damaged(folder, lambda manifest: manifest["spec"].update(data=""))
    return read_sweep(folder)


def test_the_pictures_are_found_beside_the_results(
    folder: Path, small_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = without_named_folder(Path(shutil.copytree(folder, tmp_path / "results" / "mine")))
    monkeypatch.chdir(tmp_path.parent)
    assert sweep.dataset() is None
    place = tmp_path / "data" / small_dataset.spec.folder_name
    shutil.copytree(small_dataset.folder, place)
    found = sweep.dataset()
    assert found is not None
    assert found.folder == place


def test_the_pictures_are_found_in_the_current_folder(
    folder: Path, small_dataset: Dataset, tmp_path: Path, empty_folder: Path
) -> None:
    sweep = without_named_folder(Path(shutil.copytree(folder, tmp_path / "a" / "b" / "mine")))
    shutil.copytree(small_dataset.folder, empty_folder / "data" / small_dataset.spec.folder_name)
    assert sweep.dataset() is not None


def test_other_pictures_at_the_same_place_are_not_taken(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "results" / "mine"))
    damaged(copy, lambda manifest: manifest["settings"].update(dataset_sha256="0" * 64))
    sweep = read_sweep(copy)
    assert sweep.dataset() is None
    with pytest.raises(InputError, match=r"Expected the pictures of this sweep, sha256 0{12}\.\.\. Received: "):
        sweep.dataset(Path(sweep.manifest["spec"]["data"]))


def test_sides_are_shares_that_show_what_is_pinned(folder: Path, small_dataset: Dataset) -> None:
    table = sides_table(read_sweep(folder), small_dataset)
    assert list(table) == list(SIDES_COLUMNS)
    assert set(table["loss"]) == {"mse", "iou"}  # the others have no finite box
    sums = table.groupby(["loss", "side"])[["predicted", "true"]].sum()
    np.testing.assert_allclose(sums, 1.0)
    pinned = table[table["loss"] == "iou"]
    assert (pinned.loc[pinned["side"].isin(["left", "top"]) & (pinned["from"] == 0), "predicted"] == 1).all()
    assert (pinned.loc[pinned["side"].isin(["right", "bottom"]) & (pinned["to"] == 1), "predicted"] == 1).all()
    real = table[(table["loss"] == "mse") & (table["side"] == "left")]["true"]
    expected = np.histogram(small_dataset.boxes("test")[:, 0] / small_dataset.spec.width, np.linspace(0, 1, 41))[0] / 20
    np.testing.assert_allclose(real, expected)


def test_without_pictures_the_true_sides_are_empty(folder: Path) -> None:
    table = sides_table(read_sweep(folder))
    assert table["true"].isna().all()
    assert table["predicted"].notna().all()
