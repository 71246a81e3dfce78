"""docs/sweeps.md: its commands plan as many runs as it says, and its file has every key with its default."""

from __future__ import annotations

import dataclasses
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bboxbench.experiments.cells import CELL
from bboxbench.experiments.plan import plan
from bboxbench.experiments.seeds import VARIABLE, VARY
from bboxbench.experiments.spec import SweepSpec, read_toml

PAGE = (Path(__file__).parents[2] / "docs" / "sweeps.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    bboxbench sweep (.*?)  # (\d+) runs$", PAGE, re.MULTILINE)


def spec_of(line: str) -> SweepSpec:
    """The spec of a command line of options that each take a value."""
    words = shlex.split(line)
    given: dict[str, Any] = {}
    for option, value in zip(words[::2], words[1::2], strict=True):
        name = option.removeprefix("--").replace("-", "_")
        if name in ("include", "exclude"):
            given.setdefault(name, []).append(value)
        else:
            given[name] = int(value) if name in ("epochs", "patience") else value
    return SweepSpec.from_preset("default", **given)


@pytest.mark.parametrize(("line", "runs"), COMMANDS)
def test_a_command_of_the_page_plans_as_many_runs_as_it_says(line: str, runs: str) -> None:
    assert len(plan(spec_of(line), "")) == int(runs)


def test_every_command_of_the_page_is_tried() -> None:
    assert len(COMMANDS) == PAGE.count("\n    bboxbench sweep ") >= 7


def test_the_file_of_the_page_has_every_key_with_its_default(tmp_path: Path) -> None:
    (content,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert list(tomllib.loads(content)) != []
    assert set(tomllib.loads(content)) == {field.name for field in dataclasses.fields(SweepSpec)}
    path = tmp_path / "mine.toml"
    path.write_text(content, encoding="utf-8")
    values = dict(read_toml(path))
    assert SweepSpec.from_preset(**values) == SweepSpec()


def test_the_page_names_every_axis_and_everything_that_may_vary() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ", PAGE, re.MULTILINE)
    assert rows == [*CELL, "seed", *VARIABLE]
    assert f"The default is `{','.join(VARY)}`" in PAGE
