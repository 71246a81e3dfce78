"""Times streams of drawn samples against reading a folder, and prints the table of docs/streaming.md.

    python benchmarks/streaming.py [--n 8000] [--repeats 5] [--preset letters]

Every row is fed to Keras's ``fit``, once to a network that does next to nothing, so that the feeding alone is timed,
and once to the network that bboxbench trains. The rows take turns, so that a machine with other work hurts all alike;
the first turn is not counted. A row's number is the median of pictures a second; half of the ``n`` samples, the test
split, are an epoch. Worker processes are started anew each epoch, which is inside the clock, as for whoever uses them.
"""

# ruff: noqa: T201  # it is a command

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def rates(build: Callable[[int, int], Any], spec: Any, data: Any, repeats: int) -> dict[str, float]:
    """Pictures a second of every row."""
    from bboxbench.data_gen import stream

    models = {name: build(spec.width, spec.height) for name in ROWS}
    feeds = {
        name: stream(spec, split="test", **options) if options else data.tf_dataset("test")
        for name, options in ROWS.items()
    }
    seconds: dict[str, list[float]] = {name: [] for name in ROWS}
    for turn in range(repeats + 1):
        for name, model in models.items():
            start = time.perf_counter()
            model.fit(feeds[name], epochs=1, shuffle=False, verbose=0)
            if turn:
                seconds[name].append(time.perf_counter() - start)
    pictures = len(data.split("test"))
    return {name: pictures / statistics.median(taken) for name, taken in seconds.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=8000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--preset", default="letters")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Importing it takes seconds, which belong to no row.
    import tensorflow  # noqa: F401

    from bboxbench.data_gen import DatasetSpec, generate

    spec = DatasetSpec(preset=options.preset, n=options.n)
    with tempfile.TemporaryDirectory() as folder:
        data = generate(spec, Path(folder) / "data")
        start = time.perf_counter()
        data.tf_dataset("test")
        reading = time.perf_counter() - start
        alone, training = (rates(build, spec, data, options.repeats) for build in (idle, usual))
    print(f"| preset `{options.preset}`: pictures a second | feeding alone | training |")
    print("| --- | --- | --- |")
    for name in ROWS:
        print(f"| {name} | {alone[name]:,.0f} | {training[name]:,.0f} |")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(
        f"\n{cores} cores, Python {platform.python_version()}, {len(data.split('test')):,} pictures an epoch, "
        f"{options.repeats} turns. Opening the folder's split took {reading:.2f} s more, once."
    )


if __name__ == "__main__":
    main()
