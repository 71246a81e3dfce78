"""What docs/watching.md says of events is what the commands print, and its figures are those that were measured."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bboxbench.cli import main
from bboxbench.data_gen import Dataset
from bboxbench.durations import duration
from bboxbench.experiments.cells import CELL
from bboxbench.experiments.columns import DISTRIBUTION, RUNS
from bboxbench.experiments.estimate import Estimate
from bboxbench.experiments.tally import STATES

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "watching.md").read_text(encoding="utf-8")


def documented(heading: str) -> set[str]:
    """The keys in the table below a heading of the page."""
    (section,) = re.findall(rf"^### {re.escape(heading)}\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return {key for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for key in re.findall("`(.*?)`", row)}


def keys(event: dict[str, Any]) -> set[str]:
    return set(event) - {"event"}


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, list[dict[str, Any]]]:
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    return int(end.value.code or 0), [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_events_of_a_sweep_have_the_keys_on_the_page(
    small_dataset: Dataset, empty_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bboxbench.experiments.execution.in_process.estimate_on", lambda *_: Estimate(0.0, {}))
    (empty_folder / "half_broken_loss_module.py").write_text(
        "import keras\n"
        "def bad(y_true, y_pred):\n"
        "    if y_pred.shape[0] not in (2, 6):\n"
        "        raise RuntimeError('on purpose')\n"
        "    return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)\n"
    )
    words = ["sweep", "--preset", "quick", "--data", small_dataset.folder, "--out", "r", "--seeds", 1, "--epochs", 1]
    words += ["--losses", "half_broken_loss_module:bad,iou_unguarded", "--batch-sizes", 4]
    words += ["--isolation", "none", "--json", "--quiet"]
    code, events = run(capsys, *words)
    assert code == 1
    kinds = {event["event"]: event for event in events}
    assert set(kinds) - {"warning"} == {"plan", "epoch", "run", "progress", "done", "error"}
    for kind in ("plan", "epoch", "progress", "error"):
        assert keys(kinds[kind]) == documented(f"`{kind}`")
    assert keys(kinds["done"]) == documented("`done` of `sweep`")
    assert all(keys(event) <= set(RUNS) for event in events if event["event"] == "run")
    assert set(kinds["done"]["cells"][0]) == set(DISTRIBUTION)
    assert set(kinds["done"]["failed"][0]) == {"run_id", "error", "log"}
    assert events[-1] is kinds["error"]


def test_the_events_of_status_and_collect_have_the_keys_on_the_page(
    write_sweep: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_sweep(tmp_path / "r", {"mse": "good", "giou": "failed"})
    _, (status,) = run(capsys, "status", folder, "--json")
    assert keys(status) == documented("`status`")
    assert set(status["cells"][0]) == {*CELL, "planned", "done", *STATES, "best", "median"}
    _, (done,) = run(capsys, "collect", folder, "--out", tmp_path / "all", "--json", "--quiet")
    assert keys(done) == documented("`done` of `collect`")


def test_a_warning_has_the_keys_on_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    from bboxbench.cli.console import Console

    Console(as_json=True).warn("mended")
    assert keys(json.loads(capsys.readouterr().out)) == documented("`warning`")


def test_what_was_foreseen_is_what_was_measured() -> None:
    measured = json.loads((ROOT / "docs" / "data" / "eta.json").read_text(encoding="utf-8"))
    for sweep in measured:
        first = sweep["first_block"]
        wrong = first["said"] / first["was"] - 1
        shown = [duration(seconds) for seconds in (sweep["seconds"], first["after"], first["said"], first["was"])]
        row = f"| `{sweep['command']}` | {sweep['runs']} | {' | '.join(shown)} | {100 * wrong:+.0f} % |"
        assert row in PAGE, row
        assert abs(wrong) < 0.25
