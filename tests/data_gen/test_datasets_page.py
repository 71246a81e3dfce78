"""docs/datasets.md says what is true: its code runs, and it names every column, array and key."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bboxbench.data_gen import Dataset, DatasetSpec
from bboxbench.data_gen.attributes import arrays_of, columns_of

PAGE = Path(__file__).parents[2] / "docs" / "datasets.md"


@pytest.mark.slow
def test_the_code_on_the_page_runs_and_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) >= 5
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    printed = capsys.readouterr().out
    assert "(150, 100, 200, 1) (150, 4) (100, 100, 200) (250, 100, 200, 3) (250, 4)\n" in printed
    assert printed.count("(50, 100, 200, 1) (50, 4)\n") == 3
    assert "{'train': 150, 'validation': 100, 'test': 250}\n" in printed
    assert names["letter"].size  # type: ignore[attr-defined]


def test_every_array_column_and_key_is_explained(tiny: Dataset) -> None:
    text = PAGE.read_text("utf-8")
    manifest = json.loads((tiny.folder / "dataset.json").read_text())
    everything = DatasetSpec(preset="hard", masks=True)
    for name in (*arrays_of(everything), *columns_of(everything), *manifest, *manifest["shards"][0]):
        assert f"`{name}`" in text, name
