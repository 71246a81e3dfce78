"""How a driver sees a child: what it says, what it writes, and every way in which it can end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from workers_seen import gone, is_running

from bboxbench.experiments.execution import worker_process
from bboxbench.experiments.execution.worker_process import LOG_SHOWN, WorkerEnded, WorkerProcess

HEAD = """
import faulthandler, os, pickle, signal, subprocess, sys, time
faulthandler.register(signal.SIGUSR1, all_threads=True)
requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
def say(*message):
    pickle.dump(message, answers); answers.flush()
"""

Starter = Callable[[str], WorkerProcess]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Starter]:
    """Starts a child that runs some code in the worker's place: no TensorFlow to wait for."""
    started: list[WorkerProcess] = []

    def child(code: str) -> WorkerProcess:
        monkeypatch.setattr(worker_process, "_CHILD", HEAD + code)
        started.append(WorkerProcess(("hello", 1)))
        return started[-1]

    yield child
    for each in started:
        each.end()


def test_what_is_said_arrives_in_order_both_ways(start: Starter) -> None:
    child = start("while True: say('heard', pickle.load(requests))")
    assert child.receive(30) == ("heard", ("hello", 1))
    for number in range(3):
        child.send(number)
    assert [child.receive(30)[1] for _ in range(3)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("os._exit(7)", "Its worker process ended with exit code 7."),
        ("sys.exit(0)", "Its worker process ended with exit code 0."),
        ("raise ValueError('words')", "Its worker process ended with exit code 1."),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "Its worker process was killed by SIGSEGV."),
        ("os.kill(os.getpid(), signal.SIGKILL)", "was killed by SIGKILL, as the system does where memory runs out."),
        ("answers.write(b'no pickle'); answers.flush(); os._exit(3)", "ended with exit code 3."),
    ],
)
def test_an_end_is_named(start: Starter, code: str, said: str) -> None:
    child = start(code)
    with pytest.raises(WorkerEnded) as end:
        child.receive(30)
    assert str(end.value).endswith(said)


def test_answers_given_before_the_end_are_not_lost(start: Starter) -> None:
    child = start("say('run', 1); say('run', 2); os._exit(9)")
    assert gone(child.pid)
    assert [child.receive(30)[1] for _ in range(2)] == [1, 2]
    with pytest.raises(WorkerEnded, match="exit code 9"):
        child.receive(30)


def test_one_that_is_silent_for_too_long_is_ended_and_says_where_it_was(start: Starter) -> None:
    child = start("def stuck_here():\n    while True: time.sleep(0.1)\nsay('ready', None); stuck_here()")
    child.receive(30)
    begun = time.monotonic()
    with pytest.raises(WorkerEnded, match=r"No step was finished within 1\.0 s \(--timeout\)"):
        child.receive(1.0)
    assert time.monotonic() - begun < 10
    assert "in stuck_here" in child.log()
    assert gone(child.pid)


def test_one_that_speaks_now_and_then_is_not_ended(start: Starter) -> None:
    child = start("for k in range(4):\n    time.sleep(0.7); say('epoch', k)\ntime.sleep(60)")
    assert [child.receive(5.0)[1] for _ in range(4)] == [0, 1, 2, 3]


def test_its_end_is_heard_though_a_process_that_it_forked_lives_on_and_that_is_ended_too(start: Starter) -> None:
    child = start("pid = os.fork()\nif pid: say('child', pid); os._exit(5)\ntime.sleep(60)")
    _, forked = child.receive(30)
    assert is_running(forked)
    with pytest.raises(WorkerEnded, match="exit code 5"):
        child.receive(30)
    assert gone(forked)


def test_the_log_is_what_was_written_since_it_was_cleared(start: Starter) -> None:
    child = start("for k in range(2):\n    pickle.load(requests); os.write(2, b'line %d\\n' % k); say('wrote', k)")
    child.receive(30)
    assert child.log() == "line 0\n"
    child.clear_log()
    child.send("go on")
    child.receive(30)
    assert child.log() == "line 1\n"


def test_of_a_long_log_the_end_is_kept_and_what_is_left_out_is_counted(start: Starter) -> None:
    child = start("os.write(2, b'x' * 100_000 + b'the end'); say('wrote', 0)")
    child.receive(30)
    first, rest = child.log().split("\n", 1)
    assert first == f"[{100_007 - LOG_SHOWN} bytes before this are left out]"
    assert len(rest) == LOG_SHOWN
    assert rest.endswith("the end")


def test_a_log_does_not_fill_the_disk(start: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "LOG_HELD", 1000)
    child = start("for k in range(50):\n    os.write(2, b'x' * 500); say('wrote', k); pickle.load(requests)")
    sizes = []
    for _ in range(49):
        child.receive(30)
        sizes.append(len(child.log()))
        child.send("go on")
    # It is cut back when an answer is received; meanwhile the child, which is an answer ahead, has written twice more.
    assert max(sizes) <= 2000


def test_no_file_is_left_behind(start: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    child = start("say('ready', None); time.sleep(60)")
    child.receive(30)
    os.kill(child.pid, signal.SIGKILL)
    assert list(tmp_path.iterdir()) == []
