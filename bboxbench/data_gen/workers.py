"""Shards are worked on by processes of their own, one per core, that know nothing of the program that started them.

They are plain ``python -c`` children spoken to in lines of JSON, not ``multiprocessing``: forking a process that has
TensorFlow loaded can hang, and ``multiprocessing``'s spawn runs the caller's script again in every child, with all that
it imports. A child ends by itself as soon as its input does, in the middle of a shard, too: one that outlived a parent
that was killed would write over what the next command makes of its folder.
"""

from __future__ import annotations

import importlib
import itertools
import json
import operator
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from typing import Any, cast

from bboxbench import errors
from bboxbench.errors import BboxbenchError, InputError

__all__ = ["map_shards", "serve", "usable_cores", "worker_count"]

Task = Callable[[dict[str, Any], int], dict[str, Any]]

_AHEAD = 4
"""How many shards a process may be ahead of the slowest."""

_CHILD = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from bboxbench.data_gen.workers import serve
serve()
"""


def usable_cores() -> int:
    """Cores this process may run on, which in a container or under ``taskset`` are fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def worker_count(workers: int | None) -> int:
    """How many processes are meant: one per usable core where no number is given.

    Raises:
        InputError: it is no whole number of 1 or more.
    """
    if workers is None:
        return usable_cores()
    try:
        # True is 1 to operator.index; nobody means that.
        number = 0 if isinstance(workers, bool) else operator.index(workers)
    except TypeError:
        number = 0
    if number < 1:
        raise InputError(f"Expected workers to be a whole number of 1 or more, received {workers!r}.")
    return number


def map_shards(
    task: str, context: dict[str, Any], shards: Sequence[int], workers: int
) -> Generator[tuple[int, dict[str, Any]], None, None]:
    """Run ``task(context, shard)`` for every shard, several at once, and yield (shard, result) in the given order.

    No shard is begun that lies far ahead of the last one yielded, so few results are ever held. Closing the iterator,
    as Ctrl-C does, ends all processes at once.

    Args:
        task: "package.module:function". Takes the context and a shard's number, gives something JSON-able.
        context: what all calls share, JSON-able.
        shards: numbers to work on, each once.
        workers: processes; with 1, or one shard, the work is done in this one.

    Raises:
        BboxbenchError: what a task raised, or that a process died.
    """
    workers = min(workers, len(shards))
    if workers <= 1:
        function = _resolve(task)
        for shard in shards:
            yield shard, function(context, shard)
        return
    waiting: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    coming = iter(shards)
    for shard in itertools.islice(coming, _AHEAD * workers):
        waiting.put(shard)
    children: list[subprocess.Popen[str]] = []
    held: dict[int, dict[str, Any]] = {}
    try:
        for _ in range(workers):
            children.append(_start_child())
            feeder = threading.Thread(target=_feed, args=(children[-1], task, context, waiting, answers), daemon=True)
            feeder.start()
        for shard in shards:
            while shard not in held:
                answer = answers.get()
                if "error" in answer:
                    raise _as_error(answer)
                held[answer["shard"]] = answer["result"]
            if (following := next(coming, None)) is not None:
                waiting.put(following)
            yield shard, held.pop(shard)
    finally:
        for child in children:
            waiting.put(None)
            child.kill()
        for child in children:
            child.wait()


def _start_child() -> subprocess.Popen[str]:
    # A process group of its own keeps the terminal's Ctrl-C from it: the parent hears it, and ends the children.
    apart: dict[str, Any] = {"process_group": 0}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return subprocess.Popen(
        [sys.executable, "-c", _CHILD, json.dumps(sys.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        **apart,
    )


def _feed(
    child: subprocess.Popen[str],
    task: str,
    context: dict[str, Any],
    waiting: queue.SimpleQueue[int | None],
    answers: queue.SimpleQueue[dict[str, Any]],
) -> None:
    """Hand shards to one child until there comes None; runs in a thread of the parent."""
    assert child.stdin is not None
    assert child.stdout is not None
    shard = None
    with suppress(OSError, ValueError), child.stdin, child.stdout:
        child.stdin.write(json.dumps({"task": task, "context": context}) + "\n")
        while (shard := waiting.get()) is not None:
            child.stdin.write(f"{shard}\n")
            child.stdin.flush()
            line = child.stdout.readline()
            if not line.endswith("\n"):
                break
            answers.put(json.loads(line))
            shard = None
    if shard is not None:
        code = child.wait()
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        message = (
            f"A worker process ended early ({name}); what is finished is kept, and the same command goes on from here. "
            "If memory is short, use fewer --workers."
        )
        answers.put({"error": "BboxbenchError", "message": message})


def serve() -> None:
    """Be a child: read the task, then the number of a shard a line, and answer each with a line."""
    # Whatever a library prints must not fall between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    if not (line := sys.stdin.readline()).endswith("\n"):
        # The parent ended before it had said what to do.
        return
    first = json.loads(line)
    function = _resolve(first["task"])
    asked: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(asked,), daemon=True).start()
    # A parent that was killed reads no more answers: then there is nobody left to tell.
    with suppress(BrokenPipeError), answers:
        while True:
            shard = int(asked.get())
            answer: dict[str, Any]
            try:
                answer = {"shard": shard, "result": function(first["context"], shard)}
            except Exception as error:
                answer = {"error": type(error).__name__, "message": str(error)}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


def _listen(asked: queue.SimpleQueue[str]) -> None:
    """Hand on what the parent asks for; when it has nothing more to ask, or is gone, end at once. Runs in a thread."""
    for line in sys.stdin:
        asked.put(line)
    # The parent takes every answer before it closes, so nothing is lost, and files are whole or have no name yet.
    os._exit(0)


def _resolve(task: str) -> Task:
    module, _, name = task.partition(":")
    return cast(Task, getattr(importlib.import_module(module), name))


def _as_error(answer: dict[str, Any]) -> BboxbenchError:
    kind = getattr(errors, answer["error"], None)
    if isinstance(kind, type) and issubclass(kind, BboxbenchError):
        return kind(answer["message"])
    return BboxbenchError(f"{answer['error']} in a worker process: {answer['message']}")
