"""What ``--deterministic`` promises, by processes of their own: the bits of a sweep do not hang on how it went."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from disturbed_sweeps import assert_same, lines, run, words

from bboxbench.data_gen import DatasetSpec, generate


@pytest.mark.slow
def test_a_deterministic_sweep_gives_the_same_bits_in_another_process_and_taken_up_again(tmp_path: Path) -> None:
    """On enough pictures for two threads to share the work, with half of each chunk lost the second time."""
    pictures = generate(DatasetSpec.letters(n=200, seed=5), tmp_path / "data", workers=1).folder
    given = {"losses": "mse,giou,iou", "seeds": 2, "epochs": 2, "batch_sizes": 20, "threads": 2, "chunk": 2}
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        code, _, err = run(words(pictures, folder, **given, isolation="none"), tmp_path)
        assert code == 0, err
        assert_same(folder, first)
    # As a kill leaves it that came after one run of each chunk of two.
    kept = [line for index, line in enumerate(lines(second)) if index % 2 == 0]
    (second / "journal.jsonl").write_bytes(b"".join(line + b"\n" for line in kept))
    # Here in a worker, before in the driver's own process.
    code, _, err = run(words(pictures, second, **given), tmp_path)
    assert code == 0, err
    assert lines(second)[: len(kept)] == kept
    assert_same(second, first)
    environment = json.loads((first / "sweep.json").read_text(encoding="utf-8"))["environment"]
    assert (environment["deterministic"], environment["threads"]) == (True, 2)
    assert set(pd.read_csv(first / "runs.csv")["deterministic"]) == {True}
