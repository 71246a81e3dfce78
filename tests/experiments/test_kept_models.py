"""Which trained networks a sweep keeps, and that a file gives back what was trained."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bboxbench.data_gen import Dataset
from bboxbench.errors import InputError
from bboxbench.experiments import load_model
from bboxbench.experiments.execution.executor import Execution
from bboxbench.experiments.fit import predict
from bboxbench.experiments.listener import Listener
from bboxbench.experiments.models.best_of_cells import BestOfCells, model_file, superseded
from bboxbench.experiments.models.kept_models import KeptModels
from bboxbench.experiments.results import read_predictions
from bboxbench.experiments.sweep import SweepResult, run_sweep


def keeping(which: str) -> Execution:
    return Execution(isolation="none", save_models=which)


def models(folder: Path) -> set[str]:
    return {path.stem for path in (folder / "models").iterdir()}


def journal(folder: Path) -> dict[str, dict[str, Any]]:
    records = map(json.loads, (folder / "journal.jsonl").read_text().splitlines())
    return {record["run_id"]: record for record in records}


def best(result: SweepResult, loss: str) -> str:
    """By the table of epochs, as a reader would find it."""
    records = [r for r in journal(result.folder).values() if r["row"]["loss"] == loss]
    return str(max(records, key=lambda r: r["epochs"][-1]["val_mean_iou"])["run_id"])


@pytest.fixture(scope="module")
def all_kept(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    """Both engines: lamb is not elementwise, so fit trains it."""
    spec = tiny(losses=["mse", "giou"], optimizers=["adam:0.0005", "lamb:0.001"], seeds=1, heads=["ordered"])
    return run_sweep(spec, tmp_path_factory.mktemp("all") / "r", execution=keeping("all"))


def test_a_saved_model_of_either_engine_predicts_what_the_run_predicted(
    all_kept: SweepResult, small_dataset: Dataset
) -> None:
    assert set(all_kept.runs["engine"]) == {"lockstep", "fit"}
    assert models(all_kept.folder) == set(all_kept.runs["run_id"])
    for run_id in all_kept.runs["run_id"]:
        boxes = predict(load_model(model_file(all_kept.folder, run_id)), small_dataset.grey("test"))
        # Predictions are kept as float16, which has 11 bits.
        assert np.allclose(boxes, read_predictions(all_kept.folder, run_id), atol=1e-3)


def test_the_journal_has_the_hash_of_every_model(all_kept: SweepResult) -> None:
    for run_id, record in journal(all_kept.folder).items():
        content = model_file(all_kept.folder, run_id).read_bytes()
        assert record["model_sha256"] == hashlib.sha256(content).hexdigest()


@pytest.mark.slow
def test_only_the_best_of_each_cell_by_validation_stays_and_a_resumed_sweep_agrees(tiny: Any, tmp_path: Path) -> None:
    axes = {"losses": ["mse", "giou"], "epochs": 1}
    first = run_sweep(tiny(**axes, seeds=2), tmp_path / "r", execution=keeping("best"))
    assert models(first.folder) == {best(first, "mse"), best(first, "giou")}
    resumed = run_sweep(tiny(**axes, seeds=4), tmp_path / "r", execution=keeping("best"))
    assert models(resumed.folder) == {best(resumed, "mse"), best(resumed, "giou")}


@pytest.mark.slow
def test_a_model_of_a_driver_that_died_before_the_journal_line_is_mended(tiny: Any, tmp_path: Path) -> None:
    """Both moments: a model without a line, and an overtaken one that was not removed yet."""
    spec = tiny(losses=["mse"], epochs=1, seeds=3)
    result = run_sweep(spec, tmp_path / "r", execution=keeping("best"))
    winner, lines = best(result, "mse"), (tmp_path / "r" / "journal.jsonl").read_text().splitlines(keepends=True)
    last = json.loads(lines[-1])
    loser = next(run_id for run_id in journal(result.folder) if run_id != winner)
    overtaken = {**journal(result.folder)[loser], "model_sha256": "0" * 64, "model_kept": "best"}
    (tmp_path / "r" / "journal.jsonl").write_text("".join([*lines[:-1], json.dumps(overtaken) + "\n"]))
    model_file(result.folder, loser).write_bytes(b"overtaken")
    model_file(result.folder, last["run_id"]).write_bytes(b"half of the truth")
    again = run_sweep(spec, tmp_path / "r", execution=keeping("best"))
    assert models(again.folder) == {best(again, "mse")}
    load_model(model_file(again.folder, best(again, "mse")))


def test_none_keeps_none_and_a_later_wish_says_what_is_missing(tiny: Any, tmp_path: Path) -> None:
    heard: list[str] = []

    class Hearing(Listener):
        def warning(self, text: str) -> None:
            heard.append(text)

    spec = tiny(losses=["mse"], seeds=1, epochs=1)
    result = run_sweep(spec, tmp_path / "r", execution=keeping("none"))
    assert not (tmp_path / "r" / "models").exists()
    run_sweep(spec, tmp_path / "r", Hearing(), execution=keeping("all"))
    assert [text for text in heard if "there is no model" in text and result.runs["run_id"][0] in text] == heard


def record(run_id: str, seed: int, score: float | None, loss: str = "mse", **more: Any) -> dict[str, Any]:
    row = {"loss": loss, "seed": seed, "status": "failed" if score is None else "ok", "outcome": "learning"}
    epochs = [] if score is None else [{"epoch": 1, "val_mean_iou": 0.99}, {"epoch": 2, "val_mean_iou": score}]
    return {"run_id": run_id, "row": {**row, **more}, "epochs": epochs}


def test_the_best_is_the_same_in_whatever_order_runs_come() -> None:
    runs = [record("a", 0, 0.4), record("b", 1, 0.6), record("c", 2, 0.6), record("d", 3, None)]
    runs += [record("e", 4, 0.9, outcome="diverged"), record("f", 0, 0.1, loss="giou")]
    assert BestOfCells(runs).run_ids == BestOfCells(runs[::-1]).run_ids == {"b", "f"}


def test_a_run_that_stopped_early_is_judged_by_the_epoch_whose_weights_it_kept() -> None:
    runs = [record("a", 0, 0.4), record("b", 1, 0.1, kept_epoch=1), record("c", 2, 0.5, kept_epoch=2)]
    assert BestOfCells(runs).run_ids == {"b"}


def test_a_run_that_was_trained_anew_takes_the_place_of_the_old_one_of_its_seed() -> None:
    runs = [record("old", 0, 0.9, model_kept="best"), record("other", 1, 0.5), record("new", 0, 0.1)]
    assert BestOfCells(runs).run_ids == {"other"}


def test_a_cell_without_a_network_that_ended_well_has_no_best() -> None:
    assert BestOfCells([record("a", 0, None), record("b", 1, 0.2, outcome="diverged")]).run_ids == set()


def with_model(folder: Path, run: dict[str, Any], kept: str = "best") -> dict[str, Any]:
    file = model_file(folder, run["run_id"])
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"a network")
    return {**run, "model_kept": kept, "model_sha256": hashlib.sha256(b"a network").hexdigest()}


def test_of_merged_sweeps_only_the_better_best_stays(tmp_path: Path) -> None:
    runs = [with_model(tmp_path, record("a", 0, 0.4)), with_model(tmp_path, record("b", 1, 0.6))]
    assert superseded(tmp_path, [*runs, with_model(tmp_path, record("c", 2, 0.1), "all")]) == ["a"]


def test_a_better_run_without_a_model_takes_no_model_away(tmp_path: Path) -> None:
    runs = [with_model(tmp_path, record("a", 0, 0.4)), record("b", 1, 0.6)]
    assert superseded(tmp_path, runs) == []
    lost = with_model(tmp_path, record("c", 2, 0.7))
    model_file(tmp_path, "c").unlink()
    assert superseded(tmp_path, [*runs, lost]) == ["c"]  # its line alone is left
    between = with_model(tmp_path, record("d", 3, 0.5))
    assert superseded(tmp_path, [*runs, between]) == ["a"]


def test_a_model_of_a_run_that_was_trained_anew_outlasts_no_valid_one(tmp_path: Path) -> None:
    old, new = with_model(tmp_path, record("old", 0, 0.9)), record("new", 0, 0.1)
    assert superseded(tmp_path, [old, new]) == []
    assert superseded(tmp_path, [old, with_model(tmp_path, record("other", 1, 0.5)), new]) == ["old"]


def test_a_sweep_gone_on_with_keeps_the_only_model_of_a_cell_until_a_better_one_lies_there(
    tiny: Any, tmp_path: Path
) -> None:
    runs = [with_model(tmp_path, record("a", 0, 0.4)), record("b", 1, 0.6)]
    kept = KeptModels(tmp_path, "best", tiny(), (200, 100), runs)
    assert models(tmp_path) == {"a"}
    kept.settle(with_model(tmp_path, record("c", 2, 0.7)))
    assert models(tmp_path) == {"c"}


def test_the_best_cannot_be_told_without_validation_pictures(tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Expected validation pictures"):
        run_sweep(tiny(validation=0), tmp_path / "r", execution=keeping("best"))
    assert not (tmp_path / "r").exists()


def with_a_lambda(initializer: Any, width: int, height: int) -> Any:
    import keras

    pictures = keras.Input((height, width, 1))
    x = keras.layers.Lambda(lambda p: p[:, ::20, ::20])(pictures)
    return keras.Model(
        pictures, keras.layers.Dense(4, kernel_initializer=initializer("box"))(keras.layers.Flatten()(x))
    )


def test_a_network_that_could_not_be_loaded_is_refused_before_anything_is_trained(tiny: Any, tmp_path: Path) -> None:
    spec = tiny(network=f"{__name__}:with_a_lambda")
    with pytest.raises(InputError, match="has a Lambda layer"):
        run_sweep(spec, tmp_path / "r", execution=keeping("all"))
    assert not (tmp_path / "r").exists()
