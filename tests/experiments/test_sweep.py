"""Sweeps that are stopped, gone on with, added to and refused."""

from __future__ import annotations

import importlib
import json
import linecache
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import keras
import pandas as pd
import pytest
from sweeps_here import sweep_here

from bboxbench.data_gen import Dataset, DatasetSpec, generate
from bboxbench.errors import FolderConflict, InputError
from bboxbench.experiments.estimate import Estimate
from bboxbench.experiments.execution import in_process
from bboxbench.experiments.execution.in_process import InProcess
from bboxbench.experiments.listener import Listener
from bboxbench.experiments.own_loss import ORDINARY
from bboxbench.experiments.plan import Run
from bboxbench.experiments.recorded import read_sweep
from bboxbench.experiments.results import read_predictions
from bboxbench.experiments.spec import SweepSpec
from bboxbench.experiments.summary import caption
from bboxbench.experiments.sweep import SweepResult

TIMES = ["seconds"]


@pytest.fixture(autouse=True)
def not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timing this machine takes longer than these sweeps: only the tests of plans do it."""
    monkeypatch.setattr(in_process, "estimate_on", lambda *_: Estimate(0.0, {}))


def runs_of(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "runs.csv").drop(columns=TIMES).sort_values("run_id", ignore_index=True)


class Counting(Listener):
    """Counts what a sweep trains, and stops it after so many runs."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.trained: list[str] = []
        self.warnings: list[str] = []
        self.stop_after = stop_after

    def finished(self, row: dict[str, Any]) -> None:
        self.trained.append(row["run_id"])
        if len(self.trained) == self.stop_after:
            raise KeyboardInterrupt

    def warning(self, text: str) -> None:
        self.warnings.append(text)


def test_a_sweep_stopped_and_taken_up_again_ends_like_an_undisturbed_one(
    tiny: Any, undisturbed: SweepResult, tmp_path: Path
) -> None:
    first, second = Counting(stop_after=1), Counting()
    with pytest.raises(KeyboardInterrupt):
        sweep_here(tiny(), tmp_path / "r", first)
    assert len(pd.read_csv(tmp_path / "r" / "runs.csv")) == 1
    with (tmp_path / "r" / "journal.jsonl").open("ab") as stream:
        stream.write(b'{"run_id":"torn')  # as a process killed while writing leaves it
    sweep_here(tiny(), tmp_path / "r", second)
    assert len(first.trained) == 1
    assert len(second.trained) == 3
    assert "set aside" in second.warnings[0]
    pd.testing.assert_frame_equal(runs_of(tmp_path / "r"), runs_of(undisturbed.folder), rtol=1e-4, atol=1e-4)


def test_what_another_driver_finished_before_the_folder_was_claimed_is_not_trained_again(
    tiny: Any, undisturbed: SweepResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(self: InProcess, pending: list[Run]) -> Estimate:
        assert len(pending) == 4
        shutil.copytree(undisturbed.folder, tmp_path / "r")
        return Estimate(0.0, {})

    monkeypatch.setattr(InProcess, "estimate", meanwhile)
    heard = Counting()
    result = sweep_here(tiny(), tmp_path / "r", heard)
    assert (heard.trained, heard.warnings) == ([], [])
    journals = [(folder / "journal.jsonl").read_bytes() for folder in (tmp_path / "r", undisturbed.folder)]
    assert journals[0] == journals[1]
    assert len(result.runs) == 4


def test_a_finished_sweep_trains_nothing_and_longer_axes_add_to_it(tiny: Any, tmp_path: Path) -> None:
    sweep_here(tiny(losses=["mse"], seeds=1, epochs=1), tmp_path / "r")
    again, longer = Counting(), Counting()
    result = sweep_here(tiny(losses=["mse"], seeds=1, epochs=1), tmp_path / "r", again)
    assert again.trained == []
    assert len(result.distribution) == 1
    sweep_here(tiny(losses=["giou", "mse"], seeds=1, epochs=1), tmp_path / "r", longer)
    assert [name.partition("-")[0] for name in longer.trained] == ["giou"]
    assert set(runs_of(tmp_path / "r")["loss"]) == {"mse", "giou"}


def test_a_folder_grown_by_other_axes_is_finished_when_what_was_asked_for_is(tiny: Any, tmp_path: Path) -> None:
    folder = tmp_path / "r"
    sweep_here(tiny(losses=["mse", "giou"], seeds=1, epochs=1), folder)
    with pytest.raises(KeyboardInterrupt):
        sweep_here(tiny(losses=["iou"], seeds=3, epochs=1), folder, Counting(stop_after=1))
    under_way = read_sweep(folder)
    assert (len(under_way.runs), under_way.planned) == (3, 5)
    sweep_here(tiny(losses=["iou"], seeds=3, epochs=1), folder)
    grown = read_sweep(folder)
    assert len(grown.runs) == grown.planned == 5
    assert "so far" not in caption(grown, grown.planned)


def test_an_edited_loss_is_asked_for_anew_and_the_runs_of_its_old_text_are_not(tiny: Any, tmp_path: Path) -> None:
    folder = tmp_path / "r"

    def spec(factor: int) -> SweepSpec:
        body = f"    return {factor} * ops.mean(ops.square(t - p), axis=-1)\n"
        (tmp_path / "edited_loss.py").write_text(f"from keras import ops\ndef own(t, p):\n{body}")
        sys.modules.pop("edited_loss", None)
        linecache.clearcache()
        importlib.invalidate_caches()
        made: SweepSpec = tiny(losses=["edited_loss:own"], seeds=2, epochs=1)
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        patch.setattr(sys, "dont_write_bytecode", True)
        with pytest.raises(KeyboardInterrupt):
            sweep_here(spec(1), folder, Counting(stop_after=1))
        with pytest.raises(KeyboardInterrupt):
            sweep_here(spec(20), folder, Counting(stop_after=1))
        assert (len(read_sweep(folder).runs), read_sweep(folder).planned) == (2, 3)
        sweep_here(spec(20), folder)
    sweep = read_sweep(folder)
    assert len(sweep.runs) == sweep.planned == 3


@pytest.mark.parametrize(("changes", "named"), [({"epochs": 3}, "epochs 2"), ({"dropout": 0.3}, "dropout 0.2")])
def test_other_settings_are_refused_with_the_difference_named(
    tiny: Any, undisturbed: SweepResult, changes: dict[str, Any], named: str
) -> None:
    before = (undisturbed.folder / "sweep.json").read_bytes()
    with pytest.raises(FolderConflict, match=named):
        sweep_here(tiny(**changes), undisturbed.folder)
    assert (undisturbed.folder / "sweep.json").read_bytes() == before


def test_another_data_set_is_refused(tiny: Any, undisturbed: SweepResult, tmp_path: Path) -> None:
    other = generate(DatasetSpec.letters(n=40, seed=4), tmp_path / "other", workers=1)
    with pytest.raises(FolderConflict, match=r"seed 3 \(now 4\)"):
        sweep_here(tiny(data=str(other.folder)), undisturbed.folder)


def test_the_same_data_elsewhere_is_the_same_data(tiny: Any, undisturbed: SweepResult, tmp_path: Path) -> None:
    import shutil

    here = json.loads((undisturbed.folder / "sweep.json").read_text())["spec"]["data"]
    shutil.copytree(here, tmp_path / "moved")
    again = Counting()
    sweep_here(tiny(data=str(tmp_path / "moved")), undisturbed.folder, again)
    assert again.trained == []


def test_a_folder_with_something_else_is_left_alone(tiny: Any, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(FolderConflict, match=r"letter\.txt"):
        sweep_here(tiny(), tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["letter.txt"]


def test_a_sweep_stopped_before_its_first_file_was_whole_goes_on(tiny: Any, tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    (tmp_path / ".sweep.json.tmp123").write_text('{"half":')
    sweep_here(tiny(losses=["mse"], seeds=1, epochs=1), tmp_path)
    assert (tmp_path / "runs.csv").exists()
    assert not list(tmp_path.glob(".sweep.json.tmp*"))


@pytest.mark.slow
def test_the_other_spelling_of_a_cell_adds_to_its_row(tiny: Any, tmp_path: Path) -> None:
    sweep_here(tiny(losses=["centre_point(size_weight=1)"], seeds=1, epochs=1), tmp_path / "r")
    again = Counting()
    result = sweep_here(tiny(losses=["centre_point"], seeds=2, epochs=1), tmp_path / "r", again)
    assert len(again.trained) == 1
    assert result.distribution["runs"].tolist() == [2]
    assert json.loads((tmp_path / "r" / "sweep.json").read_text())["spec"]["seeds"] == [0, 1]
    (tmp_path / "r" / "predictions" / f"{again.trained[0]}.npz").write_bytes(b"not what was written")
    with pytest.raises(InputError, match="not whole"):
        read_predictions(tmp_path / "r", again.trained[0])
    narrower, mended = Counting(), Counting()
    sweep_here(tiny(losses=["centre_point"], seeds=1, epochs=1), tmp_path / "r", narrower)
    assert narrower.trained == []
    assert again.trained[0] in narrower.warnings[0]
    assert json.loads((tmp_path / "r" / "sweep.json").read_text())["spec"]["seeds"] == [0, 1]
    sweep_here(tiny(losses=["centre_point"], seeds=2, epochs=1), tmp_path / "r", mended)
    assert mended.trained == again.trained
    assert len(read_predictions(tmp_path / "r", again.trained[0])) == 20


def test_predictions_are_on_disk_before_the_line_that_names_them(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(tmp_path)))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    sweep_here(tiny(losses=["mse"], seeds=1, epochs=1), tmp_path / "r")
    kinds = [name for path in synced for name in ("predictions/", "journal.jsonl") if name in path]
    assert kinds == ["predictions/", "journal.jsonl"]


def test_a_damaged_shard_is_refused_before_anything_is_written(
    small_dataset: Dataset, tiny: Any, tmp_path: Path
) -> None:
    import shutil

    shutil.copytree(small_dataset.folder, tmp_path / "data")
    shard = tmp_path / "data" / "shards" / "00000.npz"
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"00000\.npz"):
        sweep_here(tiny(data=str(tmp_path / "data")), tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_a_file_in_place_of_the_folder_is_refused(tiny: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="Expected a folder"):
        sweep_here(tiny(), tmp_path / "file")


def test_a_typing_error_draws_and_writes_nothing(empty_folder: Path) -> None:
    from bboxbench.experiments.spec import SweepSpec

    with pytest.raises(InputError, match="giou"):
        sweep_here(SweepSpec.from_preset("quick", losses=["giuo"]))
    assert list(empty_folder.iterdir()) == []


def raising_loss(y_true: Any, y_pred: Any) -> Any:
    """Raises in training alone: on arrival it is tried on batches of these sizes."""
    if y_pred.shape[0] not in (2, len(ORDINARY)):
        raise RuntimeError("on purpose")
    return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)


@pytest.mark.slow
def test_a_failed_run_is_a_row_that_stays_in_the_count_until_it_is_retried(tiny: Any, tmp_path: Path) -> None:
    spec = tiny(losses=[f"{__name__}:raising_loss", "mse"], seeds=1, epochs=1, batch_sizes=4)
    result = sweep_here(spec, tmp_path / "r")
    assert len(result.failed) == 1
    row = result.runs[result.runs["status"] == "failed"].iloc[0]
    assert "on purpose" in row["error"]
    assert pd.isna(row["box_accuracy"])
    cell = result.distribution.iloc[0]
    assert (cell["runs"], cell["failed"], cell["converged_rate"], cell["box_accuracy_median"]) == (1, 1, 0, 0)
    again, retried = Counting(), Counting()
    sweep_here(spec, tmp_path / "r", again)
    sweep_here(spec, tmp_path / "r", retried, retry_failed=True)
    assert again.trained == []
    assert len(retried.trained) == 1
    assert len(runs_of(tmp_path / "r")) == 2


def test_the_letters_are_drawn_first_if_they_are_not_there(tiny: Any, empty_folder: Path) -> None:
    heard: list[tuple[int, int]] = []

    class Drawing(Listener):
        def drawing(self, done: int, total: int) -> None:
            heard.append((done, total))

    result = sweep_here(tiny(data="", n=20, losses=["mse"], seeds=1, epochs=1), None, Drawing())
    assert heard[-1] == (20, 20)
    assert (empty_folder / "data" / "letters-n20-seed0" / "dataset.json").exists()
    assert result.folder.parent == Path("results")


def test_an_error_of_whoever_listens_ends_the_sweep_and_no_run_is_called_failed(tiny: Any, tmp_path: Path) -> None:
    """As when the reader of a pipe goes away."""

    class Gone(Listener):
        def epoch(self, run: Any, epoch: float) -> None:
            raise BrokenPipeError("gone")

    for engine in ("lockstep", "fit"):
        with pytest.raises(BrokenPipeError, match="gone"):
            sweep_here(tiny(losses=["mse"], seeds=1, engine=engine), tmp_path / engine, Gone())
        assert not (tmp_path / engine / "journal.jsonl").exists()
