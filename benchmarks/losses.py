"""Times every loss of bboxbench.losses and what importing them costs, and writes docs/data/losses.json.

    python benchmarks/losses.py [--repeats 15] [--calls 3] [--boxes 1000000] [--imports 11] [--torch-python PATH]

Timed are the mean over the boxes and its gradient at the predicted ones, in float32: each registered loss with its own
defaults on TensorFlow, compiled by XLA and as a plain graph, and torchvision's losses in eager PyTorch, where an
interpreter has them. In every repeat each row is timed for a few calls, in turn, so that a machine with other work
hurts all alike; building, compiling and the first call of a turn are outside the clock. A turn's time is the median of
its calls. Of a row the median over the repeats is reported, and so is its ratio to another row in the same repeat.
"""

# ruff: noqa: T201  # it is a command

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

# A process of torchvision has NumPy and PyTorch alone, so what is imported of bboxbench is imported where it is needed.

ROOT = Path(__file__).parent.parent
BASE = "mse"
"""The loss that all others are held against."""
XLA, EAGER, GRAPH = "XLA", "eager", "graph"
"""How a row is computed, in the order of their turns: what is compared with eager PyTorch comes right before it."""
COUNTERPARTS = {
    "giou": "generalized_box_iou_loss",
    "diou": "distance_box_iou_loss",
    "ciou": "complete_box_iou_loss",
}
"""torchvision's function of the same loss."""
IMPORT_GOAL = 0.05
"""The most that importing the losses may add to importing Keras."""
IMPORT = """\
import json, time
def now():
    return [time.perf_counter(), time.process_time()]
start = now()
import keras
between = now()
import bboxbench.losses
end = now()
print(json.dumps({"keras": [b - a for a, b in zip(start, between)], "losses": [b - a for a, b in zip(between, end)]}))
"""
"""Seconds of both imports in one process: wall, and CPU of all threads."""

Call = Callable[[], None]
"""Computes loss and gradient of all boxes once, and comes back when they are there."""


@dataclass
class Row:
    """A loss in one way to compute it, and what was measured of it."""

    library: str
    loss: str
    how: str
    said: str = ""
    """Why it was not timed."""
    turns: list[float] = field(default_factory=list)
    """The median of a turn's calls, in ms, one a repeat."""

    def ratios(self, base: Row | None) -> list[float]:
        """How many times as long as ``base`` it took, one a repeat; empty if one of them was not timed."""
        return [own / other for own, other in zip(self.turns, base.turns, strict=False)] if base else []

    def summary(self, rows: list[Row]) -> dict[str, Any]:
        """The row's columns, some of them against other ``rows``."""
        row: dict[str, Any] = {"library": self.library, "loss": self.loss, "how": self.how, "said": self.said}
        if not self.turns:
            return row
        row["ms"] = statistics.median(self.turns)
        by_name = {(other.loss, other.how): other for other in rows}
        # A graph is held against mse's graph; eager PyTorch, as what is compiled, against mse compiled.
        base = self.ratios(by_name.get((BASE, GRAPH if self.how == GRAPH else XLA)))
        if base:
            low, middle, high = statistics.quantiles(base, n=4, method="inclusive") if base[1:] else base * 3
            row |= {"ratio": middle, "ratio_low": low, "ratio_high": high}
        theirs = self.ratios(by_name.get((COUNTERPARTS.get(self.loss, ""), EAGER)))
        return {**row, "of_torchvision": statistics.median(theirs) if theirs else None, "turns": self.turns}


def make_boxes(n: int) -> tuple[Any, Any]:
    """True and predicted boxes (n, 4), xyxy divided by the picture's size, where each overlaps its own."""
    rng = np.random.default_rng(0)
    centre, size = rng.uniform(0.3, 0.7, (n, 2)), rng.uniform(0.1, 0.4, (n, 2))
    true = np.concatenate([centre - size / 2, centre + size / 2], axis=1)
    return true.astype(np.float32), (true + rng.uniform(-0.03, 0.03, (n, 4))).astype(np.float32)


def of_bboxbench(boxes: int, threads: int) -> tuple[dict[tuple[str, str], Call], dict[str, Any]]:
    """A call for each registered loss in both ways, and TensorFlow's environment."""
    from bboxbench.experiments.environment import environment
    from bboxbench.experiments.runtime import start_tensorflow

    start_tensorflow(threads)
    import tensorflow as tf

    from bboxbench import losses

    true, predicted = (tf.constant(each) for each in make_boxes(boxes))

    def call(name: str, jit: bool) -> Call:
        built: list[Any] = []

        def step(true: Any, predicted: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(predicted)
                value = built[0](true, predicted)
            return value, tape.gradient(value, predicted)

        compiled = tf.function(step, autograph=False, jit_compile=jit)

        def run() -> None:
            if not built:
                built.append(losses.get(name))
            value, gradient = compiled(true, predicted)
            # Reading a number waits for both, on a GPU too.
            float(value), float(gradient[0, 0])

        return run

    calls = {(name, how): call(name, how == XLA) for how in (XLA, GRAPH) for name in losses.names()}
    # Not its flags: they may name folders of this machine, and the report is for everyone.
    found = environment()
    return calls, {"environment": {name: found[name] for name in ("python", "device", "cores", "packages")}}


def of_torchvision(boxes: int, threads: int) -> tuple[dict[tuple[str, str], Call], dict[str, Any]]:
    """A call for each of torchvision's losses, and the versions; empty where they are not installed."""
    if importlib.util.find_spec("torchvision") is None:
        return {}, {}
    import torch  # type: ignore[import-not-found, unused-ignore]  # in most environments it is not
    from torchvision import ops  # type: ignore[import-not-found, unused-ignore]

    torch.set_num_threads(threads)
    true, predicted = (torch.from_numpy(each) for each in make_boxes(boxes))
    predicted.requires_grad_()

    def call(name: str) -> Call:
        loss = getattr(ops, name)

        def run() -> None:
            predicted.grad = None
            value = loss(predicted, true, reduction="mean")
            value.backward()
            float(value.item())

        return run

    calls = {(name, EAGER): call(name) for name in COUNTERPARTS.values()}
    return calls, {name: importlib.metadata.version(name) for name in ("torch", "torchvision")}


LIBRARIES = {"bboxbench": of_bboxbench, "torchvision": of_torchvision}


def serve(library: str, boxes: int, threads: int) -> None:
    """Be the process of a library: say what can be timed, then time as told until the input ends."""
    # What a library prints must not come between the answers.
    answers, sys.stdout = sys.stdout, sys.stderr

    def answer(values: dict[str, Any]) -> None:
        print(json.dumps(values), file=answers, flush=True)

    calls, ready = LIBRARIES[library](boxes, threads)
    answer({"rows": list(calls), "ready": ready})
    for line in sys.stdin:
        wanted = json.loads(line)
        run = calls[wanted["loss"], wanted["how"]]
        milliseconds = []
        try:
            # The caches are another loss's by now: one call first that does not count.
            run()
            for _ in range(wanted["calls"]):
                start = time.perf_counter()
                run()
                milliseconds.append(1000 * (time.perf_counter() - start))
        except Exception as error:  # whatever a loss does that cannot be compiled, the others are timed
            words = " ".join(str(error).split())[:120]
            answer({"failed": f"{type(error).__name__}: {words}"})
        else:
            answer({"ms": milliseconds})


class Library:
    """A library in a process of its own.

    Raises:
        RuntimeError: it cannot be timed; the message says why.
    """

    def __init__(self, name: str, python: str, boxes: int, threads: int) -> None:
        command = [python, str(Path(__file__)), "--serve", name, str(boxes), str(threads)]
        # PyTorch's threads wait for each other awake, and where one core has other work that makes a call ten times as
        # long. Asleep they take as long as alone, which is what is fair to compare with.
        environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        try:
            said = self._answer()
        except BaseException:
            self.close()
            raise
        self.rows = [Row(name, loss, how) for loss, how in said["rows"]]
        self.ready: dict[str, Any] = said["ready"]

    def turn(self, row: Row, calls: int) -> list[float]:
        """Milliseconds of each of ``calls`` calls."""
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps({"loss": row.loss, "how": row.how, "calls": calls}) + "\n")
        self._child.stdin.flush()
        answer = self._answer()
        if "failed" in answer:
            raise RuntimeError(answer["failed"])
        return list(answer["ms"])

    def _answer(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError(f"ended with exit code {self._child.wait()}")
        return dict(json.loads(line))

    def close(self) -> None:
        """End the process."""
        self._child.kill()
        self._child.communicate()


def measure(chosen: argparse.Namespace) -> tuple[list[Row], dict[str, Any]]:
    """Let every row take its turns, and give what ran them."""
    from bboxbench.data_gen.workers import usable_cores

    pythons = {"bboxbench": sys.executable, "torchvision": chosen.torch_python}
    running: dict[str, Library] = {}
    try:
        for name, python in pythons.items():
            running[name] = Library(name, python, chosen.boxes, usable_cores())
        order = [XLA, EAGER, GRAPH]
        rows = sorted((row for each in running.values() for row in each.rows), key=lambda row: order.index(row.how))
        # A round that is not kept: it compiles.
        for repeat in range(chosen.repeats + 1):
            for row in rows:
                if row.said:
                    continue
                try:
                    taken = running[row.library].turn(row, chosen.calls if repeat else 1)
                except RuntimeError as error:
                    row.said, row.turns = str(error), []
                else:
                    row.turns += [statistics.median(taken)] if repeat else []
            print(f"{repeat}/{chosen.repeats} rounds of {len(rows)} rows", file=sys.stderr)
    finally:
        for library in running.values():
            library.close()
    return rows, {name: value for library in running.values() for name, value in library.ready.items()}


def measure_imports(processes: int) -> dict[str, Any]:
    """What ``import bboxbench.losses`` adds to ``import keras``, the median over fresh processes that time both."""
    environment = {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    found = []
    # One process more than is kept: it writes the bytecode that the others read.
    for number in range(processes + 1):
        command = [sys.executable, "-c", IMPORT]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True)
        if ran.returncode:
            sys.exit(ran.stderr)
        found.append(json.loads(ran.stdout.splitlines()[-1]))
        print(f"{number}/{processes} imports", file=sys.stderr)
    report: dict[str, Any] = {"processes": processes, "goal": IMPORT_GOAL}
    for index, clock in enumerate(("wall", "cpu")):
        keras, losses = ([each[what][index] for each in found[1:]] for what in ("keras", "losses"))
        shares = [added / alone for added, alone in zip(losses, keras, strict=True)]
        report[clock] = {
            "keras_ms": 1000 * statistics.median(keras),
            "losses_ms": 1000 * statistics.median(losses),
            "share": statistics.median(shares),
            "share_low": min(shares),
            "share_high": max(shares),
        }
    return {**report, "met": all(report[clock]["share"] <= IMPORT_GOAL for clock in ("wall", "cpu"))}


def show(report: dict[str, Any]) -> None:
    """The tables of a report, for a terminal."""
    print(f"{report['boxes']:,} boxes, loss and gradient, median of {report['repeats']} repeats")
    head = ("loss", "how", "ms", f"x {BASE}", "quartile", "quartile", "of torchvision's")
    print("{:28}{:8}{:>10}{:>10}{:>10}{:>10}{:>18}".format(*head))
    for row in sorted(report["rows"], key=lambda row: (row["how"] == GRAPH, row.get("ms", 0))):
        if "ms" not in row:
            print(f"{row['loss']:28}{row['how']:8}  {row['said']}")
            continue
        ratios = [f"{row[name]:.2f}" if name in row else "" for name in ("ratio", "ratio_low", "ratio_high")]
        theirs = "" if row["of_torchvision"] is None else f"{row['of_torchvision']:.0%}"
        cells = "".join(f"{cell:>10}" for cell in (f"{row['ms']:.1f}", *ratios))
        print(f"{row['loss']:28}{row['how']:8}{cells}{theirs:>18}")
    if "torchvision" not in report:
        print("torchvision: not installed; --torch-python names an interpreter that has it")
    for clock, name in (("wall", "wall clock"), ("cpu", "CPU")):
        each = report["import"][clock]
        print(
            f"import, {name}: {each['losses_ms']:.0f} ms on {each['keras_ms']:.0f} ms of import keras, "
            f"{each['share']:.2%} ({each['share_low']:.2%} to {each['share_high']:.2%})"
        )
    print(f"goal of at most {IMPORT_GOAL:.0%}: {'met' if report['import']['met'] else 'NOT MET'}")


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=15, help="turns that every row takes")
    parser.add_argument("--calls", type=int, default=3, help="timed calls a turn")
    parser.add_argument("--boxes", type=int, default=1_000_000, help="boxes a call")
    parser.add_argument("--imports", type=int, default=11, help="processes that time the imports")
    parser.add_argument("--torch-python", default=sys.executable, help="an interpreter that has torchvision")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "data" / "losses.json")
    return parser.parse_args()


def main() -> None:
    """Measure, show, write."""
    from bboxbench.files import make_folder, write_atomically

    chosen = options()
    load = os.getloadavg()[0]
    imports = measure_imports(chosen.imports)
    rows, ran = measure(chosen)
    report = {
        "command": f"python benchmarks/losses.py --repeats {chosen.repeats} --calls {chosen.calls} "
        f"--boxes {chosen.boxes} --imports {chosen.imports}",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "load_before": load,
        **ran,
        "boxes": chosen.boxes,
        "repeats": chosen.repeats,
        "import": imports,
        "rows": [row.summary(rows) for row in rows],
    }
    make_folder(chosen.out.parent)
    write_atomically(chosen.out, json.dumps(report, indent=1) + "\n")
    show(report)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2], *map(int, sys.argv[3:]))
    else:
        main()
