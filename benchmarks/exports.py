"""Times exporting pictures in every format, and measures the processor and the memory that it takes.

    python benchmarks/exports.py                                     # 40,000 pictures: half an hour, 1 GB
    python benchmarks/exports.py --repeats 1 --formats coco --width 64 --height 48 --n 100000

Every row is ``bboxbench export`` in fresh processes, timed from its start to its end, files written and synced; rows
take turns, so that a machine with other work hurts all alike. Processor time and the largest process are those of the
command and of all that it started. The table goes to stdout; what docs/exports.md says of time and memory is from here.
"""

# ruff: noqa: T201  # it is a command

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bboxbench.data_gen import Dataset, DatasetSpec, generate
from bboxbench.data_gen.exports import FORMATS
from bboxbench.data_gen.workers import usable_cores

PEAK_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in which the system counts a process's largest memory."""


@dataclass
class Row:
    """A format, and what it took: a number a turn."""

    form: str
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)
    size: float = 0

    def measure(self, data: Dataset, folder: Path) -> None:
        """Export once, into a folder that is not there; sizes in MB."""
        words = ["export", str(data.folder), "--format", self.form, "--out", str(folder), "--quiet"]
        start = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", "bboxbench", *words], stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"bboxbench {' '.join(words)} ended with {process.returncode}.")
        self.seconds.append(time.perf_counter() - start)
        self.processor.append(used.ru_utime + used.ru_stime)
        self.peak.append(used.ru_maxrss * PEAK_UNIT / 1e6)
        self.size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6

    def line(self) -> str:
        """Its row of the table: medians, and of the seconds also the range."""
        between = f"{statistics.median(self.seconds):.1f} ({min(self.seconds):.1f} to {max(self.seconds):.1f})"
        processor, peak = statistics.median(self.processor), max(self.peak)
        return f"| `{self.form}` | {between} | {processor:.1f} | {peak:.0f} MB | {self.size:.1f} MB |"


def main() -> None:
    """Draw the pictures, let every format take its turns, print the table."""
    parser = argparse.ArgumentParser(description="Time exports.")
    parser.add_argument("--n", type=int, default=40_000, help="pictures")
    parser.add_argument("--width", type=int, default=200, help="of a picture")
    parser.add_argument("--height", type=int, default=100, help="of a picture")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each row")
    parser.add_argument("--formats", nargs="+", choices=list(FORMATS), default=list(FORMATS), metavar="NAME")
    chosen = parser.parse_args()
    rows = [Row(form) for form in chosen.formats]
    size: dict[str, Any] = {"width": chosen.width, "height": chosen.height}
    if chosen.height < 100:
        size["sizes"] = (chosen.height // 3, chosen.height // 2)
    # Not where a system keeps its temporary files, which may be memory.
    with tempfile.TemporaryDirectory(dir=".", prefix="bench-") as place:
        data = generate(DatasetSpec.letters(n=chosen.n, seed=0, **size), Path(place) / "data")
        for _ in range(chosen.repeats):
            for row in rows:
                with tempfile.TemporaryDirectory(dir=place) as folder:
                    row.measure(data, Path(folder) / row.form)
    print(
        f"{chosen.n:,} pictures of {chosen.width} x {chosen.height}, {usable_cores()} cores, {chosen.repeats} turns\n"
    )
    print("| format | seconds (range) | processor seconds | largest process | folder |")
    print("| --- | ---: | ---: | ---: | ---: |")
    print("\n".join(row.line() for row in rows))


if __name__ == "__main__":
    main()
