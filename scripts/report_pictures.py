"""Photographs a report for the docs: python scripts/report_pictures.py results/findings/full_size/report/index.html docs/images.

Writes report-light.png and report-dark.png: the head of the page and the answer. Needs Chromium.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

VIEWS = {"light": (1400, 1250, "light"), "dark": (1400, 1250, "dark")}
"""Width and height in pixels, and scheme."""


def main(report: Path, folder: Path) -> None:
    """Take every view of the page ``report`` and write it into ``folder``."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("Expected Chromium, found none. Install it: apt-get install chromium")
    as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=as_root)
        for name, (width, height, scheme) in VIEWS.items():
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.goto(report.resolve().as_uri())
            path = folder / f"report-{name}.png"
            page.screenshot(path=path)
            print(path)
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("Expected a report and a folder: python scripts/report_pictures.py index.html docs/images")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
