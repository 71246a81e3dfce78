"""docs/statistics.md says what is true: its numbers come out, and it explains every figure."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from bboxbench.experiments.columns import COMPARISONS, OUTCOME_RATES
from bboxbench.experiments.statistics import expected_restarts, power, wilson

PAGE = (Path(__file__).parents[2] / "docs" / "statistics.md").read_text(encoding="utf-8")


def test_the_example_prints_what_the_page_says() -> None:
    code, printed = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)[0]
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "docs/statistics.md", "exec"), {})
    assert out.getvalue() == printed


@pytest.mark.parametrize("seeds", [3, 5, 6, 10, 20, 40])
def test_the_table_of_seeds_is_what_comes_out(seeds: int) -> None:
    none, half = wilson(0, seeds), wilson(seeds / 2, seeds)
    row = [
        str(seeds),
        f"{2 / 2**seeds:.2g}" if seeds >= 6 else "none",
        *(f"{power(seeds, win_rate):.2f}" for win_rate in (0.7, 0.8, 0.9)),
        *(f"{each.low:.2f} to {each.high:.2f}" for each in (none, half)),
    ]
    assert f"| {' | '.join(row)} |" in PAGE


def test_the_numbers_in_the_text_are_what_comes_out() -> None:
    assert f"{wilson(18, 20).low:.2f} to {wilson(18, 20).high:.2f}" == "0.70 to 0.97"
    assert f"{wilson(20, 20).low:.2f}" == "0.84"
    assert f"{wilson(5, 5).low:.2f}" == "0.57"
    assert f"{expected_restarts(18, 20).value:.1f} {expected_restarts(2, 20).value:.0f}" == "1.1 10"
    assert [f"{1 - 2 / 2**n:.0%}" for n in (5, 3)] == ["94%", "75%"]
    for said in ("0.70 to 0.97", "20 of 20 is 0.84 to 1", "Wilson says 0.57 to 1", "probability of 0.80"):
        assert said in PAGE


def test_every_figure_is_explained() -> None:
    bounds = re.compile(r"_(low|high)$")
    figures = [
        name for name in COMPARISONS if name not in ("by", "where", "a", "b", "seeds") and not bounds.search(name)
    ]
    figures += [*OUTCOME_RATES.values(), "expected_restarts", "box_accuracy_median", "box_accuracy_iqm", "rival"]
    assert [name for name in [*figures, "profile_05", "profile_95"] if f"`{name}`" not in PAGE] == []


def test_every_source_is_listed_and_used() -> None:
    text, sources = PAGE.split("## Sources")
    listed = re.findall(r"^(\d+)\. ", sources, re.MULTILINE)
    text = text.replace("[0, 1]", "")
    used = {number for group in re.findall(r"\[([\d, ]+)\](?!\()", text) for number in group.split(", ")}
    assert set(listed) == used
