"""docs/extending.md and the README say what is true: their examples run and print what stands there."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bboxbench.cli import main
from bboxbench.experiments.own_loss import AWKWARD, ORDINARY

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"(?:<!-- file: (?P<file>\S+) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)```", re.DOTALL)


@pytest.fixture
def installed(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The page's file in the current folder, and its entry points as an installer writes them."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "path", [*sys.path, str(empty_folder)])
    for block in BLOCK.finditer(PAGE):
        if block["file"]:
            (empty_folder / block["file"]).write_text(block["text"], encoding="utf-8")
        elif block["kind"] == "toml":
            info = empty_folder / "my_package-1.0.dist-info"
            info.mkdir()
            (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
            ((group, points),) = tomllib.loads(block["text"])["project"]["entry-points"].items()
            lines = [f"[{group}]", *(f"{name} = {path}" for name, path in points.items())]
            (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    yield
    sys.modules.pop("my_losses", None)


def printed(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """All that a command line prints."""
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(shlex.split(command)[1:])
    return "".join(capsys.readouterr())


@pytest.mark.usefixtures("installed")
def test_every_command_and_example_of_the_page_prints_what_stands_there(capsys: pytest.CaptureFixture[str]) -> None:
    out, compared = "", 0
    for block in BLOCK.finditer(PAGE):
        if block["kind"] == "console":
            command, _, expected = block["text"].removeprefix("$ ").partition("\n")
            assert printed(command, capsys) == expected
            compared += 1
        elif block["kind"] == "python" and not block["file"]:
            kept = io.StringIO()
            with contextlib.redirect_stdout(kept):
                exec(compile(block["text"], "docs/extending.md", "exec"), {})
            out = kept.getvalue()
        elif block["kind"] == "text":
            assert out == block["text"]
            compared += 1
    assert compared == 4


@pytest.mark.usefixtures("installed")
def test_the_losses_of_the_page_can_be_planned_by_path_and_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    from bboxbench.experiments.plan import plan
    from bboxbench.experiments.spec import SweepSpec

    (line,) = re.findall(r"^ {4}bboxbench sweep --losses \"(.*?)\"", PAGE, re.MULTILINE)
    by_path, by_name = (
        plan(SweepSpec.from_preset("quick", losses=text.split(","), seeds=1), "data")
        for text in (line, line.replace("my_losses:", ""))
    )
    assert [run.cell.loss for run in by_name] == ["mse", "my_losses:edges(power=1.5)"]
    assert by_path == by_name
    by_name[1].cell.make_loss()


def test_the_page_says_how_many_pairs_are_tried() -> None:
    assert len(ORDINARY) + sum(map(len, AWKWARD.values())) == 12
    assert "tried on a dozen pairs" in PAGE


def test_the_output_of_losses_in_the_readme_is_real(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (command, shown), *_ = re.findall(r"^ {4}(bboxbench losses compare .*?)\n\n```text\n(.*?)```", readme, re.M | re.S)
    assert printed(command.partition("  #")[0], capsys) == shown
