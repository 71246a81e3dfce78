"""What a person sees while a network trains."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from bboxbench.errors import InputError
from bboxbench.experiments import BoxDiagnosis

RNG = np.random.default_rng(0)
LOW = RNG.uniform(0.05, 0.5, (64, 2))
Y = np.concatenate([LOW, LOW + RNG.uniform(0.2, 0.4, (64, 2))], axis=1).astype("float32")
X = RNG.normal(0, 1, (64, 10, 20, 1)).astype("float32")


def network(bias: float = 0.0, metrics: list[str] | None = None, optimizer: str = "sgd") -> Any:
    model = keras.Sequential(
        [
            keras.Input((10, 20, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(
                4, "sigmoid", kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(bias)
            ),
        ]
    )
    model.compile(optimizer=optimizer, loss="mse", metrics=metrics or [])
    return model


def train(callback: Any, model: Any | None = None, epochs: int = 2) -> None:
    (model or network()).fit(X, Y, epochs=epochs, batch_size=16, verbose=0, callbacks=[callback])


def test_it_speaks_after_every_epoch_and_says_what_to_try_at_the_end() -> None:
    said: list[str] = []
    callback = BoxDiagnosis((X, Y), say=said.append)
    train(callback)
    assert len(said) == 3
    assert said[0].startswith(f"Epoch 1: {callback.history[0].outcome}, constant. Box accuracy 0.00")
    assert said[1].startswith("Epoch 2: ")
    assert "mean box" in said[0]
    assert "Edges moved by" in said[1]
    assert said[2].startswith("What to try, by the last diagnosis:\n1. ")
    assert callback.diagnosis is callback.history[-1]
    assert [each.n for each in callback.history] == [64, 64]


def test_the_size_comes_from_the_pictures() -> None:
    callback = BoxDiagnosis((X, Y), say=lambda _: None)
    train(callback, epochs=1)
    assert (callback.diagnosis.width, callback.diagnosis.height) == (20, 10)


def test_an_accuracy_that_is_none_of_boxes_is_pointed_at() -> None:
    said: list[str] = []
    true = Y.copy()
    true[:, 2] = true.max(axis=1) + 0.1
    model = network(metrics=["accuracy"])
    model.layers[-1].set_weights([np.zeros((200, 4)), np.array([0.0, 0, 5, 0])])
    model.fit(X, true / 1.5, epochs=1, verbose=0, callbacks=[BoxDiagnosis((X, true / 1.5), say=said.append)])
    assert 'Keras\'s "accuracy" of 1.00 is none of boxes.' in said[0]


@pytest.mark.parametrize("verbose", [1, 2])
def test_every_text_stands_on_lines_of_its_own(capsys: pytest.CaptureFixture[str], verbose: int) -> None:
    network().fit(X, Y, epochs=2, batch_size=16, verbose=verbose, callbacks=[BoxDiagnosis((X, Y))])
    lines = capsys.readouterr().out.split("\n")
    assert sum(line.startswith(("Epoch 1: ", "Epoch 2: ")) for line in lines) == 2
    assert not any("loss" in line and "Box accuracy" in line for line in lines)


def test_a_loss_that_is_not_finite_comes_first() -> None:
    said: list[str] = []
    callback = BoxDiagnosis((X, Y), say=said.append)
    train(callback, network(bias=float("nan")))
    assert callback.diagnosis.outcome == "diverged"
    assert said[0].startswith("Epoch 1: the loss is not finite since epoch 1; diverged. ")
    assert said[1] == "Epoch 2: the loss is not finite since epoch 1; diverged. No predicted box is finite."


def test_a_loss_that_was_not_finite_hides_behind_no_symptom_of_finite_boxes() -> None:
    said: list[str] = []
    callback = BoxDiagnosis((X, Y), say=said.append)
    callback.set_model(network())
    callback.on_train_begin()
    callback.on_epoch_end(0, {"loss": float("nan")})
    callback.on_train_end()
    assert said[0].startswith("Epoch 1: the loss is not finite since epoch 1; diverged. ")
    assert "constant" not in said[0]


def test_a_weight_that_is_not_finite_is_said_though_the_loss_is() -> None:
    said: list[str] = []
    callback = BoxDiagnosis((X, Y), say=said.append)
    callback.set_model(network(bias=float("nan")))
    callback.on_train_begin()
    callback.on_epoch_end(0, {"loss": 0.5})
    callback.on_train_end()
    assert said[0].startswith("Epoch 1: a weight is not finite since epoch 1; diverged. ")


def test_it_looks_as_often_and_at_as_many_as_asked() -> None:
    said: list[str] = []
    callback = BoxDiagnosis((X, Y), pictures=10, every=2, say=said.append)
    train(callback, epochs=5)
    assert [text.partition(":")[0] for text in said[:-1]] == ["Epoch 2", "Epoch 4"]
    assert callback.diagnosis.n == 10


def test_a_box_is_right_from_the_threshold_asked_for() -> None:
    callback = BoxDiagnosis((X, Y), iou_threshold=0.01, say=lambda _: None)
    train(callback, epochs=1)
    assert callback.diagnosis.network.measures.iou_threshold == 0.01
    with pytest.raises(InputError, match="Expected an IoU threshold"):
        BoxDiagnosis((X, Y), iou_threshold=2)


def test_a_second_training_starts_anew() -> None:
    callback = BoxDiagnosis((X, Y), say=lambda _: None)
    train(callback)
    train(callback, epochs=1)
    assert len(callback.history) == 1


def batches(size: int) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(X[k : k + size], Y[k : k + size]) for k in range(0, len(X), size)]


class Batches(keras.utils.PyDataset):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        return batches(16)[k]


@pytest.mark.parametrize("kind", ["list", "generator", "PyDataset", "tf.data"])
def test_batches_of_any_kind_are_taken_until_there_are_enough(kind: str) -> None:
    if kind == "tf.data":
        tf = pytest.importorskip("tensorflow")
        data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(16)
    else:
        data = {"list": batches(16), "generator": iter(batches(16)), "PyDataset": Batches()}[kind]
    callback = BoxDiagnosis(data, pictures=40, say=lambda _: None)
    train(callback, epochs=1)
    np.testing.assert_allclose(callback.diagnosis.true, Y[:40] * [20, 10, 20, 10], rtol=1e-6)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (7, "Received: int"),
        ([], "with pictures. Received none"),
        ((X, Y[:5]), "Received: 64 and 5"),
        ((X[:0], Y[:0]), "at least one"),
        ((X, Y[:, :3]), r"shape \(n, 4\)"),
        ((X, -Y), "true boxes with area"),
        ([(X[0], Y[0])], "Received single ones"),
    ],
)
def test_data_that_cannot_be_diagnosed_is_refused_before_an_epoch_is_spent(data: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        BoxDiagnosis(data)


@pytest.mark.parametrize("option", [{"pictures": 0}, {"every": 0}])
def test_numbers_out_of_range_are_refused(option: dict[str, int]) -> None:
    with pytest.raises(InputError, match="pictures and every to be 1 or more"):
        BoxDiagnosis((X, Y), **option)  # type: ignore[arg-type]


def test_the_room_of_experiments_brings_no_tensorflow_until_the_callback_is_asked_for(tmp_path: Path) -> None:
    code = (
        "import sys, bboxbench.experiments as e\n"
        "assert 'BoxDiagnosis' in e.__all__ and e.diagnose\n"
        "assert not {'tensorflow', 'keras', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
