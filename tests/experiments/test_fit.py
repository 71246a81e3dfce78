from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
import pytest

from bboxbench.boxes import relative_boxes
from bboxbench.data_gen import Dataset, normalise
from bboxbench.experiments.execution import pulse
from bboxbench.experiments.fit import FitEngine, predict
from bboxbench.experiments.own_loss import ORDINARY
from bboxbench.experiments.plan import Block, Cell, Run, plan
from bboxbench.experiments.seeds import sample_order
from bboxbench.experiments.training import TrainedRun, TrainingData, load_data


@pytest.fixture(scope="module")
def tiny(tiny: Any) -> Any:
    """As everywhere, under this engine."""
    return functools.partial(tiny, engine="fit")


@pytest.fixture(scope="module")
def data(small_dataset: Dataset) -> TrainingData:
    return load_data(small_dataset, validation=8)


def train(spec: Any, data: TrainingData, **changes: Any) -> list[TrainedRun]:
    runs = plan(spec(seeds="1-1", **changes), data.sha256)
    return list(FitEngine(spec(**changes)).train(Block(1, tuple(runs)), data, lambda run, epoch: None))


def test_keras_reads_every_epoch_in_the_order_of_the_seed(
    tiny: Any, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every batch that reaches a training step, in order; what Keras reads besides to learn shapes trains nothing."""
    trained: list[np.ndarray] = []

    class Recording(keras.losses.Loss):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            import tensorflow as tf

            with tf.control_dependencies([tf.py_function(lambda t: trained.append(t.numpy()), [y_true], [])]):
                return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

    monkeypatch.setattr(Cell, "make_loss", lambda cell: Recording())
    (result,) = train(tiny, data, losses=["mse"], epochs=3)
    assert result.error == ""
    boxes = relative_boxes(data.train.boxes, 200, 100)
    expected = np.concatenate([boxes[sample_order(1, epoch, len(boxes))] for epoch in range(3)])
    assert np.array_equal(np.concatenate(trained), expected)


def test_one_step_of_the_engine_is_the_step_done_by_hand(tiny: Any, data: TrainingData) -> None:
    """Plain SGD on one batch of all pictures, against a gradient taken outside Keras's fit."""
    import tensorflow as tf

    changes = {"losses": ["mse"], "optimizers": ["sgd:0.5"], "epochs": 1, "batch_sizes": 12, "dropout": 0.0}
    (result,) = train(tiny, data, **changes)
    run = result.run
    model = FitEngine(tiny(**changes)).compiled(run, 200, 100)
    order = sample_order(1, 0, 12)
    pictures, boxes = normalise(data.train.grey[order]), relative_boxes(data.train.boxes, 200, 100)[order]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(pictures, training=True) - boxes))
    variables = [weight.value for weight in model.trainable_variables]
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        variable.assign_sub(0.5 * gradient)
    assert result.predictions is not None
    assert np.allclose(predict(model, data.test.grey), result.predictions, atol=2e-5)
    assert result.epochs[0]["train_loss"] == pytest.approx(float(loss), rel=1e-4)


def test_cells_of_a_block_share_weights_order_and_dropout(tiny: Any, data: TrainingData) -> None:
    """Two losses that are one function under two names end in the same bits only if all else was shared."""
    first, second = train(tiny, data, losses=["mse", "keras.losses:MeanSquaredError"])
    assert np.array_equal(first.predictions, second.predictions)


def test_bfloat16_trains_nearly_the_same_network_with_float32_weights(tiny: Any, data: TrainingData) -> None:
    # Without dropout: its masks are drawn in the type that is computed in, so they differ.
    changes = {"losses": ["mse"], "epochs": 1, "dropout": 0.0}
    (full,), (half,) = (train(tiny, data, precision=name, **changes) for name in ("float32", "bfloat16"))
    assert half.error == ""
    assert half.predictions is not None
    assert half.epochs[0]["train_loss"] == pytest.approx(full.epochs[0]["train_loss"], rel=0.05)
    assert not np.array_equal(half.predictions, full.predictions)
    spec = tiny(precision="bfloat16", **changes)
    model = FitEngine(spec).compiled(half.run, 200, 100)
    model.optimizer.build(model.trainable_variables)
    state = [w for w in model.optimizer.variables if w.dtype != "int64"]  # but for the count of steps
    assert len(state) > len(model.trainable_weights)
    assert {w.dtype for w in (*model.trainable_weights, *state)} == {"float32"}


def small_network(initializer: Any, width: int, height: int) -> keras.Model:
    layers = keras.layers
    pictures = keras.Input((height, width, 1))
    x = layers.Flatten()(layers.AveragePooling2D(20)(pictures))
    return keras.Model(pictures, layers.Dense(4, kernel_initializer=initializer("box"), dtype="float32")(x))


def test_a_network_of_your_own_is_trained_in_place_of_ours(tiny: Any, data: TrainingData) -> None:
    """Plain gradient descent of a linear network on one batch of all pictures, against the formula."""
    changes = {"losses": ["mse"], "optimizers": ["sgd:0.5"], "epochs": 1, "batch_sizes": 12}
    (result,) = train(tiny, data, network=f"{__name__}:small_network", **changes)
    model = FitEngine(tiny(network=f"{__name__}:small_network", **changes)).compiled(result.run, 200, 100)
    kernel, bias = model.get_weights()
    pool = keras.layers.AveragePooling2D(20)
    seen, test = (np.asarray(pool(normalise(split.grey))).reshape(-1, 50) for split in (data.train, data.test))
    wrong = seen @ kernel + bias - relative_boxes(data.train.boxes, 200, 100)
    kernel -= 0.5 * seen.T @ wrong * 2 / wrong.size
    bias -= 0.5 * wrong.sum(0) * 2 / wrong.size
    assert result.error == ""
    assert np.allclose(result.predictions, test @ kernel + bias, atol=1e-5)


def test_another_seed_trains_another_network(tiny: Any, data: TrainingData) -> None:
    spec = tiny(losses=["mse"], seeds="1,2")
    runs = plan(spec, data.sha256)
    results = [r for run in runs for r in FitEngine(spec).train(Block(run.seed, (run,)), data, lambda *_: None)]
    assert not np.allclose(results[0].predictions, results[1].predictions)


def test_every_epoch_is_reported_and_recorded(tiny: Any, data: TrainingData) -> None:
    heard: list[tuple[str, float]] = []
    spec = tiny(losses=["mse"], seeds="1-1", epochs=3)
    (run,) = plan(spec, data.sha256)
    (result,) = FitEngine(spec).train(Block(1, (run,)), data, lambda r, e: heard.append((r.run_id, e)))
    # On a slow machine there are signs of life between them, and the last number comes again.
    whole = dict.fromkeys(told for told in heard if told[1] == int(told[1]))
    assert list(whole) == [(run.run_id, 1), (run.run_id, 2), (run.run_id, 3)]
    assert [row["epoch"] for row in result.epochs] == [1, 2, 3]
    assert all(0 <= row["val_mean_iou"] <= 1 and row["train_loss"] > 0 for row in result.epochs)


def test_a_diverged_run_ends_with_that_epoch_and_still_predicts(tiny: Any, data: TrainingData) -> None:
    (result,) = train(tiny, data, losses=["iou_unguarded"], epochs=4)
    assert not result.finite
    assert len(result.epochs) < 4
    assert result.predictions is not None
    assert result.predictions.shape == (20, 4)


def raising_loss(y_true: Any, y_pred: Any) -> Any:
    """Raises in training alone: on arrival it is tried on batches of these sizes."""
    if y_pred.shape[0] not in (2, len(ORDINARY)):
        raise RuntimeError("no such thing\nas this loss")
    return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)


def test_a_run_that_raises_comes_back_with_its_error_and_harms_no_other(tiny: Any, data: TrainingData) -> None:
    failed, ok = train(tiny, data, losses=[f"{__name__}:raising_loss", "mse"], batch_sizes=4)
    assert "no such thing as this loss" in failed.error
    assert "\n" not in failed.error
    assert failed.predictions is None
    assert ok.error == ""
    assert ok.predictions is not None


def test_an_interrupt_is_not_a_failed_run(tiny: Any, data: TrainingData) -> None:
    def interrupt(run: Run, epoch: int) -> None:
        raise KeyboardInterrupt

    spec = tiny(losses=["mse"], seeds="1-1")
    with pytest.raises(KeyboardInterrupt):
        list(FitEngine(spec).train(Block(1, tuple(plan(spec, data.sha256))), data, interrupt))


def test_predictions_do_not_depend_on_how_many_pictures_there_are(tiny: Any, data: TrainingData) -> None:
    spec = tiny(losses=["mse"], seeds="1-1")
    model = FitEngine(spec).compiled(plan(spec, data.sha256)[0], 200, 100)
    assert np.allclose(predict(model, data.test.grey)[:3], predict(model, data.test.grey[:3]), atol=1e-6)
    assert predict(model, data.test.grey[:0]).shape == (0, 4)


def test_a_long_epoch_is_told_of_while_it_is_under_way(
    tiny: Any, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "TELL_SECONDS", 0.0)
    spec = tiny(losses=["mse"], seeds=1, epochs=2, batch_sizes=6)
    (run,) = plan(spec, data.sha256)
    told: list[float] = []
    list(FitEngine(spec).train(Block(0, (run,)), data, lambda _, epoch: told.append(epoch)))
    # Two steps, the second told again while validation pictures are looked at; the last while test pictures are.
    assert told == pytest.approx([1 / 3, 2 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 5 / 3, 2, 2])
