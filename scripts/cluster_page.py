"""Writes docs/cluster.md from docs/data/driver.csv: python scripts/cluster_page.py > docs/cluster.md."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent.parent / "docs" / "data"
RUNS = 1_000_000
"""What the last section reckons for."""
PICTURES = {"train": 12_000, "validation": 1000, "test": 20_000}
"""Of the default preset, which trains for `EPOCHS`."""
EPOCHS = 8

HOW = """\
# A sweep on a cluster

`sweep --cluster ray` trains on the nodes of a [Ray](https://docs.ray.io) cluster instead of this machine. Settings, folder,
tables and resuming stay as they are: what runs where is no part of a run's identity, so that a sweep that was begun on one
machine goes on on a hundred, and back.

    pip install '.[ray]'                         # in a clone of bboxbench

## From one machine to a cluster

On the first machine, which becomes the head:

    bboxbench generate --n 40000                 # the data set, drawn once
    export RAY_AUTH_MODE=token                   # else whoever reaches Ray's ports runs code here
    ray get-auth-token --generate                # into ~/.ray/auth_token; copy that file to every node
    ray start --head --port=6379
    bboxbench sweep --cluster ray --address auto # trains on this machine alone, so far

On every other machine, with the same Python, the same bboxbench and Ray (`pip install '.[ray]'` in a clone) and the
token, at any time, also while a sweep runs:

    export RAY_AUTH_MODE=token
    ray start --address=HEAD:6379

`HEAD` is the head's name or address. A node that joins is used for the next block that waits; `ray status` on any of them
shows who is there. The sweep is started on a node of the cluster, too: one that shall not train joins with
`ray start --address=HEAD:6379 --num-cpus=0`. Where `RAY_ADDRESS` is set, `--address` can be left out. In the end, on every
node:

    ray stop

Ray trusts whoever reaches it and encrypts nothing by itself: keep its ports within a network of your own.

## What goes where

- **An actor trains**, a process that lives as long as the sweep and holds pictures and compiled networks. Where any node has
  GPUs, each GPU gets one, and nodes without are not used. Where none has, each node has one for every `--threads` cores, or
  one for all of its cores without that option.
- **A block is dealt** to whatever actor is free: the runs of one seed and batch size, or with `--deterministic` a chunk of
  them. So a sweep uses at most as many actors as it has blocks: more seeds make it wider.
- **Pictures are found, not copied**: at the place where the driver has them, or where the node's environment variable
  `BBOXBENCH_DATA` points, which is a data set's folder or one with data sets in it. What counts is the hash; another data set
  at the same place is not taken. A node that has none gets them from Ray's object store, once a node: 800 MB for 40,000
  pictures, so give head and nodes `--object-store-memory=2000000000` where the default is less.
- **A loss or network of your own** must be importable on every node, by the driver's own search path or the node's. A node
  whose copy differs, or whose bboxbench, TensorFlow or Keras has another version, says so and trains nothing.
- **Only the driver writes.** Boxes come back over the network, 16 bytes a test picture and run, with `--save-models` 12 MB
  more; epochs are told every two seconds.

## What may fail

| what | what happens | the test that shows it |
| --- | --- | --- |
| a node is lost, or cut off | its block is tried again whole on another, up to three times; then it has died, lest it take down every node | `test_a_killed_worker_lost_nodes_and_one_that_joins_late_change_no_row` |
| an actor's process dies: a crash, no memory, `kill -9` | a new one is started; the block is tried again in halves until the run to blame is alone, which then fails; with `--deterministic` first once whole, so that no bit changes | the same, and `test_a_loss_that_ends_its_process_and_one_that_sleeps_fail_alone` |
| no step is finished within `--timeout` | the actor is ended, and the block halved as above | the same |
| a node cannot train | one warning says why; the others go on, and where it was the only one the sweep ends with exit code 2 | `test_a_node_with_another_version_says_which` |
| no node is there, or all are taken | one warning after a minute; the sweep waits | |
| the driver is killed | Ray ends its actors; the same command goes on, there or on one machine | `test_a_killed_driver_leaves_no_actor_and_its_sweep_goes_on_on_one_machine` |
| the head is lost | after a minute without it Ray ends the driver, as a kill does, with exit code 1; the same command goes on when there is a cluster again | |

A run that comes back twice, as when a node was thought lost and was not, is kept once: the driver keeps what it still waits
for. With `--deterministic`, and `--threads`, chunk and engine alike, the end is the same `runs.csv` as on one machine but for
the columns `seconds` and `device`, on nodes of one kind of processor; the first test holds them together after a killed
worker, two lost nodes and one that joined late.

What a dead process wrote stands in Ray's logs on its node (`/tmp/ray/session_latest/logs`); the run's own file in `logs/` says
on which, and how it ended.

## Without Ray

Machines that share no network each sweep some of the seeds, and one folder is made of theirs:

    bboxbench sweep --seeds 0-9 --out results/a     # on one
    bboxbench sweep --seeds 10-19 --out results/b   # on another
    bboxbench collect results/a results/b --out results/both
"""

MEASURED = """\
## A million runs

What the driver does for a run that comes back, it does alone: measure its boxes, write and sync predictions and journal,
renew the tables now and then. It was measured with a trainer that returns at once:

    python benchmarks/driver.py

{table}

`first` and `last`: runs a second over the first and last quarter. Tables and the figure of a running sweep are renewed for a
twentieth of the time each, so that they slow down no more as runs add up. The end is tables, and up to 5,000 runs the
report, which takes most of it and of the memory; more runs get one when `bboxbench report DIR` is called. Boxes were drawn
at random, which compress worse than those of trained networks. {machine}

Reckoned from it for 1,000,000 runs of the default preset ({n_train:,} pictures, {epochs} epochs, {n_test:,} test pictures):

| what | how much | from |
| --- | ---: | --- |
| training | {core_hours:,.0f} core hours | {run_seconds:.0f} s a run on two cores, by [performance](performance.md): 16 networks at once, plain backgrounds |
| its cost | {core_hours:,.0f} x what a core hour costs you | {dollars:,.0f} at 0.03 an hour, an example |
| journal | {journal:.1f} GB | {journal_kb} kB a run |
| predictions | {predictions:,.0f} GB in as many files | {predictions_kb:.0f} kB a run, at most |
| tables | {tables:.1f} GB | 20 lines of iou_histogram.csv, 8 of epochs.csv and one of runs.csv a run |
| the driver's memory | {memory:.0f} GB | {memory_kb:.0f} kB a run, and what tables take while they are made |
| the driver alone | {hours:.0f} hours | {rate:.0f} runs a second |

**Where the driver saturates**: at {rate:.0f} runs a second it takes in what {nodes:,.0f} nodes of two cores train. More nodes wait for it, and
lose nothing. Three ways out: fewer test pictures (`generate --n`; with 1,000 it takes {small_rate:.0f} a second), a faster disk, or
sweeps of some of the seeds with a driver each, which `bboxbench collect` makes one of.

Three things to know before: a sweep reads its plan whole ({plan_minutes:.0f} minutes, at the rate of the last row), so part it by seeds;
resuming reads every file of predictions to compare its hash, {predictions:,.0f} GB here; and a folder with a million files wants a
file system that likes that, as ext4 or XFS do.
"""


def page(data: Path = DATA) -> str:
    """The page as Markdown; without measurements it ends before them."""
    if not (data / "driver.csv").exists():
        return HOW
    with (data / "driver.csv").open(encoding="utf-8", newline="") as stream:
        rows = [{name: float(value or "nan") for name, value in row.items()} for row in csv.DictReader(stream)]
    return f"{HOW}\n{_measured(rows, json.loads((data / 'training.json').read_text(encoding='utf-8')))}"


def _measured(rows: list[dict[str, float]], training: dict[str, Any]) -> str:
    full = max((row for row in rows if row["n_test"] == PICTURES["test"]), key=lambda row: row["runs"])
    small = max((row for row in rows if row["n_test"] != PICTURES["test"]), key=lambda row: row["runs"])
    least = min((row for row in rows if row["n_test"] == small["n_test"]), key=lambda row: row["runs"])
    # The larger one is past the size that gets a report, which would hide what the driver itself takes.
    memory_kb = (small["peak_mb"] - least["peak_mb"]) * 1000 / (small["runs"] - least["runs"])
    step, look = (_milliseconds(training, evaluate) for evaluate in (False, True))
    seen = EPOCHS * PICTURES["validation"] + PICTURES["test"]
    run_seconds = (EPOCHS * PICTURES["train"] * step + seen * look) / 1000
    core_hours = RUNS * run_seconds * 2 / 3600
    return MEASURED.format(
        table=_table(rows),
        machine="Measured on 2 cores under a load of 12\nto 17 from other work, which is also why rates differ from row to row: an idle machine is faster.",
        n_train=PICTURES["train"],
        n_test=PICTURES["test"],
        epochs=EPOCHS,
        run_seconds=run_seconds,
        core_hours=core_hours,
        dollars=0.03 * core_hours,
        journal=full["journal_kb"] * RUNS / 1e6,
        journal_kb=full["journal_kb"],
        predictions=full["predictions_kb"] * RUNS / 1e6,
        predictions_kb=full["predictions_kb"],
        tables=full["tables_kb"] * RUNS / 1e6,
        memory=memory_kb * RUNS / 1e6,
        memory_kb=memory_kb,
        hours=RUNS / full["last_rate"] / 3600,
        rate=full["last_rate"],
        small_rate=small["last_rate"],
        plan_minutes=small["plan_seconds"] / small["runs"] * RUNS / 60,
        nodes=full["last_rate"] * run_seconds,
    )


def _milliseconds(training: dict[str, Any], evaluate: bool) -> float:
    """Of a picture and run: 16 networks in lockstep on plain backgrounds, as docs/performance.md has it."""
    wanted = {"kind": "lockstep", "networks": 16, "window": True, "precision": "float32", "evaluate": evaluate}
    return next(
        float(row["ms"]) for row in training["rows"] if all(row.get(name) == value for name, value in wanted.items())
    )


def _table(rows: list[dict[str, float]]) -> str:
    """The measurements as Markdown."""
    lines = [
        "| test pictures | runs | plan | first | last | end | memory | journal a run | predictions a run |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row['n_test']:,.0f} | {row['runs']:,.0f} | {row['plan_seconds']:.1f} s | {row['first_rate']:.0f} a second | "
        f"{row['last_rate']:.0f} a second | {row['end_seconds']:.0f} s | {row['peak_mb'] / 1000:.2f} GB | "
        f"{row['journal_kb']:.1f} kB | {row['predictions_kb']:.0f} kB |"
        for row in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(page(), end="")
