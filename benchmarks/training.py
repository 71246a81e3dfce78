"""Times every way to train the built-in network side by side, and writes docs/data/training.json.

    python benchmarks/training.py [--repeats 5] [--steps 5] [--networks 1,4,16,32] [--only "Keras fit"]

Every row is a process of its own (`worker.py`), and one computes at a time. In every repeat each row is timed for a few
steps, in turn, so that a machine with other work hurts all alike; building, compiling and a first step are outside the
clock. The median over the repeats is reported, with the lowest and the highest.
"""

# ruff: noqa: T201  # it is a command

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from worker import BATCH, LOSSES, MATRIX, Work

from bboxbench.boxes import relative_boxes
from bboxbench.data_gen import DatasetSpec, generate
from bboxbench.data_gen.normalisation import LEVELS
from bboxbench.files import make_folder, write_atomically

ROOT = Path(__file__).parent.parent
TRAINED, EPOCHS, EVALUATED = 12_000, 8, 20_000
"""Pictures and epochs of a run of the default sweep, and the test pictures it is evaluated on."""
PICTURES = 12 * BATCH
"""Pictures that the rows train on, over and over."""
MIDDLE = 16
"""Networks of the rows that are timed at one size alone."""
SLOW_STEPS = 2
"""Steps a turn of the rows that are known to be slow."""
NATIVE_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}
"""Flags of processors that compute with bfloat16 themselves, as Linux names them."""


@dataclass
class Row:
    """A way to train, and what was measured of it."""

    how: str
    work: Work
    slow: bool = False
    said: str = ""
    """Why it was not timed, or not to the end."""
    turns: list[list[float]] = field(default_factory=list)
    """Seconds of each step, a list a repeat."""
    peak_bytes: int = 0

    def summary(self) -> dict[str, Any]:
        """The row's columns; those that compare rows are added by `compare`."""
        row: dict[str, Any] = {"how": self.how, **dataclasses.asdict(self.work), "said": self.said}
        if not self.turns:
            return row
        flop, each = arithmetic(self.work)
        # A turn's mean, not its median: what a step costs now and then is part of the cost of training.
        milliseconds = [1000 * statistics.mean(turn) / each for turn in self.turns]
        median = statistics.median(milliseconds)
        row |= {"ms": median, "ms_low": min(milliseconds), "ms_high": max(milliseconds)}
        # A window leaves out most of the arithmetic, which is the point of it.
        row["gflops"] = None if self.work.window else flop / median / 1e6
        return {**row, "peak_bytes": self.peak_bytes, "turns": self.turns}


def arithmetic(work: Work) -> tuple[float, int]:
    """Operations a unit of work, and units a step: pictures times networks, or one product of matrices.

    Multiplications and additions of the convolution, whose picture needs no gradient, and of the dense layers; the rest
    is too little to count.
    """
    if work.kind == "matrix":
        return 2 * MATRIX**3, 1
    spec = DatasetSpec.letters()
    rows, columns = spec.height - 15, spec.width - 15
    features = ((rows - 3) // 2 + 1) * ((columns - 3) // 2 + 1) * 4
    convolution = 2 * rows * columns * 16 * 16 * 4
    dense = 2 * (features * 200 + 200 * 64 + 64 * 4)
    flop = convolution + dense if work.evaluate else 2 * convolution + 3 * dense
    return flop, BATCH * work.networks


def all_rows(networks: list[int]) -> list[Row]:
    """Every row, in the order in which they take their turns."""
    middle = max((count for count in networks if count <= MIDDLE), default=networks[0])
    rows = [
        Row(f"matrix product {MATRIX}x{MATRIX}", Work("matrix")),
        Row("Keras fit", Work("fit")),
        Row("PyTorch, eager", Work("torch")),
    ]
    ways = {"lockstep": False, "lockstep, plain backgrounds": True}
    for how, window in ways.items():
        rows += [Row(how, Work("lockstep", count, window)) for count in networks]
    for how, window in ways.items():
        rows.append(Row(f"{how}, evaluation", Work("lockstep", middle, window, evaluate=True)))
    for how, window in ways.items():
        rows.append(Row(f"{how}, bfloat16", Work("lockstep", middle, window, "bfloat16"), slow=True))
    rows.append(Row("Keras fit, jit_compile=True", Work("fit", jit=True), slow=True))
    return rows


class Worker:
    """The process of a row, built and ready to be timed.

    Raises:
        RuntimeError: it cannot be timed; the message says why.
    """

    def __init__(self, work: Work, pictures: Path, python: str) -> None:
        command = [python, str(Path(__file__).with_name("worker.py")), json.dumps(dataclasses.asdict(work))]
        command.append(str(pictures))
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.peak_bytes = 0
        try:
            self.ready = self._answer()
        except BaseException:
            self.close()
            raise

    def timed(self, steps: int) -> list[float]:
        """Seconds of each of ``steps`` steps."""
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps({"steps": steps}) + "\n")
        self._child.stdin.flush()
        answer = self._answer()
        self.peak_bytes = answer["peak_bytes"]
        return list(answer["seconds"])

    def _answer(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError(f"ended with exit code {self._child.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "absent" in answer:
            raise RuntimeError(answer["absent"])
        return answer

    def close(self) -> None:
        """End the process and give its memory back."""
        self._child.kill()
        self._child.communicate()


def measure(rows: list[Row], options: argparse.Namespace, pictures: Path) -> dict[str, Any]:
    """Let every row take its turns, and give what ran them."""
    ran: dict[str, Any] = {}
    waiting: dict[int, Worker] = {}
    try:
        for repeat in range(options.repeats):
            for number, row in enumerate(rows):
                if row.said:
                    continue
                worker = waiting.pop(number, None)
                try:
                    python = options.torch_python if row.work.kind == "torch" else sys.executable
                    worker = worker or Worker(row.work, pictures, python)
                    row.turns.append(worker.timed(min(options.steps, SLOW_STEPS) if row.slow else options.steps))
                except (RuntimeError, OSError) as error:
                    row.said = str(error)
                    if worker:
                        worker.close()
                else:
                    row.peak_bytes = max(row.peak_bytes, worker.peak_bytes)
                    ran |= worker.ready
                    # What does not fit beside the others is built again in the next repeat.
                    held = worker.peak_bytes + sum(other.peak_bytes for other in waiting.values())
                    if held <= options.memory * 1e9 and repeat + 1 < options.repeats:
                        waiting[number] = worker
                    else:
                        worker.close()
                took = row.said or f"{statistics.mean(row.turns[-1]):.3f} s a step"
                print(f"{repeat + 1}/{options.repeats} {row.how}, {row.work.networks}: {took}", file=sys.stderr)
    finally:
        for worker in waiting.values():
            worker.close()
    return ran


def compare(rows: list[dict[str, Any]]) -> None:
    """Add to every row how many times as fast as fit it trains, and its share of the machine's matrix products."""
    timed = [row for row in rows if "ms" in row]
    matrix = next((row["gflops"] for row in timed if row["kind"] == "matrix"), None)
    fit = next((row["ms"] for row in timed if row["kind"] == "fit" and not row["jit"]), None)
    for row in timed:
        trains = row["kind"] != "matrix" and not row["evaluate"]
        row["ratio"] = fit / row["ms"] if fit and trains else None
        row["share"] = row["gflops"] / matrix if matrix and row["gflops"] else None


def evaluation_shares(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a run's evaluation costs against its training, for each way of lockstep."""
    shares = []
    for row in rows:
        if row["evaluate"] and "ms" in row:
            like = {name: row[name] for name in ("kind", "networks", "window", "precision")}
            trained = next((r for r in rows if not r["evaluate"] and "ms" in r and like.items() <= r.items()), None)
            if trained:
                share = EVALUATED * row["ms"] / (TRAINED * EPOCHS * trained["ms"])
                shares.append({"how": trained["how"], "networks": row["networks"], "share": share})
    return shares


def write_pictures(path: Path, n: int) -> None:
    """Pictures of the default data set, drawn where a sweep draws it, for all rows."""
    spec = DatasetSpec.letters(n=n)
    dataset = generate(spec, Path("data") / spec.folder_name)
    everything = np.concatenate([dataset.boxes(split) for split in ("train", "validation", "test")])
    grey, boxes = dataset.grey("train")[:PICTURES], dataset.boxes("train")[:PICTURES]
    relative = relative_boxes(boxes, spec.width, spec.height)
    np.savez(path, grey=grey, boxes=boxes, relative=relative, levels=LEVELS, everything=everything)


def native_bfloat16() -> bool | None:
    """Whether the processor computes with bfloat16 itself; None where Linux does not say."""
    try:
        return bool(NATIVE_BFLOAT16 & set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split()))
    except OSError:
        return None


def show(report: dict[str, Any]) -> None:
    """The table of a report, for a terminal."""
    head = ("how", "networks", "ms", "low", "high", "x fit", "GFLOP/s", "share", "GB")
    print(("{:40}" + "{:>10}" * 8).format(*head))
    for row in report["rows"]:
        if "ms" not in row:
            print(f"{row['how']:40}{row['networks']:>10}  {row['said']}")
            continue
        cells = [
            *(f"{row[name]:.3f}" for name in ("ms", "ms_low", "ms_high")),
            "" if row["ratio"] is None else f"{row['ratio']:.2f}",
            "" if row["gflops"] is None else f"{row['gflops']:.0f}",
            "" if row["share"] is None else f"{row['share']:.0%}",
            f"{row['peak_bytes'] / 1e9:.2f}",
        ]
        print(f"{row['how']:40}{row['networks']:>10}" + "".join(f"{cell:>10}" for cell in cells))
    print("ms: a picture and network, median over the repeats; of the matrix product: one product.")
    for each in report["evaluation"]["shares"]:
        print(
            f"Evaluation of {EVALUATED:,} pictures against training on {TRAINED:,} x {EPOCHS} epochs: "
            f"{each['share']:.1%} ({each['how']}, {each['networks']} networks)"
        )


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5, help="turns that every row takes")
    parser.add_argument("--steps", type=int, default=5, help=f"timed steps a turn; of slow rows at most {SLOW_STEPS}")
    parser.add_argument("--networks", default="1,4,16,32", help="how many networks lockstep trains at once")
    parser.add_argument("--only", nargs="+", default=[""], help="beginnings of the rows' names; by default all rows")
    parser.add_argument("--n", type=int, default=40_000, help="samples of the data set")
    parser.add_argument("--memory", type=float, default=10, help="GB that waiting processes may hold together")
    parser.add_argument("--torch-python", default=sys.executable, help="an interpreter that has PyTorch")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "data" / "training.json")
    return parser.parse_args()


def main() -> None:
    """Measure, show, write."""
    chosen = options()
    networks = [int(word) for word in chosen.networks.split(",")]
    rows = [row for row in all_rows(networks) if row.how.startswith(tuple(chosen.only))]
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder) / "pictures.npz"
        write_pictures(pictures, chosen.n)
        load = os.getloadavg()[0]
        ran = measure(rows, chosen, pictures)
    summaries = [row.summary() for row in rows]
    compare(summaries)
    report = {
        "command": f"python benchmarks/training.py --repeats {chosen.repeats} --steps {chosen.steps} "
        f"--networks {chosen.networks}",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "load_before": load,
        "native_bfloat16": native_bfloat16(),
        **ran,
        "batch": BATCH,
        "flop": arithmetic(Work("fit"))[0],
        "losses": LOSSES,
        "evaluation": {
            "pictures": EVALUATED,
            "trained": TRAINED,
            "epochs": EPOCHS,
            "shares": evaluation_shares(summaries),
        },
        "rows": summaries,
    }
    make_folder(chosen.out.parent)
    write_atomically(chosen.out, json.dumps(report, indent=1) + "\n")
    show(report)


if __name__ == "__main__":
    main()
