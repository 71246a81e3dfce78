"""Whether pictures are known by heart, and that a failure says what it means."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bboxbench.data_gen import Dataset
from bboxbench.experiments.models.by_heart import ByHeart, learned_by_heart

RISING = [{"val_mean_iou": 0.1 + 0.005 * k} for k in range(100)]
STANDING = [{"val_mean_iou": 0.2}] * 100


@pytest.fixture
def true(small_dataset: Dataset) -> np.ndarray:
    return small_dataset.boxes("test").astype(float)


def judged(true: np.ndarray, pred: Any, epochs: Any = STANDING, **more: Any) -> ByHeart:
    return learned_by_heart(true, np.broadcast_to(pred, true.shape).astype(float), 200, 100, epochs, **more)


def test_it_is_learned_where_every_box_is_right(true: np.ndarray) -> None:
    found = judged(true, true + 1)
    assert found.learned
    assert (found.right, found.count, found.epochs) == (20, 20, 100)
    assert found.headline.startswith("Learned by heart: 20 of 20 boxes have IoU >= 0.5 after 100 epochs")
    assert found.advice == ()


def test_one_wrong_box_is_enough_to_fail(true: np.ndarray) -> None:
    pred = true.copy()
    pred[0] += 100
    found = judged(true, pred)
    assert not found.learned
    assert found.right == 19


def test_a_failure_that_still_gets_better_asks_for_time_first(true: np.ndarray) -> None:
    assert "--epochs 300" in judged(true, true + 12, RISING).meaning
    assert "--epochs" not in judged(true, true + 12, STANDING).meaning


def test_a_failure_that_stands_still_says_that_more_pictures_mend_nothing(true: np.ndarray) -> None:
    found = judged(true, [0, 0, 200, 100])
    assert found.headline.startswith("Not learned by heart (blind, pinned)")
    assert "more pictures, more epochs" in found.meaning
    assert 1 <= len(found.advice) <= 3


def test_weights_that_are_no_numbers_any_more_are_no_matter_of_time(true: np.ndarray) -> None:
    found = judged(true, np.nan, RISING, finite=False)
    assert "(diverged)" in found.headline
    assert "in epoch 100" in found.meaning
    assert "--epochs" not in found.meaning


def test_what_the_setting_asks_for_comes_before_what_the_boxes_suggest(true: np.ndarray) -> None:
    first, second, *_ = judged(true, [0, 0, 200, 100], known=("adadelta", "wide start")).advice
    assert "Adadelta(1.0)" in first.do
    assert "wide box" in second.do


def test_no_advice_concerns_pictures_beyond_those_learned(true: np.ndarray) -> None:
    for pred in ([0, 0, 200, 100], [50, 25, 150, 75], true + 12, true.mean(0)):
        said = " ".join(each.do for each in judged(true, pred).advice)
        assert "Overfit" not in said
        assert "training pictures" not in said
