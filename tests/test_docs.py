"""What the pages and docstrings say is what happens."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import importlib.util
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from loaded_scripts import loaded

from bboxbench import losses
from bboxbench.experiments.learning_rates import TUNED

ROOT = Path(__file__).parent.parent


def script(name: str) -> Any:
    """A module of the folder scripts, which is no package."""
    return loaded(f"scripts/{name}.py")


def results_page() -> str:
    return str(script("results_page").page())


def test_the_page_of_results_is_the_one_the_tables_give() -> None:
    assert (ROOT / "docs" / "results.md").read_text(encoding="utf-8") == results_page(), (
        "stale: python scripts/results_page.py > docs/results.md"
    )


def test_the_example_on_the_page_of_results_prints_what_it_says() -> None:
    code, printed = re.findall(r"```(?:python|text)\n(.*?)```", results_page(), re.DOTALL)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "docs/results.md", "exec"), {})
    assert out.getvalue() == printed


def test_the_page_of_performance_is_the_one_the_measurements_give() -> None:
    assert (ROOT / "docs" / "performance.md").read_text(encoding="utf-8") == script("performance_page").page(), (
        "stale: python scripts/performance_page.py > docs/performance.md"
    )


def test_the_page_of_clusters_is_the_one_the_measurements_give() -> None:
    assert (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8") == script("cluster_page").page(), (
        "stale: python scripts/cluster_page.py > docs/cluster.md"
    )


def test_every_test_that_the_page_of_clusters_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")))
    files = (ROOT / "tests" / "experiments").glob("test_cluster*.py")
    written = "".join(file.read_text(encoding="utf-8") for file in files)
    assert named
    assert {name for name in named if f"def {name}(" not in written} == set()


@pytest.mark.slow
def test_the_page_of_performance_reads_what_the_benchmark_writes(tmp_path: Path) -> None:
    options = ["--repeats=2", "--steps=1", "--networks=1,2", "--n=100", "--out=training.json"]
    command = [sys.executable, str(ROOT / "benchmarks" / "training.py"), *options]
    command += ["--only", "Keras fit", "lockstep, plain backgrounds"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    shutil.copy(ROOT / "docs" / "data" / "levers.csv", tmp_path)
    (tmp_path / "estimate.json").write_text('{"command": "sweep", "estimated_seconds": 60, "real_seconds": 90}')
    rows = json.loads((tmp_path / "training.json").read_text(encoding="utf-8"))["rows"]
    assert [row["how"] for row in rows if row["said"] or len(row["turns"]) != 2] == []
    page = script("performance_page").page(tmp_path)
    assert [row["how"] for row in rows if f"| {row['how']} | " not in page] == []
    titles = re.findall("^## (.*)", page, re.MULTILINE)
    assert titles[1:5] == ["Measured", "Memory", "Evaluation", "The estimate against reality"]
    assert "took 1 min 30 s:\n1.50 times as long" in page


@pytest.mark.slow
def test_the_page_of_performance_has_a_row_for_every_loss(tmp_path: Path) -> None:
    options = ["--repeats=2", "--calls=1", "--boxes=100", "--imports=1", "--out=losses.json"]
    command = [sys.executable, str(ROOT / "benchmarks" / "losses.py"), *options]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    rows = json.loads((tmp_path / "losses.json").read_text(encoding="utf-8"))["rows"]
    assert [row for row in rows if row["said"] or len(row["turns"]) != 2] == []
    page = script("performance_page").page(tmp_path)
    assert [name for name in losses.names() if not re.search(rf"^\| `{name}` \| [\d.]+ \| ", page, re.MULTILINE)] == []
    assert "--boxes 100 --imports 1" in page
    assert "## Importing the losses" in page


@pytest.mark.slow
def test_the_page_of_performance_has_a_row_for_every_way_to_draw(tmp_path: Path) -> None:
    options = ["--repeats=2", "--n=1100", "--others=60", "--few=10", "--memory=1100", "--out=generate.json"]
    command = [sys.executable, str(ROOT / "benchmarks" / "generate.py"), *options]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    report = json.loads((tmp_path / "generate.json").read_text(encoding="utf-8"))
    rows = report["rows"]
    assert [row["how"] for row in rows if row["said"]] == ["TextRecognitionDataGenerator"]
    assert [row["how"] for row in rows if not row["said"] and len(row["turns"]) != 2] == []
    assert [(row["how"], row["exact"]) for row in report["memory"]] == [("generate", None), ("verify", 1100)]
    assert all(row["driver_mb"] > 10 for row in report["memory"])
    page = script("performance_page").page(tmp_path)
    assert [row["how"] for row in rows if f"| {row['how']} | " not in page] == []
    assert "## Memory of large data sets" in page
    assert list(tmp_path.iterdir()) == [tmp_path / "generate.json"]


def test_the_page_of_findings_is_counted_from_the_committed_tables() -> None:
    page = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    assert page == script("findings_page").page(), "Make it anew: python scripts/findings_page.py > docs/findings.md"


def test_the_tuned_rates_are_the_best_of_the_committed_tuning() -> None:
    runs = script("findings_page").rates_table()
    scores = runs.groupby(["loss", "learning_rate"])["score"].mean()
    assert {loss: scores[loss].idxmax() for loss in scores.index.unique("loss")} == TUNED["adam"]


def test_the_rates_were_tuned_on_other_pictures_and_seeds_than_any_that_are_reported() -> None:
    tables = script("findings_tables")
    every = tables.everything()
    tuning, others = every[every["sweep"] == "tuning"], every[every["sweep"] != "tuning"]
    for column in ("dataset_sha256", "seed"):
        assert not set(tuning[column]) & set(others[column])


@pytest.mark.parametrize("name", ["data_gen", "experiments.recipe", "experiments.seeds"])
def test_examples_in_docstrings_run(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"bboxbench.{name}"))
    assert result.attempted > 0
    assert result.failed == 0


def pages() -> list[Path]:
    return [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_every_dependency_has_its_reason_in_the_architecture() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    names = [re.split(r"[<>=]", requirement)[0] for requirement in wanted]
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").lower()
    assert [name for name in names if name not in text] == []
