"""Data sets that several tests read; a test that changes one copies it first."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from coco_folders import write_shapes

from bboxbench.data_gen import Dataset, DatasetSpec, generate

TINY = {"width": 64, "height": 48, "sizes": (16, 24)}


@pytest.fixture(scope="session")
def tiny_spec() -> DatasetSpec:
    """Three shards of small pictures, the last one short."""
    return DatasetSpec.letters(n=2300, seed=3, **TINY)


@pytest.fixture(scope="session")
def tiny(tiny_spec: DatasetSpec, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return generate(tiny_spec, tmp_path_factory.mktemp("tiny") / "data", workers=1)


@pytest.fixture
def copy(tiny: Dataset, tmp_path: Path) -> Path:
    """A copy of the tiny data set that may be harmed."""
    return Path(shutil.copytree(tiny.folder, tmp_path / "copy"))


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten drawn shapes in two splits; a test that changes it copies it first."""
    folder = tmp_path_factory.mktemp("coco") / "shapes"
    write_shapes(folder, n=6, seed=1, split="train")
    return write_shapes(folder, n=4, seed=2, split="val")
