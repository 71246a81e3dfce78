"""docs/looking.md and docs/streaming.md say what is true: their commands and code run, and print what stands below."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bboxbench.cli import main

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str) -> list[tuple[str, str]]:
    """Each block of Python, and the text that stands right below it, "" where none does."""
    text = (DOCS / page).read_text("utf-8")
    return re.findall(r"```python\n(.*?)```\n(?:```text\n(.*?)```)?", text, re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["looking.md", "streaming.md"])
def test_the_code_on_the_page_runs_and_prints_what_stands_below_it(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    found = blocks(page)
    assert found
    for code, printed in found:
        exec(compile(code, page, "exec"), names)
        assert capsys.readouterr().out == printed


@pytest.mark.slow
def test_the_commands_on_the_page_print_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "60")
    text = (DOCS / "looking.md").read_text("utf-8")
    commands = re.findall(r"^    bboxbench (.*)$", text, re.MULTILINE)
    assert len(commands) == 5
    shown = []
    for command in commands:
        with pytest.raises(SystemExit) as ended:
            main(command.split())
        assert not ended.value.code
        shown.append(capsys.readouterr().out)
    table = re.findall(r"```text\n(.*?)```", text, re.DOTALL)[0]
    assert [line.rstrip() for line in shown[1].splitlines()] == table.splitlines()


def test_every_picture_on_the_page_is_made_by_the_script() -> None:
    text = (DOCS / "looking.md").read_text("utf-8")
    script = (DOCS.parent / "scripts" / "looking_pictures.py").read_text("utf-8")
    shown = re.findall(r"\]\(images/looking/(.*?)\)", text)
    assert sorted(shown) == sorted(path.name for path in (DOCS / "images" / "looking").iterdir())
    assert all(f'"{name}"' in script for name in shown)
    for command in re.findall(r"^    bboxbench preview .*--out (\S+)$", text, re.MULTILINE):
        assert f"--out {command}" in script
