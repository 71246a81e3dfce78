"""A real small sweep, its page, and a browser that tells what goes wrong in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SCREENSHOTS = Path(__file__).parent.parent.parent / "build" / "screenshots"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a finished sweep: 3 losses x 2 initializers x 2 seeds on 60 letters."""
    from sweeps_here import sweep_here

    from bboxbench.data_gen import DatasetSpec, generate
    from bboxbench.experiments.estimate import Estimate
    from bboxbench.experiments.execution import in_process
    from bboxbench.experiments.report import PAGE
    from bboxbench.experiments.spec import SweepSpec

    pictures = generate(DatasetSpec.letters(n=60, seed=5), tmp_path_factory.mktemp("browser") / "data", workers=1)
    spec = SweepSpec.from_preset(
        "quick",
        data=str(pictures.folder),
        losses=("mse", "giou", "iou_unguarded"),
        initializers=("glorot_uniform", "random_normal(stddev=0.0289)"),
        optimizers=("adam:0.0005",),
        seeds=2,
        epochs=2,
        batch_sizes=6,
    )
    with pytest.MonkeyPatch.context() as patch:
        # Timing this machine takes longer than this sweep.
        patch.setattr(in_process, "estimate_on", lambda *_: Estimate(0.0, {}))
        result = sweep_here(spec, tmp_path_factory.mktemp("browser") / "results")
    assert len(result.runs) == 12
    return result.folder / PAGE


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    found = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if found is None:
        pytest.fail("Expected Chromium for the browser tests, found none. Install it: apt-get install chromium", False)
    from playwright.sync_api import sync_playwright

    # Chromium refuses its sandbox to root, as which containers run.
    as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=as_root)
        yield launched
        launched.close()


@pytest.fixture
def opened(browser: Any, report: Path) -> Iterator[Callable[..., Any]]:
    """Opens the report; every error of its console, and every request that leaves the disk, fails the test."""
    contexts, troubles = [], []

    def note(request: Any) -> None:
        if not request.url.startswith(("file://", "data:")):
            troubles.append(f"request: {request.url}")

    def open_page(width: int = 1400, scheme: str = "light", height: int = 900, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: troubles.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", note)
        page.goto(report.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where pictures of the page are kept, to be looked at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return SCREENSHOTS
