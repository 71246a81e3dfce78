from __future__ import annotations

import subprocess
import sys

import pytest

from bboxbench import __version__, cli
from bboxbench.errors import BboxbenchError, CannotWrite, FolderConflict, InputError, unknown_name, write_errors


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as end:
        cli.main(list(words))
    return int(end.value.code or 0)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BboxbenchError, 1),
        (InputError, 2),
        (FolderConflict, 3),
        (CannotWrite, 4),
        (RuntimeError, 1),
        (KeyboardInterrupt, 130),
    ],
)
def test_every_error_ends_in_one_line_and_its_exit_code(
    error: type[BaseException], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*words: object, **options: object) -> None:
        raise error("it went\nwrong")

    monkeypatch.setattr(cli, "app", fail)
    assert run("sweep") == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert code == 130 or "it went wrong" in err


def test_debug_shows_where_it_happened(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*words: object, **options: object) -> None:
        raise InputError("wrong")

    monkeypatch.setattr(cli, "app", fail)
    assert run("sweep", "--debug") == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["swep"],
        ["--nonsense"],
        ["sweep", "--nonsense"],
        ["sweep", "--n"],
        ["sweep", "--n", "x"],
        ["sweep", "--n", "0"],
        ["sweep", "--epochs", "0"],
        ["sweep", "--epochs", "1.5"],
        ["sweep", "--dropout", "much"],
        ["sweep", "--dropout", "1"],
        ["sweep", "--seeds", "0"],
        ["sweep", "--seeds", "-1"],
        ["sweep", "--seeds", "1-"],
        ["sweep", "--seeds", "3,3"],
        ["sweep", "--preset", "quik"],
        ["sweep", "--losses", ""],
        ["sweep", "--losses", "mse,mse"],
        ["sweep", "--losses", "giuo"],
        ["sweep", "--losses", "mse("],
        ["sweep", "--initializers", "random_uniform(minvl=0)"],
        ["sweep", "--initializers", "he"],
        ["sweep", "--optimizers", "adam:0"],
        ["sweep", "--optimizers", "adim:0.1"],
        ["sweep", "--heads", "corner"],
        ["sweep", "--starts", "zero"],
        ["sweep", "--engine", "fast"],
        ["sweep", "--iou-threshold", "2"],
        ["sweep", "--spec", "nowhere.toml"],
        ["sweep", "--data", "nowhere"],
        ["sweep", "extra"],
        ["verify"],
        ["verify", "nowhere"],
        ["preview", "nowhere"],
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("workplace")
def test_wrong_usage_is_one_line_and_code_2_and_writes_nothing(
    words: list[str], workplace: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert list(workplace.iterdir()) == []  # type: ignore[attr-defined]  # a Path, by the fixture


@pytest.mark.parametrize(("words", "guess"), [(["swep"], "sweep"), (["sweep", "--losses", "giuo"], "giou")])
@pytest.mark.usefixtures("workplace")
def test_a_near_miss_is_answered_with_a_guess(words: list[str], guess: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(*words)
    assert f"Did you mean '{guess}'?" in capsys.readouterr().err


def test_an_unknown_name_far_from_all_gets_the_list_and_no_guess() -> None:
    message = str(unknown_name("loss", "qqqq", ["mse", "giou"]))
    assert "Did you mean" not in message
    assert message.endswith("Expected one of: giou, mse.")


def test_refusals_of_the_system_become_one_line_and_other_errors_pass() -> None:
    import errno

    with pytest.raises(CannotWrite, match=r"no space.*"), write_errors("x"):
        raise OSError(errno.ENOSPC, "full", "y")
    with pytest.raises(ConnectionError), write_errors("x"):
        raise ConnectionError(errno.ECONNRESET, "other")


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"bboxbench {__version__}\n"


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "bboxbench", "--version"], capture_output=True, text=True, check=True)
    assert __version__ in done.stdout


def test_a_reader_that_goes_away_leaves_no_traceback() -> None:
    code = "import sys; from bboxbench.cli import main; main(['--help'])"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    error = process.stderr.read()
    process.wait(timeout=60)
    process.stderr.close()
    assert b"Traceback" not in error
