from __future__ import annotations

import dataclasses
import importlib
import json
import linecache
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import pytest

from bboxbench.data_gen import Dataset
from bboxbench.errors import InputError
from bboxbench.experiments.learning_rates import TUNED, UNTUNED
from bboxbench.experiments.plan import blocks, plan
from bboxbench.experiments.recipe import Recipe
from bboxbench.experiments.spec import AXES, PRESETS, SweepSpec, read_toml

QUICK = SweepSpec.from_preset("quick")


def test_the_full_sweep_is_4_losses_4_initializers_20_seeds() -> None:
    runs = plan(SweepSpec.from_preset("default"), "data")
    assert len(runs) == 320
    assert len({run.run_id for run in runs}) == 320
    assert len({run.cell for run in runs}) == 16


def test_blocks_are_the_runs_of_one_seed_each_with_every_cell() -> None:
    found = list(blocks(plan(SweepSpec.from_preset("default", seeds="4,2"), "data")))
    assert [block.seed for block in found] == [4, 2]
    assert [run.cell for run in found[0].runs] == [run.cell for run in found[1].runs]
    assert all(len(block.runs) == 16 for block in found)


def test_the_initializers_of_the_default_come_in_pairs_of_one_spread() -> None:
    uniform, normal = 0.05 / 3**0.5, 0.0289
    assert normal == pytest.approx(uniform, rel=2e-3)
    assert "random_uniform(minval=-0.05,maxval=0.05)" in SweepSpec().initializers
    assert "random_normal(stddev=0.0289)" in SweepSpec().initializers


def test_as_posted_is_the_case_word_for_word() -> None:
    spec = SweepSpec.from_preset("as_posted", seeds=1)
    runs = plan(spec, "data")
    assert {(run.cell.optimizer, run.cell.learning_rate) for run in runs} == {("adadelta", 0.001)}
    assert {(run.cell.start, run.cell.head) for run in runs} == {("zeros", "corners")}
    assert (spec.epochs, spec.batch_sizes, spec.n, spec.dropout) == (8, (100,), 40_000, 0.2)


def test_a_run_is_known_by_what_changes_its_result_and_by_nothing_else() -> None:
    def first(**changes: object) -> str:
        return plan(SweepSpec.from_preset("quick", **changes), "data")[0].run_id

    base = first()
    assert first(seeds=7, losses=["mse"], threads=1) == base
    for changes in (
        {"epochs": 7},
        {"batch_sizes": 50},
        {"dropout": 0.1},
        {"engine": "fit"},
        {"precision": "bfloat16"},
        {"network": f"{__name__}:own_network"},
        {"initializers": ["he_normal"]},
        {"optimizers": ["adam:0.001"]},
        {"heads": ["ordered"]},
        {"starts": ["zeros"]},
        {"losses": ["giou"]},
        {"seeds": "1-1"},
    ):
        assert first(**changes) != base, changes
    assert plan(QUICK, "other data")[0].run_id != base


def test_a_run_has_the_same_id_in_another_process() -> None:
    code = (
        "from bboxbench.experiments.plan import plan\nfrom bboxbench.experiments.spec import SweepSpec\n"
        "print(plan(SweepSpec.from_preset('quick'), 'data')[0].run_id)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "99"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == [plan(QUICK, "data")[0].run_id]


@pytest.mark.parametrize(
    "changes",
    [
        {"losses": ["centre_point", "centre_point(size_weight=1)"]},
        {"losses": ["centre_point(size_weight=2)", "centre_point(size_weight=2.0)"]},
        {"initializers": ["GlorotUniform", "glorot_uniform"]},
        {"initializers": ["random_uniform", "random_uniform(maxval=0.05,minval=-0.05)"]},
        {"optimizers": ["adam", "Adam:0.001"]},
    ],
)
def test_two_spellings_of_one_cell_are_one_run_and_refused_side_by_side(changes: dict[str, list[str]]) -> None:
    with pytest.raises(InputError, match="Expected every cell once"):
        plan(SweepSpec.from_preset("quick", **changes), "data")
    (axis, spellings), *_ = changes.items()
    first, second = (plan(SweepSpec.from_preset("quick", **{axis: [text]}), "data")[0] for text in spellings)
    assert first == second


class Plain(keras.losses.Loss):
    """A user's loss as most are: no get_config."""

    def __init__(self, alpha: float = 1.0, reduction: str = "sum_over_batch_size") -> None:
        super().__init__(reduction=reduction)
        self.alpha = alpha

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.alpha * keras.ops.mean(keras.ops.abs(y_true - y_pred), axis=-1)


@pytest.mark.parametrize(
    "losses",
    [
        ["mse", "mse(reduction='sum')", "mse(dtype='float64')"],
        [f"{__name__}:Plain", f"{__name__}:Plain(alpha=50)", f"{__name__}:Plain(reduction='sum')"],
        ["keras.losses:Huber", "keras.losses:Huber(delta=0.1)", "keras.losses:Huber(delta=2)"],
    ],
)
def test_losses_that_differ_in_any_parameter_are_different_runs(losses: list[str]) -> None:
    runs = plan(SweepSpec.from_preset("quick", losses=losses, seeds=1), "data")
    assert len({run.run_id for run in runs}) == len(losses)
    assert len({run.cell for run in runs}) == len(losses)


def test_an_edited_loss_is_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    spec = SweepSpec.from_preset("quick", losses=["edited_loss_module:own"], seeds=1)
    found = set()
    for factor in (1, 1000):
        code = f"import keras\ndef own(y_true, y_pred):\n    return {factor} * keras.ops.sum(y_pred - y_true, -1)\n"
        (tmp_path / "edited_loss_module.py").write_text(code, encoding="utf-8")
        sys.modules.pop("edited_loss_module", None)
        importlib.invalidate_caches()
        linecache.clearcache()
        found.add(plan(spec, "data")[0].run_id)
    assert len(found) == 2


def test_the_spread_of_an_initializer_is_always_shown() -> None:
    (run,) = plan(SweepSpec.from_preset("quick", losses=["mse"], initializers=["random_uniform"], seeds=1), "data")
    assert run.cell.initializer == "random_uniform(minval=-0.05,maxval=0.05)"


def test_a_tuned_rate_is_the_losss_own_and_one_that_was_not_tuned_takes_the_common_one() -> None:
    losses = ["mse", "centre_point(size_weight=1)", "ciou"]
    runs = plan(SweepSpec.from_preset("quick", losses=losses, optimizers=["adam:tuned"], seeds=1), "data")
    rates = {run.cell.loss.partition("(")[0]: run.cell.learning_rate for run in runs}
    assert rates == {**{name: TUNED["adam"][name] for name in ("mse", "centre_point")}, "ciou": UNTUNED["adam"]}


def test_a_tuned_rate_and_the_same_one_in_figures_are_one_run() -> None:
    def first(optimizer: str) -> str:
        return plan(SweepSpec.from_preset("quick", losses=["mse"], optimizers=[optimizer], seeds=1), "data")[0].run_id

    assert first("adam:tuned") == first(f"adam:{TUNED['adam']['mse']}")


def test_an_optimizer_that_was_not_tuned_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"optimizer with tuned learning rates.*sgd"):
        plan(SweepSpec.from_preset("quick", optimizers=["sgd:tuned"]), "data")


def test_an_optimizer_without_a_rate_keeps_keras_own() -> None:
    runs = plan(SweepSpec.from_preset("quick", optimizers=["adadelta", "adadelta:1.0", "sgd"]), "data")
    assert {(r.cell.optimizer, r.cell.learning_rate) for r in runs} == {
        ("adadelta", 0.001),
        ("adadelta", 1.0),
        ("sgd", 0.01),
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"losses": ["giuo"]}, "Unknown loss 'giuo'. Did you mean 'giou'"),
        ({"losses": ["giou(epz=1)"]}, "epz"),
        ({"losses": ["nowhere.module:Loss"]}, "nowhere"),
        ({"initializers": ["he_norm"]}, "Unknown initializer 'he_norm'. Did you mean 'he_normal'"),
        ({"optimizers": ["adim:0.1"]}, "Unknown optimizer 'adim'. Did you mean 'adam'"),
        ({"optimizers": ["adam(learning_rate=1)"]}, "behind a colon"),
        ({"optimizers": ["adam(beta_9=1)"]}, "beta_1"),
        ({"heads": ["cornres"]}, "Unknown head 'cornres'. Did you mean 'corners'"),
        ({"starts": ["wyde"]}, "Unknown start 'wyde'. Did you mean 'wide'"),
    ],
)
def test_an_unknown_name_is_refused_with_a_guess(changes: dict[str, list[str]], said: str) -> None:
    with pytest.raises(InputError, match=said.replace("(", r"\(")) as error:
        plan(SweepSpec.from_preset("quick", **changes), "data")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epochs": 0}, "epochs of 1 or more"),
        ({"batch_sizes": 0}, "whole numbers of 1 or more for batch_sizes"),
        ({"epochs": "8"}, "a whole number for epochs"),
        ({"epochs": True}, "a whole number for epochs"),
        ({"dropout": 1.0}, "dropout of at least 0 and below 1"),
        ({"dropout": float("nan")}, "a number for dropout"),
        ({"iou_threshold": 0}, "iou_threshold above 0"),
        ({"losses": []}, "at least one of losses"),
        ({"losses": ["mse", "mse"]}, "'mse' more than once"),
        ({"losses": [1]}, "a list of texts for losses"),
        ({"n": 5}, "n of 10 or more"),
        ({"data_seed": -1}, "seed"),
        ({"engine": "lockstp"}, "Unknown engine 'lockstp'. Did you mean 'lockstep'"),
        ({"precision": "bfloat"}, "Unknown precision 'bfloat'. Did you mean 'bfloat16'"),
        ({"network": "letterbox"}, "Unknown network 'letterbox'. Did you mean 'letter_box'.*package.module:build"),
        ({"network": 3}, "a text for network"),
        ({"seeds": {}}, "for seeds"),
        ({"data": "somewhere", "n": 40}, "either data or n"),
        ({"epoch": 3}, "Unknown key 'epoch'. Did you mean 'epochs'"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_its_name(changes: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        SweepSpec.from_preset("quick", **changes)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("preset", [3, ["quick"], None])
def test_a_preset_that_is_no_text_is_refused(preset: Any) -> None:
    with pytest.raises(InputError, match="a text for preset"):
        SweepSpec.from_preset(preset)


def test_an_unknown_preset_is_refused_with_a_guess() -> None:
    with pytest.raises(InputError, match="Did you mean 'as_posted'"):
        SweepSpec.from_preset("as_postd")


@pytest.mark.parametrize("preset", PRESETS)
def test_a_spec_survives_json(preset: str) -> None:
    spec = SweepSpec.from_preset(preset)
    assert SweepSpec(**json.loads(json.dumps(spec.to_dict()))) == spec


def test_a_toml_file_says_the_same_as_the_fields(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'losses = ["mse", "giou"]\nseeds = "3-4"\nepochs = 2\ndropout = 0\nbatch-sizes = 7\n', encoding="utf-8"
    )
    spec = SweepSpec.from_preset("quick", **read_toml(path))
    assert (spec.losses, spec.seeds, spec.epochs, spec.dropout) == (("mse", "giou"), (3, 4), 2, 0.0)
    assert spec.batch_sizes == (7,)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('loses = ["mse"]', "Unknown key 'loses'. Did you mean 'losses'"),
        ("losses = [", "Expected TOML"),
        ("[data]\nn = 3", r"mine\.toml: Expected a text for data"),
        ("preset = 3", r"mine\.toml: Expected a text for preset"),
    ],
)
def test_a_toml_file_with_a_mistake_is_refused_by_key(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        SweepSpec.from_preset("quick", **read_toml(path))


def test_a_missing_toml_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.toml"):
        read_toml(tmp_path / "nowhere.toml")


def test_longer_axes_keep_the_folder_and_other_settings_change_it() -> None:
    longer = SweepSpec.from_preset("quick", seeds=40, losses=["mse"], heads=["corners", "ordered"])
    assert longer.folder() == QUICK.folder()
    assert SweepSpec.from_preset("quick", epochs=9).folder() != QUICK.folder()
    assert SweepSpec.from_preset("quick", n=5000).folder() != QUICK.folder()


def test_the_same_pictures_have_the_same_folder_however_they_are_named(small_dataset: Dataset) -> None:
    by_place = SweepSpec.from_preset("quick", data=str(small_dataset.folder))
    by_number = SweepSpec.from_preset("quick", n=40, data_seed=3)
    assert by_place.folder() == by_number.folder()
    assert by_place.sha256() == by_number.sha256()


def test_every_axis_is_a_field() -> None:
    assert set(AXES) <= {field.name for field in dataclasses.fields(SweepSpec)}


def test_engine_precision_and_network_are_settings_with_the_defaults_of_the_case() -> None:
    settings = SweepSpec().settings()
    assert (settings["engine"], settings["precision"], settings["network"]) == ("lockstep", "float32", "letter_box")
    for changes in ({"engine": "fit"}, {"precision": "bfloat16"}, {"network": f"{__name__}:own_network"}):
        assert SweepSpec.from_preset("quick", **changes).folder() != QUICK.folder(), changes


def own_network(initializer: Any) -> Any:
    """A network that nothing here builds."""
    raise AssertionError


def test_a_bare_word_is_a_text() -> None:
    assert Recipe.parse("alpha_iou(base=ciou,alpha=2)", "loss") == Recipe("alpha_iou", {"base": "ciou", "alpha": 2})
    assert Recipe.parse("gwd(normalize=True)", "loss").parameters["normalize"] is True
    with pytest.raises(InputError, match="plain values"):
        Recipe.parse("alpha_iou(base=ciou.giou)", "loss")
