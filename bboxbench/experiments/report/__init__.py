"""The report: one HTML page that shows what became of a sweep, how sure that is, and how it was made."""

from __future__ import annotations

from bboxbench.experiments.report.page import PAGE, render, write_page, write_report

__all__ = ["PAGE", "render", "write_page", "write_report"]
