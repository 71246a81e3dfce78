"""What the pages and docstrings say is what happens."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import importlib.util
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def results_page() -> str:
    spec = importlib.util.spec_from_file_location("results_page", ROOT / "scripts" / "results_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.page())


def test_the_page_of_results_is_the_one_the_tables_give() -> None:
    assert (ROOT / "docs" / "results.md").read_text(encoding="utf-8") == results_page(), (
        "stale: python scripts/results_page.py > docs/results.md"
    )


def test_the_example_on_the_page_of_results_prints_what_it_says() -> None:
    code, printed = re.findall(r"```(?:python|text)\n(.*?)```", results_page(), re.DOTALL)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "docs/results.md", "exec"), {})
    assert out.getvalue() == printed


@pytest.mark.parametrize("name", ["data_gen", "experiments.recipe", "experiments.seeds"])
def test_examples_in_docstrings_run(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"bboxbench.{name}"))
    assert result.attempted > 0
    assert result.failed == 0


def pages() -> list[Path]:
    return [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_every_dependency_has_its_reason_in_the_architecture() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    names = [re.split(r"[<>=]", requirement)[0] for requirement in wanted]
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").lower()
    assert [name for name in names if name not in text] == []
