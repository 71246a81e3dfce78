from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sweeps_here import sweep_here

from bboxbench.errors import CannotWrite
from bboxbench.experiments import sweep
from bboxbench.experiments.estimate import Estimate
from bboxbench.experiments.execution import in_process
from bboxbench.experiments.listener import Listener
from bboxbench.experiments.report import PAGE, write_report
from bboxbench.experiments.sweep import SweepResult


class Hearing(Listener):
    """Keeps the warnings of a sweep."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, text: str) -> None:
        self.warnings.append(text)


def test_a_sweep_leaves_the_page_that_the_command_makes(undisturbed: SweepResult) -> None:
    path = undisturbed.folder / PAGE
    assert path in undisturbed.written
    left = path.read_text(encoding="utf-8")
    assert left.count("<tr data-loss=") == 2 * 2
    assert "were not found" not in left
    assert write_report(undisturbed.folder).read_text(encoding="utf-8") == left


def test_a_page_that_cannot_be_made_is_one_warning_and_the_sweep_stands(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Path:
        raise RuntimeError("drawn\nwrong")

    monkeypatch.setattr(sweep, "write_page", fail)
    monkeypatch.setattr(in_process, "estimate_on", lambda *_: Estimate(0.0, {}))
    hearing = Hearing()
    result = sweep_here(tiny(losses=["mse"], seeds=1, epochs=1), tmp_path / "r", hearing)
    assert len(result.runs) == 1
    assert result.failed == ()
    assert not (tmp_path / "r" / PAGE).exists()
    assert tmp_path / "r" / PAGE not in result.written
    assert hearing.warnings == [
        f"The report was not made whole (RuntimeError: drawn wrong). Try again: bboxbench report {tmp_path / 'r'} "
        f"makes the page, bboxbench plot {tmp_path / 'r'} all the figures."
    ]


def test_a_full_disk_is_told_from_a_page_that_cannot_be_made(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Path:
        raise CannotWrite("no space is left")

    monkeypatch.setattr(sweep, "write_page", full)
    monkeypatch.setattr(in_process, "estimate_on", lambda *_: Estimate(0.0, {}))
    with pytest.raises(CannotWrite, match="no space is left"):
        sweep_here(tiny(losses=["mse"], seeds=1, epochs=1), tmp_path / "r")
    assert (tmp_path / "r" / "runs.csv").exists()
