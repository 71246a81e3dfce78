from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf


@pytest.fixture(scope="session")
def value_and_gradient() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Values and d sum(values) / d y_pred of a loss function or class, in the dtype asked for."""

    def compute(loss: Any, y_true: Any, y_pred: Any, dtype: str = "float64", **parameters: Any) -> Any:
        true, pred = tf.constant(np.asarray(y_true), dtype), tf.Variable(np.asarray(y_pred), dtype=dtype)
        with tf.GradientTape() as tape:
            values = loss(true, pred, **parameters)
        gradient = tape.gradient(values, pred)
        return values.numpy(), gradient.numpy()

    return compute
