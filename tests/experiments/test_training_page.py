"""docs/training.md shows what its script made: every command, what it printed, every picture."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from loaded_scripts import loaded
from PIL import Image

from bboxbench.cli.train import train

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "training.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def script() -> Any:
    return loaded("scripts/training_pictures.py")


def test_the_page_says_what_the_commands_printed(script: Any) -> None:
    assert script.filled(PAGE) == PAGE
    assert "```text\n```" not in PAGE


def test_every_command_of_the_script_stands_on_the_page(script: Any) -> None:
    assert [each for each in script.TRAININGS.values() if f"    bboxbench {each}\n" not in PAGE] == []


def test_every_picture_is_shown_and_can_be_opened() -> None:
    shown = re.findall(r"\]\((images/training/[^)]+)\)", PAGE)
    assert sorted(shown) == sorted(f"images/training/{path.name}" for path in (DOCS / "images" / "training").iterdir())
    for each in shown:
        with Image.open(DOCS / each) as picture:
            picture.load()


def test_the_options_that_the_page_names_exist() -> None:
    options = {f"--{name.replace('_', '-')}" for name in train.__annotations__}
    named = {
        option for line in PAGE.splitlines() if "bboxbench train" in line for option in re.findall(r"--[a-z-]+", line)
    }
    assert named - options == set()
