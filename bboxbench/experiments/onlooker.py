"""What the training of one network tells whoever watches it; light, so that a view comes before TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bboxbench.experiments.plan import Run
    from bboxbench.experiments.spec import SweepSpec
    from bboxbench.experiments.training import TrainingData

__all__ = ["Onlooker"]


class Onlooker:
    """What `bboxbench.experiments.models.single_training` tells while it works; every method may be left as it is."""

    def drawing(self, done: int, total: int) -> None:
        """So many of the data set's samples are on disk."""

    def planned(self, run: Run, spec: SweepSpec, data: TrainingData, folder: Path) -> None:
        """Before the network is built."""

    def under_way(self, epoch: float) -> None:
        """So many epochs are finished; between two whole numbers one is under way."""

    def epoch(self, row: dict[str, Any]) -> None:
        """An epoch is finished; ``row`` has the columns of epochs.csv. Epoch 0 is the untrained network."""
