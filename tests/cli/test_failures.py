from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from bboxbench.cli.failures import MOST, failure_lines, failure_values, retry_command


def row(loss: str, seed: int, error: str, log: Any = "") -> dict[str, Any]:
    run_id = f"{loss}-s{seed}"
    return {"run_id": run_id, "loss": loss, "initializer": "he_normal", "seed": seed, "error": error, "log": log}


def test_runs_of_one_error_stand_together_with_a_log_and_the_command() -> None:
    failed = [row("own:a", seed, "ValueError: no", f"logs/own-s{seed}.log") for seed in range(5)]
    failed.append(row("own:b", 0, "no step was finished for 30 s", float("nan")))
    assert failure_lines(failed, 20, Path("r"), "bboxbench sweep --retry-failed") == [
        "6 of 20 runs failed:",
        "  own:a he_normal seed 0, own:a he_normal seed 1, own:a he_normal seed 2 and 2 more: ValueError: no",
        "    r/logs/own-s0.log",
        "  own:b he_normal seed 0: no step was finished for 30 s",
        "Train them again: bboxbench sweep --retry-failed",
    ]


def test_where_none_failed_nothing_is_said() -> None:
    assert failure_lines([], 20, Path("r"), "again") == []


def test_many_errors_are_not_all_listed() -> None:
    failed = [row("mse", seed, f"error {seed}" + "x" * 1000) for seed in range(MOST + 7)]
    lines = failure_lines(failed, 40, Path("r"), "again")
    assert len(lines) == MOST + 3
    assert max(map(len, lines)) < 400
    assert lines[-2] == f"  and 7 other errors: see {Path('r') / 'runs.csv'}"


def test_a_program_gets_every_failed_run() -> None:
    assert failure_values([row("mse", 1, "no", "logs/a.log"), row("mse", 2, "no", None)]) == [
        {"run_id": "mse-s1", "error": "no", "log": "logs/a.log"},
        {"run_id": "mse-s2", "error": "no", "log": ""},
    ]


def test_the_command_can_be_copied_and_names_the_option_once() -> None:
    words = ["sweep", "--losses", "mse,centre_point(size_weight=1)", "--retry-failed", "--out", "my results"]
    assert shlex.split(retry_command(words)) == [
        *("bboxbench", "sweep", "--losses", "mse,centre_point(size_weight=1)", "--out", "my results", "--retry-failed")
    ]
