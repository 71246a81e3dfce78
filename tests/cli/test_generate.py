from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from bboxbench.cli import main
from bboxbench.data_gen import open_dataset


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["generate", *arguments])
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_draws_into_a_folder_that_tells_what_it_holds(capsys, tmp_path: Path) -> None:
    code, out, err = run(capsys, "--n", "12", "--seed", "5")
    folder = tmp_path / "data" / "letters-n12-seed5"
    assert code == 0
    assert out.startswith("Drew 12 pictures with exact boxes into data/letters-n12-seed5: ")
    assert "bboxbench verify data/letters-n12-seed5" in err
    assert (open_dataset(folder).n, open_dataset(folder).spec.seed) == (12, 5)


def test_the_second_time_it_says_that_nothing_was_drawn(capsys) -> None:
    run(capsys, "--n", "12")
    code, out, _ = run(capsys, "--n", "12")
    assert code == 0
    assert "already holds these 12 pictures, complete; nothing was drawn" in out


def test_json_gives_events_on_stdout_and_quiet_leaves_stderr_empty(capsys) -> None:
    code, out, err = run(capsys, "--n", "7", "--out", "d", "--json", "--quiet")
    events = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert err == ""
    assert [event["event"] for event in events] == ["progress", "progress", "done"]
    assert events[-1]["sha256"] == open_dataset("d").sha256
    assert events[-1]["drawn"] is True


def test_sizes_other_than_the_presets_get_a_folder_of_their_own(capsys) -> None:
    code, _, _ = run(capsys, "--n", "5", "--sizes", "40-44")
    (folder,) = Path("data").iterdir()
    assert code == 0
    assert folder.name.startswith("letters-n5-seed0-")
    assert open_dataset(folder).spec.sizes == (40, 44)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--n", "0"], "'--n': expected a whole number of 1 or more, received '0'"),
        (["--n", "-4"], "received '-4'"),
        (["--n", "many"], "received 'many'"),
        (["--n", "1e3"], "received '1e3'"),
        (["--n", "999999999999"], "100000000 or less"),
        (["--seed", "-1"], "'--seed': expected a whole number from 0"),
        (["--seed", "x"], "received 'x'"),
        (["--workers", "0"], "'--workers': expected a whole number of 1 or more"),
        (["--preset", "leters"], "Did you mean 'letters'?"),
        (["--sizes", "32..64"], "as 32-64, received '32..64'"),
        (["--sizes", "64-32"], "received 64 before 32"),
        (["--sizes", "32-164"], "choose a glyph size that fits"),
        (["--out", "file"], "received the file file"),
        (["--out", "file/below"], "received the file file"),
        (["--colour", "red"], "--colour"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(capsys, arguments: list[str], message: str) -> None:
    Path("file").write_text("precious")
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert message.lower() in err.lower()
    assert [path.name for path in Path().iterdir()] == ["file"]
    assert Path("file").read_text() == "precious"


def test_another_data_set_in_the_folder_is_3_with_the_difference(capsys) -> None:
    run(capsys, "--n", "5", "--out", "d")
    before = Path("d/dataset.json").read_bytes()
    code, _, err = run(capsys, "--n", "6", "--out", "d")
    assert code == 3
    assert "n 5 instead of 6" in err
    assert Path("d/dataset.json").read_bytes() == before


def test_something_else_in_the_folder_is_3(capsys) -> None:
    Path("d").mkdir()
    Path("d/notes").touch()
    code, _, err = run(capsys, "--n", "6", "--out", "d")
    assert code == 3
    assert "holds notes" in err
    assert [path.name for path in Path("d").iterdir()] == ["notes"]


@pytest.mark.parametrize("place", ["/proc/bboxbench", "x" * 300])
def test_a_place_where_no_folder_can_be_made_is_4(capsys, place: str) -> None:
    code, _, err = run(capsys, "--n", "6", "--out", place)
    assert code == 4
    assert err.count("\n") == 1
    assert "Cannot write" in err


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions of this kind are POSIX's")
def test_a_folder_without_permission_is_4() -> None:
    # Root may write anywhere, so it becomes somebody else, once a first run has imported all that is imported late.
    child = (
        "import os, sys\nfrom bboxbench.cli import main\n"
        "try: main(['generate', '--n', '1', '--out', sys.argv[1] + '/first', '--quiet'])\n"
        "except SystemExit as end: assert not end.code\n"
        "os.chmod(sys.argv[1], 0o555)\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "main(['generate', '--n', '6', '--out', sys.argv[1] + '/second'])\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([sys.executable, "-c", child, folder], capture_output=True, text=True, check=False)
        Path(folder).chmod(0o755)
        assert done.returncode == 4, done.stderr
        assert f"Cannot write {folder}/second: permission denied" in done.stderr
        assert [path.name for path in Path(folder).iterdir()] == ["first"]


def test_generate_never_imports_what_is_heavy(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom bboxbench.cli import main\n"
        "try: main(['generate', '--n', '3', '--out', sys.argv[1], '--quiet'])\n"
        "except SystemExit as end: assert not end.code\n"
        "print([m for m in ('tensorflow', 'keras', 'pandas', 'matplotlib', 'sklearn') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "d")], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\n[]\n")


@pytest.mark.parametrize("columns", ["50", "80"])
@pytest.mark.parametrize("command", ["generate", "verify", "preview"])
def test_help_fits_the_terminal_and_shows_an_example(columns: str, command: str) -> None:
    environment = {**os.environ, "COLUMNS": columns, "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "bboxbench", command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert all(len(line) <= int(columns) for line in done.stdout.splitlines())
    assert f"bboxbench {command} " in done.stdout[done.stdout.index("Example") :]
    assert "data/-n" not in done.stdout
