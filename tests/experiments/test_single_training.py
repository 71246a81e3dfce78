"""One network trained while one looks on: as in a sweep, seen after every epoch, known by heart or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bboxbench.data_gen import Dataset
from bboxbench.errors import FolderConflict, InputError
from bboxbench.experiments import load_model
from bboxbench.experiments.fit import FitEngine, predict
from bboxbench.experiments.models.single_training import EPOCHS_BY_HEART, SingleTraining, single_spec, train_single
from bboxbench.experiments.onlooker import Onlooker
from bboxbench.experiments.own_loss import ORDINARY
from bboxbench.experiments.plan import Block, plan
from bboxbench.experiments.training import load_data

layers = keras.layers


def quick_learner(initializer: Any, width: int, height: int) -> keras.Model:
    """Sees 200 numbers of a picture: enough to know a few by heart within seconds."""
    pictures = keras.Input((height, width, 1))
    x = layers.Flatten()(layers.AveragePooling2D(10)(pictures))
    x = layers.Dense(64, "relu", kernel_initializer=initializer("hidden"))(x)
    return keras.Model(pictures, layers.Dense(4, kernel_initializer=initializer("box"))(x))


def sees_nothing(initializer: Any, width: int, height: int) -> keras.Model:
    """Draws the same box in every picture."""
    pictures = keras.Input((height, width, 1))
    x = layers.Rescaling(0.0)(layers.GlobalAveragePooling2D()(pictures))
    return keras.Model(pictures, layers.Dense(4, kernel_initializer=initializer("box"))(x))


def own(function: Any) -> str:
    return f"{__name__}:{function.__name__}"


def spec_of(small_dataset: Dataset, overfit: int = 0, **changes: Any) -> Any:
    values = {"data": str(small_dataset.folder), "network": own(quick_learner), "optimizers": ("adam:0.003",)}
    return single_spec("default", overfit, **{**values, "batch_sizes": (6,), **changes})


def frames(folder: Path) -> int:
    with Image.open(folder / "film.gif") as film:
        return int(film.n_frames)


class Recording(Onlooker):
    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.interrupt_at = -1

    def epoch(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        if row["epoch"] == self.interrupt_at:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def seen() -> Recording:
    return Recording()


@pytest.fixture(scope="module")
def trained(small_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory, seen: Recording) -> SingleTraining:
    return train_single(spec_of(small_dataset, epochs=3), tmp_path_factory.mktemp("t") / "r", seen)


def test_what_is_not_given_is_the_first_of_the_preset() -> None:
    spec = single_spec("as_posted", losses=("giou",))
    assert (spec.losses, spec.optimizers, spec.starts, spec.seeds) == (("giou",), ("adadelta",), ("zeros",), (0,))
    assert (spec.engine, len(spec.initializers), spec.dropout) == ("fit", 1, 0.2)
    overfit = single_spec("default", 32)
    assert (overfit.epochs, overfit.batch_sizes, overfit.dropout) == (EPOCHS_BY_HEART, (32,), 0.0)


@pytest.mark.parametrize(("name", "value"), [("patience", 3), ("validation", 50)])
def test_what_means_nothing_to_learning_by_heart_is_refused(name: str, value: int) -> None:
    with pytest.raises(InputError, match=f"Received: {name} {value}") as refused:
        single_spec("default", 32, **{name: value})
    assert "\n" not in str(refused.value)
    assert getattr(single_spec("default", **{name: value}), name) == value


def test_more_than_one_network_is_refused(small_dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Received: 2 networks"):
        train_single(spec_of(small_dataset, seeds=(0, 1)), tmp_path / "r")


def test_every_epoch_is_told_written_and_filmed_with_the_untrained_network_before(
    trained: SingleTraining, seen: Recording
) -> None:
    assert [row["epoch"] for row in seen.rows] == [0, 1, 2, 3]
    table = pd.read_csv(trained.folder / "epochs.csv")
    assert table["epoch"].tolist() == [1, 2, 3]
    assert np.allclose(table["val_mean_iou"], [row["val_mean_iou"] for row in seen.rows[1:]])
    assert frames(trained.folder) == 4
    assert {path.name for path in trained.written} == {
        "train.json",
        "epochs.csv",
        "strip.png",
        "film.gif",
        "model.keras",
    }


def test_it_is_the_run_that_a_sweep_trains_and_watching_changes_no_bit(
    trained: SingleTraining, small_dataset: Dataset
) -> None:
    spec = spec_of(small_dataset, epochs=3)
    runs = plan(spec, small_dataset.sha256)
    assert [run.run_id for run in runs] == [trained.run.run_id]
    data = load_data(small_dataset, spec.validation)
    (alone,) = FitEngine(spec).train(Block(0, tuple(runs)), data, lambda *_: None)
    assert alone.predictions is not None
    model = load_model(trained.folder / "model.keras")
    assert np.array_equal(predict(model, data.test.grey), alone.predictions)
    assert trained.row["mean_iou"] == pytest.approx(
        json.loads((trained.folder / "train.json").read_text())["row"]["mean_iou"]
    )


def test_a_network_that_can_learn_by_heart_does_and_stops_there(small_dataset: Dataset, tmp_path: Path) -> None:
    result = train_single(spec_of(small_dataset, 3), tmp_path / "r", overfit=3)
    assert result.by_heart is not None
    assert result.by_heart.learned
    assert result.by_heart.count == 3
    assert len(result.epochs) < EPOCHS_BY_HEART
    boxes = predict(load_model(tmp_path / "r" / "model.keras"), small_dataset.grey("train")[:3])
    from bboxbench.boxes import iou, to_pixels

    assert iou(small_dataset.boxes("train")[:3], to_pixels(boxes, 200, 100)).min() >= 0.5


def test_a_network_that_sees_nothing_cannot(small_dataset: Dataset, tmp_path: Path) -> None:
    spec = spec_of(small_dataset, 8, network=own(sees_nothing), epochs=12)
    result = train_single(spec, tmp_path / "r", overfit=8)
    assert result.by_heart is not None
    assert not result.by_heart.learned
    assert len(result.epochs) == 12


def test_more_pictures_than_there_are_cannot_be_learned(small_dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at most the 12 training pictures"):
        train_single(spec_of(small_dataset, 13), tmp_path / "r", overfit=13)
    assert not (tmp_path / "r").exists()


def test_an_interrupted_training_leaves_what_was_seen_and_can_be_begun_anew(
    small_dataset: Dataset, tmp_path: Path
) -> None:
    stopping = Recording()
    stopping.interrupt_at = 2
    spec = spec_of(small_dataset, epochs=4)
    with pytest.raises(KeyboardInterrupt):
        train_single(spec, tmp_path / "r", stopping)
    assert frames(tmp_path / "r") == 3
    assert pd.read_csv(tmp_path / "r" / "epochs.csv")["epoch"].tolist() == [1, 2]
    assert not (tmp_path / "r" / "model.keras").exists()
    assert len(train_single(spec, tmp_path / "r").epochs) == 4


def test_a_folder_of_something_else_is_left_as_it_is(
    trained: SingleTraining, small_dataset: Dataset, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(FolderConflict, match=r"holds mine\.txt"):
        train_single(spec_of(small_dataset, epochs=1), tmp_path)
    before = (trained.folder / "model.keras").read_bytes()
    with pytest.raises(FolderConflict, match="holds 'train mse"):
        train_single(spec_of(small_dataset, epochs=1, seeds=(5,)), trained.folder)
    assert (trained.folder / "model.keras").read_bytes() == before


def raises_in_training(y_true: Any, y_pred: Any) -> Any:
    if y_pred.shape[0] not in (2, len(ORDINARY)):  # on arrival it is tried on batches of these sizes
        raise RuntimeError("on purpose")
    return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)


def test_a_loss_that_raises_comes_back_as_the_error(small_dataset: Dataset, tmp_path: Path) -> None:
    spec = spec_of(small_dataset, losses=(f"{__name__}:raises_in_training",), batch_sizes=(5,), epochs=1)
    result = train_single(spec, tmp_path / "r")
    assert result.failed
    assert "on purpose" in result.row["error"]
    assert not (tmp_path / "r" / "model.keras").exists()
