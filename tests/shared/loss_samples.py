"""Losses with their functions, and a batch of boxes for them: what the tests of loss classes share."""

from __future__ import annotations

import numpy as np

from bboxbench.losses import get, names

__all__ = ["ARRAY_COPY", "PAIRS", "PRED", "TRUE"]

ARRAY_COPY = "ignore:__array__ implementation:DeprecationWarning"
"""Keras's variables and NumPy 2 disagree about a keyword whenever a model is saved."""

PAIRS = {name: type(get(name)).function for name in names()}
TRUE = np.array([[0, 0, 4, 4], [1, 1, 5, 9], [2, 0, 6, 4]], "float32")
PRED = np.array([[1, 0, 5, 4], [1, 1, 5, 8], [2, 2, 7, 5]], "float32")
