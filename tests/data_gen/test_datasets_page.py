"""docs/datasets.md says what is true: its code runs, and it names every column, array and key."""

from __future__ import annotations

import io
import json
import re
import runpy
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bboxbench.data_gen import Dataset, DatasetSpec, generate, verify
from bboxbench.data_gen.alphabets import GLYPH_SETS, parse_glyphs
from bboxbench.data_gen.attributes import arrays_of, columns_of
from bboxbench.data_gen.fonts import font_path
from bboxbench.data_gen.presets import PRESETS
from bboxbench.data_gen.spec_checks import BACKGROUNDS
from bboxbench.data_gen.spec_file import FOUND, read_spec
from bboxbench.errors import InputError

PAGE = Path(__file__).parents[2] / "docs" / "datasets.md"

AMOUNTS = ("rotation", "scale", "shear", "shift", "blur", "noise")
"""Fields that are numbers, whole or not."""


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


def test_the_spec_in_a_file_on_the_page_is_complete_and_draws(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (tmp_path / "mine.toml").write_text(text, "utf-8")
    (tmp_path / "fonts").mkdir()
    shutil.copy(font_path("DejaVuSerif-Italic"), tmp_path / "fonts" / "My.ttf")
    (tmp_path / "photographs").mkdir()
    Image.effect_noise((300, 200), 60).convert("RGB").save(tmp_path / "photographs" / "grey.png")
    spec = read_spec(tmp_path / "mine.toml", n=12)
    assert {key.replace("-", "_") for key in tomllib.loads(text)} == set(PRESETS["letters"]) - set(FOUND) | {"preset"}
    assert all(getattr(spec, name) != value for name, value in PRESETS["letters"].items())
    dataset = generate(spec, tmp_path / "data", workers=1)
    assert verify(dataset.folder).exact == 12


def test_all_there_is_to_choose_from_is_on_the_page() -> None:
    text = PAGE.read_text("utf-8")
    for name in (*PRESETS, *PRESETS["letters"], *GLYPH_SETS, *BACKGROUNDS):
        assert f"`{name}`" in text or name in FOUND, name


def test_what_the_page_says_of_glyphs_is_so() -> None:
    rows = re.findall(r"^\| (`.*?) \|", PAGE.read_text("utf-8").split("### Glyphs")[1].split("###")[0], re.MULTILINE)
    items = [item for row in rows for item in re.findall(r"`(.*?)`", row)]
    assert set(items) > set(GLYPH_SETS)
    for item in items:
        assert parse_glyphs(item)


def test_the_ranges_on_the_page_are_those_that_are_taken() -> None:
    found = re.findall(r"^\| `(\w+)` \| ([\d.]+) to ([\d.]+) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(found) == 8
    for name, *ends in found:
        least, most = (float(end) if "." in end or name in AMOUNTS else int(end) for end in ends)
        for good in (least, most):
            DatasetSpec(**{name: (good, good) if name == "scale" else good}, checked=False)
        for bad in (least - 1, most + 1):
            with pytest.raises(InputError):
                DatasetSpec(**{name: (bad, bad) if name == "scale" else bad}, checked=False)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_pictures_of_presets_are_what_these_draw(preset: str) -> None:
    script = runpy.run_path(str(PAGE.parents[1] / "scripts" / "dataset_pictures.py"))
    drawn, there = (
        np.asarray(Image.open(source))
        for source in (io.BytesIO(script["page"](preset)), script["IMAGES"] / f"{preset}.png")
    )
    np.testing.assert_array_equal(drawn, there, "stale: python scripts/dataset_pictures.py")
    assert f"images/datasets/{preset}.png" in PAGE.read_text("utf-8")
