"""The losses where they are used: compile, fit, evaluate, save, XLA, mixed precision."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from bboxbench.losses import get, giou_loss, names
from bboxbench.metrics import BoxAccuracy, MeanBoxIoU

GUARDED = [name for name in names() if name != "iou_unguarded"]


def wide(shape, dtype=None):
    return keras.ops.convert_to_tensor([-1.1, -1.1, 1.1, 1.1], dtype=dtype)


def small_model(loss, **compile_arguments):
    """A box straight from eight numbers that hold it, beginning wide so that every loss has something to follow."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(32, "tanh"), keras.layers.Dense(4, "sigmoid", bias_initializer=wide)]
    )
    model.compile(keras.optimizers.Adam(0.02), loss, **compile_arguments)
    return model


def small_data(n=64):
    rng = np.random.default_rng(0)
    low = rng.uniform(0.2, 0.4, (n, 2))
    boxes = np.concatenate([low, low + rng.uniform(0.2, 0.4, (n, 2))], axis=1).astype("float32")
    return np.concatenate([boxes, 1 - boxes], axis=1), boxes


# Boxes in [0, 1], so a constant in pixels would leave some hardly any slope; and a third power is flat for poor boxes.
PARAMETERS = {
    "mpdiou": {"width": 1, "height": 1},
    "nwd": {"constant": 0.1},
    "gwd": {"normalize": True},
    "alpha_iou": {"alpha": 1.5},
}


@pytest.mark.parametrize("name", GUARDED)
@pytest.mark.slow
def test_every_guarded_loss_trains_a_small_network(name):
    inputs, boxes = small_data()
    model = small_model(get(name, **PARAMETERS.get(name, {})), metrics=[BoxAccuracy(0.75), MeanBoxIoU()])
    history = model.fit(inputs, boxes, epochs=25, batch_size=16, verbose=0).history
    after = model.evaluate(inputs, boxes, verbose=0, return_dict=True)
    assert np.isfinite(history["loss"]).all()
    assert after["loss"] < history["loss"][0]
    assert after["mean_box_iou"] > 0.65 > 0.6 > history["mean_box_iou"][0]
    assert after["box_accuracy"] > 0.3 > 0.2 > history["box_accuracy"][0]


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", GUARDED)
@pytest.mark.slow
def test_every_guarded_loss_trains_under_xla_and_in_mixed_precision_from_points(name):
    inputs, boxes = small_data(32)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = small_model(get(name), jit_compile=True)
        # Begin as four free sigmoids do: every box a point at the centre.
        model.layers[-1].set_weights([np.zeros((32, 4)), np.zeros(4)])
        history = model.fit(inputs, boxes, epochs=2, batch_size=16, verbose=0).history
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(history["loss"]).all()
    assert all(np.isfinite(weights).all() for weights in model.get_weights())
    # Keras leaves a step out where a gradient does not fit into float16.
    assert float(model.optimizer.dynamic_scale) >= 2.0**15
    assert int(model.optimizer.inner_optimizer.iterations) == 4


def test_the_unguarded_logarithm_destroys_a_network_that_begins_beside_its_targets():
    inputs, boxes = small_data(16)
    beside = boxes * 0.1
    model = small_model(get("iou_unguarded"))
    assert (model.predict(inputs, verbose=0)[:, :2] > beside[:, 2:]).any(axis=1).all()
    history = model.fit(inputs, beside, epochs=1, batch_size=16, verbose=0).history
    assert not np.isfinite(history["loss"]).any()
    assert all(np.isnan(weights).all() for weights in model.get_weights())


def test_the_guarded_logarithm_leaves_such_a_network_as_it_is():
    inputs, boxes = small_data(16)
    model = small_model(get("iou"))
    before = model.get_weights()
    history = model.fit(inputs, boxes * 0.1, epochs=1, batch_size=16, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    for weights, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weights, old)


def test_the_unguarded_logarithm_destroys_a_network_that_begins_without_area():
    inputs, boxes = small_data(16)
    model = small_model(get("iou_unguarded"))
    model.set_weights([np.zeros_like(weights) for weights in model.get_weights()])
    model.fit(inputs, boxes, epochs=1, batch_size=16, verbose=0)
    assert np.isnan(model.get_weights()[-1]).all()


def test_a_pure_function_compiles_too():
    inputs, boxes = small_data(16)
    as_function, as_class = small_model(giou_loss), small_model(get("giou"))
    assert as_function.evaluate(inputs, boxes, verbose=0) == pytest.approx(as_class.evaluate(inputs, boxes, verbose=0))


@pytest.mark.parametrize("name", ["mse", "giou"])
def test_mixed_precision_predictions_train(name):
    inputs, boxes = small_data(16)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = small_model(get(name), metrics=[BoxAccuracy()])
        model.fit(inputs, boxes, epochs=2, batch_size=8, verbose=0)
        predictions = model.predict(inputs, verbose=0)
    finally:
        keras.config.set_dtype_policy("float32")
    assert predictions.dtype == np.float16
    assert np.isfinite(predictions).all()
    assert all(np.isfinite(weights).all() for weights in model.get_weights())


def test_training_ignores_samples_of_weight_zero_even_if_they_are_nan():
    inputs, boxes = small_data(32)
    weights = np.ones(32, "float32")
    weights[20:] = 0
    boxes[20:] = np.nan
    model = small_model(get("giou"))
    history = model.fit(inputs, boxes, sample_weight=weights, epochs=2, batch_size=8, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert all(np.isfinite(w).all() for w in model.get_weights())


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # NumPy 2 about saving in Keras
def test_a_model_saved_in_the_middle_of_training_goes_on_where_it_was(tmp_path):
    inputs, boxes = small_data(32)
    model = small_model(get("giou", eps=1e-6), metrics=[BoxAccuracy(0.6), MeanBoxIoU()])
    model.fit(inputs, boxes, epochs=1, batch_size=16, verbose=0, shuffle=False)
    model.save(tmp_path / "model.keras")
    custom = {"wide": wide}
    again = keras.saving.load_model(tmp_path / "model.keras", custom_objects=custom)
    assert again.loss.get_config() == model.loss.get_config()
    histories = [
        m.fit(inputs, boxes, epochs=2, batch_size=16, verbose=0, shuffle=False).history for m in (model, again)
    ]
    for key, values in histories[0].items():
        np.testing.assert_allclose(histories[1][key], values, rtol=1e-5)
    predictions = [m.predict(inputs, verbose=0) for m in (model, again)]
    np.testing.assert_allclose(*predictions, rtol=1e-5)
