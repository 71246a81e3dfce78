"""docs/exports.md says what is true: its code runs and prints what stands beside it, and it names every format."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from bboxbench.data_gen.exports import FORMATS
from bboxbench.data_gen.exports.csv_tables import COLUMNS

PAGE = (Path(__file__).parents[3] / "docs" / "exports.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.slow
def test_the_code_on_the_page_runs_and_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    names: dict[str, object] = {}
    for block in BLOCKS:
        capsys.readouterr()
        exec(compile(block, "docs/exports.md", "exec"), names)
        said = re.findall(r"^print\(.*\)  # (.*)$", block, re.MULTILINE)
        assert capsys.readouterr().out.splitlines()[-1:] == said
    rows = list(csv.reader((tmp_path / "automl.csv").read_text("utf-8").splitlines()))
    assert {len(row) for row in rows} == {11}
    box = ["0.29", "0.43", "", "", "0.42", "0.83", "", ""]
    assert rows[0] == ["TRAINING", "gs://bucket/train/00000000.png", "t", *box]


def test_every_format_and_column_is_on_the_page() -> None:
    assert [name for name in FORMATS if f"| `{name}` |" not in PAGE] == []
    assert [name for name in COLUMNS if f"`{name}`" not in PAGE] == []
    assert len(BLOCKS) == len(FORMATS) + 2
