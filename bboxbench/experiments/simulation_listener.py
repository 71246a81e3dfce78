"""What a simulation tells whoever watches it; light, so that a view can be made before TensorFlow is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bboxbench.experiments.simulation_cases import SimulationSpec

__all__ = ["SimulationListener"]


class SimulationListener:
    """What a simulation tells while it runs; every method may be left as it is."""

    def planned(self, spec: SimulationSpec, folder: Path, kept: tuple[str, ...]) -> None:
        """Before the first loss; ``kept`` are those of the folder that are not computed again."""

    def progress(self, loss: str, points: int) -> None:
        """So many points of a loss are done."""

    def finished(self, row: dict[str, Any]) -> None:
        """A loss is in the folder; ``row`` has the columns of summary.csv."""

    def warning(self, text: str) -> None:
        """Something was mended that a person should know of."""
