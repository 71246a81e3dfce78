from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sweeps_here import sweep_here

from bboxbench.errors import FolderConflict, InputError
from bboxbench.experiments.collecting import Collected, collect
from bboxbench.experiments.journal import read_records
from bboxbench.experiments.listener import Listener
from bboxbench.experiments.models.best_of_cells import BestOfCells
from bboxbench.experiments.recorded import read_sweep
from bboxbench.experiments.results import claim_results, read_predictions
from bboxbench.files import claim_folder, file_sha256

WriteSweep = Callable[..., Path]


@pytest.fixture
def one(write_sweep: WriteSweep, tmp_path: Path) -> Path:
    return write_sweep(tmp_path / "one", {"mse": "good", "giou": "failed"})


@pytest.fixture
def two(write_sweep: WriteSweep, tmp_path: Path) -> Path:
    """Shares mse with ``one``, has a result where that failed, and a loss of its own."""
    return write_sweep(tmp_path / "two", {"mse": "good", "giou": "good", "iou": "pinned"})


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def statuses(folder: Path) -> dict[str, str]:
    return {record["run_id"]: record["row"]["status"] for record in read_records(folder / "journal.jsonl")}


def counts(found: Collected) -> tuple[int, int, int, int]:
    return found.runs, found.failed, found.added, found.mended


def test_every_run_comes_once_and_a_result_beats_a_failure(one: Path, two: Path, tmp_path: Path) -> None:
    before = [content(one), content(two)]
    warnings: list[str] = []
    found = collect([one, two], tmp_path / "all", warnings.append)
    assert counts(found) == (6, 0, 6, 0)
    runs = pd.read_csv(tmp_path / "all" / "runs.csv")
    assert runs["run_id"].is_unique
    assert runs.groupby("loss").size().to_dict() == {"mse": 2, "giou": 2, "iou": 2}
    assert set(runs["status"]) == {"ok"}
    assert warnings == []
    assert [content(one), content(two)] == before
    sweep = read_sweep(tmp_path / "all")
    assert len(sweep.baselines) == 2
    assert sweep.manifest["spec"]["losses"] == ["mse", "giou", "iou"]
    for run_id in runs["run_id"]:
        np.testing.assert_array_equal(sweep.predictions(run_id), read_predictions(two, run_id))


def test_the_order_of_the_folders_changes_no_result(one: Path, two: Path, tmp_path: Path) -> None:
    collect([one, two], tmp_path / "a")
    collect([two, one], tmp_path / "b")
    assert statuses(tmp_path / "a") == statuses(tmp_path / "b")


def test_the_same_once_more_changes_nothing(one: Path, two: Path, tmp_path: Path) -> None:
    out = tmp_path / "all"
    collect([one, two], out)
    before = content(out)
    found = collect([one, two, out], out)
    assert counts(found) == (6, 0, 0, 0)
    assert content(out) == before


def test_what_comes_later_is_added_to_what_is_there(one: Path, two: Path, tmp_path: Path) -> None:
    out = tmp_path / "all"
    assert counts(collect([one], out)) == (4, 2, 4, 0)
    assert counts(collect([two], out)) == (6, 0, 2, 2)


def test_a_folder_may_be_collected_into_one_of_the_sweeps(one: Path, two: Path) -> None:
    environment = json.loads((one / "sweep.json").read_text())["environment"]
    assert counts(collect([two], one)) == (6, 0, 2, 2)
    manifest = json.loads((one / "sweep.json").read_text())
    assert manifest["environment"] == environment
    assert set(manifest["environments"]) == {str(one), str(two)}


def test_of_two_results_the_first_stays_and_the_run_is_named(
    write_sweep: WriteSweep, one: Path, tmp_path: Path
) -> None:
    other = write_sweep(tmp_path / "other", {"mse": "pinned"}, seeds=1)
    warnings: list[str] = []
    found = collect([one, other], tmp_path / "all", warnings.append)
    assert found.differing == ["mse-glorot_uniform-s0"]
    assert warnings == ["Of runs with two different results the first stays: mse-glorot_uniform-s0."]
    kept = read_predictions(tmp_path / "all", "mse-glorot_uniform-s0")
    np.testing.assert_array_equal(kept, read_predictions(one, "mse-glorot_uniform-s0"))


def test_equal_boxes_in_other_bytes_are_one_result(one: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(one, tmp_path / "other"))
    run_id = "mse-glorot_uniform-s0"
    np.savez(other / "predictions" / f"{run_id}.npz", boxes=np.float16(read_predictions(one, run_id)))  # not deflated
    mend_hash(other, run_id)
    assert collect([one, other], tmp_path / "all").differing == []


def mend_hash(folder: Path, run_id: str) -> None:
    records = read_records(folder / "journal.jsonl")
    for record in records:
        if record["run_id"] == run_id:
            record["predictions_sha256"] = file_sha256(folder / "predictions" / f"{run_id}.npz")
    (folder / "journal.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))


@pytest.mark.parametrize("how", ["altered", "missing"])
def test_predictions_that_are_not_as_written_are_left_out_unless_another_has_them(
    one: Path, two: Path, tmp_path: Path, how: str
) -> None:
    file = two / "predictions" / "iou-glorot_uniform-s1.npz"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1]) if how == "altered" else file.unlink()
    warnings: list[str] = []
    found = collect([one, two], tmp_path / "all", warnings.append)
    assert found.damaged == ["iou-glorot_uniform-s1"]
    assert "iou-glorot_uniform-s1" in warnings[0]
    assert "iou-glorot_uniform-s1" not in statuses(tmp_path / "all")
    file.write_bytes(whole)
    assert counts(collect([two], tmp_path / "all")) == (6, 0, 1, 0)


def test_what_is_damaged_in_the_folder_is_mended_from_another(one: Path, two: Path, tmp_path: Path) -> None:
    out = tmp_path / "all"
    collect([one, two], out)
    file = out / "predictions" / "mse-glorot_uniform-s0.npz"
    whole = file.read_bytes()
    file.write_bytes(b"not what was written")
    found = collect([one], out)
    assert (found.mended, found.damaged) == (1, [])
    assert file.read_bytes() == whole
    assert pd.read_csv(out / "runs.csv")["run_id"].is_unique


def test_a_failure_takes_no_damaged_result_s_place(one: Path, two: Path, tmp_path: Path) -> None:
    out, run_id = tmp_path / "all", "giou-glorot_uniform-s0"
    collect([two], out)
    (out / "predictions" / f"{run_id}.npz").write_bytes(b"not what was written")
    found = collect([one], out)  # where that run failed
    assert (found.mended, found.failed, found.damaged) == (0, 0, [run_id])
    assert statuses(out)[run_id] == "ok"
    assert collect([one, two], out).mended == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [({"epochs": 3}, "epochs 3 (expected 4)"), ({"dropout": 0.4}, "dropout 0.4 (expected 0.2)")],
)
def test_other_settings_are_refused_with_the_difference_named_before_anything_is_written(
    write_sweep: WriteSweep, one: Path, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    other = write_sweep(tmp_path / "other", {"mse": "good"}, **change)
    with pytest.raises(FolderConflict) as refused:
        collect([one, other], tmp_path / "all")
    assert said in str(refused.value)
    assert str(other) in str(refused.value)
    assert not (tmp_path / "all").exists()
    collect([one], tmp_path / "all")
    before = content(tmp_path / "all")
    with pytest.raises(FolderConflict):
        collect([other], tmp_path / "all")
    assert content(tmp_path / "all") == before


def test_a_folder_with_something_else_is_left_alone(one: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep")
    with pytest.raises(FolderConflict, match=r"letter\.txt"):
        collect([one], tmp_path / "mine")
    assert [each.name for each in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_a_folder_that_a_sweep_is_writing_is_not_written(one: Path, two: Path) -> None:
    with claim_folder(one), pytest.raises(FolderConflict, match="Another process is writing"):
        collect([two], one)


def test_a_sweep_under_way_is_taken_as_it_is(one: Path, two: Path, tmp_path: Path) -> None:
    with (two / "journal.jsonl").open("ab") as stream:
        stream.write(b'{"run_id":"being written')
    with claim_folder(two):
        assert collect([one, two], tmp_path / "all").runs == 6


def test_no_sweep_at_all_is_bad_input(one: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing there"):
        collect([one, tmp_path / "nowhere"], tmp_path / "all")
    with pytest.raises(InputError, match="another sweep"):
        collect([tmp_path / "all"], tmp_path / "all")
    assert not (tmp_path / "all").exists()


def test_a_name_that_leads_out_of_the_folder_is_refused(one: Path, tmp_path: Path) -> None:
    text = (one / "journal.jsonl").read_text()
    (one / "journal.jsonl").write_text(text.replace("mse-glorot_uniform-s0", "../mse"))
    with pytest.raises(InputError, match=r"\.\./mse"):
        collect([one], tmp_path / "all")


def give_models(folder: Path, scores: dict[str, float]) -> None:
    """Models as --save-models best keeps them, with the mean IoU by which they were chosen."""
    records = read_records(folder / "journal.jsonl")
    (folder / "models").mkdir()
    for record in records:
        if (score := scores.get(record["run_id"])) is not None:
            model = folder / "models" / f"{record['run_id']}.keras"
            model.write_text(f"{folder.name} {record['run_id']}")
            record["epochs"][-1]["val_mean_iou"] = score
            record |= {"model_sha256": file_sha256(model), "model_kept": "best"}
    (folder / "journal.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))


def models(folder: Path) -> dict[str, str]:
    return {file.stem: file.read_text() for file in (folder / "models").iterdir()}


def test_logs_come_along(one: Path, two: Path, tmp_path: Path) -> None:
    (one / "logs").mkdir()
    (one / "logs" / "giou-glorot_uniform-s0.log").write_text("why it failed")
    collect([one], tmp_path / "all")
    log = tmp_path / "all" / "logs" / "giou-glorot_uniform-s0.log"
    assert log.read_text() == "why it failed"
    collect([two], tmp_path / "all")  # where it did not
    assert not log.exists()


def test_models_come_along_as_they_were_written(one: Path, tmp_path: Path) -> None:
    give_models(one, {"mse-glorot_uniform-s0": 0.7})
    collect([one], tmp_path / "all")
    assert models(tmp_path / "all") == {"mse-glorot_uniform-s0": "one mse-glorot_uniform-s0"}
    (one / "models" / "mse-glorot_uniform-s0.keras").write_text("altered")
    collect([one], tmp_path / "again")
    assert not (tmp_path / "again" / "models").exists()


def test_of_the_best_of_each_sweep_the_best_of_all_stays(write_sweep: WriteSweep, tmp_path: Path) -> None:
    apart = [write_sweep(tmp_path / name, {"mse": "good", "giou": "good"}, seeds=n) for name, n in (("a", 1), ("b", 2))]
    give_models(apart[0], {"mse-glorot_uniform-s0": 0.7, "giou-glorot_uniform-s0": 0.5})
    give_models(apart[1], {"mse-glorot_uniform-s1": 0.6, "giou-glorot_uniform-s1": 0.8})
    collect(apart, tmp_path / "all")
    best = {"mse-glorot_uniform-s0": "a mse-glorot_uniform-s0", "giou-glorot_uniform-s1": "b giou-glorot_uniform-s1"}
    assert models(tmp_path / "all") == best
    collect(apart, tmp_path / "all")
    assert models(tmp_path / "all") == best


def test_a_better_run_without_a_model_leaves_the_only_one_of_its_cell(write_sweep: WriteSweep, tmp_path: Path) -> None:
    apart = [write_sweep(tmp_path / name, {"mse": "good"}, seeds=n) for name, n in (("a", 1), ("b", 2))]
    give_models(apart[0], {"mse-glorot_uniform-s0": 0.4})
    give_models(apart[1], {"mse-glorot_uniform-s1": 0.6})
    shutil.rmtree(apart[1] / "models")
    collect(apart, tmp_path / "all")
    records = read_records(tmp_path / "all" / "journal.jsonl")
    assert BestOfCells(records).run_ids == {"mse-glorot_uniform-s1"}
    assert models(tmp_path / "all") == {"mse-glorot_uniform-s0": "a mse-glorot_uniform-s0"}


def test_an_edited_loss_under_one_name_is_told(one: Path, two: Path, tmp_path: Path) -> None:
    for folder, run_id in ((one, "own-1"), (two, "own-2")):
        manifest = json.loads((folder / "sweep.json").read_text())
        manifest["runs"] = {"own:loss glorot_uniform 0": run_id}
        (folder / "sweep.json").write_text(json.dumps(manifest))
    warnings: list[str] = []
    collect([one, two], tmp_path / "all", warnings.append)
    assert "after an edit" in warnings[0]
    assert "own:loss glorot_uniform 0" in warnings[0]


def test_the_result_can_be_gone_on_with(one: Path, two: Path, tmp_path: Path) -> None:
    collect([one, two], tmp_path / "all")
    manifest = json.loads((tmp_path / "all" / "sweep.json").read_text())
    with claim_results(tmp_path / "all", {**manifest, "runs": {}}) as results:
        assert len(results.journal.records) == 6
    assert "environments" in json.loads((tmp_path / "all" / "sweep.json").read_text())


@pytest.mark.slow
def test_seeds_trained_apart_and_collected_are_the_sweep_that_trained_them_all(
    tiny: Any, undisturbed: Any, tmp_path: Path
) -> None:
    class Heard(Listener):
        def __init__(self) -> None:
            self.trained: list[str] = []

        def finished(self, row: dict[str, Any]) -> None:
            self.trained.append(row["run_id"])

    for seed in (1, 0):
        sweep_here(tiny(seeds=[seed]), tmp_path / str(seed))
    collect([tmp_path / "1", tmp_path / "0"], tmp_path / "all")
    heard = Heard()
    sweep_here(tiny(), tmp_path / "all", heard)
    assert heard.trained == []
    both = [pd.read_csv(folder / "runs.csv") for folder in (tmp_path / "all", undisturbed.folder)]
    pd.testing.assert_frame_equal(*(runs.drop(columns="seconds") for runs in both), rtol=1e-4, atol=1e-4)
