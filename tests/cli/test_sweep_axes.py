"""The options of ``sweep`` that choose which runs there are, and how the seed and the validation pictures enter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bboxbench.cli import main
from bboxbench.experiments.estimate import Estimate


@pytest.fixture(autouse=True)
def not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long it would take is another matter."""
    monkeypatch.setattr("bboxbench.experiments.sweep.estimate", lambda *_: Estimate(0.0, {}))


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    return int(end.value.code or 0)


OPTIONS = [
    *("sweep", "--preset", "quick", "--seeds", "3,5,8", "--losses", "mse,iou,giou", "--optimizers", "adam,sgd:0.1"),
    *("--learning-rates", "1e-3,giou:0.0003", "--batch-sizes", "50,100", "--vary", "split,init", "--patience", "2"),
    *("--exclude", "loss=iou,optimizer=sgd", "--exclude", "loss=mse,batch_size=50", "--include", "start=wide"),
]


def test_every_option_reaches_the_spec(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*OPTIONS, "--dry-run", "--json") == 0
    plan: dict[str, Any] = json.loads(capsys.readouterr().out)
    spec = plan["spec"]
    assert spec["seeds"] == [3, 5, 8]
    assert spec["learning_rates"] == ["0.001", "giou:0.0003"]
    assert spec["batch_sizes"] == [50, 100]
    assert spec["vary"] == ["init", "split"]
    assert spec["patience"] == 2
    assert spec["exclude"] == ["loss=iou,optimizer=sgd", "loss=mse,batch_size=50"]
    assert spec["include"] == ["start=wide"]
    # 3 losses x 2 optimizers x 2 batch sizes less two and two.
    assert plan["runs"] == 3 * (12 - 2 - 2)
    assert list(empty_folder.iterdir()) == []


def test_the_plan_says_when_a_run_has_too_few_steps_to_tell_anything(
    empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*OPTIONS, "--dry-run") == 0
    assert "too few to tell anything" not in capsys.readouterr().out
    assert run(*OPTIONS, "--epochs", "1", "--dry-run") == 0
    assert "a run may have no more than 12 steps, too few to tell anything" in capsys.readouterr().out


def test_the_plan_names_what_is_not_usual(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*OPTIONS, "--dry-run") == 0
    out = capsys.readouterr().out
    assert "Plan: 24 runs of 3 losses, 1 initializer, 2 optimizers, 2 batch sizes, 2 learning rates, 3 seeds" in out
    assert "6 epochs, or 2 without a new best, of 1,200 pictures, batch 50 and 100" in out
    assert "learning rate: 0.001, giou:0.0003" in out
    assert "exclude: loss=iou,optimizer=sgd\n  exclude: loss=mse,batch_size=50" in out
    assert "a seed changes: init, split" in out
    assert "Keras's default" not in out


def test_an_option_takes_the_place_of_the_key_of_a_file(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (empty_folder / "mine.toml").write_text(
        'exclude = ["loss=mse"]\nbatch-sizes = [5, 7]\nlearning-rates = [0.01]\noptimizers = ["adam"]\nvary = "init"\n',
        encoding="utf-8",
    )
    asked = ("sweep", "--spec", "mine.toml", "--preset", "quick", "--exclude", "loss=iou", "--batch-sizes", "9")
    assert run(*asked, "--dry-run", "--json") == 0
    spec = json.loads(capsys.readouterr().out)["spec"]
    assert (spec["exclude"], spec["batch_sizes"]) == (["loss=iou"], [9])
    assert (spec["learning_rates"], spec["vary"]) == (["0.01"], ["init"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--learning-rates", "fast"], "Expected a list of numbers above 0"),
        (["--learning-rates", "0.001"], "Expected an optimizer without a learning rate"),
        (["--batch-sizes", "0"], "whole numbers of 1 or more for batch_sizes"),
        (["--batch-sizes", ""], "at least one of batch_sizes"),
        (["--exclude", "loss=nothing"], "Expected exclude to match a cell"),
        (["--include", "lss=mse"], "Unknown axis 'lss'. Did you mean 'loss'?"),
        (["--exclude", ""], "Expected a rule as"),
        (["--exclude", "loss=*"], "leave a cell to train"),
        (["--vary", "weights"], "Unknown thing to vary 'weights'"),
        (["--patience", "-1"], "a whole number of 0 or more"),
        (["--patience", "1", "--validation", "0"], "Expected validation pictures for patience 1"),
        (["--seeds", "3-1"], "Expected seeds as a count"),
    ],
)
def test_what_makes_no_sense_ends_in_one_line(
    options: list[str], said: str, empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("sweep", "--preset", "quick", *options) == 2
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if not line.startswith("Loading")]
    assert said in lines[-1]
    assert len(lines) == 1
    assert out == ""
    assert list(empty_folder.iterdir()) == []
