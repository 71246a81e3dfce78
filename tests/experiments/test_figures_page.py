"""The page of figures says what the catalogue says, and its examples do what it says."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

from bboxbench.experiments.figures import FIGURES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")


def test_the_page_has_every_figure_with_its_words_in_order() -> None:
    entries = re.findall(r"^### (.+)\n\n`(\w+)`: (.+)\n\n!\[.+\]\(images/figures/(\w+)\.svg\)$", PAGE, re.MULTILINE)
    assert entries == [(each.title, each.name, each.explanation, each.name) for each in FIGURES.values()]


@pytest.mark.parametrize("name", FIGURES)
def test_the_pictures_of_the_page_are_figures_of_this_style(name: str) -> None:
    text = (ROOT / "docs" / "images" / "figures" / f"{name}.svg").read_text(encoding="utf-8")
    assert text.startswith("<?xml")
    assert "#222222" in text


def test_the_examples_on_the_page_run_and_print_what_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    first, second = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (printed,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(first, "docs/figures.md", "exec"), names)
    assert out.getvalue() == printed
    exec(compile(second, "docs/figures.md", "exec"), names)
    assert names["axis"].lines
