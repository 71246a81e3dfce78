from __future__ import annotations

import pytest

from bboxbench.errors import InputError
from bboxbench.experiments.execution.chunks import blocks_to_train, chunks
from bboxbench.experiments.plan import Run, blocks, plan
from bboxbench.experiments.spec import SweepSpec

LOSSES = ["mse", "giou", "iou", "ciou", "diou"]


def spec(**changes: object) -> SweepSpec:
    values = {"losses": LOSSES, "seeds": 2, "optimizers": ["adam:0.001", "sgd:0.1"], "deterministic": True, "chunk": 2}
    return SweepSpec.from_preset("quick", **{**values, **changes})


def ids(runs: tuple[Run, ...]) -> tuple[str, ...]:
    return tuple(run.run_id for run in runs)


def test_a_chunk_with_a_pending_run_is_trained_whole_and_others_not_at_all() -> None:
    runs = plan(spec(), "data")
    everything = blocks_to_train(spec(), runs, {run.run_id for run in runs})
    assert [len(block.runs) for block in everything] == [2, 2, 1] * 4
    assert all(len({run.cell.optimizer for run in block.runs}) == len({block.seed}) == 1 for block in everything)
    assert sorted(run.run_id for block in everything for run in block.runs) == sorted(run.run_id for run in runs)
    for run in runs:
        (chunk,) = blocks_to_train(spec(), runs, {run.run_id})
        assert run in chunk.runs
        assert chunk in everything
    assert blocks_to_train(spec(), runs, set()) == []


def test_an_engine_parts_a_chunk_no_further() -> None:
    runs = plan(spec(), "data")
    for block in blocks_to_train(spec(), runs, {run.run_id for run in runs}):
        assert list(chunks(spec(), block.runs)) == [block.runs]


def test_what_trains_alone_needs_no_chunk() -> None:
    alone = spec(engine="fit")
    runs = plan(alone, "data")
    wanted = {runs[0].run_id, runs[3].run_id, runs[-1].run_id}
    found = blocks_to_train(alone, runs, wanted)
    assert sorted(run.run_id for block in found for run in block.runs) == sorted(wanted)


def test_a_sweep_that_is_not_deterministic_trains_pending_runs_alone() -> None:
    free = spec(deterministic=False)
    runs = plan(free, "data")
    pending = runs[:3] + runs[-2:]
    assert blocks_to_train(free, runs, {run.run_id for run in pending}) == list(blocks(pending))


def test_threads_and_chunk_are_settings_of_a_deterministic_sweep_alone() -> None:
    def first(**changes: object) -> tuple[str, str]:
        made = spec(**changes)
        return made.sha256(), plan(made, "data")[0].run_id

    base = first(threads=2)
    assert first(threads=1) != base
    assert first(threads=2, chunk=3) != base
    free = first(deterministic=False, threads=2)
    assert free != base
    assert first(deterministic=False, threads=1, chunk=3) == free


def test_a_deterministic_spec_carries_the_threads_that_it_means() -> None:
    assert spec().threads >= 1
    assert spec(deterministic=False).threads == 0


@pytest.mark.parametrize(
    ("changes", "said"), [({"chunk": 0}, "chunk of 1 or more"), ({"deterministic": 1}, "true or false for determin")]
)
def test_what_does_not_fit_is_refused_by_its_name(changes: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        spec(**changes)
