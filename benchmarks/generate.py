"""Times drawing pictures side by side, reading them back, and the memory that a million takes.

    python benchmarks/generate.py                            # writes docs/data/generate.json: ten minutes, 1 GB
    python benchmarks/generate.py --memory 10000,100000      # without the million: half of that

Every row is a command in fresh processes, timed from its start to its end, files written; all rows take turns.
TextRecognitionDataGenerator wants an interpreter that has it, ``--trdg-python PATH``:

    python -m venv trdg && trdg/bin/pip install trdg "pillow<10"

Its last release, 1.8.0, asks for `FreeTypeFont.getsize`, which Pillow has had no more since release 10.
"""

# ruff: noqa: T201  # it is a command

from __future__ import annotations

import argparse
import datetime
import json
import os
import statistics
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bboxbench.data_gen.fonts import font_path
from bboxbench.data_gen.presets import LETTERS_FONTS, PRESETS
from bboxbench.data_gen.workers import usable_cores
from bboxbench.experiments.environment import environment
from bboxbench.files import make_folder, write_atomically

ROOT = Path(__file__).parent.parent
PLAIN = str(Path(__file__).with_name("plain_pillow.py"))
BBOXBENCH = [sys.executable, "-m", "bboxbench"]
FONTS = [str(font_path(name)) for name in LETTERS_FONTS]
DRAWN, READ, CHECKED = "draw", "read", "verify"
READING = """
import sys, time
from bboxbench.data_gen import open_dataset
start = time.perf_counter()
dataset = open_dataset(sys.argv[1])
for split in ("train", "validation", "test"):
    dataset.grey(split)
print(time.perf_counter() - start)
"""
LOOK_SECONDS = 0.02
"""How often a command's processes are looked at for their memory."""


@dataclass
class Row:
    """One way, and what it took.

    Attributes:
        what: `DRAWN`, `READ` or `CHECKED`.
        how: in words.
        n: pictures.
        command: of the folder that all rows of a repeat draw into. One that reads prints its seconds.
        said: why there are no numbers.
        turns: seconds, one a repeat.
    """

    what: str
    how: str
    n: int
    command: Callable[[Path], list[str]]
    said: str = ""
    turns: list[float] = field(default_factory=list)

    def summary(self, base: Row) -> dict[str, Any]:
        """What is written of it; ``base`` is our own way of the same."""
        told: dict[str, Any] = {"what": self.what, "how": self.how, "n": self.n, "said": self.said, "turns": self.turns}
        if self.said:
            return told
        pairs = zip(self.turns, base.turns, strict=True)
        ratios = [(mine / self.n) / (ours / base.n) for mine, ours in pairs]
        seconds = statistics.median(self.turns)
        lows = {"ratio": statistics.median(ratios), "ratio_low": min(ratios), "ratio_high": max(ratios)}
        return {**told, "seconds": seconds, "rate": self.n / seconds, **lows}


def all_rows(chosen: argparse.Namespace) -> list[Row]:
    """Every way, ours first."""
    cores = str(usable_cores())
    rows = []
    for preset in PRESETS:
        n = chosen.n if preset == "letters" else chosen.others
        rows.append(Row(DRAWN, f"`bboxbench generate --preset {preset}`", n, _generate(preset, n)))
    for processes in dict.fromkeys(("1", cores)):
        name = f"a loop with Pillow, PNG files, {processes} process{'es' if processes != '1' else ''}"
        rows.append(Row(DRAWN, name, chosen.others, _plain("draw", chosen.others, processes)))
    trdg = Row(DRAWN, "TextRecognitionDataGenerator", chosen.few, _trdg(chosen, cores))
    if not chosen.trdg_python:
        trdg.said = "not installed: `--trdg-python`"
    rows.append(trdg)
    rows.append(Row(READ, "`Dataset.grey` of all splits", chosen.n, _read))
    rows.append(Row(READ, f"PNG files by Pillow, {cores} threads", chosen.others, _plain("read", chosen.others, cores)))
    rows.append(Row(CHECKED, "`bboxbench verify`", chosen.n, _verify))
    return rows


def _generate(preset: str, n: int) -> Callable[[Path], list[str]]:
    words = ["generate", "--quiet", "--preset", preset, "--n", str(n), "--out"]
    return lambda folder: [*BBOXBENCH, *words, str(folder / preset)]


def _plain(what: str, n: int, processes: str) -> Callable[[Path], list[str]]:
    fonts = FONTS if what == "draw" else []
    return lambda folder: [sys.executable, PLAIN, what, str(folder / f"png{processes}"), str(n), processes, *fonts]


def _read(folder: Path) -> list[str]:
    return [sys.executable, "-c", READING, str(folder / "letters")]


def _verify(folder: Path) -> list[str]:
    return [*BBOXBENCH, "verify", "--quiet", str(folder / "letters")]


def _trdg(chosen: argparse.Namespace, cores: str) -> Callable[[Path], list[str]]:
    def command(folder: Path) -> list[str]:
        """Single letters on white, as large as ours, with a file of boxes each."""
        words = folder / "letters.txt"
        words.write_text("\n".join(string.ascii_letters) + "\n")
        options = {"-c": chosen.few, "-i": words, "-f": 100, "-wd": 200, "-b": 1, "-obb": 1, "-e": "png", "-t": cores}
        pairs = [str(part) for pair in options.items() for part in pair]
        return [chosen.trdg_python, "-m", "trdg.run", *pairs, "-ft", FONTS[0], "--output_dir", str(folder / "trdg")]

    return command


def measure(rows: list[Row], repeats: int) -> None:
    """Let every row take its turns."""
    for repeat in range(repeats):
        # Not where a system keeps its temporary files, which may be memory.
        with tempfile.TemporaryDirectory(dir=".", prefix="bench-") as folder:
            for row in rows:
                if row.said:
                    continue
                start = time.perf_counter()
                ran = subprocess.run(row.command(Path(folder)), capture_output=True, text=True, check=False)
                seconds = time.perf_counter() - start
                if ran.returncode:
                    row.said, row.turns = f"failed: {(ran.stderr.splitlines() or ['?'])[-1]}", []
                    continue
                row.turns.append(float(ran.stdout.split()[-1]) if row.what == READ else seconds)
                print(f"{repeat + 1}/{repeats} {row.how}: {row.n / row.turns[-1]:,.0f} a second", file=sys.stderr)


def measure_memory(n: int) -> list[dict[str, Any]]:
    """Draw ``n`` pictures and verify them, and watch the memory of the processes."""
    found = []
    with tempfile.TemporaryDirectory(dir=".", prefix="bench-") as folder:
        for how, command in (("generate", _generate("letters", n)), ("verify", _verify)):
            start = time.perf_counter()
            driver, workers, said = peaks([*command(Path(folder)), "--json"])
            seconds = time.perf_counter() - start
            # Only verify counts them.
            exact = json.loads(said.splitlines()[-1]).get("exact")
            size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
            memory = {"driver_mb": driver, "workers_mb": workers}
            found.append({"how": how, "n": n, "exact": exact, "seconds": seconds, "bytes": size, **memory})
            print(f"{how} {n:,}: {seconds:.1f} s, {driver:.0f} MB and {workers} MB", file=sys.stderr)
    return found


def peaks(command: Sequence[str]) -> tuple[float, list[float], str]:
    """The most resident memory of a command's process, and of each of those it starts, in MB; and what it printed."""
    highest: dict[int, float] = {}
    with tempfile.TemporaryFile("w+") as stdout, psutil.Popen(command, stdout=stdout) as process:
        while process.poll() is None:
            try:
                for each in (process, *process.children(recursive=True)):
                    highest[each.pid] = max(highest.get(each.pid, 0.0), _peak(each))
            except psutil.NoSuchProcess:
                pass
            time.sleep(LOOK_SECONDS)
        stdout.seek(0)
        said = stdout.read()
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}: {said[-500:]}")
    driver = highest.pop(process.pid)
    return round(driver, 1), sorted((round(peak, 1) for peak in highest.values()), reverse=True), said


def _peak(process: psutil.Process) -> float:
    """MB at the highest so far where Linux tells it, elsewhere now."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1000
    except (OSError, IndexError):
        return float(process.memory_info().rss) / 1e6


def show(report: dict[str, Any]) -> None:
    """The tables of a report, for a terminal."""
    print(f"{'how':62}{'n':>10}{'seconds':>10}{'a second':>10}{'ours is x':>10}")
    for row in report["rows"]:
        if row["said"]:
            print(f"{row['how']:62}{row['n']:>10,}  {row['said']}")
        else:
            cells = (f"{row['n']:,}", f"{row['seconds']:.2f}", f"{row['rate']:,.0f}", f"{row['ratio']:.1f}")
            print(f"{row['how']:62}" + "".join(f"{cell:>10}" for cell in cells))
    for row in report["memory"]:
        took, workers = f"{row['seconds']:.1f} s", row["workers_mb"]
        print(f"{row['how']} of {row['n']:,}: {took}, {row['driver_mb']} MB, workers {workers} MB")


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5, help="turns that every row takes")
    parser.add_argument("--n", type=int, default=40_000, help="pictures of the preset letters")
    parser.add_argument("--others", type=int, default=4_000, help="pictures of the other presets, and of the loop")
    parser.add_argument("--few", type=int, default=500, help="pictures of what is slow")
    parser.add_argument(
        "--memory", default="10000,100000,1000000", help="pictures whose memory is watched; '' for none"
    )
    parser.add_argument("--trdg-python", default="", help="an interpreter that has TextRecognitionDataGenerator")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "data" / "generate.json")
    return parser.parse_args()


def main() -> None:
    """Measure, show, write."""
    chosen = options()
    load = os.getloadavg()[0]
    rows = all_rows(chosen)
    measure(rows, chosen.repeats)
    bases = {what: next(row for row in rows if row.what == what) for what in (DRAWN, READ, CHECKED)}
    if missing := [row.said for row in bases.values() if row.said]:
        sys.exit(missing[0])
    memory = [row for n in chosen.memory.split(",") if n for row in measure_memory(int(n))]
    report = {
        "command": f"python benchmarks/generate.py --repeats {chosen.repeats} --n {chosen.n} --others {chosen.others} "
        f"--few {chosen.few} --memory {chosen.memory}{' --trdg-python PATH' if chosen.trdg_python else ''}",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "load_before": load,
        "environment": environment(),
        "repeats": chosen.repeats,
        "rows": [row.summary(bases[row.what]) for row in rows],
        "memory": memory,
    }
    make_folder(chosen.out.parent)
    write_atomically(chosen.out, json.dumps(report, indent=1) + "\n")
    show(report)


if __name__ == "__main__":
    main()
