"""docs/exports.md says what is true: its code runs and prints what stands beside it, and it names every format."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bboxbench.data_gen.exports import FORMATS
from bboxbench.data_gen.exports.csv_tables import COLUMNS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "exports.md").read_text("utf-8")
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


@pytest.mark.skipif(sys.platform == "win32", reason="the system tells nothing of an ended process's memory")
def test_what_measures_time_and_memory_prints_a_row_a_format(tmp_path: Path) -> None:
    options = ["--n=20", "--width=64", "--height=48", "--repeats=2", "--formats", "coco", "csv"]
    command = [sys.executable, str(ROOT / "benchmarks" / "exports.py"), *options]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    rows = re.findall(
        r"^\| `(\w+)` \| [\d.]+ \([\d.]+ to [\d.]+\) \| [\d.]+ \| (\d+) MB \| [\d.]+ MB \|$", done.stdout, re.M
    )
    assert [form for form, _ in rows] == ["coco", "csv"]
    assert all(int(peak) > 10 for _, peak in rows)
    assert list(tmp_path.iterdir()) == []
    assert "python benchmarks/exports.py" in PAGE
