"""The table of all losses, by family."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import groupby
from typing import Any, NamedTuple

from rich.console import Console as RichConsole
from rich.console import Group
from rich.table import Table
from rich.text import Text

from bboxbench.cli.console import Console
from bboxbench.errors import InputError, unknown_name

__all__ = ["OFFERED", "Entry", "entries", "losses_table", "run", "wide_console"]

OFFERED = "Offered by installed packages"
"""The family of losses that came by an entry point. They are not imported to be listed."""
NO_CARD = "Without a card"
"""The family of classes that somebody registered without saying what they are good for."""

FORMULA_FROM = 110
"""Columns of a terminal from which there is room for the formula."""

PROPERTIES = {
    "at\nmost": ("16.1",),
    "no\noverlap": ("pulls", "fades", "none"),
    "inverted\nbox": ("turns", "moves", "stays"),
    "a\npoint": ("grows", "moves", "stays", "breaks"),
    "unit": ("any", "scales", "pixels"),
}
"""Columns for what a person chooses by, and the longest words that stand in each."""

LEGEND = (
    "at most: the largest value",
    "no overlap: a step pulls the box nearer, the pull fades far away, or is none",
    "inverted box, a point: what a step does to such a prediction in its target",
    "unit of the boxes: any, or the value scales with it, or pixels by default",
)
"""Below the table, as people read it."""


class Entry(NamedTuple):
    """One loss of the list: its card by key, of an offered one its path and package."""

    name: str
    family: str
    values: dict[str, Any]


def entries() -> list[Entry]:
    """All losses: by family as the catalogue has them, each family by name, at last those that packages offer."""
    from bboxbench.losses import registry

    offered = registry.offered()
    found = []
    for name in registry.names():
        if name in offered:
            path, package = offered[name]
            found.append(Entry(name, OFFERED, {"path": path, "package": package}))
            continue
        cls = registry.loss_class(name)
        card = getattr(cls, "card", None)
        values = {"class": cls.__name__, **({} if card is None else {**vars(card), "function": cls.function.__name__})}
        found.append(Entry(name, NO_CARD if card is None else card.family, values))
    last = (NO_CARD, OFFERED)
    return sorted(found, key=lambda entry: (entry.family in last, entry.family, entry.name))


def of_family(found: list[Entry], asked: str) -> list[Entry]:
    """Those of one family, by its name or the beginning of it, whatever the case.

    Raises:
        InputError: there is none, or the beginning is that of several.
    """
    families = list(dict.fromkeys(entry.family for entry in found))
    near = [family for family in families if family.lower().startswith(asked.strip().lower())]
    exact = [family for family in near if family.lower() == asked.strip().lower()]
    if not near or not asked.strip():
        raise unknown_name("family", asked, families)
    if len(near) > 1 and not exact:
        begun = " and ".join(f"'{family}'" for family in near)
        raise InputError(f"Expected the name of one family. Received: '{asked}', which begins {begun}.")
    return [entry for entry in found if entry.family == (exact or near)[0]]


def run(console: Console, family: str | None) -> None:
    """Show the list on stdout."""
    from bboxbench.losses.registry import clashes

    found = entries()
    if family is not None:
        found = of_family(found, family)
    for entry in found:
        console.event("loss", name=entry.name, **{"family": entry.family, **entry.values})
    if not console.as_json:
        wide = wide_console(console)
        wide.print(losses_table(found, wide.width))
        console.say("")
        for line in LEGEND:
            console.say(line)
        console.say(f"{len(found)} losses. More of one: bboxbench losses show {found[0].name}")
    for text in clashes().values():
        console.warn(text)
    console.event("done", losses=len(found))


def losses_table(found: list[Entry], width: int) -> Group:
    """A row a loss, the families one below the other.

    Args:
        found: what to list, each family together.
        width: of the terminal, in characters; a wide one has room for the formula.
    """
    wide = width >= FORMULA_FROM
    kinds = {entry.name: entry.values.get("class", entry.values.get("path", "")) for entry in found}
    columns = {"name": _widest(kinds, "name"), "class": _widest(kinds.values(), "class")}
    columns |= {"value of a box": 0} if wide else {}
    columns |= {title: max(len(word) for word in (*title.split("\n"), *words)) for title, words in PROPERTIES.items()}
    parts: list[Any] = [_table(columns, header=True)]
    for family, members in groupby(found, key=lambda entry: entry.family):
        table = _table(columns)
        for entry in members:
            formula = [entry.values.get("formula", "")] if wide else []
            table.add_row(entry.name, kinds[entry.name], *formula, *_properties(entry.values))
        parts += ["", Text(family, style="bold"), table]
    return Group(*parts)


def _widest(texts: Iterable[str], title: str) -> int:
    return max(map(len, (title, *texts)))


def _table(columns: dict[str, int], header: bool = False) -> Table:
    """Tables of the same columns stand one below the other as one."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), expand=0 in columns.values(), show_header=header)
    for title, width in columns.items():
        if width:
            table.add_column(
                title, min_width=width if title in PROPERTIES else None, max_width=width, width=width, overflow="fold"
            )
        else:
            table.add_column(title, ratio=1, overflow="fold")
    return table


def _properties(values: dict[str, Any]) -> tuple[str, ...]:
    if "formula" not in values:
        return ("",) * 5
    bound = values["upper_bound"]
    return (
        "-" if bound is None else f"{bound:.3g}",
        {"yes": "pulls", "fades": "fades", "no": "none"}[values["disjoint"]],
        values["inverted"],
        values["point"],
        unit(values),
    )


def unit(values: dict[str, Any]) -> str:
    """In a word what unit boxes may have: any, pixels, or any that the value then has, too."""
    if values["units"]:
        return "pixels"
    return "any" if values["scale_invariant"] else "scales"


def wide_console(console: Console) -> RichConsole:
    """Where a table is printed: off a terminal Rich would assume 80 columns, though a file has room."""
    known = console.stdout.is_terminal or "COLUMNS" in os.environ
    return console.stdout if known else RichConsole(width=120, highlight=False)
