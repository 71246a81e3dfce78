"""The page of losses and its pictures are those that the losses give now."""

from __future__ import annotations

import dataclasses
import math
import re
import sys
from pathlib import Path

import keras
import pytest

from bboxbench.losses import names, registry

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images" / "losses"
NAMES = [name for name in names() if registry.loss_class(name).__module__.startswith("bboxbench.losses.")]


def import_scripts(*modules):
    """Modules of the folder scripts, which is no package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts")
        found = [__import__(module) for module in modules]
    assert all(Path(module.__file__).parent == ROOT / "scripts" for module in found), sys.path
    return found


page, curves, pictures = import_scripts("losses_page", "losses_curves", "losses_pictures")


@pytest.fixture
def clean_registry(monkeypatch):
    monkeypatch.setattr(registry, "_LOSSES", dict(registry._LOSSES))


def differences(kept, computed, where=""):
    """Where two samples differ by more than their rounding."""
    if isinstance(kept, dict) and isinstance(computed, dict):
        keys = sorted(kept.keys() | computed.keys())
        return [line for key in keys for line in differences(kept.get(key), computed.get(key), f"{where}.{key}")]
    if isinstance(kept, list) and isinstance(computed, list) and len(kept) == len(computed):
        pairs = zip(kept, computed, strict=True)
        return [line for i, (a, b) in enumerate(pairs) for line in differences(a, b, f"{where}[{i}]")]
    if isinstance(kept, float) and isinstance(computed, float):
        same = math.isclose(kept, computed, rel_tol=1e-3, abs_tol=1e-6)
    else:
        same = kept == computed
    return [] if same else [f"{where}: {kept} is now {computed}"]


def test_the_page_is_the_one_the_losses_give():
    assert (ROOT / "docs" / "losses.md").read_text(encoding="utf-8") == page.page(), "stale: make docs"


def test_there_is_a_picture_of_every_loss_and_no_other():
    assert sorted(path.name for path in IMAGES.iterdir()) == sorted(f"{name}.png" for name in [*NAMES, "overview"])


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_shows_what_its_loss_computes(name):
    assert differences(pictures.read_samples(IMAGES / f"{name}.png"), curves.samples(name)) == [], "stale: make docs"


def test_the_overview_shows_what_each_picture_shows():
    kept = {name: pictures.read_samples(IMAGES / f"{name}.png")["slide"] for name in NAMES}
    assert differences(pictures.read_samples(IMAGES / "overview.png"), kept) == [], "stale: make docs"


def test_a_picture_that_is_drawn_keeps_what_it_shows(tmp_path):
    pictures.draw("iou_unguarded", tmp_path / "drawn.png")
    kept = pictures.read_samples(tmp_path / "drawn.png")
    assert differences(kept, curves.samples("iou_unguarded")) == []
    assert {"inf", "nan"} <= {*kept["slide"]["value"], *kept["slide"]["gradient"]}, "what is not finite is kept, too"


def test_a_stale_picture_is_seen(monkeypatch):
    kept = pictures.read_samples(IMAGES / "giou.png")
    assert differences(kept, curves.samples("diou"))
    monkeypatch.setattr(curves, "side_of", lambda name: 32.0)
    assert differences(kept, curves.samples("giou")) != []
    assert differences([1.0, "inf"], [1.0, 2.0])
    assert differences([1.0], [1.0, 1.0])
    assert differences({"a": 1.0}, {})


def test_a_stale_page_is_seen(monkeypatch):
    cls, before = registry.loss_class("giou"), page.page()
    monkeypatch.setattr(cls, "card", dataclasses.replace(cls.card, monotone=False))
    before, after = (" ".join(text.split()) for text in (before, page.page()))
    row, section, advice = (
        "| [`giou`](#giou-giouloss) | yes | 2 | **no** |",
        "at most 2, can fall",
        "`extended_iou`, `giou`,",
    )
    assert all(after.count(words) == before.count(words) + 1 for words in (row, section, advice))


def test_losses_of_others_are_not_on_the_page(clean_registry):
    before = page.page()
    registry.register("somebody_elses", type("SomebodyElses", (keras.losses.Loss,), {}))
    assert page.page() == before
    assert sorted(page.built_in()) == NAMES


def test_links_within_the_page_lead_to_a_heading():
    text = page.page()
    anchors = [page.anchor(title) for title in re.findall(r"^#+ (.*)", text, re.MULTILINE)]
    assert len(set(anchors)) == len(anchors), "two headings of one name"
    links = set(re.findall(r"\]\(#([^)]+)\)", text))
    assert len(links) > len(NAMES)
    assert links - set(anchors) == set()


def test_a_formula_is_whole_and_no_line_of_it_begins_a_list():
    found = dict(re.findall(r"^- \*\*Function\*\*: `(\w+)`\n- \*\*Value\*\*: `([^`]*)`", page.page(), re.MULTILINE))
    for name, cls in page.built_in().items():
        formula = found[cls.function.__name__]
        assert " ".join(formula.split()) == cls.card.formula, name
        assert not re.search(r"^\s*(?:[-+*>#]|\d+[.)])\s", formula, re.MULTILINE), name


def test_lines_are_not_longer_than_120_columns_outside_tables():
    assert [line for line in page.page().splitlines() if len(line) > 120 and not line.startswith("|")] == []
