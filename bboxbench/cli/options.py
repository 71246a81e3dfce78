"""Options whose default comes from a preset, so that one left out is told from one given."""

from __future__ import annotations

from typing import Any

import typer

from bboxbench.cli.numbers import whole_number

__all__ = ["number", "option"]


def option(panel: str, default: str, explained: str, metavar: str = "NAMES") -> Any:
    """An option that takes whatever its parameter is.

    Args:
        panel: heading in ``--help`` under which it stands.
        default: what the preset has, said behind the explanation; empty where there is nothing to say.
        explained: what it is, ending in a full stop.
        metavar: what is to be typed.
    """
    return typer.Option(help=_said(explained, default), rich_help_panel=panel, metavar=metavar)


def number(panel: str, least: int, default: str, explained: str, *names: str) -> Any:
    """The same for a whole number of ``least`` or more, under ``names`` where its parameter has another."""
    said = _said(explained, default)
    return typer.Option(*names, help=said, rich_help_panel=panel, metavar="N", parser=whole_number(least))


def _said(explained: str, default: str) -> str:
    return f"{explained} Default: {default}." if default else explained
