"""What a sweep takes of a cluster's nodes, and what trains there, without a cluster."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bboxbench.data_gen import Dataset, DatasetSpec, generate
from bboxbench.data_gen.manifest import MANIFEST
from bboxbench.errors import InputError
from bboxbench.experiments.execution.cluster_actor import (
    DATA_VARIABLE,
    ClusterActor,
    Job,
    find_dataset,
    plan_sha256,
    versions,
)
from bboxbench.experiments.execution.cluster_nodes import ADDRESS_VARIABLE, Seats, connected, seats_of
from bboxbench.experiments.execution.executor import Execution
from bboxbench.experiments.plan import blocks, plan
from bboxbench.experiments.training import TrainedRun, load_data


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


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def given(job: Job, small_dataset: Dataset) -> list[list[Any]]:
    """What an actor gives that found the pictures, and one that was sent them."""
    there, sent = ClusterActor(job), ClusterActor(replace(job, folder="/nowhere"))
    assert there.look() == ("", True)
    assert sent.look() == ("", False)
    sent.take(load_data(small_dataset, job.spec.validation))
    (block,) = blocks(plan(job.spec, small_dataset.sha256))
    return [list(actor.train(block)) for actor in (there, sent)]


def test_pictures_that_were_sent_train_what_pictures_on_the_node_train(given: list[list[Any]]) -> None:
    found, sent = ([each for each in answers if isinstance(each, TrainedRun)] for answers in given)
    assert [each.run for each in found] == [each.run for each in sent]
    for one, other in zip(found, sent, strict=True):
        assert one.error == other.error == ""
        np.testing.assert_array_equal(one.predictions, other.predictions)


def test_an_actor_tells_of_epochs_before_it_gives_the_runs(given: list[list[Any]]) -> None:
    for answers in given:
        kinds = [type(each) for each in answers]
        assert kinds[0] is dict
        assert set(answers[0]) <= {each.run.run_id for each in answers if isinstance(each, TrainedRun)}
        assert kinds.count(TrainedRun) == 2


@pytest.mark.parametrize(
    ("address", "said"),
    [("", "Received: none"), ("head", "Received: head"), ("ray://head:1", "ray://"), ("127.0.0.1:1", "refused")],
)
def test_an_address_that_leads_nowhere_is_refused_at_once_in_one_line(
    address: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install '.[ray]'")
    monkeypatch.delenv(ADDRESS_VARIABLE, raising=False)
    start = time.monotonic()
    with pytest.raises(InputError, match=said) as refused, connected(address):
        pass
    assert "\n" not in str(refused.value)
    assert time.monotonic() - start < 30


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r'pip install "ray>=2\.50"'), connected("127.0.0.1:1"):
        pass


def test_an_address_without_a_cluster_is_refused() -> None:
    with pytest.raises(InputError, match="--cluster ray"):
        Execution(address="127.0.0.1:6379")
