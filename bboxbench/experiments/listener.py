"""What a sweep tells whoever watches it; light, so that a view can be made before TensorFlow is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bboxbench.experiments.plan import Run
    from bboxbench.experiments.sweep import Plan

__all__ = ["Listener"]


class Listener:
    """What a sweep tells while it runs; every method may be left as it is."""

    def drawing(self, done: int, total: int) -> None:
        """So many of the data set's samples are on disk."""

    def planned(self, plan: Plan) -> None:
        """Before the first run."""

    def epoch(self, run: Run, epoch: float) -> None:
        """A run has finished this many epochs; between two whole numbers one is under way."""

    def finished(self, row: dict[str, Any]) -> None:
        """A run is in the journal; ``row`` has the columns of runs.csv."""

    def warning(self, text: str) -> None:
        """Something was mended that a person should know of."""
