from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bboxbench.data_gen import Dataset
from bboxbench.experiments.spec import SweepSpec


@pytest.fixture(scope="session")
def tiny(small_dataset: Dataset) -> Any:
    """Makes specs whose runs take seconds: the real network on 12 letters, batches of 6, 2 epochs."""

    def spec(**changes: Any) -> SweepSpec:
        values = {
            "data": str(small_dataset.folder),
            "losses": ["mse", "iou_unguarded"],
            "initializers": ["glorot_uniform"],
            "optimizers": ["adam:0.0005"],
            "seeds": 2,
            "epochs": 2,
            "batch_sizes": 6,
        }
        return SweepSpec.from_preset("quick", **{**values, **changes})

    return spec


@pytest.fixture(scope="session")
def undisturbed(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A finished sweep: mse and iou_unguarded under two seeds."""
    from sweeps_here import sweep_here

    folder: Path = tmp_path_factory.mktemp("sweep") / "results"
    return sweep_here(tiny(), folder)
