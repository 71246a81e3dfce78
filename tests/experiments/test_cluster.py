"""Sweeps on a real Ray cluster: a head that trains nothing, and nodes that a test adds and loses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

from bboxbench.data_gen import Dataset
from bboxbench.experiments.execution.executor import Execution
from bboxbench.experiments.plan import blocks, plan
from bboxbench.experiments.spec import SweepSpec

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


# From here on with a real cluster: a head that trains nothing, and nodes that a test adds.


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    pytest.importorskip("ray", reason="Ray is not installed: pip install '.[ray]'")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **NODE})
    yield made
    made.shutdown()


def actors(node: Any) -> list[psutil.Process]:
    """The processes of a node that train: children of its raylet, so the test's own."""
    (raylet,) = node.all_processes["raylet"]
    found = []
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(raylet.process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # it ended meanwhile
                if "ClusterActor" in " ".join(child.cmdline()):
                    found.append(child)
    return found


class Driver:
    """``bboxbench sweep --cluster ray --json`` as a process of its own, listened to line by line."""

    def __init__(self, cluster: Any, spec: SweepSpec, folder: Path, *options: str) -> None:
        folder.parent.mkdir(exist_ok=True)
        file = folder.with_suffix(".toml")
        keys = {name: value for name, value in spec.to_dict().items() if name not in ("n", "data_seed")}
        file.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in keys.items()), encoding="utf-8")
        command = [sys.executable, "-m", "bboxbench", "sweep", "--spec", str(file), "--out", str(folder), "--json"]
        command += ["--cluster", "ray", "--address", cluster.address, *options]
        self._child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def events(self) -> Iterator[dict[str, Any]]:
        """What it says on stdout, all of which has to be JSON."""
        assert self._child.stdout is not None
        for line in self._child.stdout:
            yield json.loads(line)

    def events_until(self, kind: str) -> list[dict[str, Any]]:
        """Those of one kind up to the first of it."""
        return [next(event for event in self.events() if event["event"] == kind)]

    def kill(self) -> None:
        """As `kill -9` does."""
        self._child.kill()
        self._child.communicate()

    def end(self) -> int:
        """Its exit code."""
        self._child.communicate(timeout=60)
        return self._child.returncode


def table(folder: Path) -> pd.DataFrame:
    runs = pd.read_csv(folder / "runs.csv").drop(columns=ELSEWHERE)
    return runs.sort_values("run_id", ignore_index=True)


def swept_here(spec: SweepSpec, folder: Path) -> pd.DataFrame:
    """The same sweep on this machine, in a process of its own: this one's TensorFlow has chosen its threads."""
    code = (
        "import sys, json; from pathlib import Path; from bboxbench.experiments import SweepSpec, run_sweep\n"
        "from bboxbench.experiments.execution.executor import Execution\n"
        "run_sweep(SweepSpec(**json.loads(sys.argv[1])), Path(sys.argv[2]), execution=Execution(isolation='none'))"
    )
    subprocess.run([sys.executable, "-c", code, json.dumps(spec.to_dict()), str(folder)], check=True, timeout=300)
    return table(folder)


@pytest.mark.slow
def test_a_killed_worker_lost_nodes_and_one_that_joins_late_change_no_row(
    cluster: Any, tiny: Any, tmp_path: Path
) -> None:
    # No loss that diverges: what is trained is what bits are compared of.
    spec = tiny(seeds=6, threads=1, deterministic=True, losses=["mse", "giou"])
    first, second = (cluster.add_node(num_cpus=1, **NODE) for _ in range(2))
    late: list[Any] = []
    killed: list[int] = []
    used: set[int] = set()
    rows, warnings = [], []
    driver = Driver(cluster, spec, tmp_path / "cluster")
    for event in driver.events():
        rows += [event["run_id"]] if event["event"] == "run" else []
        warnings += [event["text"]] if event["event"] == "warning" else []
        at_work = event["event"] == "epoch"
        if at_work and not killed and rows:
            for worker in (*actors(first), *actors(second)):
                os.kill(worker.pid, signal.SIGKILL)
                killed.append(worker.pid)
        elif at_work and killed and not late and len(rows) >= 4:
            cluster.remove_node(second, allow_graceful=False)
            late.append(cluster.add_node(num_cpus=1, **NODE))
        elif at_work and late and first in cluster.worker_nodes:
            cluster.remove_node(first, allow_graceful=False)
        elif late:
            used |= {worker.pid for worker in actors(late[0])}
    assert driver.end() == 0
    assert killed
    assert first not in cluster.worker_nodes
    assert used
    assert any("was lost" in text for text in warnings)
    assert any("ended: " in text for text in warnings)
    assert len(rows) == len(set(rows)) == 12
    lines = (tmp_path / "cluster" / "journal.jsonl").read_text(encoding="utf-8").splitlines()
    assert len({json.loads(line)["run_id"] for line in lines}) == len(lines) == 12
    pd.testing.assert_frame_equal(table(tmp_path / "cluster"), swept_here(spec, tmp_path / "here"), check_exact=True)


@pytest.mark.slow
def test_a_killed_driver_leaves_no_actor_and_its_sweep_goes_on_on_one_machine(
    cluster: Any, tiny: Any, tmp_path: Path
) -> None:
    node = cluster.add_node(num_cpus=1, **NODE)
    spec = tiny(seeds=3, threads=1, deterministic=True, losses=["mse"])
    driver = Driver(cluster, spec, tmp_path / "results")
    rows = [event["run_id"] for event in driver.events_until("run")]
    assert actors(node)
    driver.kill()
    end = time.monotonic() + 60
    while actors(node) and time.monotonic() < end:
        time.sleep(0.5)
    assert actors(node) == []
    runs = swept_here(spec, tmp_path / "results")
    assert set(rows) < set(runs["run_id"])
    lines = (tmp_path / "results" / "journal.jsonl").read_text(encoding="utf-8").splitlines()
    assert len({json.loads(line)["run_id"] for line in lines}) == len(lines) == 3
    pd.testing.assert_frame_equal(runs, swept_here(spec, tmp_path / "here"), check_exact=True)


POISON = """
import os, time
from keras import ops

def dies(y_true, y_pred):
    # Before it is trained a loss is tried, on batches of other sizes.
    if y_pred.shape[0] == 4:
        os._exit(3)
    return ops.mean(ops.square(y_true - y_pred), axis=-1)

def sleeps(y_true, y_pred):
    while y_pred.shape[0] == 4:
        time.sleep(1)
    return ops.mean(ops.square(y_true - y_pred), axis=-1)
"""


@pytest.mark.slow
def test_a_loss_that_ends_its_process_and_one_that_sleeps_fail_alone(
    cluster: Any, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The module is in the driver's current folder, which no node has on its path: the driver says where it looks.
    (tmp_path / "poison_losses.py").write_text(POISON, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    cluster.add_node(num_cpus=2, **NODE)
    losses = ["mse", "poison_losses:dies", "giou", "poison_losses:sleeps"]
    spec = tiny(seeds=1, threads=1, losses=losses, batch_sizes=[4])
    driver = Driver(cluster, spec, tmp_path / "results", "--timeout", "30")
    events = list(driver.events())
    assert driver.end() == 1
    runs = pd.read_csv(tmp_path / "results" / "runs.csv").set_index("loss")
    assert dict(runs["status"]) == {losses[0]: "ok", losses[1]: "failed", losses[2]: "ok", losses[3]: "failed"}
    assert "ended" in runs.loc[losses[1], "error"]
    assert "no step was finished within 30 s" in runs.loc[losses[3], "error"]
    log = (tmp_path / "results" / runs.loc[losses[1], "log"]).read_text(encoding="utf-8")
    assert "Ray's logs on node" in log
    assert [event for event in events if event["event"] == "run" and "\n" in event["error"]] == []


@pytest.mark.slow
def test_a_driver_that_does_not_listen_for_long_takes_no_actor_for_one_that_hangs(
    cluster: Any, tiny: Any, small_dataset: Dataset
) -> None:
    from bboxbench.experiments.execution.cluster import RayCluster

    cluster.add_node(num_cpus=2, **NODE)
    spec = tiny(seeds=3, threads=1, epochs=1, losses=["mse"])
    warnings: list[str] = []
    execution = Execution(cluster="ray", address=cluster.address, timeout=20.0)
    trained = []
    with RayCluster(execution, spec, small_dataset, warnings.append) as executor:
        for each in executor.run(list(blocks(plan(spec, small_dataset.sha256))), lambda *_: None):
            trained.append(each)
            if len(trained) < 3:
                time.sleep(execution.timeout + 1)  # as long as tables may take, while the other actor answers
    assert [each.error for each in trained] == ["", "", ""]
    assert warnings == []


@pytest.mark.slow
def test_where_a_node_says_it_has_gpus_each_actor_sees_one_of_its_own(
    cluster: Any, tiny: Any, small_dataset: Dataset
) -> None:
    from bboxbench.experiments.execution.chunks import blocks_to_train
    from bboxbench.experiments.execution.cluster import RayCluster

    # No machine of the tests has a GPU: Ray takes the node's word, and TensorFlow trains on the processor.
    without = cluster.add_node(num_cpus=1, **NODE)
    cluster.add_node(num_cpus=1, num_gpus=2, **NODE)
    spec = tiny(seeds=2, threads=1, epochs=1, losses=["mse"])
    runs = plan(spec, small_dataset.sha256)
    seen: list[str] = []
    with RayCluster(Execution(cluster="ray", address=cluster.address), spec, small_dataset) as executor:
        trained = []
        for each in executor.run(blocks_to_train(spec, runs, {run.run_id for run in runs}), lambda *_: None):
            trained.append(each)
            assert actors(without) == []
            if not seen:
                # The start of a process shows no such variable: Ray sets it when its actor has got a GPU.
                calls = [hand.actor.__ray_call__ for hand in executor._hands]
                seen = executor._ray.get([call.remote(lambda _: os.environ["CUDA_VISIBLE_DEVICES"]) for call in calls])
    assert {each.run for each in trained} == set(runs)
    assert sorted(seen) == ["0", "1"]


@pytest.mark.slow
def test_pictures_that_a_node_does_not_have_are_sent_to_it(cluster: Any, tiny: Any, small_dataset: Dataset) -> None:
    from bboxbench.experiments.execution.cluster import RayCluster

    cluster.add_node(num_cpus=1, **NODE)
    spec = tiny(seeds=1, threads=1, epochs=1, losses=["mse"])
    warnings: list[str] = []
    execution = Execution(cluster="ray", address=cluster.address)
    with RayCluster(execution, spec, small_dataset, warnings.append) as executor:
        # All nodes of this test see the same disk: the driver has to name a place that none has.
        executor._job = replace(executor._job, folder="/nowhere")
        (trained,) = executor.run(list(blocks(plan(spec, small_dataset.sha256))), lambda *_: None)
    assert trained.error == ""
    assert trained.predictions is not None
    assert warnings == []
