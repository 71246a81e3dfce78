"""Kill -9 of the driver and of its workers at 50 random moments: one sweep, killed and taken up again until it ends."""

from __future__ import annotations

import json
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from disturbed_sweeps import assert_same, left_over, lines, run, words
from heard_commands import Heard, wait_until

pytestmark = pytest.mark.slow

SEED = 7
KILLS = {
    ("driver", "start-up"): 21,
    ("driver", "training"): 5,
    ("driver", "writing"): 5,
    ("worker", "start-up"): 7,
    ("worker", "training"): 7,
    ("worker", "writing"): 5,
}
"""How often each is killed, and in which phase the moment is drawn."""
CHUNK = 2
"""Runs of a block: what trains together and is written one after the other."""
SEEDS = 12
"""Blocks of the sweep: more than 50 kills let it finish, most often; else the rest of them meets another one."""


class Driver(Heard):
    """A sweep that is under way."""

    def worker(self) -> psutil.Process | None:
        """Its worker process, if it has one now."""
        try:
            children = psutil.Process(self.process.pid).children()
            return next((child for child in children if child.cmdline()[1:2] == ["-c"]), None)
        except (psutil.Error, IndexError):
            return None


@dataclass
class Pace:
    """Seconds that the phases take on this machine, seen in the sweep that nothing disturbs."""

    start_up: float = 0.0
    """Of a driver, until it has a plan."""
    worker: float = 0.0
    """From the start of a worker until there is a plan."""
    block: float = 0.0
    """From the runs of one block to those of the next."""
    writing: float = 0.0
    """From the first run of a block to its last."""


def paced(arguments: list[str], cwd: Path) -> Pace:
    """Let a sweep run to its end and look at the clock."""
    driver, pace = Driver(arguments, cwd), Pace()
    assert wait_until(driver.worker, driver, 0.05)
    worker_started = time.monotonic() - driver.started
    code, err = driver.end()
    assert code == 0, err
    (pace.start_up,) = driver.when("plan")
    pace.worker = pace.start_up - worker_started
    came = driver.when("run")
    firsts, lasts = came[::CHUNK], came[CHUNK - 1 :: CHUNK]
    pace.block = sorted(after - before for before, after in zip(lasts, firsts[1:], strict=False))[len(firsts) // 2]
    pace.writing = sorted(last - first for first, last in zip(firsts, lasts, strict=True))[len(firsts) // 2]
    return pace


@dataclass
class Disturbance:
    """Kills what is due, and holds the folder to its promises after each."""

    arguments: Callable[[Path], list[str]]
    place: Path
    pace: Pace
    rng: random.Random
    folders: list[Path] = field(default_factory=list)
    """The one that is disturbed last; where the sweep came to its end before, the next takes its place."""
    left: list[tuple[str, str]] = field(default_factory=list)
    seen: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Victims and the phases in which they were found."""
    driver: Driver | None = None
    runs_at_last_worker_kill: int | None = None
    journal: list[bytes] = field(default_factory=list)

    def go(self) -> None:
        self.left = [what for what, count in KILLS.items() for _ in range(count)]
        self.rng.shuffle(self.left)
        self.new_folder()
        while self.left:
            victim, phase = self.take()
            if not self.kill(victim, phase):
                assert self.driver is not None
                code, err = self.driver.end()
                assert code == 0, err
                self.left.insert(0, (victim, phase))
                self.driver = None
                self.new_folder()
        if self.driver is not None:
            self.end_driver()

    def new_folder(self) -> None:
        self.folders.append(self.place / f"r{len(self.folders)}")
        self.journal = []

    @property
    def folder(self) -> Path:
        return self.folders[-1]

    def take(self) -> tuple[str, str]:
        """The next kill that is possible now: what has started up cannot be killed while it starts."""
        for index, (_, phase) in enumerate(self.left):
            if self.driver is None or phase != "start-up":
                return self.left.pop(index)
        self.end_driver()  # Only start-ups are left: one kill more than was asked for.
        return self.left.pop(0)

    def kill(self, victim: str, phase: str) -> bool:
        """Wait for the moment and kill; whether the sweep had not come to its end before."""
        if self.driver is None:
            self.driver, self.runs_at_last_worker_kill = Driver(self.arguments(self.folder), self.place), None
        driver = self.driver
        if not self.wait_for(victim, phase, driver):
            return False
        if victim == "driver":
            self.end_driver()
            return True
        if not wait_until(driver.worker, driver, 0.05):
            return False
        written, planned = len(lines(self.folder)), driver.count("plan")
        worker = driver.worker()
        if worker is None:
            return False
        worker.kill()
        self.runs_at_last_worker_kill = driver.count("run")
        self.seen["worker", ("writing" if written % CHUNK else "training") if planned else "start-up"] += 1
        return True

    def wait_for(self, victim: str, phase: str, driver: Driver) -> bool:
        """A random moment of a phase; False where the driver ended before."""
        if phase == "start-up":
            length = self.pace.start_up if victim == "driver" else self.pace.worker
            begun = victim == "driver" or wait_until(driver.worker, driver, 0.05)
        else:
            length = self.pace.block if phase == "training" else self.pace.writing
            begun = wait_until(lambda: driver.count("plan"), driver) and self.wait_for_other_block(victim, driver)
        if begun and phase == "writing":
            before = self.predictions()
            begun = wait_until(lambda: self.predictions() != before, driver)
        moment = time.monotonic() + self.rng.uniform(0, length)
        return begun and wait_until(lambda: time.monotonic() >= moment, driver)

    def wait_for_other_block(self, victim: str, driver: Driver) -> bool:
        """A block whose worker dies a second time is tried in halves, whose bits are others: that is not asked here."""
        if victim == "driver" or self.runs_at_last_worker_kill is None:
            return True
        target = self.runs_at_last_worker_kill + CHUNK
        return wait_until(lambda: driver.count("run") >= target, driver)

    def predictions(self) -> set[str]:
        place = self.folder / "predictions"
        return {path.name for path in place.iterdir()} if place.exists() else set()

    def end_driver(self) -> None:
        """Kill the driver, then look: no finished run is lost, and its worker ends by itself."""
        driver, folder = self.driver, self.folder
        assert driver is not None
        worker = driver.worker()
        driver.process.kill()
        code, err = driver.end()
        assert code == -signal.SIGKILL, err
        if worker is not None:
            gone, _ = psutil.wait_procs([worker], timeout=60)
            assert gone, "the worker outlived its driver"
        now = lines(folder)
        assert now[: len(self.journal)] == self.journal, "a finished run was lost"
        self.journal = now
        unwritten = {Path(name).stem for name in self.predictions()} - {json.loads(line)["run_id"] for line in now}
        half_written = folder.exists() and (left_over(folder) or unwritten or len(now) % CHUNK)
        self.seen["driver", ("writing" if half_written else "training") if driver.count("plan") else "start-up"] += 1
        self.driver = None


def test_a_sweep_killed_50_times_loses_no_run_and_ends_to_the_last_digit_as_an_undisturbed_one(
    pictures: Path, tmp_path: Path
) -> None:
    def command(folder: Path) -> list[str]:
        return words(pictures, folder, losses="mse,giou", seeds=SEEDS, chunk=CHUNK)

    undisturbed = tmp_path / "undisturbed"
    disturbance = Disturbance(command, tmp_path, paced(command(undisturbed), tmp_path), random.Random(SEED))
    disturbance.go()
    seen = disturbance.seen
    print(dict(seen), disturbance.pace)  # noqa: T201  # shown where it fails
    assert sum(seen.values()) >= sum(KILLS.values()) == 50
    # Only the driver writes. A worker's moments are drawn while it does, too, but it takes milliseconds.
    hit = {("driver", phase) for phase in ("start-up", "training", "writing")}
    assert hit | {("worker", "start-up"), ("worker", "training")} <= seen.keys(), seen
    code, _, err = run(command(disturbance.folder), tmp_path)
    assert code == 0, err
    assert lines(disturbance.folder)[: len(disturbance.journal)] == disturbance.journal
    for folder in disturbance.folders:
        assert_same(folder, undisturbed)
        assert left_over(folder) == []


def test_a_worker_that_is_killed_is_started_again_and_its_runs_are_not_failed(
    four_runs_apart: list[str], undisturbed: Path, tmp_path: Path
) -> None:
    """The same in short: one worker, killed while it trains."""
    driver = Driver(four_runs_apart, tmp_path)
    assert wait_until(lambda: driver.count("plan"), driver)
    worker = driver.worker()
    assert worker is not None
    worker.kill()
    code, err = driver.end()
    assert code == 0, err
    assert "worker process was killed" in err
    assert_same(tmp_path / "r", undisturbed)
