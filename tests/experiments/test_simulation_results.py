"""The folder of a simulation: tables, going on, figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bboxbench.errors import FolderConflict
from bboxbench.experiments import simulation_results
from bboxbench.experiments.figures.lines import loss_styles
from bboxbench.experiments.simulation_cases import SimulationSpec
from bboxbench.experiments.simulation_figures import curves_figure, surface_figure
from bboxbench.experiments.simulation_listener import SimulationListener
from bboxbench.experiments.simulation_results import CURVES, SUMMARY, SURFACE, run_simulation


def spec(*losses: str, points: int = 8, steps: int = 20, seed: int = 0) -> SimulationSpec:
    return SimulationSpec(losses, points, steps, seed)


class Told(SimulationListener):
    def __init__(self) -> None:
        self.kept: tuple[str, ...] = ()
        self.computed: list[str] = []
        self.warnings: list[str] = []
        self.points: list[int] = []

    def planned(self, spec: SimulationSpec, folder: Path, kept: tuple[str, ...]) -> None:
        self.kept = kept

    def progress(self, loss: str, points: int) -> None:
        self.points.append(points)

    def finished(self, row: dict[str, Any]) -> None:
        assert list(row) == list(SUMMARY)
        self.computed.append(row["loss"])

    def warning(self, text: str) -> None:
        self.warnings.append(text)


def test_the_same_settings_give_the_same_tables_and_other_seeds_others(tmp_path: Path) -> None:
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        run_simulation(spec("mse", seed=seed), tmp_path / folder)
    for table in ("curves.csv", "surface.csv"):
        a, b, c = ((tmp_path / folder / table).read_bytes() for folder in "abc")
        assert a == b != c


def test_tables_have_their_columns_and_agree_with_each_other(tmp_path: Path) -> None:
    result = run_simulation(spec("giou", "iou_unguarded"), tmp_path / "r")
    curves, surface, summary = (
        pd.read_csv(tmp_path / "r" / f"{name}.csv") for name in ("curves", "surface", "summary")
    )
    for table, columns in ((curves, CURVES), (surface, SURFACE), (summary, SUMMARY)):
        assert list(table) == list(columns)
    assert (len(curves), len(surface), len(summary)) == (2 * 21, 2 * 8, 2)
    pd.testing.assert_frame_equal(summary, result.summary, check_dtype=False)
    last = curves[curves["step"] == 20].set_index("loss")
    for _, row in summary.iterrows():
        mine = surface[surface["loss"] == row["loss"]]
        finite = 343 * (1 - mine["non_finite"])
        mean = (mine["mean_error"].fillna(0) * finite).sum() / finite.sum()
        assert mean == pytest.approx(row["mean_error"], rel=1e-5)
        assert last["mean_error"][row["loss"]] == pytest.approx(row["mean_error"])
        assert last["sum_error"][row["loss"]] == pytest.approx(row["mean_error"] * finite.sum())
        assert mine["converged"].mean() == pytest.approx(row["converged"])
        assert mine["mean_iou"].mean() == pytest.approx(row["mean_iou"], rel=1e-5)


def test_a_finished_loss_is_not_computed_again_and_more_are_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, again, more = Told(), Told(), Told()
    folder = tmp_path / "r"
    run_simulation(spec("mse"), folder, first)
    assert (first.kept, first.computed) == ((), ["mse"])
    assert first.points[-1] == 8
    with monkeypatch.context() as patch:
        patch.setattr(simulation_results, "simulate", lambda *_: pytest.fail("computed again"))
        run_simulation(spec("mse"), folder, again)
    assert (again.kept, again.computed) == (("mse",), [])
    result = run_simulation(spec("giou", "mse"), folder, more)
    assert (more.kept, more.computed) == (("mse",), ["giou"])
    assert list(result.summary["loss"]) == ["giou", "mse"]
    # What is not asked for stays in the tables.
    run_simulation(spec("giou"), folder)
    assert list(pd.read_csv(folder / "summary.csv")["loss"]) == ["mse", "giou"]
    assert json.loads((folder / "simulation.json").read_text())["losses"] == ["mse", "giou"]


def test_an_interrupted_simulation_keeps_what_is_finished_and_goes_on(tmp_path: Path) -> None:
    class Interrupting(Told):
        def progress(self, loss: str, points: int) -> None:
            if loss == "giou" and points:
                raise KeyboardInterrupt

    again = Told()
    with pytest.raises(KeyboardInterrupt):
        run_simulation(spec("mse", "giou"), tmp_path / "r", Interrupting())
    run_simulation(spec("mse", "giou"), tmp_path / "r", again)
    assert (again.kept, again.computed) == (("mse",), ["giou"])


@pytest.mark.parametrize("harm", [b"PK no archive", None])
def test_a_damaged_loss_is_computed_again_with_a_warning(harm: bytes | None, tmp_path: Path) -> None:
    folder, told = tmp_path / "r", Told()
    run_simulation(spec("mse"), folder)
    before = (folder / "curves.csv").read_bytes()
    (kept,) = (folder / "losses").iterdir()
    kept.write_bytes(kept.read_bytes()[:-100] if harm is None else harm)
    run_simulation(spec("mse"), folder, told)
    assert told.computed == ["mse"]
    assert kept.name in told.warnings[0]
    assert (folder / "curves.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"points": 9}, r"points 8 \(now 9\)"),
        ({"steps": 21}, r"steps 20 \(now 21\)"),
        ({"seed": 1}, r"seed 0 \(now 1\)"),
    ],
)
def test_another_setting_is_refused_by_name_and_has_another_folder(
    other: dict[str, int], said: str, tmp_path: Path
) -> None:
    run_simulation(spec("mse"), tmp_path / "r")
    with pytest.raises(FolderConflict, match=said):
        run_simulation(spec("mse", **other), tmp_path / "r")
    assert spec("mse", **other).folder() != spec("mse").folder() == spec("iou", "giou").folder()


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(FolderConflict, match=r"holds mine.txt"):
        run_simulation(spec("mse"), tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["mine.txt"]


def test_figures_are_drawn_where_all_some_and_no_cases_are_finite(tmp_path: Path) -> None:
    run_simulation(spec("iou_unguarded", "mse"), tmp_path)
    curves, surface = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("curves", "surface"))
    assert surface["mean_error"].isna().any()
    lost = {"mean_error": np.nan, "non_finite": 1.0}
    for c, s in (
        (curves, surface),
        (curves[curves["loss"] == "mse"], surface[surface["loss"] == "mse"]),
        (curves.assign(**lost), surface.assign(**lost)),
    ):
        curves_figure(c, tmp_path / "c.png")
        surface_figure(s, tmp_path / "s.png")
        for name in ("c.png", "s.png"):
            with Image.open(tmp_path / name) as picture:
                assert np.asarray(picture.convert("L")).std() > 5


def test_210_losses_are_told_apart_by_colour_marker_and_line() -> None:
    styles = loss_styles([f"loss{k}" for k in range(210)])
    assert len({str(style) for style in styles.values()}) == 210


def test_the_page_has_the_columns_of_every_table() -> None:
    page = (Path(__file__).parents[2] / "docs" / "simulation.md").read_text(encoding="utf-8")
    for columns in (SUMMARY, CURVES, SURFACE):
        rows = [f"| `{name}` | {said.replace('|', chr(92) + '|')} |" for name, said in columns.items()]
        assert "\n".join(["| column | what |", "| --- | --- |", *rows]) + "\n" in page
