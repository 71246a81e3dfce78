"""Bounding-box losses for any Keras project: each a class for ``compile`` and a pure function of boxes.

``y_true`` comes first, the last axis is 4, any leading axes; a function gives one value a box. Everything is written
with ``keras.ops``. Importing this package imports Keras and nothing else of bboxbench.

>>> import keras
>>> from bboxbench.losses import GIoULoss
>>> model = keras.Sequential([keras.layers.Dense(4, activation="sigmoid")])
>>> model.compile(optimizer="adam", loss=GIoULoss())
"""

from __future__ import annotations

from bboxbench.losses.base import BoxLoss, FunctionLoss
from bboxbench.losses.centre_point import CentrePointLoss, centre_point_loss
from bboxbench.losses.coordinate import MSELoss, mse_loss
from bboxbench.losses.enclosing import GIoULoss, giou_loss
from bboxbench.losses.geometry import BOX_FORMATS
from bboxbench.losses.iou import IoULoss, UnguardedIoULoss, iou_loss, unguarded_iou_loss
from bboxbench.losses.registry import get, names, register

__all__ = [
    "BOX_FORMATS",
    "BoxLoss",
    "CentrePointLoss",
    "FunctionLoss",
    "GIoULoss",
    "IoULoss",
    "MSELoss",
    "UnguardedIoULoss",
    "centre_point_loss",
    "get",
    "giou_loss",
    "iou_loss",
    "mse_loss",
    "names",
    "register",
    "unguarded_iou_loss",
]
