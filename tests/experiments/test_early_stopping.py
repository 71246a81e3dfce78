from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bboxbench.data_gen import Dataset, DatasetSpec, generate
from bboxbench.errors import InputError
from bboxbench.experiments.early_stopping import EarlyStopping
from bboxbench.experiments.execution.executor import Execution
from bboxbench.experiments.fit import FitEngine
from bboxbench.experiments.lockstep import LockstepEngine
from bboxbench.experiments.models.best_of_cells import BestOfCells
from bboxbench.experiments.plan import Block, plan
from bboxbench.experiments.recorded import read_sweep
from bboxbench.experiments.spec import SweepSpec
from bboxbench.experiments.training import Split, TrainedRun, TrainingData, load_data

PATIENCE, EPOCHS = 2, 5


def by_keras(values: list[float], patience: int) -> tuple[int, int]:
    """Epochs that Keras's own callback trains, and the one whose weights it restores, both from 1."""
    kept: list[int] = []
    now = SimpleNamespace(stop_training=False, get_weights=lambda: [epoch], set_weights=kept.append)
    callback = keras.callbacks.EarlyStopping(
        monitor="v", mode="max", patience=patience, restore_best_weights=True, verbose=0
    )
    callback._model = now
    callback.on_train_begin()
    for epoch, value in enumerate(values, 1):  # the lambda above reads it
        callback.on_epoch_end(epoch - 1, {"v": value})
        if now.stop_training:
            break
    callback.on_train_end()
    return epoch, kept[0][0]  # type: ignore[index]


def ours(values: list[float], patience: int) -> tuple[int, int]:
    stopping, kept = EarlyStopping(patience), 0
    for epoch, value in enumerate(values, 1):
        if stopping.keeps(value):
            kept = epoch
        if stopping.is_over:
            break
    return epoch, kept


@given(
    values=st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.3, float("nan")]), min_size=1, max_size=12),
    patience=st.integers(1, 4),
)
def test_it_stops_and_keeps_as_the_callback_of_keras_does(values: list[float], patience: int) -> None:
    assert ours(values, patience) == by_keras(values, patience)


@given(values=st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_without_patience_all_epochs_are_trained_and_the_last_is_kept(values: list[float]) -> None:
    assert ours(values, 0) == (len(values), len(values))


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Small pictures of large letters."""
    spec = DatasetSpec.letters(n=600, seed=5, width=64, height=48, sizes=(18, 22))
    return generate(spec, tmp_path_factory.mktemp("letters") / "data", workers=1)


@pytest.fixture(scope="module")
def data(letters: Dataset) -> TrainingData:
    whole = load_data(letters, validation=60)
    train = Split(whole.train.grey[:120], whole.train.boxes[:120])
    return dataclasses.replace(whole, train=train, test=Split(whole.test.grey[:50], whole.test.boxes[:50]))


def spec_of(letters: Dataset, **changes: Any) -> SweepSpec:
    """A run that goes on learning, and one that gets worse."""
    values: dict[str, Any] = {
        "data": str(letters.folder),
        "losses": "mse,giou",
        "initializers": "glorot_uniform",
        "optimizers": "adam",
        "learning_rates": "mse:0.0003,giou:0.001",
        "seeds": "3-3",
        "epochs": EPOCHS,
        "batch_sizes": 10,
        "validation": 60,
        "patience": PATIENCE,
    }
    return SweepSpec.from_preset("default", **{**values, **changes})


def trained(engine: Any, spec: SweepSpec, data: TrainingData) -> dict[tuple[str, float], TrainedRun]:
    block = Block(3, tuple(plan(spec, "")))
    results = engine(spec, keep_weights=True).train(block, data, lambda run, epoch: None)
    return {(result.run.cell.loss, result.run.cell.learning_rate): result for result in results}


def test_both_engines_stop_at_the_same_epoch_and_keep_the_same_one(letters: Dataset, data: TrainingData) -> None:
    spec = spec_of(letters)
    together, alone = trained(LockstepEngine, spec, data), trained(FitEngine, spec, data)
    lengths = {key: (len(result.epochs), result.kept_epoch) for key, result in alone.items()}
    assert {key: (len(result.epochs), result.kept_epoch) for key, result in together.items()} == lengths
    # One stopped, one did not: else nothing was tried.
    assert lengths["mse", 0.0003][0] == EPOCHS
    assert lengths["giou", 0.001][0] < EPOCHS
    for key, result in alone.items():
        validated = [row["val_mean_iou"] for row in result.epochs]
        assert int(np.argmax(validated)) + 1 == result.kept_epoch
        if len(validated) < EPOCHS:
            assert len(validated) == result.kept_epoch + PATIENCE
        assert np.allclose(together[key].predictions, result.predictions, atol=1e-2)

    # The weights kept are those of a run that was asked for that many epochs.
    for engine, found in ((LockstepEngine, together), (FitEngine, alone)):
        kept = found["giou", 0.001]
        short = spec_of(letters, epochs=kept.kept_epoch, patience=0, include="loss=giou,learning_rate=0.001")
        (again,) = trained(engine, short, data).values()
        assert kept.weights is not None
        assert again.weights is not None
        assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(kept.weights, again.weights, strict=True))
        assert np.allclose(kept.predictions, again.predictions, atol=1e-4)


def test_a_diverged_run_ends_with_its_last_epoch_whatever_the_patience(letters: Dataset, data: TrainingData) -> None:
    changes = {"losses": "mse,iou_unguarded", "learning_rates": "0.001", "starts": "zeros", "epochs": 3}
    for engine in (LockstepEngine, FitEngine):
        found = {loss: result for (loss, _), result in trained(engine, spec_of(letters, **changes), data).items()}
        bad, good = found["iou_unguarded"], found["mse"]
        assert (bad.finite, good.finite) == (False, True)
        assert bad.kept_epoch == len(bad.epochs)
        assert bad.predictions is not None
        assert np.isnan(bad.predictions).any()
        assert good.predictions is not None
        assert np.isfinite(good.predictions).all()


def test_the_table_says_how_many_epochs_a_run_had_and_which_was_kept(letters: Dataset, tmp_path: Any) -> None:
    from bboxbench.experiments.sweep import run_sweep

    spec = spec_of(letters, losses="giou", learning_rates="0.001", epochs=6)
    run_sweep(spec, tmp_path / "r", execution=Execution(isolation="none"))
    sweep = read_sweep(tmp_path / "r")
    (row,) = sweep.runs.to_dict("records")
    assert (row["epochs"], row["epochs_trained"]) == (6, len(sweep.epochs))
    assert row["kept_epoch"] == int(sweep.epochs["val_mean_iou"].to_numpy().argmax()) + 1
    assert row["epochs_trained"] == min(6, row["kept_epoch"] + PATIENCE)


def test_the_best_run_of_a_cell_is_told_by_the_epoch_that_was_kept() -> None:
    def record(seed: int, values: list[float], kept: int | None) -> dict[str, Any]:
        row = {"run_id": f"r{seed}", "seed": seed, "status": "ok", "outcome": "learning", "kept_epoch": kept}
        return {"run_id": f"r{seed}", "row": row, "epochs": [{"val_mean_iou": value} for value in values]}

    stopped = record(0, [0.1, 0.8, 0.2, 0.1], 2)
    assert BestOfCells([stopped, record(1, [0.1, 0.5], 2)]).run_ids == {"r0"}
    assert BestOfCells([stopped, record(1, [0.1, 0.9], 2)]).run_ids == {"r1"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"patience": -1}, "patience of 0 or more"),
        ({"patience": 1.5}, "a whole number for patience"),
        ({"patience": 2, "validation": 0}, "validation pictures for patience 2. Received: validation 0"),
    ],
)
def test_a_patience_that_makes_no_sense_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        SweepSpec.from_preset("quick", **changes)
