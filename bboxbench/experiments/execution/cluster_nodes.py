"""A Ray cluster as a sweep sees it: how to reach it, and how many networks each node has room to train."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from bboxbench.errors import InputError, one_line

__all__ = ["ADDRESS_VARIABLE", "Seats", "connected", "seats_of"]

ADDRESS_VARIABLE = "RAY_ADDRESS"
ANSWER_SECONDS = 5.0
"""How long a head may take to answer; Ray alone would try for minutes."""


@dataclass(frozen=True)
class Seats:
    """The actors that a node has room for."""

    node: str
    """Ray's identifier."""
    name: str
    """The node's address, for people."""
    count: int
    """How many."""
    gpus: int
    """For each of them: 1 or 0."""
    cpus: int
    """For each of them; 0 beside a GPU, which is the measure then."""
    threads: int
    """Of one TensorFlow operation; 0: all that the node has."""


def seats_of(nodes: Iterable[Mapping[str, Any]], threads: int) -> list[Seats]:
    """What the living nodes have room for: an actor a GPU; where no node has one, an actor for every ``threads`` cores.

    Args:
        nodes: as ``ray.nodes()`` gives them.
        threads: that a spec asks for; with 0 an actor takes all cores that its node has given to the cluster.
    """
    alive = [node for node in nodes if node["Alive"]]
    gpus = {node["NodeID"]: int(node["Resources"].get("GPU", 0)) for node in alive}
    seats = []
    for node in alive:
        identifier, name = node["NodeID"], node["NodeManagerAddress"]
        cores = int(node["Resources"].get("CPU", 0))
        if gpus[identifier]:
            seats.append(Seats(identifier, name, gpus[identifier], gpus=1, cpus=0, threads=threads))
        elif cores and not any(gpus.values()):
            each = min(threads, cores) or cores
            seats.append(Seats(identifier, name, cores // each, gpus=0, cpus=each, threads=threads or cores))
    return seats


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """The module ``ray``, connected to the cluster at ``address``; a connection that was there before stays.

    Args:
        address: HOST:PORT of the head, or "auto" for the cluster that this machine is a node of; empty takes the
            environment variable `ADDRESS_VARIABLE`.

    Raises:
        InputError: Ray is not installed, there is no address, or no cluster answers there.
    """
    # Ray says on stderr, of every driver, that it will leave CUDA_VISIBLE_DEVICES alone one day.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ModuleNotFoundError as error:
        raise InputError(
            f"Expected Ray for cluster 'ray'. Received: {error}. Install Ray: pip install \"ray>=2.50\"."
        ) from None
    if ray.is_initialized():
        yield ray
        return
    address = address or os.environ.get(ADDRESS_VARIABLE, "")
    _check(address)
    with _handlers_kept():
        try:
            # The cluster's own lines are no part of a sweep's: what matters of them comes as warnings.
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, OSError, RuntimeError, ValueError, AssertionError, ray.exceptions.RayError) as error:
            raise InputError(
                f"Expected a Ray cluster at {address}. Received: {one_line(error)} "
                "Start one here (ray start --head), or join this machine to it (ray start --address HOST:PORT); one "
                "that asks for a token wants RAY_AUTH_MODE=token and the same token here."
            ) from error
    _hush(ray)
    try:
        yield ray
    finally:
        ray.shutdown()


def _check(address: str) -> None:
    """Refuse at once what cannot be an address, and a head that does not answer."""
    form = f"HOST:PORT of the cluster's head, or auto, by --address or {ADDRESS_VARIABLE}"
    if not address:
        raise InputError(f"Expected {form}. Received: none.")
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535 or "/" in host:
        raise InputError(f"Expected {form}. Received: {address}.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
    except OSError as error:
        raise InputError(
            f"Expected a Ray cluster at {address}. Received: {error.strerror or error}. Is it running (ray status), "
            "and is this the port of its head (6379, where none was chosen)?"
        ) from None


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself when it connects; a sweep has its own way to end."""
    kept: dict[int, Callable[..., Any] | int | None] = {}
    if threading.current_thread() is threading.main_thread():
        kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            if handler is not None:  # one that was not set from Python cannot be set again from there
                signal.signal(number, handler)


def _hush(ray: Any) -> None:
    """Keep Ray's reports of dead workers off stdout, which is for data: no setting of its own does.

    It prints them there whatever ``log_to_driver`` says; its debugger turns them off by this switch.
    """
    with suppress(AttributeError):
        ray._private.worker._worker_logs_enabled = False
