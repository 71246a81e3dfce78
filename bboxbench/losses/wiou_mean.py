"""The running mean that Wise-IoU v2 and v3 weigh boxes by, kept where it can be saved."""

from __future__ import annotations

from typing import Any

import keras

from bboxbench.losses.base import check_number
from bboxbench.losses.wiou import WIoUv2Loss, WIoUv3Loss

__all__ = ["WIoUMean"]

SMALLEST = 1e-3
"""The mean is not let below this: a network whose boxes all match would divide by 0."""


class WIoUMean(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Renews ``iou_mean`` of a model's `WIoUv2Loss` or `WIoUv3Loss` after every epoch, from a metric of that epoch.

    ``iou_mean`` becomes ``momentum * iou_mean + (1 - momentum) * (1 - mean IoU of the epoch)``. It is a plain number of
    the loss, so `evaluate` cannot change it, a saved model keeps it, and training goes on with it. The authors' code
    renews it after every batch, by a variable inside the loss: in Keras such a variable is not among the model's, is
    lost on saving, is frozen by JAX at its first value, and `evaluate` changes it.

    The number is part of the compiled training step, so each epoch compiles it anew: some seconds for a large model.

    Args:
        momentum: 0 <= momentum < 1, how much of the old mean stays after an epoch.
        metric: the name of the `bboxbench.metrics.MeanBoxIoU` that the model was compiled with.

    Raises:
        ValueError: when training begins, if the model's one loss is neither of the two; after the first epoch, if the
            metric is not among the model's.

    >>> import keras
    >>> from bboxbench.losses import WIoUMean, WIoUv3Loss
    >>> from bboxbench.metrics import MeanBoxIoU
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, kernel_initializer="identity")])
    >>> model.compile("sgd", WIoUv3Loss(), metrics=[MeanBoxIoU()])
    >>> boxes = keras.ops.convert_to_tensor([[0.0, 0.0, 1.0, 1.0]])
    >>> _ = model.fit(boxes, boxes, epochs=2, verbose=0, callbacks=[WIoUMean(momentum=0.5)])
    >>> model.loss.iou_mean  # every box matched: 0.5, 0.25, 0.125
    0.125
    """

    def __init__(self, momentum: float = 0.5, metric: str = "mean_box_iou") -> None:
        super().__init__()
        self.momentum = check_number("momentum", momentum, at_least=0, below=1)
        self.metric = metric

    def on_train_begin(self, logs: Any = None) -> None:
        """Refuse a model whose loss has no such mean."""
        loss = self.model.loss
        if not isinstance(loss, (WIoUv2Loss, WIoUv3Loss)):
            raise ValueError(f"Expected a model compiled with WIoUv2Loss or WIoUv3Loss. Received: loss={loss!r}")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Renew the mean, and have the steps compiled with it."""
        if self.metric not in (logs or {}):
            raise ValueError(
                f"Expected the model to be compiled with metrics=[MeanBoxIoU(name={self.metric!r})]. "
                f"Received: metrics {', '.join(name for name in logs or {} if name != 'loss') or 'none'}"
            )
        loss = self.model.loss
        mean = self.momentum * loss.iou_mean + (1 - self.momentum) * (1 - float(logs[self.metric]))
        loss.iou_mean = min(1.0, max(SMALLEST, mean))
        self.model.make_train_function(force=True)
        self.model.make_test_function(force=True)
