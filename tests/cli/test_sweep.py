from __future__ import annotations

import json
import os
import resource
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from bboxbench.cli import main
from bboxbench.data_gen import Dataset, DatasetSpec, generate
from bboxbench.experiments.estimate import Estimate


@pytest.fixture(autouse=True)
def timed_where_a_plan_is_shown(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Timing this machine takes longer than these sweeps: only the tests that show a plan do it."""
    if "plan" not in request.node.name:
        monkeypatch.setattr("bboxbench.experiments.execution.in_process.estimate_on", lambda *_: Estimate(0.0, {}))


def words(dataset: Dataset, out: Path, **options: object) -> list[str]:
    chosen: dict[str, object] = {
        "preset": "quick",
        "data": dataset.folder,
        "out": out,
        "losses": "mse",
        "seeds": 1,
        "epochs": 1,
        "batch_sizes": 6,
        "isolation": "none",
        **options,
    }
    return ["sweep", *(part for name, value in chosen.items() for part in (f"--{name.replace('_', '-')}", str(value)))]


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    return int(end.value.code or 0)


def test_a_sweep_prints_plan_table_and_paths(
    small_dataset: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words(small_dataset, tmp_path / "r", losses="mse,iou_unguarded")) == 0
    out, err = capsys.readouterr()
    assert "Plan: 2 losses x 1 initializer x 1 seed = 2 runs" in err
    assert "Estimated: about" in err
    assert "[2/2] iou_unguarded glorot_uniform seed 0: diverged" in err
    assert "1 diverged" in out
    assert "0 of 1  0.00 to 0.79" in out
    assert "mean box" in out
    for name in ("runs.csv", "distribution.csv", "report/index.html"):
        assert str(tmp_path / "r" / name) in out.replace("\n", "")
        assert (tmp_path / "r" / name).exists()
    figures = [path for path in (tmp_path / "r" / "report").iterdir() if path.suffix in (".png", ".svg")]
    said = out.replace("\n", "")
    assert f"{len(figures)} files of figures in {tmp_path / 'r' / 'report'}" in said
    assert said.index(f"Open {tmp_path / 'r' / 'report' / 'index.html'} in a browser") < said.index("files of figures")


def test_the_summary_as_markdown_is_all_that_stands_on_stdout(
    small_dataset: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words(small_dataset, tmp_path / "r"), "--format", "markdown") == 0
    out, err = capsys.readouterr()
    assert out.startswith("**Box accuracy, 1 seed: ")
    assert "| `mse` | `glorot_uniform` | 0 of 1 (0.00 to 0.79) |" in out
    assert str(tmp_path) not in out
    assert "runs.csv" in err


def test_an_unknown_format_is_refused_before_anything_is_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("sweep", "--format", "markdwon") == 2
    assert "Unknown format 'markdwon'. Did you mean 'markdown'?" in capsys.readouterr().err


def test_two_forms_of_one_stdout_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("sweep", "--format", "markdown", "--json") == 2
    assert "Expected --json or --format markdown. Received: both" in capsys.readouterr().err


def test_json_events_are_one_a_line_and_carry_plan_runs_and_cells(
    small_dataset: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words(small_dataset, tmp_path / "r"), "--json", "--quiet") == 0
    out, err = capsys.readouterr()
    events = [json.loads(line) for line in out.splitlines()]
    # Of progress a program hears by the clock, and at the end.
    progress = [event for event in events if event["event"] == "progress"]
    assert progress[-1] == {"event": "progress", "finished": 1, "runs": 1, "failed": 0, "eta_seconds": 0.0}
    plan, epoch, done_run, done = (event for event in events if event["event"] != "progress")
    assert [each["event"] for each in (plan, epoch, done_run, done)] == ["plan", "epoch", "run", "done"]
    assert plan["runs"] == 1
    assert done_run["loss"] == "mse"
    assert done["cells"][0]["runs"] == 1
    assert err == ""


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_data_set_with_a_split_without_pictures_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    generate(DatasetSpec.letters(n=3), "three", 1)
    assert run("sweep", "--preset", "quick", "--data", "three", *more) == 2
    assert capsys.readouterr().err.endswith("pictures in every split, 4 or more. Received 3.\n")
    assert not Path("results").exists()


def test_an_option_wins_over_the_file_and_the_file_over_the_preset(
    empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (empty_folder / "mine.toml").write_text('preset = "quick"\nepochs = 2\nseeds = 3\nlosses = ["mse"]\n')
    assert run("sweep", "--spec", "mine.toml", "--epochs", "3", "--dry-run") == 0
    out = capsys.readouterr().out
    assert "1 loss x 1 initializer x 3 seeds = 3 runs" in out
    assert "3 epochs of 1,200 pictures" in out
    assert [each.name for each in empty_folder.iterdir()] == ["mine.toml"]


def test_an_optimizer_without_a_rate_is_said_to_take_keras_own(
    empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("sweep", "--preset", "as_posted", "--dry-run") == 0
    assert "adadelta without a rate takes Keras's default, 0.001; the paper's is 1.0" in capsys.readouterr().out


OWN_NETWORK = """
import keras

def build(initializer, width, height):
    pictures = keras.Input((height, width, 1))
    x = keras.layers.Flatten()(keras.layers.AveragePooling2D(20)(pictures))
    return keras.Model(pictures, keras.layers.Dense(4, kernel_initializer=initializer("box"))(x))
"""


def test_a_network_in_the_current_folder_is_swept_and_the_plan_says_with_what(
    small_dataset: Dataset, empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (empty_folder / "swept_network_module.py").write_text(OWN_NETWORK)
    network = "swept_network_module:build"
    assert run(*words(small_dataset, empty_folder / "r", losses="mse,giou", network=network)) == 0
    err = capsys.readouterr().err
    assert "  network: swept_network_module:build, computed in float32\n" in err
    assert "  2 runs train with fit: a network of your own\n" in err
    runs = pd.read_csv(empty_folder / "r" / "runs.csv")
    assert set(runs["network"]) == {network}
    assert set(runs["engine"]) == {"fit"}
    code = run(*words(small_dataset, empty_folder / "r", network=network, heads="corners,ordered"))
    assert code == 2
    assert "which has no parameter 'head'" in capsys.readouterr().err


def test_a_plan_names_what_falls_back_for_people_and_for_programs(
    small_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bboxbench.experiments.sweep.estimate", lambda *_, **__: Estimate(0, {}))
    asked = words(small_dataset, tmp_path / "r", optimizers="adam:0.001,lamb:0.001", precision="bfloat16")
    assert run(*asked, "--dry-run") == 0
    shown = capsys.readouterr().out
    assert "engine lockstep" in shown
    assert "  1 run trains with fit: Lamb" in shown
    assert "  network: letter_box, computed in bfloat16\n" in shown
    assert run(*asked, "--dry-run", "--json") == 0
    (event,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    ((reason, count),) = (each.values() for each in event["fallbacks"])
    assert reason.startswith("Lamb")
    assert count == 1
    assert event["spec"]["precision"] == "bfloat16"


def test_a_failed_run_ends_the_command_with_1_after_the_others(
    small_dataset: Dataset, empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (empty_folder / "broken_loss_module.py").write_text(
        # On arrival it is tried on batches of these sizes.
        "import keras\n"
        "def bad(y_true, y_pred):\n"
        "    if y_pred.shape[0] not in (2, 6):\n"
        "        raise RuntimeError('on purpose')\n"
        "    return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)\n"
    )
    asked = words(small_dataset, empty_folder / "r", losses="broken_loss_module:bad,mse", batch_sizes=4)
    assert run(*asked) == 1
    out, err = capsys.readouterr()
    assert "1 of the runs failed" in err
    assert "--retry-failed" in err
    assert "1 of 2 runs failed:\n  broken_loss_module:bad glorot_uniform seed 0: RuntimeError: on purpose\n" in out
    assert shlex.split(out.splitlines()[-1].removeprefix("Train them again: ")) == [
        "bboxbench",
        *asked,
        "--retry-failed",
    ]
    assert run(*asked, "--json", "--quiet") == 1
    *_, done, error = map(json.loads, capsys.readouterr().out.splitlines())
    assert [each["error"] for each in done["failed"]] == ["RuntimeError: on purpose"]
    assert done["retry"].endswith("--retry-failed")
    assert (error["event"], error["code"]) == ("error", 1)
    early = words(small_dataset, empty_folder / "s", losses="broken_loss_module:bad", batch_sizes=4, seeds=2)
    assert run(*early, "--fail-fast") == 1
    out, err = capsys.readouterr()
    assert "Stopped after 1 failed run" in err
    assert "1 of 1 run failed:" in out
    assert out.splitlines()[-1].startswith("Train them again: bboxbench sweep ")
    assert sorted(pd.read_csv(empty_folder / "r" / "runs.csv")["status"]) == ["failed", "ok"]


def test_a_sweep_that_is_to_fail_fast_stops_at_the_first_failure_with_its_tables_written(
    small_dataset: Dataset, empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (empty_folder / "failing_loss_module.py").write_text(
        "import keras\n"
        "def bad(y_true, y_pred):\n"
        "    if y_pred.shape[0] == 4:\n"
        "        raise RuntimeError('on purpose')\n"
        "    return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)\n"
    )
    asked = words(small_dataset, empty_folder / "r", losses="failing_loss_module:bad", batch_sizes=4, seeds=3)
    assert run(*asked, "--fail-fast") == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("Error: Stopped after 1 failed run, as it was told to, with 2 of 3 runs to go")
    assert "--retry-failed" in last
    runs = pd.read_csv(empty_folder / "r" / "runs.csv")
    assert list(runs["status"]) == ["failed"]
    log = (empty_folder / "r" / runs["log"][0]).read_text(encoding="utf-8")
    assert "raise RuntimeError('on purpose')" in log
    # Only what fails under one command counts, and where none is left nothing is stopped.
    assert run(*asked, "--max-failures", "2") == 1
    assert "Stopped after" not in capsys.readouterr().err
    assert list(pd.read_csv(empty_folder / "r" / "runs.csv")["status"]) == ["failed"] * 3
    # What failed before and was not tried again is still to do.
    assert run(*asked, "--retry-failed", "--fail-fast") == 1
    assert "Stopped after 1 failed run, as it was told to, with 2 of 3 runs to go" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--fail-fast", "--max-failures", "3"), "Expected --fail-fast or --max-failures. Received both"),
        (("--isolation", "proces"), "Unknown isolation 'proces'. Did you mean 'process'?"),
        (("--timeout", "-3"), "expected seconds, 0 or more, received '-3'."),
        (("--timeout", "soon"), "expected seconds, 0 or more, received 'soon'."),
        (("--max-failures", "-1"), "expected a whole number of 0 or more, received '-1'."),
    ],
)
def test_how_it_cannot_be_carried_out_is_refused_with_2(
    options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("sweep", *options) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_another_sweep_in_the_folder_is_refused_with_3(
    small_dataset: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    assert run(*words(small_dataset, tmp_path)) == 3
    assert capsys.readouterr().err.count("\n") == 1
    assert [each.name for each in tmp_path.iterdir()] == ["mine.txt"]


def test_an_altered_shard_is_named(small_dataset: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import shutil

    shutil.copytree(small_dataset.folder, tmp_path / "data")
    shard = tmp_path / "data" / "shards" / "00000.npz"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    code = run(*words(small_dataset, tmp_path / "r", data=tmp_path / "data"))
    assert code == 2
    assert "00000.npz" in capsys.readouterr().err


def start(arguments: list[str], cwd: Path, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bboxbench", *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]  # passed through
    )


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_sweep_ended_by_a_signal_keeps_its_runs_and_goes_on(
    small_dataset: Dataset, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    arguments = words(small_dataset, tmp_path / "r", losses="mse,giou", seeds=2)
    journal = tmp_path / "r" / "journal.jsonl"
    process = start(arguments, tmp_path)
    deadline = time.monotonic() + 200
    while not (journal.exists() and journal.read_bytes().count(b"\n")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, error = process.communicate(timeout=100)
    assert process.returncode == code
    assert "Traceback" not in error
    kept = journal.read_bytes().split(b"\n")[0]
    again = start(arguments, tmp_path)
    _, error = again.communicate(timeout=300)
    assert again.returncode == 0, error
    assert journal.read_bytes().split(b"\n")[0] == kept
    runs = pd.read_csv(tmp_path / "r" / "runs.csv")
    assert len(runs) == 4
    assert runs["run_id"].is_unique


@pytest.mark.slow
def test_a_full_disk_ends_with_4_and_the_sweep_goes_on_when_there_is_room(
    small_dataset: Dataset, tmp_path: Path
) -> None:
    arguments = words(small_dataset, tmp_path / "r", losses="mse,giou", seeds=2)
    limit = 6000

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    process = start(arguments, tmp_path, preexec_fn=small_files, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    _, error = process.communicate(timeout=300)
    assert process.returncode == 4, error
    assert error.splitlines()[-1].startswith("Error: Cannot write")
    assert "Traceback" not in error
    again = start(arguments, tmp_path)
    _, error = again.communicate(timeout=300)
    assert again.returncode == 0, error
    assert len(pd.read_csv(tmp_path / "r" / "runs.csv")) == 4


def test_a_loss_made_for_pixels_is_warned_of_unless_its_unit_is_given(
    small_dataset: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = words(small_dataset, tmp_path / "r", losses="mse,nwd,smooth_l1(beta=0.1),mpdiou(width=1,height=1)")
    assert run(*asked, "--dry-run") == 0
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Warning: ")]
    assert len(warnings) == 1
    assert warnings[0].startswith("Warning: The boxes of a sweep lie in [0, 1], and the loss 'nwd' is for pixels")
