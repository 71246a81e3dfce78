"""Times streams of drawn samples against reading a folder, and puts what it finds into docs/streaming.md.

    python benchmarks/streaming.py [--n 8000] [--repeats 5] [--preset letters] [--print]

Every row is fed to Keras's ``fit``, once to a network that does next to nothing, so that the feeding alone is timed,
and once to the network that bboxbench trains. The rows take turns, so that a machine with other work hurts all alike;
the first turn is not counted. A row's numbers are medians; half of the ``n`` samples, the test split, are an epoch. CPU
is that of all threads and processes, and suffers less from other work than seconds do; training is told by it alone, as
its seconds differ more between two turns of a row than between rows. Worker processes are started anew each epoch,
which is inside the clock, as for whoever uses them. The page has no number but those of its block, which this command
writes whole.
"""

# ruff: noqa: T201  # it is a command

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent.parent / "docs" / "streaming.md"

ROWS: dict[str, dict[str, Any]] = {
    "folder, `tf_dataset`": {},
    "`tf.data`": {"form": "tf.data"},
    "`tf.data`, 2 threads": {"form": "tf.data", "workers": 2},
    "`keras`": {"form": "keras"},
    "`keras`, 2 threads": {"form": "keras", "workers": 2},
    "`keras`, 1 process": {"form": "keras", "workers": 1, "use_multiprocessing": True},
    "`keras`, 2 processes": {"form": "keras", "workers": 2, "use_multiprocessing": True},
}
"""What is fed to ``fit``: the arguments of ``stream``, or none for the folder."""


def idle(width: int, height: int) -> Any:
    """A network that looks at a few pixels."""
    import keras

    model = keras.Sequential(
        [
            keras.Input((height, width, 1)),
            keras.layers.MaxPooling2D(1, strides=50),
            keras.layers.Flatten(),
            keras.layers.Dense(4),
        ]
    )
    model.compile("sgd", "mse")
    return model


def usual(width: int, height: int) -> Any:
    """The network that bboxbench trains."""
    from bboxbench.experiments.network import build_network
    from bboxbench.experiments.recipe import Recipe

    model = build_network(Recipe.parse("glorot_uniform", "initializer"), 0, width=width, height=height)
    model.compile("adam", "mse")
    return model


def cpu_seconds() -> float:
    """Used so far by this process and by its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@dataclass(frozen=True)
class Turn:
    """An epoch of a row: pictures a second, and CPU milliseconds a picture."""

    rate: float
    cpu: float


def measured(build: Callable[[int, int], Any], spec: Any, data: Any, repeats: int) -> dict[str, list[Turn]]:
    """Of every row all turns but the first, in order."""
    from bboxbench.data_gen import stream

    models = {name: build(spec.width, spec.height) for name in ROWS}
    feeds = {
        name: stream(spec, split="test", **options) if options else data.tf_dataset("test")
        for name, options in ROWS.items()
    }
    n = len(data.split("test"))
    turns: dict[str, list[Turn]] = {name: [] for name in ROWS}
    for number in range(repeats + 1):
        for name, model in models.items():
            start, cpu = time.perf_counter(), cpu_seconds()
            model.fit(feeds[name], epochs=1, shuffle=False, verbose=0)
            if number:
                turns[name].append(Turn(n / (time.perf_counter() - start), 1000 * (cpu_seconds() - cpu) / n))
    return turns


DRAWN = 200
"""Pictures of each preset whose drawing is timed."""


def drawing() -> dict[str, float]:
    """CPU milliseconds to draw a picture of each preset, batches and networks left out."""
    from bboxbench.data_gen import DatasetSpec, draw_sample
    from bboxbench.data_gen.presets import PRESETS

    taken = {}
    for preset in PRESETS:
        spec = DatasetSpec(preset=preset, n=2 * DRAWN)
        # The first half opens fonts and fills what is kept.
        for index in range(DRAWN):
            draw_sample(spec, index)
        start = time.process_time()
        for index in range(DRAWN, 2 * DRAWN):
            draw_sample(spec, index)
        taken[preset] = 1000 * (time.process_time() - start) / DRAWN
    return taken


@dataclass(frozen=True)
class Found:
    """What a run found.

    Attributes:
        command: that was typed.
        preset: of the pictures.
        cores: usable.
        pictures: an epoch.
        repeats: turns that count.
        drawing: CPU milliseconds to draw a picture, by preset.
        reading: seconds to read the folder's split, once.
        alone: by row, its turns, fed to `idle`.
        training: the same, fed to `usual`.
    """

    command: str
    preset: str
    cores: int
    pictures: int
    repeats: int
    drawing: dict[str, float]
    reading: float
    alone: dict[str, list[Turn]]
    training: dict[str, list[Turn]]


def found(command: str, preset: str, n: int, repeats: int) -> Found:
    """Measure one preset."""
    # Importing it takes seconds, which belong to no row.
    import tensorflow  # noqa: F401

    from bboxbench.data_gen import DatasetSpec, generate
    from bboxbench.data_gen.workers import usable_cores

    spec = DatasetSpec(preset=preset, n=n)
    drawn = drawing()
    with tempfile.TemporaryDirectory() as folder:
        data = generate(spec, Path(folder) / "data")
        start = time.perf_counter()
        data.tf_dataset("test")
        reading = time.perf_counter() - start
        alone, training = (measured(build, spec, data, repeats) for build in (idle, usual))
    return Found(command, preset, usable_cores(), len(data.split("test")), repeats, drawn, reading, alone, training)


def block(run: Found) -> str:
    """A run in Markdown: the table, and what else the page says in numbers."""
    lines = [f"| `{run.preset}` | feeding alone, pictures a second | CPU, ms a picture | training, CPU, ms a picture |"]
    lines += ["| --- | --- | --- | --- |"]
    for name in ROWS:
        rate = statistics.median(turn.rate for turn in run.alone[name])
        cpu = statistics.median(turn.cpu for turn in run.alone[name])
        training = statistics.median(turn.cpu for turn in run.training[name])
        lines.append(f"| {name} | {rate:,.0f} | {cpu:.2f} | {training:.1f} |")
    rates = sorted(turn.rate for turns in run.training.values() for turn in turns)
    of_each = ", ".join(f"{taken:.2g} ms of `{preset}`" for preset, taken in run.drawing.items())
    lines += [
        "",
        f"By `{run.command}`: {run.cores} cores, {run.pictures:,} pictures an epoch, median of {run.repeats} turns.",
        f"Drawing a picture takes {of_each}, of one core's time.",
        f"Reading the folder's split took {run.reading:.2f} s more, once.",
        f"Of all epochs of training, the slowest had {rates[0]:,.0f}, the fastest {rates[-1]:,.0f} pictures a second.",
    ]
    return "\n".join(lines)


def replaced(text: str, preset: str, made: str) -> str:
    """The page with ``made`` in the place of the preset's block."""
    start, end = (f"<!-- {word} {preset} -->\n" for word in ("measured:", "end of"))
    before, begun, rest = text.partition(start)
    _, ended, after = rest.partition(end)
    if not (begun and ended):
        raise SystemExit(f"Expected {start.strip()} and {end.strip()} in {PAGE}, to write between them.")
    return f"{before}{start}{made}\n{end}{after}"


def main() -> None:
    """Measure, and write or print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=8000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--preset", default="letters")
    parser.add_argument("--print", action="store_true", help="print what is found in place of writing it")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    command = shlex.join(["python", "benchmarks/streaming.py", *(word for word in sys.argv[1:] if word != "--print")])
    # Measuring takes long: a page that has no place for it is told of before.
    replaced(PAGE.read_text(encoding="utf-8"), options.preset, "")
    made = block(found(command, options.preset, options.n, options.repeats))
    if options.print:
        print(made)
    else:
        PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), options.preset, made), encoding="utf-8")


if __name__ == "__main__":
    main()
