from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bboxbench import __version__, cli
from bboxbench.cli import commands
from bboxbench.data_gen import DatasetSpec, generate
from bboxbench.errors import BboxbenchError, CannotWrite, FolderConflict, InputError, unknown_name, write_errors


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as end:
        cli.main(list(words))
    return int(end.value.code or 0)


ENDINGS = pytest.mark.parametrize(
    ("error", "code"),
    [
        (BboxbenchError, 1),
        (InputError, 2),
        (FolderConflict, 3),
        (CannotWrite, 4),
        (RuntimeError, 1),
        (KeyError, 1),
        (KeyboardInterrupt, 130),
    ],
)
"""Every kind of error, what nobody foresaw among them, and its exit code."""


def let_it_end(error: type[BaseException], monkeypatch: pytest.MonkeyPatch, said: str = "") -> None:
    """Every command says ``said`` on stdout, then raises the error."""

    def fail(*words: object, **options: object) -> None:
        sys.stdout.write(said)
        raise error("it went\nwrong")

    monkeypatch.setattr(commands, "app", fail)


@ENDINGS
def test_every_error_ends_in_one_line_and_its_exit_code(
    error: type[BaseException], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    let_it_end(error, monkeypatch)
    assert run("sweep") == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "Traceback" not in err
    # A KeyError shows its words as Python writes them.
    assert code == 130 or "it went wrong" in err.replace(r"\n", " ")


@ENDINGS
def test_a_program_hears_of_every_error_as_its_last_event(
    error: type[BaseException], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    let_it_end(error, monkeypatch, '{"event":"run"}\n')
    assert run("sweep", "--json") == code
    out, err = capsys.readouterr()
    last = json.loads(out.splitlines()[-1])
    assert (last["event"], last["code"]) == ("error", code)
    assert err.removeprefix("Error: ") == last["text"] + "\n"


@pytest.mark.parametrize(
    "words",
    [
        ["sweep", "--json", "--epochs", "x"],
        ["sweep", "--nonsense", "--json"],
        ["verify", "nowhere", "--json"],
        ["report", "nowhere", "--json"],
        ["collect", "nowhere", "--out", "all", "--json"],
        ["losses", "show", "giuo", "--json"],
        ["diagnose", "--json"],
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("empty_folder")
def test_wrong_usage_is_an_event_too(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*words) == 2
    out, err = capsys.readouterr()
    (event,) = map(json.loads, out.splitlines())
    assert event == {"event": "error", "code": 2, "text": err.removeprefix("Error: ").rstrip("\n")}


def test_debug_shows_where_it_happened(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*words: object, **options: object) -> None:
        raise InputError("wrong")

    monkeypatch.setattr(commands, "app", fail)
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
        ["sweep", "--precision", "half"],
        ["sweep", "--network", "letterbox"],
        ["sweep", "--network", "nowhere:build"],
        ["sweep", "--network", "keras:Model"],
        ["sweep", "--network", "keras.layers:serialize"],
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
def test_wrong_usage_is_one_line_and_code_2_and_writes_nothing(
    words: list[str], empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert list(empty_folder.iterdir()) == []


@pytest.mark.parametrize(("words", "guess"), [(["swep"], "sweep"), (["sweep", "--losses", "giuo"], "giou")])
@pytest.mark.usefixtures("empty_folder")
def test_a_near_miss_is_answered_with_a_guess(words: list[str], guess: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(*words)
    assert f"Did you mean '{guess}'?" in capsys.readouterr().err


def test_an_unknown_name_far_from_all_gets_the_list_and_no_guess() -> None:
    message = str(unknown_name("loss", "qqqq", ["mse", "giou"]))
    assert "Did you mean" not in message
    assert message.endswith("Expected one of: giou, mse.")


def test_refusals_of_the_system_become_one_line_and_other_errors_pass() -> None:
    with pytest.raises(CannotWrite, match=r"no space.*"), write_errors("x"):
        raise OSError(errno.ENOSPC, "full", "y")
    with pytest.raises(ConnectionError), write_errors("x"):
        raise ConnectionError(errno.ECONNRESET, "other")


def test_no_words_at_all_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    out, err = capsys.readouterr()
    assert "Usage: bboxbench" in out
    assert err == ""


def test_wrong_usage_names_the_help_of_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    run("generate", "--n", "x")
    assert "Try 'bboxbench generate --help'." in capsys.readouterr().err


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


INTERRUPT_WHILE_IMPORTING = """
import os, signal, sys
sys.modules.pop("typer", None)

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == WANTED:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
"""
AS_SCRIPT = "from bboxbench.cli import main\nmain(['--help'])\n"
AS_MODULE = "import runpy\nsys.argv[1:] = ['--help']\nrunpy.run_module('bboxbench', run_name='__main__')\n"


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send itself Ctrl-C there")
@pytest.mark.parametrize("start", [AS_SCRIPT, AS_MODULE], ids=["script", "module"])
@pytest.mark.parametrize("name", ["bboxbench.cli.commands", "typer", "bboxbench.errors", "rich.progress"])
def test_ctrl_c_while_it_is_still_loading_is_130_and_one_line(name: str, start: str) -> None:
    code = f"WANTED = {name!r}\n{INTERRUPT_WHILE_IMPORTING}{start}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "Interrupted; the same command begins anew.\n"


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send itself Ctrl-C there")
@pytest.mark.parametrize(
    ("command", "kept"),
    [
        *((name, True) for name in ("generate", "import", "export", "sweep")),
        *((name, False) for name in ("verify", "preview", "predict", "status", "report", "losses")),
    ],
)
def test_ctrl_c_says_that_a_command_goes_on_only_where_it_keeps_something(command: str, kept: bool) -> None:
    start = f"import sys\nfrom bboxbench.cli import main\nmain(['--debug', {command!r}, '--help'])\n"
    code = f"WANTED = 'bboxbench.cli.commands'\n{INTERRUPT_WHILE_IMPORTING}{start}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    goes_on = "what is finished is kept. The same command goes on from here."
    expected = goes_on if kept else "the same command begins anew."
    assert (done.returncode, done.stderr) == (130, f"Interrupted; {expected}\n")


def test_the_way_in_imports_nothing_that_takes_time() -> None:
    code = "import sys; before = set(sys.modules); import bboxbench.cli; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"__future__", "bboxbench", "bboxbench.cli"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a file on a disk that is always full")
@pytest.mark.parametrize("words", [["--help"], ["--version"], ["generate", "--n", "2", "--json"]], ids=" ".join)
def test_a_full_disk_behind_stdout_is_4_and_one_line(words: list[str], tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "bboxbench", *words], stdout=full, stderr=subprocess.PIPE, cwd=tmp_path, check=False
        )
    assert done.returncode == 4
    assert done.stderr.splitlines()[-1].startswith(b"Error: Cannot write the output: no space is left")
    assert b"Exception ignored" not in done.stderr


def test_what_cannot_be_opened_is_never_called_the_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*words: object, **options: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "secret.toml")

    monkeypatch.setattr(commands, "app", fail)
    assert run("sweep") == 1
    assert "Cannot write" not in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions of this kind are POSIX's")
@pytest.mark.parametrize("command", ["verify", "preview", "generate"])
@pytest.mark.parametrize("locked", ["dataset.json", "shards/00000.npz", "."])
def test_a_data_set_that_may_not_be_read_is_said_to_be_that(command: str, locked: str, readable: Path) -> None:
    (readable / locked).chmod(0)
    # Root may read anything, so it becomes somebody else, once a first run has imported all that is imported late.
    child = (
        "import os, sys\nfrom bboxbench.cli import main\n"
        "command, folder = sys.argv[1:]\n"
        "try: main(['generate', '--n', '3', '--out', folder + '-2', '--quiet'])\n"
        "except SystemExit as end: assert not end.code\n"
        "try: main(['preview', folder + '-2'])\n"
        "except SystemExit as end: assert not end.code\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "main(['generate', '--n', '3', '--out', folder] if command == 'generate' else [command, folder])\n"
    )
    arguments = [sys.executable, "-c", child, command, str(readable)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    error = (done.stderr.splitlines() or [""])[-1]
    assert "Traceback" not in done.stderr
    if (command, locked) == ("generate", "shards/00000.npz") and os.geteuid() != 0:
        # The owner of the folder may put a new shard in the place of one that he may not read.
        assert done.returncode == 0, done.stderr
    elif command == "generate" and locked != "dataset.json":
        # A folder is generate's to write, and it draws a shard that it cannot read again.
        assert (done.returncode, "Cannot write" in error) == (4, True), done.stderr
    else:
        assert done.returncode == 2, done.stderr
        said = done.stdout if (command, locked) == ("verify", "shards/00000.npz") else error
        # Typer itself looks at the folder, and has words of its own.
        assert (
            f"'{readable}' is not readable" in said if locked == "." else f"Cannot read {readable / locked}: " in said
        )
        assert "permission denied" in said or locked == "."


@pytest.fixture
def readable() -> Iterator[Path]:
    """A data set of three in a folder that everybody may enter."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        folder = Path(place) / "d"
        generate(DatasetSpec.letters(n=3), folder, 1)
        yield folder
        folder.chmod(0o755)
