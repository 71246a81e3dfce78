"""Bad invocations, made from what every command says that it takes: one line, exit code 2, nothing written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from bboxbench.cli import commands, main

UNFIT = {
    "N": ("x", "-1", "1.5", "nan", ""),
    "PX": ("x", "-1", "nan"),
    "X": ("x", "-1", "nan"),
    "IOU": ("x", "-1", "2", "nan", "inf"),
    "SHARE": ("x", "-1", "1", "nan"),
    "SECONDS": ("x", "-1", "nan", "inf"),
    "SEEDS": ("x", "-1", "0", "5-2", "3,3", "1.5", ""),
    "NAME": ("nonsense",),
    "NAMES": ("nonsense", "a(", "a,a", ","),
    "NUMBERS": ("x", "-1", "0", "nan", "3,3"),
    "DEGREES": ("x", "-1", "nan", "inf", ""),
    "LEVELS": ("x", "-1", "nan", "inf"),
    "GLYPHS": ("latin-uper", "", "ABA", "U+", "=", "a b", "e\u0301", "\u4e2d"),
    "FONT": ("nonsense", "", "nowhere.ttf", "/dev/null"),
    "RULE": ("nonsense", "nonsense=1", "loss=nonsense", "="),
    "MIN-MAX": ("x", "9-3", "0-9", "1-"),
    "png|svg|both": ("gif",),
}
"""What no option with such a value takes."""

READ = {
    ("generate", "--spec"),
    ("generate", "--resume"),
    ("generate", "--pictures"),
    ("sweep", "--data"),
    ("sweep", "--spec"),
    ("report", "--data"),
    ("plot", "--data"),
    ("diagnose", "--data"),
}
"""Options that name what is to be read: a place where nothing is does not fit."""


def parts(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with the words that lead to it, groups included."""
    yield path, command
    for name, each in getattr(command, "commands", {}).items():
        yield from parts(each, (*path, name))


def bad() -> Iterator[tuple[str, ...]]:
    """Command lines each with one thing wrong."""
    for path, command in parts(typer.main.get_command(commands.app)):
        options = {name: each for each in command.params for name in each.opts if name.startswith("-")}
        yield (*path, "--nonsense")
        if hasattr(command, "commands"):
            yield (*path, "nonsense")
        elif not any(each.param_type_name == "argument" for each in command.params):
            yield (*path, "extra")
        if any(each.required for each in command.params):
            yield path
        for name, each in options.items():
            if name in ("--help", "-h"):
                continue
            if len(name) > 4 and (misspelt := name[:-1]) not in options:
                yield (*path, misspelt)
            if each.is_flag:
                if name.startswith("--"):
                    yield (*path, f"{name}=nonsense")
                continue
            yield (*path, name)
            for value in UNFIT.get(each.metavar, ()):
                yield (*path, name, value)
            if (path[0], name) in READ:
                yield (*path, name, "nowhere")


BAD = sorted(set(bad()))


def test_enough_of_them_were_found_for_every_command() -> None:
    assert len(BAD) > 500
    names = set(typer.main.get_command(commands.app).commands)  # type: ignore[attr-defined]
    assert {words[0] for words in BAD if len(words) > 1} >= names


@pytest.fixture(autouse=True)
def no_work_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """An invocation that is taken for good fails its test at once, in place of drawing and training for hours."""

    def work(*_: object, **__: object) -> None:
        raise AssertionError("it was taken for a good one")

    for place in ("sweep.dataset_of", "simulation_results._open"):
        monkeypatch.setattr(f"bboxbench.experiments.{place}", work)


@pytest.mark.parametrize("words", BAD, ids=" ".join)
def test_a_bad_invocation_ends_in_one_line_and_code_2_and_writes_nothing(
    words: tuple[str, ...], empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(list(words))
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, ""), err
    assert err.startswith("Error: "), err
    assert err.count("\n") == 1, err
    assert "not an error bboxbench expects" not in err, err
    assert list(empty_folder.iterdir()) == []
