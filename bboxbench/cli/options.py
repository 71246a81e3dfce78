"""Options that several commands have, or whose default comes from a preset."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from bboxbench.cli.numbers import amount, whole_number

__all__ = ["OPTIONS", "AsJson", "Quiet", "Workers", "flag", "measure", "number", "option"]

OPTIONS = "Options"
"""Typer's own heading in ``--help``, for what needs no other."""

Workers = Annotated[
    int | None, typer.Option(parser=whole_number(1), metavar="N", help="Processes; by default one per usable core.")
]
"""The option ``--workers`` of what is done shard by shard."""


def option(panel: str, default: str, explained: str, metavar: str = "NAMES", *names: str, **more: Any) -> Any:
    """An option that takes whatever its parameter is.

    Args:
        panel: heading in ``--help`` under which it stands.
        default: what the preset has, said behind the explanation; empty where there is nothing to say.
        explained: what it is, ending in a full stop.
        metavar: what is to be typed.
        names: what it is called, where its parameter has another name.
        more: what else `typer.Option` takes.
    """
    return typer.Option(*names, help=_said(explained, default), rich_help_panel=panel, metavar=metavar, **more)


def number(panel: str, least: int, default: str, explained: str, *names: str) -> Any:
    """The same for a whole number of ``least`` or more, under ``names`` where its parameter has another."""
    said = _said(explained, default)
    return typer.Option(*names, help=said, rich_help_panel=panel, metavar="N", parser=whole_number(least))


def measure(panel: str, unit: str, explained: str, metavar: str) -> Any:
    """The same for a finite number of 0 or more in a unit, as in "degrees"; 0 is the default."""
    return typer.Option(help=explained, rich_help_panel=panel, metavar=metavar, parser=amount(unit))


def flag(panel: str, explained: str, *names: str) -> Any:
    """The same for what is on or off."""
    # Without a metavar it would be <bool>, which is nothing to type and takes the words' room.
    return typer.Option(*names, help=explained, rich_help_panel=panel, show_default=False, metavar=" ")


def _said(explained: str, default: str) -> str:
    return f"{explained} Default: {default}." if default else explained


Quiet = Annotated[bool, flag(OPTIONS, "No progress, no advice.", "--quiet", "-q")]
"""The option ``--quiet``."""

AsJson = Annotated[bool, flag(OPTIONS, "One JSON object a line on stdout.", "--json")]
"""The option ``--json``."""
