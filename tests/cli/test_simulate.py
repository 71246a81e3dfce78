from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from bboxbench.cli import main
from bboxbench.cli.simulate import summary_table
from bboxbench.experiments.simulation_cases import DEFAULT_LOSSES


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["simulate", *arguments])
    return int(end.value.code or 0)


def small(*losses: str, **options: object) -> list[str]:
    chosen = {"losses": ",".join(losses), "points": 3, "steps": 5, **options}
    return [part for name, value in chosen.items() for part in (f"--{name}", str(value))]


def test_a_simulation_prints_its_table_and_paths_and_the_same_command_computes_nothing(
    empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*small("mse", "giou")) == 0
    out, err = capsys.readouterr()
    assert "1,029 boxes (343 at each of 3 points), 5 steps, 2 losses; into results/simulation-" in err
    assert "mse: mean error " in err
    assert "Simulating: 6 of 6 points" in err
    (folder,) = (empty_folder / "results").iterdir()
    for name in ("summary.csv", "curves.csv", "surface.csv", "curves.png", "surface.png"):
        assert str(folder.relative_to(empty_folder) / name) in out
        assert (folder / name).exists()
    assert run(*small("mse", "giou")) == 0
    again, err = capsys.readouterr()
    assert again == out
    assert "Finished already: mse, giou" in err
    assert "Simulating" not in err


def test_json_events_are_strict_one_a_line_and_carry_every_loss(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Seed 2's only point lies far out: no case of iou_unguarded stays finite, and no mean is a number.
    assert run(*small("iou_unguarded", "mse", points=1, seed=2, out=tmp_path / "r"), "--json", "--quiet") == 0
    out, err = capsys.readouterr()

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    events = [json.loads(line, parse_constant=refuse) for line in out.splitlines()]
    assert [event["event"] for event in events] == ["plan", "loss", "loss", "done"]
    assert (events[0]["cases"], events[0]["losses"], events[0]["seed"]) == (343, ["iou_unguarded", "mse"], 2)
    assert events[1]["mean_error"] is None
    assert events[1]["non_finite"] == 1
    assert [row["loss"] for row in events[3]["losses"]] == ["iou_unguarded", "mse"]
    assert all(Path(path).exists() for path in events[3]["written"])
    assert err == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--losses", "giuo"], "Did you mean 'giou'?"),
        (["--losses", ""], "at least one name"),
        (["--losses", "mse,mse"], "'mse' more than once"),
        (["--losses", "centre_point,centre_point(size_weight=1.0)"], "Received twice: centre_point"),
        (["--losses", "giou("], "name(key=value,...)"),
        (["--losses", "giou(bounding_box_format='xyxy')"], "Leave it out"),
        (["--losses", "nowhere:loss"], "nowhere"),
        (["--points", "0"], "from 1 to 100000"),
        (["--steps", "many"], "from 1 to 10000"),
        (["--seed", "-1"], "received '-1'"),
        (["--nonsense"], "--nonsense"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_wrong_usage_is_one_line_and_code_2_and_writes_nothing(
    words: list[str], said: str, empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert said in err
    assert list(empty_folder.iterdir()) == []


def test_a_folder_of_something_else_is_refused_with_3_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sweep.json").write_text("{}")
    assert run(*small("mse", out=tmp_path)) == 3
    err = capsys.readouterr().err
    assert f"{tmp_path} holds sweep.json and no simulation.json" in err
    assert err.count("\n") == 1
    assert [each.name for each in tmp_path.iterdir()] == ["sweep.json"]


def test_other_settings_in_the_folder_are_refused_with_3_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*small("mse", out=tmp_path / "r"), "--quiet") == 0
    capsys.readouterr()
    assert run(*small("mse", out=tmp_path / "r", steps=6)) == 3
    assert "steps 5 (now 6)" in capsys.readouterr().err


def test_a_loss_in_the_current_folder_is_simulated(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (empty_folder / "simulated_loss_module.py").write_text(
        "import keras\n\ndef taxicab(y_true, y_pred, weight=1.0):\n"
        "    return weight * keras.ops.sum(keras.ops.abs(y_true - y_pred), axis=-1)\n"
    )
    assert run(*small("simulated_loss_module:taxicab(weight=0.5)"), "--quiet") == 0
    assert "taxicab" in capsys.readouterr().out


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_the_terminal_and_rounds_nothing_to_none_or_all(width: int) -> None:
    row = {"start_error": 3.872, "mean_error": 0.0301, "median_error": 3.456e-06, "p95_error": 12345.6}
    row |= {"converged": 0.99999, "unmoved": 1e-6, "non_finite": 1.0}
    lost = {**row, "mean_error": float("nan")}
    name = "my_module:a_rather_long_name_of_a_loss(size_weight=0.5)"
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(summary_table(pd.DataFrame([{"loss": "dynamic_interpiou", **row}, {"loss": name, **lost}]), 200))
    text = console.export_text()
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "after 200 steps; 3.87 before the first" in text
    first = next(line for line in text.splitlines() if "dynamic_interpiou" in line)
    assert first.split() == ["dynamic_interpiou", "0.0301", "3.5e-06", "1.2e+04", ">99.9%", "<0.1%", "100.0%"]
    assert " - " in text


def test_the_help_has_examples_and_the_true_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    out = capsys.readouterr().out
    assert "bboxbench simulate --losses" in out
    assert ",".join(DEFAULT_LOSSES) in "".join(word for word in out.split() if word != "│")
