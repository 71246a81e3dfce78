"""What all tests share: one TensorFlow start, hypothesis's profiles, one small data set."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from bboxbench.data_gen import Dataset, DatasetSpec, generate

# Before any test imports TensorFlow: the same choice as the command makes, and no lines of its own.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# Machines differ in speed, so no deadline; where CI is set, every run tries the same examples.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """40 letters: 12 to train, 8 to validate, 20 to test."""
    return generate(DatasetSpec.letters(n=40, seed=3), tmp_path_factory.mktemp("data") / "small", workers=1)


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is also the current one, so that default folders land in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
