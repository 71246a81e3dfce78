"""What all tests share: one TensorFlow start, hypothesis's profiles, one small data set."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from bboxbench.data_gen import Dataset, DatasetSpec, generate

# Before any test imports TensorFlow: the same choice as the command makes, and no lines of its own.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# A shell that starts tests in the background has them ignore Ctrl-C, and with them the commands that they interrupt.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Machines differ in speed, so no deadline; where CI is set, every run tries the same examples.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """40 letters: 12 to train, 8 to validate, 20 to test."""
    return generate(DatasetSpec.letters(n=40, seed=3), tmp_path_factory.mktemp("data") / "small", workers=1)


@pytest.fixture(scope="session")
def write_sweep(small_dataset: Dataset) -> Callable[..., Path]:
    """Writes a results folder as a sweep does, with made-up predictions: no training, no TensorFlow.

    ``fates`` says for each loss what its runs become: "good", "pinned", "diverged" or "failed".
    """
    from bboxbench.boxes import relative_boxes, to_pixels
    from bboxbench.experiments.baselines import baselines_table
    from bboxbench.experiments.outcomes import measure
    from bboxbench.experiments.results import open_results
    from bboxbench.experiments.spec import SweepSpec
    from bboxbench.experiments.tables import write_views
    from bboxbench.experiments.training import load_data
    from bboxbench.files import write_atomically

    width, height = small_dataset.spec.width, small_dataset.spec.height
    true = relative_boxes(small_dataset.boxes("test"), width, height)

    def predicted(fate: str, seed: int) -> np.ndarray | None:
        noise = np.random.default_rng(seed).normal(0, 0.01, true.shape)
        boxes = {"good": true + noise, "pinned": np.tile([0.0, 0.0, 1.0, 1.0], (len(true), 1)) + 0 * noise}
        boxes["diverged"] = np.full(true.shape, np.nan)
        return None if fate == "failed" else np.asarray(boxes[fate], np.float32)

    def write(
        folder: Path,
        fates: dict[str, str],
        initializers: tuple[str, ...] = ("glorot_uniform",),
        seeds: int = 2,
        epochs: int = 4,
        **changes: Any,
    ) -> Path:
        axes: dict[str, Any] = {"losses": tuple(fates), "initializers": initializers, "seeds": seeds, "epochs": epochs}
        spec = SweepSpec.from_preset("quick", data=str(small_dataset.folder), **{**axes, **changes})
        with open_results(folder, spec, small_dataset.sha256, {"device": "none"}) as results:
            for seed in range(seeds):
                for initializer in initializers:
                    for loss, fate in fates.items():
                        boxes = predicted(fate, seed)
                        row: dict[str, Any] = {"run_id": f"{loss}-{initializer}-s{seed}", "loss": loss, "seed": seed}
                        row |= {
                            "initializer": initializer,
                            "optimizer": "adam",
                            "learning_rate": 0.0005,
                            "seconds": 1.0,
                        }
                        row |= {"head": "corners", "start": "wide", "status": "failed" if boxes is None else "ok"}
                        row |= {"vary": "init,order,dropout", "n_train": 12, "n_validation": 8, "n_test": 20}
                        row |= {"batch_size": 100, "error": "ValueError: made to fail" if boxes is None else ""}
                        histogram: tuple[int, ...] = ()
                        if boxes is not None:
                            pixels = to_pixels(boxes, width, height)
                            measures = measure(small_dataset.boxes("test"), pixels, width, height)
                            row, histogram = row | measures.row(), measures.histogram
                        reached = row.get("box_accuracy") or 0.0
                        steps = [
                            {"epoch": k, "train_loss": 1 / k, "val_box_accuracy": reached * k / epochs, "seconds": 0.1}
                            for k in range(1, epochs + 1 if boxes is not None else 1)
                        ]
                        record = {"run_id": row["run_id"], "row": row, "epochs": steps, "histogram": list(histogram)}
                        results.add(record, boxes)
            write_views(folder, results.journal.records)
            table = baselines_table(load_data(small_dataset, 8), 0.5).to_csv(index=False, lineterminator="\n")
            write_atomically(folder / "baselines.csv", table)
        return folder

    return write


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is also the current one, so that default folders land in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
