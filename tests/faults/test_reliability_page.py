"""The table of faults: every test that it names is there, and every fault has one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))
EXIT_CODES = {"-9", "0", "1", "2", "3", "4", "130"}


def functions_of(file: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.FunctionDef)}


def rows() -> list[list[str]]:
    """The cells of each line of the tables, without their heads."""
    lines = [line for line in PAGE.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[0] not in ("fault", "---")]


@pytest.mark.parametrize(("file", "name"), NAMED, ids=lambda value: str(value)[:60])
def test_every_test_that_the_page_names_is_there(file: str, name: str) -> None:
    assert name.startswith("test_")
    assert name in functions_of(ROOT / file)


def test_every_fault_has_what_happens_an_exit_code_and_a_test() -> None:
    assert len(rows()) >= 15
    for before, row in zip([None, *rows()], rows(), strict=False):
        fault, happens, code, shown = row
        assert fault
        assert happens
        assert code in EXIT_CODES, row
        assert "::test_" in shown or (shown == "the same" and before is not None), row


def test_every_module_of_faults_is_on_the_page() -> None:
    here = {f"tests/faults/{file.name}" for file in Path(__file__).parent.glob("test_*.py")}
    assert here - {"tests/faults/test_reliability_page.py"} == {file for file, _ in NAMED if "/faults/" in file}
