from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from made_up_runs import made_up_runs
from rich.cells import cell_len
from rich.console import Console

from bboxbench.cli import table
from bboxbench.experiments.tables import distribution_table, runs_table


def sweep(*cells: dict[str, Any]) -> Any:
    usual = {"accuracy": (0.031, 0.456), "outcome": "blind", "symptom": "pinned"}
    runs = made_up_runs(*(usual | cell for cell in cells))
    baselines = pd.DataFrame([{"baseline": "mean", "box_accuracy": 0.02, "keras_accuracy": 0.6}])
    return SimpleNamespace(runs=runs, distribution=distribution_table(runs), baselines=baselines)


LONG = sweep(
    {"loss": "centre_point(size_weight=1)", "initializer": "random_uniform(maxval=0.05,minval=-0.05)"},
    {"loss": "focaler(base=inner(base=ciou,ratio=0.7),low=0.0,high=0.95)", "initializer": "glorot_uniform"},
    {"loss": "mse", "initializer": "glorot_uniform"},
)
SHORT = sweep({"loss": "mse", "initializer": "glorot_uniform"}, {"loss": "giou", "initializer": "glorot_uniform"})


def shown(of: Any, width: int, **options: Any) -> list[str]:
    console = Console(width=width, file=io.StringIO(), highlight=False, **options)
    console.print(table.summary(of, width))
    return str(console.file.getvalue()).splitlines()  # type: ignore[attr-defined]  # it is the StringIO


@pytest.mark.parametrize(
    ("values", "strip"),
    [
        ([0.0], "█·········"),
        ([1.0], "·········█"),
        ([0.0, 0.05, 0.95, 1.0], "█········█"),
        ([0.0] * 8 + [0.55], "█····▁····"),
    ],
)
def test_the_strip_counts_runs_by_tenths(values: list[float], strip: str) -> None:
    assert table.strip(values) == strip


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160])
@pytest.mark.parametrize("of", [LONG, SHORT])
def test_the_summary_fits_the_terminal_and_keeps_its_figures_whole(of: Any, width: int) -> None:
    lines = shown(of, width)
    assert max(cell_len(line) for line in lines) <= width
    text = "\n".join(lines)
    for whole in ("0 of 2", "0.00 to 0.66", "0.243", "0.031 to 0.456", "2 blind", "0.95", "mean box", "█···█·····"):
        assert whole in text


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_no_part_of_a_long_name_is_lost(width: int) -> None:
    text = "".join("".join(line.split()) for line in shown(LONG, width))
    for part in ("centre_point", "(size_weight=1)", "focaler", "(base=inner", "ratio=0.7)", "high=0.95)"):
        assert part in text


@pytest.mark.parametrize("width", [60, 80, 100, 160])
@pytest.mark.parametrize("of", [LONG, SHORT])
def test_no_line_ends_in_blanks(of: Any, width: int) -> None:
    lines = shown(of, width)
    assert [line for line in lines if line != line.rstrip()] == []
    assert "" in lines


def test_a_baseline_takes_two_lines_at_the_narrowest() -> None:
    lines = shown(SHORT, 60)
    first = next(i for i, line in enumerate(lines) if "mean box" in line)
    assert lines[first + 1].split()[0] == "blind"
    assert lines[first + 2] == ""


def test_a_wide_terminal_has_a_line_a_cell_and_a_narrow_one_two() -> None:
    def with_figures(width: int) -> int:
        return sum("0.031 to 0.456" in line and "0 of 2" in line for line in shown(SHORT, width))

    assert with_figures(160) == 2
    assert with_figures(60) == 0


def test_every_heading_stands_once_above_its_cells() -> None:
    lines = [line.rstrip() for line in shown(LONG, 100)]
    assert lines.count("glorot_uniform") == lines.count("random_uniform(maxval=0.05,minval=-0.05)") == 1
    assert lines.index("one box for every picture") < next(i for i, line in enumerate(lines) if "mean box" in line)


def test_columns_stand_under_one_another_in_all_groups() -> None:
    places = {line.index("·····") for line in shown(LONG, 160) if "█" in line}
    starts = {line.index("█") for line in shown(LONG, 160) if "█" in line}
    assert len(starts) == 1
    assert len(places) <= 2  # with and without a second peak


def test_outcomes_are_words_and_colours_are_more() -> None:
    plain, coloured = shown(SHORT, 160), shown(SHORT, 160, force_terminal=True, color_system="standard")
    assert any("\x1b[33mblind" in line for line in coloured)
    assert not any("\x1b" in line for line in plain)


@pytest.mark.parametrize("width", [60, 160])
def test_a_sweep_without_runs_or_baselines_is_shown_empty(width: int) -> None:
    runs = runs_table([])
    empty = SimpleNamespace(runs=runs, distribution=distribution_table(runs), baselines=pd.DataFrame())
    assert shown(empty, width)[0].startswith("Box accuracy, 0 seeds")
