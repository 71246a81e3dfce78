"""The mean of Wise-IoU v2 and v3: renewed by training alone, kept by saving, on every backend."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from bboxbench.losses import GIoULoss, WIoUMean, WIoUv1Loss, WIoUv2Loss, WIoUv3Loss
from bboxbench.metrics import MeanBoxIoU

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # NumPy 2 in Keras

LOW = np.random.default_rng(2).uniform(0.1, 0.4, (48, 2))
BOXES = np.concatenate([LOW, LOW + 0.4], axis=1).astype("float32")


def network(loss, metrics=None):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(16, "tanh"), keras.layers.Dense(4, "sigmoid")])
    # Begin with a wide box, which overlaps its target.
    model.layers[-1].set_weights([model.layers[-1].get_weights()[0], np.array([-1.1, -1.1, 1.1, 1.1])])
    model.compile(keras.optimizers.SGD(0.05), loss, metrics=[MeanBoxIoU()] if metrics is None else metrics)
    return model


def fit(model, epochs, **arguments):
    return model.fit(BOXES, BOXES, epochs=epochs, batch_size=16, shuffle=False, verbose=0, **arguments).history


@pytest.mark.parametrize("loss", [WIoUv2Loss, WIoUv3Loss])
def test_after_every_epoch_the_mean_follows_the_boxes(loss):
    model = network(loss())
    seen = fit(model, 3, callbacks=[WIoUMean(momentum=0.25)])["mean_box_iou"]
    mean = 0.5
    for iou in seen:
        mean = 0.25 * mean + 0.75 * (1 - iou)
    assert model.loss.iou_mean == pytest.approx(mean, rel=1e-5)
    assert model.loss.iou_mean != pytest.approx(0.5, abs=1e-3)


def test_the_training_step_uses_the_renewed_mean():
    constant, renewed, alike = network(WIoUv2Loss()), network(WIoUv2Loss()), network(WIoUv2Loss())
    fit(constant, 2)
    fit(renewed, 2, callbacks=[WIoUMean(momentum=0.0)])
    assert not np.allclose(renewed.get_weights()[0], constant.get_weights()[0], atol=1e-7)
    # The same, epoch by epoch, with the number set by hand in a loss of its own.
    first = fit(alike, 1)["mean_box_iou"][0]
    alike.compile(alike.optimizer, WIoUv2Loss(iou_mean=1 - first), metrics=[MeanBoxIoU()])
    fit(alike, 1)
    np.testing.assert_allclose(renewed.get_weights()[0], alike.get_weights()[0], rtol=1e-5, atol=1e-7)


def test_evaluating_does_not_change_the_mean_and_uses_it():
    model = network(WIoUv3Loss())
    fit(model, 2, callbacks=[WIoUMean()], validation_data=(BOXES, BOXES))
    mean = model.loss.iou_mean
    shifted = np.clip(BOXES + 0.2, 0, 1)
    value = model.evaluate(BOXES, shifted, verbose=0, return_dict=True)["loss"]
    assert model.loss.iou_mean == mean
    expected = WIoUv3Loss(iou_mean=mean)(shifted, model.predict(BOXES, verbose=0))
    assert value == pytest.approx(float(expected), rel=1e-4)


def test_a_saved_model_goes_on_with_its_mean(tmp_path):
    model = network(WIoUv3Loss(delta=2.0))
    fit(model, 2, callbacks=[WIoUMean()])
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.loss.iou_mean == model.loss.iou_mean
    histories = [fit(each, 2, callbacks=[WIoUMean()]) for each in (model, again)]
    np.testing.assert_allclose(histories[0]["loss"], histories[1]["loss"], rtol=1e-5)
    assert again.loss.iou_mean == pytest.approx(model.loss.iou_mean, rel=1e-5)


def test_the_mean_never_reaches_zero():
    model = network(WIoUv2Loss(iou_mean=0.001))
    callback = WIoUMean(momentum=0.0)
    callback.set_model(model)
    callback.on_epoch_end(0, {"mean_box_iou": 1.0})
    assert model.loss.iou_mean == 0.001


def test_what_is_missing_is_said_in_one_line():
    with pytest.raises(ValueError, match="Expected a model compiled with WIoUv2Loss or WIoUv3Loss") as caught:
        fit(network(GIoULoss()), 1, callbacks=[WIoUMean()])
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="Expected a model compiled with WIoUv2Loss or WIoUv3Loss"):
        fit(network(WIoUv1Loss()), 1, callbacks=[WIoUMean()])
    with pytest.raises(ValueError, match=r"metrics=\[MeanBoxIoU\(name='mean_box_iou'\)\]\. Received: metrics none"):
        fit(network(WIoUv2Loss(), metrics=[]), 1, callbacks=[WIoUMean()])
    with pytest.raises(ValueError, match="Expected momentum"):
        WIoUMean(momentum=1.0)
