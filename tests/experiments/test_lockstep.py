"""The engine ``lockstep`` against the reference, and that no run of a block can touch another."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import pytest

from bboxbench.boxes import iou, relative_boxes
from bboxbench.data_gen import Dataset, DatasetSpec, generate
from bboxbench.experiments.convolution import Geometry, Window
from bboxbench.experiments.execution import pulse
from bboxbench.experiments.fit import FitEngine, OrderedBatches, predict
from bboxbench.experiments.lockstep import LockstepEngine, LockstepTrainer, glyph_window, parts, predict_all
from bboxbench.experiments.memory import MemoryNeed
from bboxbench.experiments.own_loss import ORDINARY
from bboxbench.experiments.plan import Block, Run, plan
from bboxbench.experiments.seeds import sample_order
from bboxbench.experiments.spec import SweepSpec
from bboxbench.experiments.training import Split, TrainedRun, TrainingData, load_data

WIDTH, HEIGHT, BATCH, EPOCHS = 64, 48, 10, 2
LOSSES = ("mse", "iou", "giou", "centre_point(size_weight=1)")
# None as wide as he_normal, whose first boxes miss letters: there iou has a kink, and rounding decides the way.
INITIALIZERS = ("glorot_uniform", "lecun_normal", "random_normal(stddev=0.0289)")


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Small pictures of large letters."""
    spec = DatasetSpec.letters(n=2400, seed=5, width=WIDTH, height=HEIGHT, sizes=(18, 22))
    return generate(spec, tmp_path_factory.mktemp("letters") / "data", workers=1)


@pytest.fixture(scope="module")
def data(letters: Dataset) -> TrainingData:
    """120 letters to train, near enough to the middle for the first box to overlap them: there every loss is smooth.

    Where a box comes to lie beside its letter, iou_unguarded diverges and the other losses have kinks, at which a
    rounding error decides the way.
    """
    whole = load_data(letters, validation=20)
    middle = np.array([WIDTH, HEIGHT, 3 * WIDTH, 3 * HEIGHT]) / 4
    chosen = np.flatnonzero(iou(whole.train.boxes, np.broadcast_to(middle, whole.train.boxes.shape)) > 0.15)[:120]
    assert len(chosen) == 120
    train = Split(whole.train.grey[chosen], whole.train.boxes[chosen])
    test = Split(whole.test.grey[:100], whole.test.boxes[:100])
    return dataclasses.replace(whole, train=train, test=test)


def spec_of(letters: Dataset, **changes: Any) -> SweepSpec:
    values: dict[str, Any] = {
        "data": str(letters.folder),
        "losses": ["mse"],
        "initializers": ["glorot_uniform"],
        "optimizers": ["adam:0.0001"],
        "seeds": "3-3",
        "epochs": EPOCHS,
        "batch_sizes": BATCH,
    }
    return SweepSpec.from_preset("default", **{**values, **changes})


def window_of(data: TrainingData) -> Window:
    window = glyph_window(data.train.boxes, data.height, data.width)
    assert window is not None
    return window


def batches(data: TrainingData, seed: int, epochs: int = EPOCHS) -> Iterable[tuple[Any, Any, Any]]:
    relative = relative_boxes(data.train.boxes, data.width, data.height)
    for epoch in range(epochs):
        order = sample_order(seed, epoch, len(data.train.grey))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            yield data.train.grey[rows], data.train.boxes[rows].astype(np.int32), relative[rows]


def trained(spec: SweepSpec, runs: list[Run], data: TrainingData, window: Window | None) -> LockstepTrainer:
    networks = LockstepTrainer.of(spec, runs, data.height, data.width, window)
    for step, batch in enumerate(batches(data, runs[0].seed)):
        networks.train(*batch, step)
    return networks


def fitted(spec: SweepSpec, run: Run, data: TrainingData, epochs: int = EPOCHS) -> Any:
    model = FitEngine(spec).compiled(run, data.width, data.height)
    for epoch in range(epochs):
        order = sample_order(run.seed, epoch, len(data.train.grey))
        read = OrderedBatches(data.train, data.width, data.height, BATCH, order)
        model.fit(read, initial_epoch=epoch, epochs=epoch + 1, shuffle=False, verbose=0)
    return model


def check_against_fit(spec: SweepSpec, data: TrainingData, window: Window | None) -> None:
    """Both engines, 24 steps with dropout, from the same start.

    The engines add the same numbers in another order, so one step differs by some 1e-7 of what it adds. Training
    carries that on, and Adam divides a gradient by its own size, so that of a weight with hardly any gradient the
    rounding is what is left: seen were up to 1e-3 of the way that weights had gone, and 1e-5 in the boxes. 1e-2 and
    1e-4 are allowed, where two masks, two orders or two starts that are not the same differ by 1e-1 and more.
    """
    runs = plan(spec, "")
    networks = trained(spec, runs, data, window)
    drawn = predict_all(networks, data.test)
    for r, run in enumerate(runs):
        model = fitted(spec, run, data)
        start = FitEngine(spec).compiled(run, data.width, data.height).get_weights()
        for ours, keras_, first in zip(networks.replicas.weights_of(r), model.get_weights(), start, strict=True):
            way = np.abs(keras_ - first).max()
            assert way > 0
            assert np.abs(ours - keras_).max() <= 1e-2 * way, run.cell
        assert np.abs(drawn[r] - predict(model, data.test.grey)).max() <= 1e-4, run.cell


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adam:0.0001", "sgd(momentum=0.9):0.0001"])
@pytest.mark.parametrize("shortcut", [False, True], ids=["every position", "the glyph's window"])
def test_every_loss_and_initializer_trains_as_it_does_under_fit(
    optimizer: str, shortcut: bool, letters: Dataset, data: TrainingData
) -> None:
    spec = spec_of(letters, losses=LOSSES, initializers=INITIALIZERS, optimizers=[optimizer])
    check_against_fit(spec, data, window_of(data) if shortcut else None)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adam:0.0001", "sgd(momentum=0.9):0.0001"])
def test_the_bare_logarithm_trains_as_it_does_under_fit_while_it_is_finite(
    optimizer: str, letters: Dataset, data: TrainingData
) -> None:
    """From weights so small that the first box is near the middle half, which overlaps every letter."""
    initializers = [f"random_normal(stddev={stddev})" for stddev in (0.015, 0.02, 0.025)]
    spec = spec_of(letters, losses=["iou_unguarded"], initializers=initializers, optimizers=[optimizer])
    check_against_fit(spec, data, window_of(data))


def test_every_loss_trains_as_it_does_under_fit(letters: Dataset, data: TrainingData) -> None:
    check_against_fit(spec_of(letters, losses=LOSSES), data, window_of(data))


@pytest.mark.slow
def test_networks_of_other_heads_starts_and_rates_train_side_by_side(letters: Dataset, data: TrainingData) -> None:
    changes = {"heads": ["corners", "centre_size", "ordered"], "starts": ["wide", "zeros"]}
    spec = spec_of(letters, optimizers=["sgd:0.01", "sgd:0.1"], **changes)
    check_against_fit(spec, data, None)


def test_a_network_that_turns_nan_leaves_the_others_bit_identical(letters: Dataset, data: TrainingData) -> None:
    """One of four networks starts with a NaN in its filters; the others end as they end beside a sound one."""
    spec = spec_of(letters, losses=LOSSES)
    runs = plan(spec, "")
    for window in (None, window_of(data)):
        ends = []
        for ill in (False, True):
            networks = LockstepTrainer.of(spec, runs, HEIGHT, WIDTH, window)
            if ill:
                weights = networks.replicas.weights_of(1)
                weights[0][3, 5] = np.nan
                networks.replicas.set_weights_of(1, weights)
            for step, batch in enumerate(batches(data, runs[0].seed, epochs=1)):
                networks.train(*batch, step)
            assert networks.replicas.finite().tolist() == [True, not ill, True, True]
            ends.append(([networks.replicas.weights_of(r) for r in (0, 2, 3)], predict_all(networks, data.test)))
        (sound, drawn), (beside, drawn_beside) = ends
        for one, other in zip(sound, beside, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
        assert np.array_equal(drawn[[0, 2, 3]], drawn_beside[[0, 2, 3]])


def test_the_boxes_drawn_are_those_of_a_keras_network_with_the_same_weights(
    letters: Dataset, data: TrainingData
) -> None:
    spec = spec_of(letters, initializers=INITIALIZERS, heads=["corners", "centre_size"])
    runs = plan(spec, "")
    for window in (None, window_of(data)):
        networks = LockstepTrainer.of(spec, runs, HEIGHT, WIDTH, window)
        drawn = predict_all(networks, data.test)
        assert drawn.shape == (len(runs), len(data.test.grey), 4)
        for r, run in enumerate(runs):
            model = FitEngine(spec).compiled(run, WIDTH, HEIGHT)
            model.set_weights(networks.replicas.weights_of(r))
            assert np.abs(drawn[r] - predict(model, data.test.grey)).max() < 2e-6


def engine_results(
    engine: Any, runs: list[Run], data: TrainingData, told: list[tuple[str, float]] | None = None
) -> list[TrainedRun]:
    def on_epoch(run: Run, epoch: float) -> None:
        if told is not None:
            told.append((run.run_id, epoch))

    return list(engine.train(Block(runs[0].seed, tuple(runs)), data, on_epoch))


def test_both_engines_give_back_the_same_runs(letters: Dataset, data: TrainingData) -> None:
    """Epoch by epoch, a last batch that is smaller and a run that diverges and stops early included."""
    changes = {"losses": ["mse", "giou", "iou_unguarded"], "starts": ["zeros"], "batch_sizes": 50}
    spec = spec_of(letters, **changes)
    runs = plan(spec, "")
    told: list[tuple[str, float]] = []
    ours = {result.run.run_id: result for result in engine_results(LockstepEngine(spec), runs, data, told)}
    theirs = engine_results(FitEngine(spec), runs, data)
    assert len(ours) == len(theirs) == 3
    for fit in theirs:
        mine = ours[fit.run.run_id]
        assert (mine.error, mine.finite, len(mine.epochs)) == (fit.error, fit.finite, len(fit.epochs))
        assert (fit.run.cell.loss == "iou_unguarded") == (not fit.finite)
        assert mine.predictions is not None
        assert mine.predictions.shape == (100, 4)
        assert np.allclose(mine.predictions, fit.predictions, atol=1e-3, equal_nan=True)
        for row, expected in zip(mine.epochs, fit.epochs, strict=True):
            assert row.keys() == expected.keys()
            assert row["epoch"] == expected["epoch"]
            for name in ("train_loss", "val_mean_iou"):
                assert row[name] == pytest.approx(expected[name], rel=1e-3, abs=1e-3, nan_ok=True)
        assert [epoch for run_id, epoch in told if run_id == fit.run.run_id][-1] == len(fit.epochs)
    assert len({result.seconds for result in ours.values()}) == 1


class Broken(keras.losses.Loss):
    """A loss that cannot be computed in training: on arrival it is tried on batches of these sizes."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        if y_pred.shape[0] not in (2, len(ORDINARY)):
            raise ArithmeticError("not today")
        return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)


def test_a_run_that_raises_is_a_failed_one_and_takes_no_other_with_it(letters: Dataset, data: TrainingData) -> None:
    spec = spec_of(letters, losses=["mse", f"{__name__}:Broken"], epochs=1)
    results = {result.run.cell.loss: result for result in engine_results(LockstepEngine(spec), plan(spec, ""), data)}
    broken = results.pop(f"{__name__}:Broken")
    assert "not today" in broken.error
    assert broken.predictions is None
    assert sorted(results) == ["mse"]
    for result in results.values():
        assert result.error == ""
        assert len(result.epochs) == 1
        assert result.predictions is not None


def test_every_optimizer_trains_in_a_part_of_its_own(letters: Dataset) -> None:
    spec = spec_of(letters, losses=["mse", "giou"], optimizers=["adam:0.001", "sgd:0.1", "adam:0.0001"])
    runs = plan(spec, "")
    found = list(parts(spec, runs, HEIGHT, WIDTH, None, 10**12))
    assert [{run.cell.optimizer for run in part} for part in found] == [{"adam"}, {"sgd"}]
    assert sorted(run.run_id for part in found for run in part) == sorted(run.run_id for run in runs)


@pytest.mark.parametrize("held", [1, 2, 3, 5, 100])
def test_runs_that_the_memory_does_not_hold_train_in_parts_of_like_size(
    held: int, letters: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(letters, losses=LOSSES)
    runs = plan(spec, "")
    monkeypatch.setattr(MemoryNeed, "fitting", lambda need, memory: held)
    found = list(parts(spec, runs, HEIGHT, WIDTH, None, 10**12))
    assert [run for part in found for run in part] == runs
    sizes = [len(part) for part in found]
    assert max(sizes) <= held
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.slow
def test_parts_of_a_block_end_like_the_whole(
    letters: Dataset, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(letters, losses=["mse", "giou", "iou"], epochs=1)
    runs = plan(spec, "")
    whole = engine_results(LockstepEngine(spec), runs, data)
    monkeypatch.setattr(MemoryNeed, "fitting", lambda need, memory: 2)
    split = engine_results(LockstepEngine(spec), runs, data)
    for one, other in zip(whole, split, strict=True):
        assert one.run == other.run
        assert np.allclose(one.predictions, other.predictions, atol=1e-5)


def test_a_long_epoch_is_told_of_while_it_is_under_way(
    letters: Dataset, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "TELL_SECONDS", 0.0)
    spec = spec_of(letters)
    told: list[tuple[str, float]] = []
    engine_results(LockstepEngine(spec), plan(spec, ""), data, told)
    epochs = [epoch for _, epoch in told]
    assert epochs == sorted(epochs)
    steps = -(-len(data.train.grey) // spec.batch_sizes[0])
    # Behind every step, again while validation pictures are looked at; then a whole number once for each run.
    assert len({epoch for epoch in epochs if epoch < 1}) == steps
    assert epochs.count(1) == len(plan(spec, ""))
    assert epochs[-1] == 2


@pytest.mark.slow
def test_bfloat16_moves_the_boxes_by_little_and_leaves_the_weights_in_float32(
    letters: Dataset, data: TrainingData
) -> None:
    """Eight bits of mantissa: a box moved by up to 0.02 of the picture's side after 24 steps from the same start.

    The loss falls alike, by more than a third in both.
    """
    start, ends, losses = None, [], []
    for precision in ("float32", "bfloat16"):
        # Without dropout: its masks are drawn in the type that is computed in, so they differ.
        spec = spec_of(letters, precision=precision, optimizers=["adam:0.0005"], dropout=0.0)
        runs = plan(spec, "")
        networks = LockstepTrainer.of(spec, runs, HEIGHT, WIDTH)
        start = start or networks.replicas.weights_of(0)
        assert all(np.array_equal(a, b) for a, b in zip(start, networks.replicas.weights_of(0), strict=True))
        losses.append([float(networks.train(*batch, step)[0]) for step, batch in enumerate(batches(data, 3))])
        assert {variable.dtype for variable in networks.replicas.variables} == {"float32"}
        ends.append(predict_all(networks, data.test)[0])
    full, half = ends
    assert 1e-6 < np.abs(full - half).max() < 0.1
    assert np.abs(full - half).mean() < 0.02
    for fallen in losses:
        assert np.mean(fallen[-6:]) < np.mean(fallen[:6])
    assert np.mean(losses[1]) == pytest.approx(np.mean(losses[0]), rel=0.1)


def test_a_window_is_used_where_backgrounds_are_plain_and_it_saves_something(data: TrainingData) -> None:
    full = Geometry.of(HEIGHT, WIDTH)
    assert window_of(data).size.pooled < full.pooled
    whole = np.array([[0, 0, WIDTH, HEIGHT]])
    assert glyph_window(whole, HEIGHT, WIDTH) is None


@pytest.mark.slow
def test_the_manifest_decides_whether_the_window_may_be_used(letters: Dataset, data: TrainingData) -> None:
    """Pictures with noise behind the letter: with the window every network would see another background."""
    noisy = np.random.default_rng(0).integers(0, 256, data.test.grey.shape, np.uint8)
    test = dataclasses.replace(data.test, grey=noisy)
    spec = spec_of(letters, epochs=1)
    (run,) = plan(spec, "")
    assert data.plain
    (result,) = engine_results(LockstepEngine(spec), [run], dataclasses.replace(data, test=test, plain=False))
    model = fitted(spec, run, data, 1)
    assert np.abs(np.asarray(result.predictions) - predict(model, noisy)).max() < 1e-4


def test_a_trained_block_leaves_no_weights_behind(letters: Dataset, data: TrainingData) -> None:
    """TensorFlow's registry of gradients would hold each graph with its variables, for as long as the process lives."""
    import gc

    from tensorflow.python.framework import ops

    def held() -> tuple[int, int]:
        gc.collect()
        tensors = sum(type(each).__name__ == "EagerTensor" for each in gc.get_objects())
        return len(ops.gradient_registry._registry), tensors

    spec = spec_of(letters, seeds=1, epochs=1, losses=["mse"])
    engine_results(LockstepEngine(spec), plan(spec, ""), data)
    gradients, tensors = held()
    for _ in range(2):
        engine_results(LockstepEngine(spec), plan(spec, ""), data)
    again, left = held()
    assert again == gradients
    # A network's variables and the optimizer's are 25.
    assert left - tensors < 25
