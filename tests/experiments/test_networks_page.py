"""docs/networks.md says what is true: its networks can be swept, and it names every parameter."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from sweeps_here import sweep_here

from bboxbench.experiments.own_network import OFFERED, own_network

PAGE = (Path(__file__).parents[2] / "docs" / "networks.md").read_text(encoding="utf-8")


@pytest.fixture
def on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ((name, text),) = re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)


def test_the_page_names_every_parameter() -> None:
    table = "".join(line for line in PAGE.splitlines() if line.startswith("| `"))
    assert [name for name in OFFERED if f"`{name}`" not in table] == []


@pytest.mark.usefixtures("on_the_page")
@pytest.mark.parametrize(
    ("changes", "runs"),
    [
        ({"network": "my_networks:small"}, 1),
        ({"network": "my_networks:flexible", "heads": ["corners", "ordered"], "precision": "bfloat16"}, 2),
    ],
)
def test_the_networks_of_the_page_can_be_swept(tiny: Any, tmp_path: Path, changes: dict[str, Any], runs: int) -> None:
    result = sweep_here(tiny(losses=["mse"], seeds=1, epochs=1, **changes), tmp_path / "r")
    assert result.failed == ()
    assert result.runs["network"].tolist() == [changes["network"]] * runs
    assert result.runs["engine"].tolist() == ["fit"] * runs
    assert result.runs["box_accuracy"].notna().all()


@pytest.mark.usefixtures("on_the_page")
def test_the_flexible_network_of_the_page_starts_as_the_built_in_one() -> None:
    import numpy as np

    from bboxbench.experiments.network import WIDE_BOX
    from bboxbench.experiments.recipe import Recipe

    options: dict[str, Any] = {"width": 200, "height": 100, "dropout": 0.2, "precision": "float32"}
    for head in ("corners", "centre_size", "ordered"):
        model = own_network("my_networks:flexible").build(
            Recipe("glorot_uniform"), 0, head=head, start="wide", **options
        )
        assert np.allclose(model(np.zeros((1, 100, 200, 1), np.float32)), [WIDE_BOX], atol=1e-6)
