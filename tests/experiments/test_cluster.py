from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest

from bboxbench.data_gen import Dataset, DatasetSpec, generate
from bboxbench.data_gen.manifest import MANIFEST
from bboxbench.errors import InputError
from bboxbench.experiments.cluster_actor import DATA_VARIABLE, ClusterActor, Job, find_dataset, plan_sha256, versions
from bboxbench.experiments.cluster_nodes import ADDRESS_VARIABLE, Seats, connected, seats_of
from bboxbench.experiments.execution import Execution
from bboxbench.experiments.listener import Listener
from bboxbench.experiments.plan import blocks, plan
from bboxbench.experiments.spec import SweepSpec
from bboxbench.experiments.training import TrainedRun, load_data

ELSEWHERE = ["seconds", "device"]
"""Columns of runs.csv that may differ from one machine to the next."""
SETTINGS = {
    # All nodes on the loopback: else Ray takes the address of the machine's network, and listens to all of it.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # A node that is gone is known to be in a second, not in fifteen.
    "RAY_health_check_initial_delay_ms": "500",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "2",
}
NODE = {"object_store_memory": 100 * 2**20, "node_ip_address": "127.0.0.1", "include_dashboard": False}


def node(identifier: str, alive: bool = True, **resources: float) -> dict[str, Any]:
    """A node as ``ray.nodes()`` tells of it."""
    return {"NodeID": identifier, "NodeManagerAddress": identifier, "Alive": alive, "Resources": resources}


def test_without_gpus_a_node_has_an_actor_for_every_so_many_cores() -> None:
    nodes = [node("a", CPU=8.0), node("b", CPU=3.0), node("c", CPU=2.0)]
    assert [(seats.count, seats.cpus, seats.threads) for seats in seats_of(nodes, 3)] == [
        (2, 3, 3),
        (1, 3, 3),
        (1, 2, 3),
    ]


def test_without_threads_given_an_actor_takes_its_whole_node() -> None:
    found = seats_of([node("a", CPU=8.0), node("b", CPU=3.0)], 0)
    assert [(seats.count, seats.cpus, seats.threads) for seats in found] == [(1, 8, 8), (1, 3, 3)]


def test_where_a_node_has_gpus_actors_go_there_alone_and_get_one_each() -> None:
    nodes = [node("cpu", CPU=64.0), node("gpu", CPU=8.0, GPU=4.0)]
    assert seats_of(nodes, 2) == [Seats("gpu", "gpu", 4, gpus=1, cpus=0, threads=2)]


def test_a_head_without_cores_and_a_dead_node_train_nothing() -> None:
    assert seats_of([node("head", memory=1e9), node("dead", alive=False, CPU=4.0, GPU=1.0)], 1) == []


def test_a_data_set_is_found_by_its_hash_wherever_it_lies(
    small_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    sha256, nowhere = small_dataset.sha256, str(tmp_path / "nowhere")
    assert find_dataset(sha256, nowhere) is None
    assert find_dataset(sha256, str(small_dataset.folder)) == small_dataset
    monkeypatch.setenv(DATA_VARIABLE, str(small_dataset.folder))
    assert find_dataset(sha256, nowhere) == small_dataset
    monkeypatch.setenv(DATA_VARIABLE, str(small_dataset.folder.parent))
    assert find_dataset(sha256, nowhere) == small_dataset


def test_another_data_set_at_the_same_place_is_not_taken(small_dataset: Dataset, tmp_path: Path) -> None:
    other = generate(DatasetSpec.letters(n=40, seed=4), tmp_path / "other", workers=1)
    assert find_dataset(small_dataset.sha256, str(other.folder)) is None


@pytest.fixture
def job(tiny: Any, small_dataset: Dataset) -> Job:
    spec = tiny(seeds=1, epochs=1)
    return Job(
        spec=spec,
        dataset_sha256=small_dataset.sha256,
        folder=str(small_dataset.folder),
        manifest=(small_dataset.folder / MANIFEST).read_text(encoding="utf-8"),
        versions=versions(),
        plan_sha256=plan_sha256(spec, small_dataset.sha256),
        search=(),
        keep_weights=False,
        actors=1,
    )


def test_a_node_with_another_version_says_which(job: Job) -> None:
    other = replace(job, versions={**versions(), "keras": "2.1"})
    assert ClusterActor(other).look() == (
        f"it has keras {versions()['keras']}, the driver 2.1; install the same",
        False,
    )


def test_a_node_on_which_the_runs_are_others_says_so(job: Job) -> None:
    why, _ = ClusterActor(replace(job, plan_sha256="0")).look()
    assert "a loss or network of your own differs" in why


def test_an_actor_that_was_sent_the_pictures_trains_what_one_that_found_them_trains(
    job: Job, small_dataset: Dataset, tmp_path: Path
) -> None:
    there, sent = ClusterActor(job), ClusterActor(replace(job, folder=str(tmp_path / "nowhere")))
    assert there.look() == ("", True)
    assert sent.look() == ("", False)
    sent.take(load_data(small_dataset, job.spec.validation))
    (block,) = blocks(plan(job.spec, small_dataset.sha256))
    both = [[each for each in actor.train(block) if isinstance(each, TrainedRun)] for actor in (there, sent)]
    assert [each.run for each in both[0]] == list(block.runs)
    for one, other in zip(*both, strict=True):
        assert one.error == other.error == ""
        np.testing.assert_array_equal(one.predictions, other.predictions)


def test_an_actor_tells_of_epochs_before_it_gives_the_runs(job: Job, small_dataset: Dataset) -> None:
    actor = ClusterActor(job)
    actor.look()
    (block,) = blocks(plan(job.spec, small_dataset.sha256))
    given = list(actor.train(block))
    assert isinstance(given[0], dict)
    assert set(given[0]) <= {run.run_id for run in block.runs}
    assert sum(isinstance(each, TrainedRun) for each in given) == len(block.runs)


@pytest.mark.parametrize(
    ("address", "said"),
    [("", "Received: none"), ("head", "Received: head"), ("ray://head:1", "ray://"), ("127.0.0.1:1", "refused")],
)
def test_an_address_that_leads_nowhere_is_refused_at_once_in_one_line(
    address: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'bboxbench[ray]'")
    monkeypatch.delenv(ADDRESS_VARIABLE, raising=False)
    start = time.monotonic()
    with pytest.raises(InputError, match=said) as refused, connected(address):
        pass
    assert "\n" not in str(refused.value)
    assert time.monotonic() - start < 30


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install 'bboxbench\[ray\]'"), connected("127.0.0.1:1"):
        pass


def test_an_address_without_a_cluster_is_refused() -> None:
    with pytest.raises(InputError, match="--cluster ray"):
        Execution(address="127.0.0.1:6379")


# From here on with a real cluster: a head that trains nothing, and nodes that a test adds.


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'bboxbench[ray]'")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **NODE})
    yield made
    made.shutdown()


def actors(node: Any) -> list[psutil.Process]:
    """The processes of a node that train: children of its raylet, so the test's own."""
    (raylet,) = node.all_processes["raylet"]
    with_names = psutil.Process(raylet.process.pid).children(recursive=True)
    return [child for child in with_names if "ClusterActor" in " ".join(child.cmdline())]


class Watching(Listener):
    """Calls ``disturb`` with how many runs are finished, whenever a run under way is heard of."""

    def __init__(self, disturb: Callable[[int], None] = lambda _: None) -> None:
        self.disturb = disturb
        self.finished_runs: list[str] = []
        self.warnings: list[str] = []

    def epoch(self, run: Any, epoch: float) -> None:
        self.disturb(len(self.finished_runs))

    def finished(self, row: dict[str, Any]) -> None:
        self.finished_runs.append(row["run_id"])

    def warning(self, text: str) -> None:
        self.warnings.append(text)


def table(folder: Path) -> pd.DataFrame:
    runs = pd.read_csv(folder / "runs.csv").drop(columns=ELSEWHERE)
    return runs.sort_values("run_id", ignore_index=True)


def swept_here(spec: SweepSpec, folder: Path) -> pd.DataFrame:
    """The same sweep on this machine, in a process of its own: this one's TensorFlow has chosen its threads."""
    code = (
        "import sys, json; from pathlib import Path; from bboxbench.experiments import SweepSpec, run_sweep\n"
        "run_sweep(SweepSpec(**json.loads(sys.argv[1])), Path(sys.argv[2]))"
    )
    subprocess.run([sys.executable, "-c", code, json.dumps(spec.to_dict()), str(folder)], check=True, timeout=300)
    return table(folder)


@pytest.mark.slow
def test_a_killed_worker_lost_nodes_and_one_that_joins_late_change_no_row(
    cluster: Any, tiny: Any, tmp_path: Path
) -> None:
    from bboxbench.experiments.sweep import run_sweep

    spec = tiny(seeds=6, threads=1)
    first, second = (cluster.add_node(num_cpus=1, **NODE) for _ in range(2))
    late: list[Any] = []
    killed: list[int] = []
    used: list[psutil.Process] = []

    def disturb(finished: int) -> None:
        if not killed and finished >= 1:
            # Whichever node is at work: the run that is heard of may be the other's.
            worker = next(each for each in (*actors(first), *actors(second)))
            os.kill(worker.pid, signal.SIGKILL)
            killed.append(worker.pid)
        elif killed and not late and finished >= 3:
            cluster.remove_node(second, allow_graceful=False)
            late.append(cluster.add_node(num_cpus=1, **NODE))
        elif late and first in cluster.worker_nodes and finished >= 5:
            cluster.remove_node(first, allow_graceful=False)
        elif late:
            used.extend(actors(late[0]))

    listener = Watching(disturb)
    result = run_sweep(
        spec, tmp_path / "cluster", listener, execution=Execution(cluster="ray", address=cluster.address)
    )
    assert killed
    assert first not in cluster.worker_nodes
    assert used
    assert any("was lost" in text for text in listener.warnings)
    assert any("ended" in text for text in listener.warnings)
    assert result.failed == ()
    assert len(listener.finished_runs) == len(set(listener.finished_runs)) == 12
    lines = (tmp_path / "cluster" / "journal.jsonl").read_text(encoding="utf-8").splitlines()
    assert len({json.loads(line)["run_id"] for line in lines}) == len(lines) == 12
    pd.testing.assert_frame_equal(table(tmp_path / "cluster"), swept_here(spec, tmp_path / "here"), rtol=1e-4)
