"""Whatever backend Keras runs on: with ``KERAS_BACKEND=jax`` or ``torch`` these tests are about that one."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

if os.environ.get("KERAS_BACKEND") == "jax":
    # Before JAX is imported: without it every float64 is float32.
    os.environ.setdefault("JAX_ENABLE_X64", "1")

import keras
import numpy as np

from bboxbench import gradients

ON_TENSORFLOW = keras.backend.backend() == "tensorflow"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip on the other backends what asks for TensorFlow by name."""
    if not ON_TENSORFLOW:
        for item in items:
            if item.get_closest_marker("tensorflow"):
                item.add_marker(pytest.mark.skip(reason="is about TensorFlow's own compiler, dtypes or tensors"))


@pytest.fixture(scope="session")
def value_and_gradient() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Values and d sum(values) / d y_pred of a loss function or class, in the dtype asked for."""

    def compute(loss: Any, y_true: Any, y_pred: Any, dtype: str = "float64", **parameters: Any) -> Any:
        if parameters:
            return gradients.value_and_gradient(lambda t, p: loss(t, p, **parameters), y_true, y_pred, dtype)
        return gradients.value_and_gradient(loss, y_true, y_pred, dtype)

    return compute
