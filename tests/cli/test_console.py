from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bboxbench.cli import console as module
from bboxbench.cli.console import Console, duration


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (60, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3600, "1 h 00 min"),
        (18420, "5 h 07 min"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@given(st.floats(0, 2e5))
def test_a_duration_never_shows_sixty_of_anything(seconds: float) -> None:
    assert " 60 " not in f" {duration(seconds)} "


def test_off_a_terminal_progress_is_plain_lines_with_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter(range(0, 1000, 20))
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    with Console().progress("Training", 100, "epochs") as ticker:
        ticker.update(50)
        ticker.update(60, "2 blind")
        ticker.update(100)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "Training: 50 of 100 epochs",
        "Training: 60 of 100 epochs, about 2 min 40 s left (2 blind)",
        "Training: 100 of 100 epochs",
    ]
    assert "\x1b" not in err


def test_lines_come_no_more_often_than_every_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    with Console().progress("Drawing", 1000, "pictures") as ticker:
        for done in range(1, 31):
            ticker.update(done)
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_quiet_says_nothing_but_shows_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(quiet=True)
    console.say("on the way")
    console.show("the answer")
    with console.progress("Drawing", 1, "pictures") as ticker:
        ticker.update(1)
    assert capsys.readouterr() == ("the answer\n", "")


def test_json_is_one_object_a_line_and_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(quiet=True, as_json=True)
    console.show("the answer")
    console.event("run", loss="mse", box_accuracy=0.5)
    out = capsys.readouterr().out
    assert [json.loads(line) for line in out.splitlines()] == [{"event": "run", "loss": "mse", "box_accuracy": 0.5}]


def test_brackets_in_a_message_are_not_taken_for_markup(capsys: pytest.CaptureFixture[str]) -> None:
    Console().say("[3/8] mse [bold]")
    assert capsys.readouterr().err == "[3/8] mse [bold]\n"
