"""docs/importing.md says what is true: its code runs and prints what it says, and it names every fault and array."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bboxbench.data_gen import coco, importing
from bboxbench.data_gen.imported import IMPORTED_COLUMNS, ImportedSpec, imported_arrays

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "importing.md").read_text("utf-8")


def first_column(heading: str) -> list[str]:
    """The first cells of the table below a heading."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| ([^|]*?) \|", section, re.MULTILINE)[2:]


def test_the_code_on_the_page_prints_what_stands_below_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    ((code, printed),) = re.findall(r"```python\n(.*?)```\n.*?```text\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(code, "importing.md", "exec"), {})
    assert capsys.readouterr().out == printed


def test_every_kind_of_fault_is_on_the_page_and_no_other() -> None:
    sources = "".join(Path(str(module.__file__)).read_text("utf-8") for module in (coco, importing))
    known = set(
        re.findall(r'_fault\([^,]+, "([^"]+)"|Fault\(name, "([^"]+)"|return "([^"]+)"|"kind": "([^"]+)"', sources)
    )
    kinds = {next(filter(None, found)) for found in known} | {coco.ORPHAN}
    told = {kind.strip() for cell in first_column("What cannot be used") for kind in cell.split(",")}
    assert told == kinds


def test_every_array_and_column_is_on_the_page() -> None:
    spec = ImportedSpec(1, 0, 200, 100, "pad", ("a",), "0" * 64, 5)
    assert [name.strip("`") for name in first_column("What is in the folder")] == list(imported_arrays(spec))
    line = PAGE.split("`boxes.csv` has the columns")[1].split("\n\n")[0]
    assert tuple(re.findall(r"`(\w+)`", line)) == IMPORTED_COLUMNS


def test_every_picture_on_the_page_is_made_by_the_script() -> None:
    script = (DOCS.parent / "scripts" / "importing_pictures.py").read_text("utf-8")
    shown = re.findall(r"\]\(images/importing/(.*?)\)", PAGE)
    assert shown == [path.name for path in (DOCS / "images" / "importing").iterdir()]
    assert all(f'"{name}"' in script for name in shown)
