"""Kill -9 of a generate and of its workers, wherever it is: the same command ends with the undisturbed folder."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from disturbed_datasets import assert_same_folder, children_of, content, words
from disturbed_sweeps import run
from heard_commands import Heard, wait_until
from workers_seen import gone

from bboxbench.data_gen import DatasetSpec, generate, open_dataset
from bboxbench.errors import InputError

RANDOM = 11
KILLS = {
    ("generate", "start-up"): 4,
    ("generate", "drawing"): 6,
    ("generate", "writing"): 5,
    ("worker", "start-up"): 1,
    ("worker", "drawing"): 4,
}
"""How often each is killed, and in which phase the moment is drawn: 20 times."""
A_FOLDER = 4
"""So many kills come down on one folder before it is gone on with to the end."""


class Generate(Heard):
    """A ``bboxbench generate`` that is under way."""

    def __init__(self, folder: Path) -> None:
        super().__init__(words(folder), folder.parent)
        self.children: set[int] = set()

    def workers(self) -> list[int]:
        """Both of its workers, by the numbers of their processes; none before both are there."""
        self.children |= set(children_of(self.process.pid))
        return sorted(self.children) if len(self.children) == 2 else []

    def phase(self) -> str:
        """What it does now, by what it has said."""
        said = [event for _, event in list(self.heard)]
        if not said:
            return "start-up"
        last = said[-1]
        return "ended" if last["event"] == "done" else "writing" if last["done"] == last["total"] else "drawing"

    def lengths(self) -> dict[str, float]:
        """Seconds that each phase took, of one that has ended."""
        said = self.when("progress")
        return {"start-up": said[0], "drawing": said[-1] - said[0], "writing": self.when("done")[0] - said[-1]}


def kill(victim: str, phase: str, folder: Path, wait: float) -> str | None:
    """Kill so many seconds into a phase; the phase in which it was found, None where it came to its end before."""
    made = Generate(folder)
    reached = made.workers if victim == "worker" and phase == "start-up" else lambda: made.phase() == phase
    if phase != "start-up" or victim == "worker":
        assert wait_until(reached, made) or not made.alive()
    time.sleep(wait)
    workers, found = made.workers(), made.phase()
    if victim == "generate":
        made.process.kill()
        code, _ = made.end()
    else:
        for worker in workers[:1]:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        code, err = made.end()
        # One that has nothing left to do is not missed.
        assert code == 0 or (code == 1 and "ended early (SIGKILL)" in err), err
    assert all(gone(child) for child in made.children), "a worker outlived the process that started it"
    return found if code else None


@pytest.mark.slow
def test_a_generate_killed_20_times_goes_on_to_the_bytes_of_an_undisturbed_one(
    undisturbed_pictures: Path, tmp_path: Path
) -> None:
    first = Generate(tmp_path / "paced")
    assert first.end()[0] == 0
    pace, rng = first.lengths(), random.Random(RANDOM)
    left = [what for what, count in KILLS.items() for _ in range(count)]
    rng.shuffle(left)
    seen: Counter[tuple[str, str]] = Counter()
    folders, kills = [tmp_path / "0"], 0
    while left:
        victim, phase = left[-1]
        found = kill(victim, phase, folders[-1], rng.uniform(0, pace[phase]))
        if found is not None:
            left.pop()
            seen[victim, found] += 1
            kills += 1
        if found is None or kills % A_FOLDER == 0:
            folders.append(tmp_path / str(len(folders)))
        elif not (folders[-1] / "dataset.json").exists():
            with pytest.raises(InputError, match=r"is unfinished|found nothing|no dataset\.json"):
                open_dataset(folders[-1])
    assert seen.total() == sum(KILLS.values())
    assert {"start-up", "drawing", "writing"} <= {phase for victim, phase in seen if victim == "generate"}, seen
    assert any(victim == "worker" for victim, _ in seen), seen
    for folder in folders:
        code, _, err = run(words(folder), tmp_path)
        assert code == 0, err
        assert_same_folder(folder, undisturbed_pictures)


STEPS = """
import os, signal, sys
left = int(sys.argv[1])

def a_step_later(function):
    def step(*words, **options):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return function(*words, **options)
    return step

for name in ("mkdir", "fsync", "replace", "rename", "unlink", "rmdir"):
    setattr(os, name, a_step_later(getattr(os, name)))
from bboxbench.data_gen import DatasetSpec, generate
generate(DatasetSpec.from_dict(eval(sys.argv[2])), sys.argv[3], workers=1)
"""
"""A generate that is killed just before its so many-th step on the disk."""


@pytest.mark.slow
def test_killed_before_any_step_on_the_disk_it_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    spec = DatasetSpec.letters(n=1020, seed=5, width=32, height=32, sizes=(12, 16))
    whole = generate(spec, tmp_path / "undisturbed", workers=1).folder
    states: set[tuple[str, ...]] = set()
    step, code = 0, -signal.SIGKILL
    while code:
        folder = tmp_path / str(step)
        command = [sys.executable, "-c", STEPS, str(step), repr(spec.to_dict()), str(folder)]
        code = subprocess.run(command, check=False).returncode
        assert code in (0, -signal.SIGKILL)
        states.add(tuple(sorted(content(folder))) if folder.exists() else ())
        if code and not (folder / "dataset.json").exists():
            with pytest.raises(InputError):
                open_dataset(folder)
        generate(spec, folder, workers=1)
        assert_same_folder(folder, whole)
        step += 1
    # Three syncs or so for each of five files, and what is made and removed.
    assert step >= 15, step
    assert len(states) >= 10, states
