"""Stacked weights under one optimizer against each network under its own."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from bboxbench.experiments.updates import ELEMENTWISE, apply_updates, why_not_elementwise

RATES = (0.5, 0.01, 0.0003)

MADE = [
    *((name, {}) for name in ELEMENTWISE),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True}),
    ("RMSprop", {"momentum": 0.5, "centered": True}),
    ("Adam", {"amsgrad": True}),
    ("Adam", {"weight_decay": 0.1}),
    ("Adam", {"clipvalue": 0.2}),
]


@pytest.mark.parametrize(("name", "options"), MADE, ids=[f"{name} {options}" for name, options in MADE])
def test_networks_that_are_stacked_train_as_each_does_alone(name: str, options: dict[str, Any]) -> None:
    make = getattr(keras.optimizers, name)
    rng = np.random.default_rng(0)
    shapes = [(4, 3), (3,)]
    starts = [rng.normal(size=(len(RATES), *shape)).astype(np.float32) for shape in shapes]
    stacked = [keras.Variable(start) for start in starts]
    together = make(**options)
    assert why_not_elementwise(together) == ""
    together.build(stacked)
    alone = [[keras.Variable(start[r]) for start in starts] for r in range(len(RATES))]
    own = [make(learning_rate=rate, **options) for rate in RATES]
    for _ in range(5):
        gradients = [rng.normal(size=start.shape).astype(np.float32) for start in starts]
        apply_updates(together, stacked, gradients, keras.ops.convert_to_tensor(RATES, "float32"))
        for r, optimizer in enumerate(own):
            optimizer.apply([gradient[r] for gradient in gradients], alone[r])
    assert int(together.iterations) == 5
    for place, variable in enumerate(stacked):
        for r in range(len(RATES)):
            expected = np.asarray(alone[r][place])
            assert np.abs(expected - starts[place][r]).max() > 0
            assert np.allclose(np.asarray(variable)[r], expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    "optimizer",
    [
        keras.optimizers.Lamb(),
        keras.optimizers.Adafactor(),
        keras.optimizers.Muon(),
        keras.optimizers.Nadam(),
        keras.optimizers.Adam(clipnorm=1.0),
        keras.optimizers.Adam(global_clipnorm=1.0),
        keras.optimizers.SGD(use_ema=True),
        keras.optimizers.SGD(gradient_accumulation_steps=2),
        keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()),
    ],
    ids=lambda optimizer: type(optimizer).__name__,
)
def test_an_optimizer_that_looks_at_more_than_one_weight_is_named(optimizer: Any) -> None:
    assert type(optimizer).__name__ in why_not_elementwise(optimizer)


def test_a_class_of_somebody_else_is_not_taken_for_keras_own() -> None:
    class Adam(keras.optimizers.Adam):
        """Might do anything."""

    assert "Adam" in why_not_elementwise(Adam())
