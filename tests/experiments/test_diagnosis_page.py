"""What docs/diagnosis.md says is what the code does, and what advice cites is there."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import numpy as np

from bboxbench.experiments import diagnose
from bboxbench.experiments.diagnosis import mistakes
from bboxbench.experiments.diagnosis.advice import ADVICE
from bboxbench.experiments.diagnosis.mistakes import KINDS
from bboxbench.experiments.diagnosis.reading import EXAMPLE, read_pairs
from bboxbench.experiments.outcomes import BLIND_CORRELATION

W, H = 200, 100
ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "diagnosis.md").read_text(encoding="utf-8")


def headings(page: Path) -> set[str]:
    """The anchors of a Markdown page, as its readers make them."""
    found = re.findall("^#+ (.*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


def test_every_advice_rests_on_an_address_or_on_a_heading_of_the_findings() -> None:
    known = headings(ROOT / "docs" / "findings.md")
    for advice in ADVICE.values():
        page, _, anchor = advice.source.partition("#")
        if page == "docs/findings.md":
            assert anchor in known, advice.source
        else:
            assert re.match(r"https://[\w.-]+\.\w+/\S+$", advice.source), advice.source


def test_slips_rest_on_an_address_or_on_a_heading_of_the_findings() -> None:
    known = headings(ROOT / "docs" / "findings.md")
    low = np.random.default_rng(0).uniform([1, 1], [150, 50], (400, 2))
    truth = np.concatenate([low, low + np.array([12, 40])], axis=1)
    for predicted in (truth[:, [1, 0, 3, 2]], truth[:, [2, 3, 0, 1]], truth[::-1]):
        source = diagnose(truth, predicted, width=W, height=H).advice[0].source
        assert source.startswith("https://") or source.removeprefix("docs/findings.md#") in known


def test_the_text_on_the_page_of_diagnosis_is_what_the_command_prints() -> None:
    pairs = read_pairs(ROOT / "docs" / "data" / "pinned.csv")
    found = diagnose(pairs.y_true, pairs.y_pred, bounding_box_format=pairs.box_format, width=W, height=H)
    blocks = re.findall("```text\n(.*?)```", PAGE, re.DOTALL)
    assert str(found).startswith(blocks[0])
    assert blocks[1] == EXAMPLE


def test_the_code_on_the_page_of_diagnosis_prints_what_it_says() -> None:
    code = re.findall("```python\n(.*?)```", PAGE, re.DOTALL)[0]
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "docs/diagnosis.md", "exec"), {})
    assert out.getvalue() == re.findall("```text\n(.*?)```", PAGE, re.DOTALL)[2]


def test_the_page_of_diagnosis_names_every_slip_and_its_thresholds() -> None:
    rows = set(re.findall(r"^\| `([a-z ]+)` \|", PAGE, re.MULTILINE))
    assert rows == set(KINDS)
    said = " ".join(PAGE.split())
    assert f"rises by at least {mistakes.RISE:g} and by half" in said
    assert mistakes.FACTOR == 1.5
    assert f"lies {mistakes.ABOVE_MEAN_BOX:g} or more above that of the mean box" in said
    assert f"(correlation {BLIND_CORRELATION:g} or more)" in said
    assert f"correlation of {mistakes.FIT_CORRELATION:g} and a mean IoU of {mistakes.FIT_IOU:g}" in said
