"""Where a sweep's driver saturates: everything it does for a run but the training, which returns at once.

    python benchmarks/driver.py                 # half an hour; writes docs/data/driver.csv
    python benchmarks/driver.py --only 1000     # the first sizes alone

Each row is a sweep of its own in a fresh process. The trainer gives boxes at random and the epochs of a usual run; all
else is the driver's: planning, measuring, predictions and journal with their syncs, the tables meanwhile, the report at
the end.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
OUT = HERE.parent / "docs" / "data" / "driver.csv"
SIZES = ((20_000, 1000), (20_000, 4000), (1000, 1000), (1000, 16_000))
"""Test pictures and runs of each sweep: the first as many as the default preset has, the others show what adds up."""
CELLS = 16
COLUMNS = {
    "n_test": "test pictures",
    "runs": "runs of the sweep",
    "plan_seconds": "from the start to the first run",
    "first_rate": "runs a second, over the first quarter",
    "last_rate": "runs a second, over the last quarter",
    "end_seconds": "from the last run to the end: tables, report, figures",
    "peak_mb": "resident memory of the driver at its peak, TensorFlow's 500 MB among them",
    "journal_kb": "of the journal, each run",
    "predictions_kb": "of predictions, each run",
    "tables_kb": "of all tables, each run",
}
"""What is measured, by its column in driver.csv."""


class Instant:
    """An executor that trains nothing."""

    def __init__(self, n_test: int) -> None:
        import numpy as np

        self._boxes = np.random.default_rng(0).random((n_test + 1000, 4), np.float32)
        self._n_test = n_test

    def __enter__(self) -> Instant:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def estimate(self, pending: Sequence[Any]) -> Any:
        """Nothing."""
        from bboxbench.experiments.estimate import Estimate

        return Estimate(0.0, {})

    def run(self, blocks: Sequence[Any], on_epoch: Any) -> Iterator[Any]:
        """Every run at once, with boxes of its own."""
        from bboxbench.experiments.training import TrainedRun

        epoch = {"train_loss": 0.123456789, "val_box_accuracy": 0.5, "val_mean_iou": 0.456789, "seconds": 3.141}
        count = 0
        for block in blocks:
            for run in block.runs:
                count += 1
                epochs = [{"epoch": number + 1, **epoch} for number in range(8)]
                start = count % 1000
                boxes = self._boxes[start : start + self._n_test]
                yield TrainedRun(run, boxes, epochs=epochs, seconds=30.0, engine="lockstep", threads=1, device="none")


def sweep(n_test: int, runs: int, data: str) -> dict[str, Any]:
    """One sweep in this process."""
    from bboxbench.experiments import sweep as module
    from bboxbench.experiments.listener import Listener
    from bboxbench.experiments.spec import SweepSpec

    clock = time.perf_counter
    marks: dict[str, float] = {"start": clock()}
    came: list[float] = []

    class Watch(Listener):
        def planned(self, plan: Any) -> None:
            marks["planned"] = clock()

        def finished(self, row: dict[str, Any]) -> None:
            came.append(clock())

    module.make_executor = lambda *_: Instant(n_test)  # type: ignore[assignment]
    spec = SweepSpec.from_preset("default", data=data, seeds=runs // CELLS)
    with tempfile.TemporaryDirectory(dir=".") as folder:
        module.run_sweep(spec, Path(folder) / "results", Watch())
        ended = clock()
        journal = (Path(folder) / "results" / "journal.jsonl").stat().st_size
        tables = sum(path.stat().st_size for path in (Path(folder) / "results").glob("*.csv"))
        files = [path.stat().st_size for path in (Path(folder) / "results" / "predictions").iterdir()]
    quarter = len(came) // 4
    return {
        "n_test": n_test,
        "runs": len(came),
        "plan_seconds": round(marks["planned"] - marks["start"], 1),
        "first_rate": round(quarter / (came[quarter] - marks["planned"]), 1),
        "last_rate": round(quarter / (came[-1] - came[-1 - quarter]), 1),
        "end_seconds": round(ended - came[-1], 1),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "journal_kb": round(journal / len(came) / 1000, 2),
        "tables_kb": round(tables / len(came) / 1000, 2),
        "predictions_kb": round(sum(files) / len(files) / 1000, 2),
    }


def main() -> None:
    """Sweep every size in a process of its own and write what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", type=int, default=10**9, help="leave out sweeps of more runs")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        sys.stdout.write(json.dumps(sweep(int(options.one[0]), int(options.one[1]), options.one[2])) + "\n")
        return
    from bboxbench.data_gen import DatasetSpec, generate

    rows = []
    for n_test, runs in SIZES:
        if runs > options.only:
            continue
        drawn = DatasetSpec.letters(n=2 * n_test)
        data = generate(drawn, Path("data") / drawn.folder_name)
        command = [sys.executable, __file__, "--one", str(n_test), str(runs), str(data.folder)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        sys.stderr.write(f"{rows[-1]}\n")
    with options.out.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(COLUMNS), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
