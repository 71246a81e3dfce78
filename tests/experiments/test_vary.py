from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bboxbench.boxes import to_pixels
from bboxbench.data_gen import Dataset
from bboxbench.data_gen.splits import split_ranges
from bboxbench.errors import InputError
from bboxbench.experiments.dealt_pictures import Dealer, DealtPictures
from bboxbench.experiments.diagnosis.of_run import diagnose_run
from bboxbench.experiments.execution.executor import Execution
from bboxbench.experiments.fit import untrained
from bboxbench.experiments.lockstep import LockstepTrainer
from bboxbench.experiments.outcomes import measure
from bboxbench.experiments.plan import plan
from bboxbench.experiments.recorded import RecordedSweep, read_sweep, sides_table
from bboxbench.experiments.report.pictures import overlays, test_pictures
from bboxbench.experiments.seeds import deal
from bboxbench.experiments.spec import SweepSpec
from bboxbench.experiments.splits import all_boxes, dealt_indices
from bboxbench.experiments.training import load_boxes, load_data

test_pictures.__test__ = False  # type: ignore[attr-defined]


def spec_of(dataset: Dataset, **changes: Any) -> SweepSpec:
    values = {"data": str(dataset.folder), "losses": "mse", "seeds": "0-2", "batch_sizes": 6, "epochs": 1}
    return SweepSpec.from_preset("quick", **{**values, **changes})


@given(n=st.integers(2, 400), seed=st.integers(0, 2**31 - 1))
def test_a_deal_gives_every_sample_to_one_split_whose_size_stays(n: int, seed: int) -> None:
    dealt, own = dealt_indices(n, seed), split_ranges(n)
    assert {name: len(rows) for name, rows in dealt.items()} == {name: len(rows) for name, rows in own.items()}
    assert sorted(np.concatenate(list(dealt.values()))) == list(range(n))


def test_seed_0_keeps_the_own_splits_and_every_other_seed_deals_anew() -> None:
    assert {name: rows.tolist() for name, rows in dealt_indices(40, 0).items()} == {
        name: list(rows) for name, rows in split_ranges(40).items()
    }
    assert len({tuple(deal(seed, 40)) for seed in range(50)}) == 50


def test_a_deal_never_changes_between_versions() -> None:
    # Frozen: a change here would part old results from new ones without a word.
    assert deal(1, 10).tolist() == [0, 1, 2, 6, 8, 7, 5, 9, 4, 3]


def test_dealt_pictures_are_read_like_an_array() -> None:
    whole = np.arange(10 * 2 * 3, dtype=np.uint8).reshape(10, 2, 3)
    rows = deal(3, 10)
    dealt, expected = DealtPictures((whole[:4], whole[4:4], whole[4:9], whole[9:]), rows), whole[rows]
    assert len(dealt) == 10
    for index in (slice(None), slice(2, 5), slice(9, 30), np.array([7, 0, 0, 3]), slice(4, 4)):
        assert np.array_equal(dealt[index], expected[index])


@pytest.mark.parametrize("validation", [0, 3, 8])
def test_a_dealt_run_gets_each_box_with_its_own_picture(small_dataset: Dataset, validation: int) -> None:
    data = load_data(small_dataset, validation)
    spec = spec_of(small_dataset, vary="split", validation=validation)
    names = ("train", "validation", "test")
    whole = np.concatenate([small_dataset.grey(name) for name in names])
    boxes, indices = all_boxes(small_dataset), dealt_indices(40, 2)
    dealt = Dealer(spec, data).of(2)
    for name in names:
        split, rows = getattr(dealt, name), indices[name][: validation if name == "validation" else None]
        assert np.array_equal(split.grey[:], whole[rows])
        assert np.array_equal(split.boxes, boxes[rows])
    assert (dealt.width, dealt.height, dealt.sha256, dealt.plain) == (200, 100, data.sha256, data.plain)
    # Who measures holds no pictures, and knows the same boxes.
    assert np.array_equal(Dealer(spec, load_boxes(small_dataset, validation)).of(2).test.boxes, dealt.test.boxes)


def test_without_split_every_seed_has_the_same_data(small_dataset: Dataset) -> None:
    data = load_boxes(small_dataset, 8)
    assert Dealer(spec_of(small_dataset), data).of(2) is data
    assert Dealer(spec_of(small_dataset, vary="split"), data).of(0) is data


def test_vary_is_a_setting_in_one_order(small_dataset: Dataset) -> None:
    assert SweepSpec().vary == ("init", "order", "dropout")
    given = spec_of(small_dataset, vary="split,init")
    assert given.vary == spec_of(small_dataset, vary=["init", "split"]).vary == ("init", "split")
    assert given.settings()["vary"] == "init,split"
    assert given.folder() != spec_of(small_dataset).folder()
    assert SweepSpec(**given.to_dict()) == given


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ("inti", "Unknown thing to vary 'inti'. Did you mean 'init'"),
        ("", "at least one of vary"),
        ("init,init", "'init' more than once"),
        (3, "a list of texts for vary"),
    ],
)
def test_what_cannot_vary_is_refused_in_one_line(vary: Any, said: str, small_dataset: Dataset) -> None:
    with pytest.raises(InputError, match=said) as error:
        spec_of(small_dataset, vary=vary)
    assert "\n" not in str(error.value)


def same_start(spec: SweepSpec) -> bool:
    first, second = (untrained(run, spec, 200, 100).get_weights() for run in plan(spec, "")[:2])
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_seed_that_would_change_nothing_is_refused(small_dataset: Dataset) -> None:
    with pytest.raises(InputError, match="Expected --vary to change something"):
        spec_of(small_dataset, vary="dropout", dropout=0)
    assert spec_of(small_dataset, vary="dropout,order", dropout=0).vary == ("order", "dropout")


def test_weights_start_alike_where_they_do_not_vary(small_dataset: Dataset) -> None:
    assert not same_start(spec_of(small_dataset))
    assert same_start(spec_of(small_dataset, vary="order,dropout,split"))


def masks(spec: SweepSpec) -> list[Any]:
    """The dropout masks of the first step of two seeds under each engine."""
    found: list[Any] = []
    for run in plan(spec, "")[:2]:
        alone = untrained(run, spec, 200, 100)
        layer = next(layer for layer in alone.layers if type(layer).__name__ == "Dropout")
        together = LockstepTrainer.of(spec, [run], 100, 200)
        ones = np.ones((2, together.replicas.features), np.float32)
        by_fit, by_lockstep = np.asarray(layer(ones, training=True)), np.asarray(together._mask(2, 0))
        assert np.array_equal(by_fit, by_lockstep)
        found.append(by_fit)
    return found


def test_masks_are_alike_where_dropout_does_not_vary(small_dataset: Dataset) -> None:
    assert np.array_equal(*masks(spec_of(small_dataset, vary="init")))
    assert not np.array_equal(*masks(spec_of(small_dataset, vary="dropout")))


def own_network(initializer: Any) -> Any:
    """A network that nothing here builds."""
    raise AssertionError


def test_a_network_of_ones_own_varies_weights_and_masks_together(small_dataset: Dataset) -> None:
    own = {"network": f"{__name__}:own_network", "dropout": 0.2}
    for vary in ("init", "dropout,order"):
        with pytest.raises(InputError, match="both or neither of init and dropout"):
            plan(spec_of(small_dataset, vary=vary, **own), "")
    for vary in ("init,dropout", "order,split"):
        plan(spec_of(small_dataset, vary=vary, **own), "")


@pytest.fixture(scope="module")
def dealt_sweep(small_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> RecordedSweep:
    """Seeds 0 to 2 in which the split alone varies."""
    from bboxbench.experiments.sweep import run_sweep

    folder = tmp_path_factory.mktemp("dealt") / "results"
    run_sweep(spec_of(small_dataset, vary="split"), folder, execution=Execution(isolation="none"))
    return read_sweep(folder)


def test_a_run_is_measured_on_the_pictures_it_was_dealt(dealt_sweep: RecordedSweep, small_dataset: Dataset) -> None:
    assert list(dealt_sweep.runs["vary"]) == ["split"] * 3
    boxes = all_boxes(small_dataset)
    for run in dealt_sweep.runs.to_dict("records"):
        true = boxes[dealt_indices(40, run["seed"])["test"]]
        predicted = to_pixels(dealt_sweep.predictions(run["run_id"]), 200, 100)
        assert measure(true, predicted, 200, 100).mean_iou == pytest.approx(run["mean_iou"], abs=1e-3)
        assert np.array_equal(boxes[dealt_sweep.test_indices(run)], true)
    assert dealt_sweep.runs["mean_iou"].nunique() == 3
    # Yardsticks stay those of the own split.
    own = measure(small_dataset.boxes("test"), np.tile(small_dataset.boxes("train").mean(0), (20, 1)), 200, 100)
    mean_box = dealt_sweep.baselines.set_index("baseline").loc["mean"]
    assert mean_box["mean_iou"] == pytest.approx(own.mean_iou)


def test_diagnosis_and_report_take_the_true_boxes_of_the_run(
    dealt_sweep: RecordedSweep, small_dataset: Dataset
) -> None:
    run = dealt_sweep.runs[dealt_sweep.runs["seed"] == 2].iloc[0]
    true = all_boxes(small_dataset)[dealt_indices(40, 2)["test"]]
    found = diagnose_run(dealt_sweep.folder, str(run["run_id"]))
    assert np.asarray(found.true) == pytest.approx(true.astype(float), abs=1e-3)
    everywhere = sides_table(dealt_sweep, small_dataset)
    tested = np.concatenate([all_boxes(small_dataset)[dealt_indices(40, seed)["test"]] for seed in range(3)])
    left = everywhere[everywhere["side"] == "left"]["true"].to_numpy()
    assert left == pytest.approx(np.histogram(tested[:, 0] / 200, np.linspace(0, 1, 41))[0] / 60)


def test_pictures_that_are_shown_were_tested_by_every_run_shown(
    dealt_sweep: RecordedSweep, small_dataset: Dataset
) -> None:
    runs = dealt_sweep.runs.to_dict("records")
    tested = [dealt_sweep.test_indices(run) for run in runs]
    pictures = test_pictures(small_dataset, tested)
    assert pictures
    for run, indices in zip(runs, tested, strict=True):
        predicted = dealt_sweep.predictions(run["run_id"])
        for shown in overlays(dealt_sweep, run, pictures):
            row = int(np.flatnonzero(indices == shown.picture.index)[0])
            assert shown.picture.box == tuple(all_boxes(small_dataset)[shown.picture.index])
            expected = to_pixels(predicted[row], 200, 100)
            assert sorted(shown.predicted or ()) == pytest.approx(sorted(expected), abs=0.06)
