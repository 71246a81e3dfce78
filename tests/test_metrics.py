"""Box accuracy and mean IoU: hand-computed, honest about bad boxes, right under Keras's own loops."""

from __future__ import annotations

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from bboxbench import boxes
from bboxbench.losses import GIoULoss
from bboxbench.metrics import BoxAccuracy, MeanBoxIoU

METRICS = [BoxAccuracy, MeanBoxIoU]
TRUE = np.array([[0, 0, 4, 4]] * 4, "float32")
PRED = np.array([[0, 0, 4, 4], [2, 0, 4, 4], [3, 0, 4, 4], [4, 0, 8, 4]], "float32")  # IoU 1, 1/2, 1/4, 0
OTHER = {"threshold": 0.75, "bounding_box_format": "xywh", "name": "another", "dtype": "float64"}


def test_mean_iou_by_hand():
    assert float(MeanBoxIoU()(TRUE, PRED)) == (1 + 0.5 + 0.25) / 4


@pytest.mark.parametrize(("threshold", "share"), [(0.2, 0.75), (0.25, 0.75), (0.5, 0.5), (0.51, 0.25), (1, 0.25)])
def test_accuracy_counts_boxes_at_or_above_the_threshold(threshold, share):
    assert float(BoxAccuracy(threshold)(TRUE, PRED)) == share


def test_argmax_accuracy_reads_high_where_no_box_is_right():
    true, pred = np.array([[0.1, 0.1, 0.3, 0.4]] * 10), np.array([[0.6, 0.6, 0.7, 0.9]] * 10)
    assert float(keras.metrics.CategoricalAccuracy()(true, pred)) == 1
    assert float(BoxAccuracy()(true, pred)) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", range(4))
def test_a_prediction_that_is_not_finite_overlaps_nothing(bad, place):
    pred = PRED.copy()
    pred[0, place] = bad
    assert float(MeanBoxIoU()(TRUE, pred)) == (0.5 + 0.25) / 4
    assert float(BoxAccuracy()(TRUE, pred)) == 0.25
    assert float(BoxAccuracy(bounding_box_format="center_xywh")(TRUE[:1] + 1, pred[:1])) == 0


def test_inverted_and_empty_boxes_overlap_nothing():
    pred = np.array([[4, 4, 0, 0], [3, 0, 1, 4], [2, 2, 2, 2], [0, 0, 0, 0]], "float32")
    assert float(MeanBoxIoU()(TRUE, pred)) == 0
    assert float(MeanBoxIoU()(np.zeros((2, 4)), np.zeros((2, 4)))) == 0


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.integers(-20, 20), min_size=8, max_size=8), min_size=1, max_size=10))
def test_iou_agrees_with_the_one_in_numpy(rows):
    pairs = np.array(rows, "float64")
    expected = boxes.iou(pairs[:, :4], pairs[:, 4:])
    assert float(MeanBoxIoU(dtype="float64")(pairs[:, :4], pairs[:, 4:])) == pytest.approx(expected.mean(), abs=1e-12)
    accuracy = float(BoxAccuracy(dtype="float64")(pairs[:, :4], pairs[:, 4:]))
    assert accuracy == pytest.approx((expected >= 0.5).mean(), abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_every_box_counts_once_whatever_the_batches(metric):
    whole = float(metric()(TRUE, PRED))
    in_parts = metric()
    for part in (slice(0, 1), slice(1, 4), slice(4, 4)):
        in_parts.update_state(TRUE[part], PRED[part])
    assert float(in_parts.result()) == whole
    # One sample of three boxes, then one sample of one box.
    ragged = metric()
    ragged.update_state(TRUE[None, :3], PRED[None, :3])
    ragged.update_state(TRUE[None, 3:], PRED[None, 3:])
    assert float(ragged.result()) == whole
    assert float(metric()(TRUE.reshape(2, 1, 2, 4), PRED.reshape(2, 1, 2, 4))) == whole
    assert float(metric()(TRUE[0], PRED[0])) == 1


@pytest.mark.parametrize("metric", METRICS)
def test_a_reset_forgets_and_nothing_seen_reads_zero(metric):
    m = metric()
    assert float(m.result()) == 0
    m.update_state(TRUE[:1], PRED[:1])
    assert float(m.result()) == 1
    m.reset_state()
    assert float(m.result()) == 0
    m.update_state(TRUE[3:], PRED[3:])
    assert float(m.result()) == 0
    m.update_state(np.zeros((0, 4)), np.zeros((0, 4)))
    assert float(m.result()) == 0


def test_weights_are_honoured():
    weights = np.array([1.0, 3.0, 0.0, 1.0])
    assert float(MeanBoxIoU()(TRUE, PRED, weights)) == pytest.approx((1 + 3 * 0.5) / 5)
    assert float(BoxAccuracy()(TRUE, PRED, weights)) == pytest.approx(4 / 5)
    assert float(BoxAccuracy()(TRUE, PRED, weights[:, None])) == pytest.approx(4 / 5)
    assert float(BoxAccuracy()(TRUE, PRED, np.zeros(4))) == 0
    assert float(BoxAccuracy()(TRUE, PRED, [True, False, False, False])) == 1


@pytest.mark.parametrize("n", [2, 3])
def test_a_weight_for_a_sample_counts_for_all_its_boxes(n):
    true, pred = np.stack([TRUE[:n]] * 2), np.stack([PRED[:n], PRED[[3] * n]])
    first = float(MeanBoxIoU()(true[0], pred[0]))
    assert float(MeanBoxIoU()(true, pred, np.array([3.0, 1.0]))) == pytest.approx(0.75 * first)
    per_box = np.zeros((2, n))
    per_box[0, 0] = 1
    assert float(MeanBoxIoU()(true, pred, per_box)) == 1


def test_padding_of_weight_zero_may_hold_anything():
    true, pred = TRUE.copy(), PRED.copy()
    true[3], pred[2] = np.nan, np.inf
    assert float(MeanBoxIoU()(true, pred, [1, 1, 0, 0])) == 0.75


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int32", "uint8", "float64"])
def test_boxes_of_any_dtype_are_read(metric, dtype):
    assert float(metric()(tf.cast(TRUE * 50, dtype), tf.cast(PRED * 50, dtype))) == float(metric()(TRUE, PRED))


def test_half_precision_would_stop_counting_at_2048():
    metric = BoxAccuracy(dtype="float16")
    for _ in range(2):
        metric.update_state(np.broadcast_to(TRUE[0], (2048, 4)), np.broadcast_to(TRUE[0], (2048, 4)))
    metric.update_state(TRUE[3:], PRED[3:])
    assert float(metric.result()) == pytest.approx(4096 / 4097, rel=1e-7)
    assert metric.dtype == "float32"


@pytest.mark.parametrize("metric", METRICS)
def test_the_config_covers_every_parameter_of_the_constructor(metric):
    parameters = [p for p in inspect.signature(metric.__init__).parameters if p != "self"]
    changed = {p: OTHER[p] for p in parameters}
    config = metric(**changed).get_config()
    assert config == changed
    assert not [p for p, v in metric().get_config().items() if v == OTHER[p]]
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric(**changed)))
    assert type(again) is metric
    assert again.get_config() == changed
    assert keras.saving.get_registered_name(metric) == f"bboxbench>{metric.__name__}"


def test_the_format_is_honoured():
    true, pred = np.array([[1.0, 1.0, 4.0, 4.0]]), np.array([[3.0, 1.0, 2.0, 4.0]])  # xywh: the right half
    assert float(MeanBoxIoU("xywh")(true, pred)) == 0.5
    assert float(BoxAccuracy(bounding_box_format="rel_xywh")(true, pred)) == 1
    assert float(MeanBoxIoU()(true, pred)) == 0


@pytest.mark.parametrize("threshold", [0, -0.5, 1.01, float("nan"), "half", None])
def test_a_threshold_out_of_range_is_refused(threshold):
    with pytest.raises(ValueError, match=r"^Expected threshold to be a finite number and > 0 and <= 1\. Received: "):
        BoxAccuracy(threshold)


def test_wrong_formats_dtypes_and_shapes_are_refused():
    for attempt in (
        lambda: BoxAccuracy(bounding_box_format="xyhw"),
        lambda: MeanBoxIoU(dtype="int32"),
        lambda: MeanBoxIoU()(np.zeros((3, 1, 4)), np.zeros((3, 4))),
        lambda: MeanBoxIoU()(np.zeros((3, 2)), np.zeros((3, 2))),
    ):
        with pytest.raises(ValueError, match=r"Expected .* Received"):
            attempt()


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # NumPy 2 about saving in Keras
@pytest.mark.parametrize("jit", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_fit_and_evaluate_report_the_whole_split_and_not_the_last_batch(jit, tmp_path):
    # The prediction is the input itself, so that each batch's accuracy is known: 1, 0.5, and 0 in the last.
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, kernel_initializer="identity")])
    model.compile(
        keras.optimizers.SGD(0.0),
        GIoULoss(),
        metrics=[BoxAccuracy(), MeanBoxIoU()],
        weighted_metrics=[BoxAccuracy(name="weighted")],
        jit_compile=jit,
    )
    true = np.concatenate([TRUE, TRUE, TRUE[:1]])
    pred = np.concatenate([PRED[[0, 0, 0, 0]], PRED, PRED[3:]])
    weights = np.array([0.0] * 4 + [1.0] * 5)
    expected = {"box_accuracy": 6 / 9, "mean_box_iou": (4 + 1.75) / 9, "weighted": 2 / 5}
    for _ in range(2):  # the second time shows whether the state was reset
        history = model.fit(pred, true, sample_weight=weights, batch_size=4, epochs=2, shuffle=False, verbose=0).history
        result = model.evaluate(pred, true, sample_weight=weights, batch_size=4, verbose=0, return_dict=True)
        for name, value in expected.items():
            assert np.isfinite(history["loss"]).all()
            assert history[name] == pytest.approx([value, value], rel=1e-6)
            assert result[name] == pytest.approx(value, rel=1e-6)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    result = again.evaluate(pred, true, sample_weight=weights, batch_size=4, verbose=0, return_dict=True)
    assert result["box_accuracy"] == pytest.approx(6 / 9, rel=1e-6)
