from __future__ import annotations

import io
import json
import re
import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console as RichConsole

from bboxbench.cli import live as module
from bboxbench.cli.console import Console
from bboxbench.cli.live import LiveView, Progress, progress_words, under_way
from bboxbench.experiments.estimate import Estimate
from bboxbench.experiments.plan import Run, plan
from bboxbench.experiments.spec import SweepSpec
from bboxbench.experiments.sweep import Plan
from bboxbench.experiments.tally import Tally


@pytest.fixture(scope="module")
def planned() -> Plan:
    """Two losses, two initializers, three seeds; a run is estimated to take ten seconds."""
    spec = SweepSpec.from_preset(
        "quick", losses=["mse", "giou"], initializers=["he_normal", "glorot_uniform"], seeds=3, epochs=4
    )
    runs = tuple(plan(spec, ""))
    seconds = {run.run_id: 10.0 for run in runs}
    return Plan(spec, len(runs), 0, 1200, 200, 2000, 2, Estimate(120.0, {}, seconds), (), (), runs)


def finished(run: Run, state: str = "converged") -> dict[str, Any]:
    row = {"run_id": run.run_id, "seed": run.seed, **run.cell.row(), "seconds": 3.0, "symptom": "", "error": ""}
    if state == "failed":
        return {**row, "status": "failed", "error": "ValueError: [bold] on purpose.", "box_accuracy": None}
    return {**row, "status": "ok", "outcome": state, "box_accuracy": 0.95}


def terminal(console: Console, width: int, height: int = 24) -> io.StringIO:
    """Puts a terminal of that size in the place of stderr."""
    written = io.StringIO()
    console.stderr = RichConsole(file=written, force_terminal=True, width=width, height=height, highlight=False)
    return written


def plain(written: io.StringIO) -> list[str]:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.getvalue()).replace("\r", "\n").split("\n")


def test_off_a_terminal_every_run_is_a_line_and_nothing_is_drawn_over(
    planned: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    with LiveView(Console()) as view:
        view.planned(planned)
        for run in planned.all_runs[:4]:
            view.epoch(run, 4)
            view.finished(finished(run, "failed" if run is planned.all_runs[0] else "converged"))
    out, err = capsys.readouterr()
    assert out == ""
    assert "\x1b" not in err
    assert "[1/12] mse he_normal seed 0: failed; ValueError: [bold] on purpose; 3.0 s\n" in err
    assert "[4/12] giou glorot_uniform seed 0: converged; box accuracy 0.950; 3.0 s\n" in err


def test_off_a_terminal_a_line_says_now_and_then_how_long_it_will_take(
    planned: Plan, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 0.0)
    with LiveView(Console()) as view:
        view.planned(planned)
        view.finished(finished(planned.all_runs[0], "blind"))
        view.finished(finished(planned.all_runs[1], "failed"))
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Training: ")]
    assert re.fullmatch(r"Training: 1 of 12 runs, about .* left \(1 blind\)", lines[0])
    assert re.fullmatch(r"Training: 2 of 12 runs, 1 failed, about .* left \(1 blind, 1 failed\)", lines[1])


@pytest.mark.parametrize(("width", "height"), [(60, 24), (80, 24), (120, 40), (60, 8), (30, 10)])
def test_what_is_drawn_over_is_never_larger_than_the_terminal(planned: Plan, width: int, height: int) -> None:
    progress = Progress(Tally(), 4)
    for run in planned.all_runs:
        progress.tally.plan(run.cell.row(), 100_000)
        progress.tally.add(finished(run, "failed"))
    progress.under_way = {run.run_id: (run.seed, 2.5) for run in planned.all_runs}
    progress.seconds_left = lambda: 12_345.0
    written = io.StringIO()
    RichConsole(file=written, force_terminal=True, width=width, height=height, highlight=False).print(progress)
    lines = plain(written)[:-1]
    assert len(lines) < height
    assert max(map(cell_len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    assert "12 of 1,200,000 runs" in text
    if width >= 60:
        assert "12 of 1,200,000 runs, 12 failed, about 3 h 25 min left" in text
        assert "Training seeds 0, 1, 2: 12 runs, epoch 2.5 of 4" in text


def test_on_a_terminal_a_table_follows_the_runs_and_only_failures_get_a_line(planned: Plan) -> None:
    console = Console()
    written = terminal(console, 80)
    with LiveView(console) as view:
        view.planned(planned)
        for k, run in enumerate(planned.all_runs[:4]):
            view.epoch(run, 4)
            view.finished(finished(run, "failed" if k == 0 else "converged"))
        assert view._live is not None
        view._live.refresh()
    lines = plain(written)
    assert [line for line in lines if line.startswith("[")] == [
        "[1/12] mse he_normal seed 0: failed; ValueError: [bold] on purpose; 3.0 s"
    ]
    assert any(re.search(r"4 of 12 runs, 1 failed, about .* left", line) for line in lines)
    assert any(re.fullmatch(r"  giou +1/3 +1 +0\.950 +0\.950", line.rstrip()) for line in lines)
    assert max(map(cell_len, lines)) <= 80


def test_nothing_changes_while_the_table_is_drawn(planned: Plan) -> None:
    """It is drawn by a thread of its own, which would stumble over what changes meanwhile."""
    view = LiveView(Console(quiet=True))
    view.planned(planned)
    progress = view._progress
    assert progress is not None
    draw = progress.table.lines
    run, during = planned.all_runs[0], []

    def drawn(width: int, most: int | None = None) -> list[Any]:
        for change in (lambda: view.epoch(run, 1.5), lambda: view.finished(finished(run))):
            changing = threading.Thread(target=change)
            changing.start()
            changing.join(0.2)
            during.append((changing.is_alive(), len(progress.under_way), progress.tally.done))
        return draw(width, most)

    progress.table.lines = drawn  # type: ignore[method-assign]
    RichConsole(file=io.StringIO(), width=80, height=24).print(progress)
    assert during == [(True, 0, 0), (True, 0, 0)]
    deadline = time.monotonic() + 20
    while progress.tally.done == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert progress.tally.done == 1


def test_of_a_sweep_that_was_stopped_the_table_remains(planned: Plan) -> None:
    left = {}
    for ending in (None, KeyboardInterrupt):
        console = Console()
        written = terminal(console, 80)
        try:
            with LiveView(console) as view:
                view.planned(planned)
                view.finished(finished(planned.all_runs[0]))
                if ending is not None:
                    raise ending
        except KeyboardInterrupt:
            pass
        left[ending] = written.getvalue()
    erase = "\x1b[2K"
    assert left[None].rstrip().endswith(erase)
    assert not left[KeyboardInterrupt].rstrip().endswith(erase)
    assert "1 of 12 runs" in left[KeyboardInterrupt]


def test_what_was_finished_before_is_in_the_table_and_not_in_the_time_that_is_left(
    planned: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tuple(finished(run, "blind") for run in planned.all_runs[:8])
    left = Estimate(40.0, {}, {run.run_id: 10.0 for run in planned.all_runs[8:]})
    with LiveView(Console(as_json=True, quiet=True)) as view:
        view.planned(replace(planned, finished=8, kept=kept, estimate=left))
        assert view._progress is not None
        assert view._progress.words() == "8 of 12 runs, about 40 s left"
        for run in planned.all_runs[8:]:
            view.finished(finished(run))
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[-1] == {"event": "progress", "finished": 12, "runs": 12, "failed": 0, "eta_seconds": 0.0}


def test_events_go_to_stdout_while_a_table_is_drawn_on_the_terminal(
    planned: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    console = Console(as_json=True)
    written = terminal(console, 80)
    with LiveView(console) as view:
        view.planned(planned)
        view.finished(finished(planned.all_runs[0]))
    told = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert [event for event in told if event != "progress"] == ["plan", "run"]
    assert '"event"' not in written.getvalue()


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ([], ""),
        ([(3, 2.44)], "Training seed 3: 1 run, epoch 2.4 of 8"),
        ([(3, 2.4), (3, 1.0)], "Training seed 3: 2 runs, epoch 2.4 of 8"),
        ([(7, 0.5), (3, 2.4)], "Training seeds 3, 7: 2 runs, epoch 0.5 to 2.4 of 8"),
        ([(k, 1) for k in range(40)], "Training seeds 0, 1, 2, 3 and 36 more: 40 runs, epoch 1.0 of 8"),
    ],
)
def test_what_trains_is_said_by_seed(runs: list[tuple[int, float]], said: str) -> None:
    assert under_way(runs, 8) == said


def test_progress_in_words() -> None:
    assert progress_words(1, 1, 0, 0.0) == "1 of 1 run"
    assert progress_words(12, 320, 2, 12_000) == "12 of 320 runs, 2 failed, about 3 h 20 min left"
    assert progress_words(0, 320, 0, None) == "0 of 320 runs"
