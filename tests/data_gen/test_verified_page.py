"""What docs/datasets.md says was verified is what a run of the script kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from loaded_scripts import loaded

from bboxbench.data_gen.presets import PRESETS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> Any:
    """The script, which is in no package."""
    return loaded("scripts/verify_pictures.py")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return list(json.loads((ROOT / "docs" / "data" / "verified.json").read_text(encoding="utf-8")))


def test_the_table_on_the_page_is_the_one_that_was_measured(script: Any, rows: list[dict[str, Any]]) -> None:
    text = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
    assert text == script.page(text, rows), "stale: python scripts/verify_pictures.py --table"
    assert text.count(script.START) == text.count(script.END) == 1


def test_every_preset_was_verified_and_every_box_was_exact(rows: list[dict[str, Any]]) -> None:
    assert [row["preset"] for row in rows] == list(PRESETS)
    assert [row for row in rows if row["exact"] != row["n"] or row["problems"]] == []


def test_an_inexact_box_shows_in_the_table(script: Any, rows: list[dict[str, Any]]) -> None:
    wrong = [{**rows[0], "n": 1000, "exact": 998, "problems": 3}, *rows[1:]]
    assert "| `letters` | 1,000 | 998 | 1 |" in script.table(wrong)
    assert script.page(f"a\n{script.START}\nb\n{script.END}\nc", rows).startswith(f"a\n{script.START}\n| preset |")


@pytest.mark.slow
def test_the_script_draws_verifies_and_leaves_nothing(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(script.PARTS, "letters", (50, 2))
    row = script.verified("letters", 0.2, tmp_path)
    assert (row["preset"], row["n"], row["exact"], row["problems"]) == ("letters", 20, 20, 0)
    assert list(tmp_path.iterdir()) == []
