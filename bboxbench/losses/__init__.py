"""Bounding-box losses for any Keras project: each a class for ``compile`` and a pure function of boxes.

``y_true`` comes first, the last axis is 4, any leading axes; a function gives one value a box. Everything is written
with ``keras.ops``. Importing this package imports Keras and nothing else of bboxbench.

>>> import keras
>>> from bboxbench.losses import GIoULoss
>>> model = keras.Sequential([keras.layers.Dense(4, activation="sigmoid")])
>>> model.compile(optimizer="adam", loss=GIoULoss())
"""

from __future__ import annotations

from bboxbench.losses.alpha_iou import AlphaIoULoss, alpha_iou_loss
from bboxbench.losses.base import BoxLoss, FunctionLoss
from bboxbench.losses.bounded_iou import BoundedIoULoss, bounded_iou_loss
from bboxbench.losses.catalogue import CatalogueLoss, LossCard
from bboxbench.losses.centre_point import CentrePointLoss, centre_point_loss
from bboxbench.losses.composition import bases
from bboxbench.losses.coordinate import L1Loss, LogCoshLoss, MSELoss, l1_loss, log_cosh_loss, mse_loss
from bboxbench.losses.corner_distance import MPDIoULoss, SCALoss, mpdiou_loss, sca_loss
from bboxbench.losses.dice import BoxDiceLoss, box_dice_loss
from bboxbench.losses.distance import CIoULoss, DIoULoss, ciou_loss, diou_loss
from bboxbench.losses.eiou import EIoULoss, FocalEIoULoss, eiou_loss, focal_eiou_loss
from bboxbench.losses.enclosing import GIoULoss, giou_loss
from bboxbench.losses.extended_iou import ExtendedIoULoss, extended_iou_loss
from bboxbench.losses.focaler_iou import FocalerIoULoss, focaler_iou_loss
from bboxbench.losses.gaussian import GWDLoss, NWDLoss, gwd_loss, nwd_loss
from bboxbench.losses.gcd import GCDLoss, gcd_loss
from bboxbench.losses.geometry import BOX_FORMATS
from bboxbench.losses.inner_iou import InnerIoULoss, inner_iou_loss
from bboxbench.losses.interpiou import DynamicInterpIoULoss, InterpIoULoss, dynamic_interpiou_loss, interpiou_loss
from bboxbench.losses.iou import (
    IoULoss,
    LinearIoULoss,
    SquareIoULoss,
    UnguardedIoULoss,
    iou_loss,
    linear_iou_loss,
    square_iou_loss,
    unguarded_iou_loss,
)
from bboxbench.losses.kld import KLDLoss, kld_loss
from bboxbench.losses.piou import PIoUv1Loss, PIoUv2Loss, piou_v1_loss, piou_v2_loss
from bboxbench.losses.probiou import ProbIoULoss, probiou_loss
from bboxbench.losses.registry import get, names, register
from bboxbench.losses.robust import (
    BalancedL1Loss,
    HuberLoss,
    SmoothL1Loss,
    balanced_l1_loss,
    huber_loss,
    smooth_l1_loss,
)
from bboxbench.losses.shape_iou import ShapeIoULoss, shape_iou_loss
from bboxbench.losses.siou import SIoULoss, siou_loss
from bboxbench.losses.wiou import WIoUv1Loss, WIoUv2Loss, WIoUv3Loss, wiou_v1_loss, wiou_v2_loss, wiou_v3_loss
from bboxbench.losses.wiou_mean import WIoUMean

__all__ = [
    "BOX_FORMATS",
    "AlphaIoULoss",
    "BalancedL1Loss",
    "BoundedIoULoss",
    "BoxDiceLoss",
    "BoxLoss",
    "CIoULoss",
    "CatalogueLoss",
    "CentrePointLoss",
    "DIoULoss",
    "DynamicInterpIoULoss",
    "EIoULoss",
    "ExtendedIoULoss",
    "FocalEIoULoss",
    "FocalerIoULoss",
    "FunctionLoss",
    "GCDLoss",
    "GIoULoss",
    "GWDLoss",
    "HuberLoss",
    "InnerIoULoss",
    "InterpIoULoss",
    "IoULoss",
    "KLDLoss",
    "L1Loss",
    "LinearIoULoss",
    "LogCoshLoss",
    "LossCard",
    "MPDIoULoss",
    "MSELoss",
    "NWDLoss",
    "PIoUv1Loss",
    "PIoUv2Loss",
    "ProbIoULoss",
    "SCALoss",
    "SIoULoss",
    "ShapeIoULoss",
    "SmoothL1Loss",
    "SquareIoULoss",
    "UnguardedIoULoss",
    "WIoUMean",
    "WIoUv1Loss",
    "WIoUv2Loss",
    "WIoUv3Loss",
    "alpha_iou_loss",
    "balanced_l1_loss",
    "bases",
    "bounded_iou_loss",
    "box_dice_loss",
    "centre_point_loss",
    "ciou_loss",
    "diou_loss",
    "dynamic_interpiou_loss",
    "eiou_loss",
    "extended_iou_loss",
    "focal_eiou_loss",
    "focaler_iou_loss",
    "gcd_loss",
    "get",
    "giou_loss",
    "gwd_loss",
    "huber_loss",
    "inner_iou_loss",
    "interpiou_loss",
    "iou_loss",
    "kld_loss",
    "l1_loss",
    "linear_iou_loss",
    "log_cosh_loss",
    "mpdiou_loss",
    "mse_loss",
    "names",
    "nwd_loss",
    "piou_v1_loss",
    "piou_v2_loss",
    "probiou_loss",
    "register",
    "sca_loss",
    "shape_iou_loss",
    "siou_loss",
    "smooth_l1_loss",
    "square_iou_loss",
    "unguarded_iou_loss",
    "wiou_v1_loss",
    "wiou_v2_loss",
    "wiou_v3_loss",
]
