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


@pytest.mark.slow
def test_losses_that_fail_cost_their_own_runs_and_the_sweep_ends_with_1(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / f"{MODULE}.py").write_text(LOSSES, encoding="utf-8")
    nan, raises, sleeps = (f"{MODULE}:{name}" for name in ("TurnsNaN", "Raises", "Sleeps"))
    given = {"seeds": 1, "epochs": 3, "batch_sizes": 4, "timeout": 25}
    command = words(pictures, tmp_path / "r", losses=f"mse,{nan},{raises},{sleeps}", **given)
    code, _, err = run(command, tmp_path)
    assert code == 1, err
    assert "2 of the runs failed" in last_error(err)
    folder = tmp_path / "r"
    assert_whole(folder)
    runs = table(folder, "runs").set_index("loss")
    status, outcome, error = (
        {name.partition("(")[0].rpartition(":")[2]: value for name, value in runs[column].items()}
        for column in ("status", "outcome", "error")
    )
    assert status == {"mse": "ok", "TurnsNaN": "ok", "Raises": "failed", "Sleeps": "failed"}
    assert outcome["TurnsNaN"] == "diverged"
    assert "raised in epoch 3" in error["Raises"]
    assert "--timeout" in error["Sleeps"]
    for name in runs["log"][runs["status"] == "failed"]:
        assert (folder / name).read_text(encoding="utf-8").strip()
    # What trained beside them is what it is alone.
    code, _, err = run(words(pictures, tmp_path / "alone", losses="mse", **given), tmp_path)
    assert code == 0, err
    here, alone = (pd.read_csv(each / "runs.csv").drop(columns="seconds") for each in (folder, tmp_path / "alone"))
    mine = here[here["loss"] == "mse"].reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, alone, rtol=1e-4, atol=1e-4, check_dtype=False)
    # Failed runs stay as they are until they are asked for again.
    before = lines(folder)
    assert run(command, tmp_path)[0] == 1
    assert lines(folder) == before


def test_a_loss_of_the_wrong_shape_is_refused_with_2_before_anything_is_written(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / f"{MODULE}.py").write_text(LOSSES, encoding="utf-8")
    code, out, err = run(words(pictures, tmp_path / "r", losses=f"mse,{MODULE}:wrong_shape", seeds=1), tmp_path)
    assert (code, out) == (2, ""), err
    assert "one value a box" in last_error(err)
    assert not (tmp_path / "r").exists()
