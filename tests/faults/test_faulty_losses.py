"""Losses that turn NaN, raise in the third epoch, sleep for ever or have the wrong shape: they cost their own runs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from disturbed_sweeps import assert_whole, last_error, lines, run, table, words

LOSSES = """
import time

import keras
import numpy as np
import tensorflow as tf
from keras import ops

STEPS = 3  # of an epoch: 12 pictures in batches of 4

class Faulty(keras.losses.Loss):
    '''The squared error until something happens in a later epoch.'''

    def __init__(self):
        super().__init__()
        self.steps = 0

    def call(self, y_true, y_pred):
        values = ops.mean(ops.square(y_true - y_pred), axis=-1)
        if y_pred.shape[0] != 4:  # on arrival a loss is tried on batches of other sizes
            return values
        factor = tf.numpy_function(self.look, [], tf.float32)
        return values * tf.reshape(factor, ())

    def look(self):
        self.steps += 1
        return np.float32(self.happens((self.steps - 1) // STEPS + 1))

class TurnsNaN(Faulty):
    def happens(self, epoch):
        return np.nan if epoch == 2 else 1

class Raises(Faulty):
    def happens(self, epoch):
        if epoch == 3:
            raise RuntimeError("raised in epoch 3")
        return 1

class Sleeps(Faulty):
    def happens(self, epoch):
        while epoch == 2:
            time.sleep(3600)
        return 1

def wrong_shape(y_true, y_pred):
    return ops.square(y_true - y_pred)
"""
MODULE = "losses_with_a_fault"


GIVEN = {"seeds": 1, "epochs": 3, "batch_sizes": 4}


@pytest.fixture(scope="module")
def alone(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """What mse is where nothing trains beside it."""
    place = tmp_path_factory.mktemp("alone")
    code, _, err = run(words(pictures, place / "r", losses="mse", **GIVEN, isolation="none"), place)
    assert code == 0, err
    return measures_of_mse(place / "r")


def measures_of_mse(folder: Path) -> pd.DataFrame:
    """The row of mse, without what says how the sweep was told to train it, and without times."""
    runs = pd.read_csv(folder / "runs.csv").drop(columns=["seconds", "run_id", "spec_sha256", "deterministic"])
    return runs[runs["loss"] == "mse"].reset_index(drop=True)


def by_name(runs: pd.DataFrame, column: str) -> dict[str, str]:
    """A column by the names of losses, without module and parameters."""
    return {
        loss.partition("(")[0].rpartition(":")[2]: value for loss, value in zip(runs["loss"], runs[column], strict=True)
    }


def assert_ended_as_promised(command: list[str], folder: Path, failed: int, alone: pd.DataFrame) -> pd.DataFrame:
    """Exit code 1, whole tables, a log for each failed run, its neighbour unharmed; gives the rows of the runs."""
    code, _, err = run(command, folder.parent)
    assert code == 1, err
    assert f"{failed} of the runs failed" in last_error(err)
    assert_whole(folder)
    runs = table(folder, "runs")
    logs = runs["log"][runs["status"] == "failed"]
    assert len(logs) == failed
    assert all((folder / name).read_text(encoding="utf-8").strip() for name in logs)
    pd.testing.assert_frame_equal(measures_of_mse(folder), alone, rtol=1e-4, atol=1e-4, check_dtype=False)
    return runs


@pytest.mark.slow
def test_a_loss_that_turns_nan_and_one_that_raises_in_epoch_3_cost_their_own_runs(
    pictures: Path, alone: pd.DataFrame, tmp_path: Path
) -> None:
    (tmp_path / f"{MODULE}.py").write_text(LOSSES, encoding="utf-8")
    losses = f"mse,{MODULE}:TurnsNaN,{MODULE}:Raises"
    command = words(pictures, tmp_path / "r", losses=losses, **GIVEN, isolation="none")
    runs = assert_ended_as_promised(command, tmp_path / "r", 1, alone)
    assert by_name(runs, "status") == {"mse": "ok", "TurnsNaN": "ok", "Raises": "failed"}
    assert by_name(runs, "outcome")["TurnsNaN"] == "diverged"
    assert "raised in epoch 3" in by_name(runs, "error")["Raises"]
    # A failed run stays as it is until it is asked for again.
    before = lines(tmp_path / "r")
    assert run(command, tmp_path)[0] == 1
    assert lines(tmp_path / "r") == before


@pytest.mark.slow
def test_a_loss_that_sleeps_for_ever_is_ended_after_the_timeout_and_costs_its_own_run(
    pictures: Path, alone: pd.DataFrame, tmp_path: Path
) -> None:
    (tmp_path / f"{MODULE}.py").write_text(LOSSES, encoding="utf-8")
    # Halved at once, where bits are not promised: each death costs the whole timeout.
    given = {**GIVEN, "losses": f"mse,{MODULE}:Sleeps", "timeout": 30, "deterministic": False}
    runs = assert_ended_as_promised(words(pictures, tmp_path / "r", **given), tmp_path / "r", 1, alone)
    assert by_name(runs, "status") == {"mse": "ok", "Sleeps": "failed"}
    assert "--timeout" in by_name(runs, "error")["Sleeps"]
    log = (tmp_path / "r" / runs["log"][runs["status"] == "failed"].iloc[0]).read_text(encoding="utf-8")
    assert f"{MODULE}.py" in log, "the log says where it slept"


def test_a_loss_of_the_wrong_shape_is_refused_with_2_before_anything_is_written(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / f"{MODULE}.py").write_text(LOSSES, encoding="utf-8")
    code, out, err = run(words(pictures, tmp_path / "r", losses=f"mse,{MODULE}:wrong_shape", seeds=1), tmp_path)
    assert (code, out) == (2, ""), err
    assert "one value a box" in last_error(err)
    assert not (tmp_path / "r").exists()
