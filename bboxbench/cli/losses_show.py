"""Everything known of losses, one below the other."""

from __future__ import annotations

import inspect
import textwrap
from typing import Any

from rich.console import Console as RichConsole
from rich.text import Text

from bboxbench.cli import losses_card
from bboxbench.cli.console import Console
from bboxbench.cli.losses_list import wide_console
from bboxbench.errors import InputError

__all__ = ["describe", "run"]

COMMON = ("reduction", "name", "dtype")
"""What every Keras loss takes; said in one line."""


def run(console: Console, names: list[str]) -> None:
    """Show each loss on stdout; one that cannot be used ends the command before anything is shown.

    Raises:
        InputError: an unknown name, a wrong parameter, or a loss of the user's own that cannot be trained.
    """
    found = [describe(text) for text in names]
    for number, values in enumerate(found):
        if not console.as_json:
            if number:
                console.show("")
            _print(wide_console(console), values)
        console.event("loss", **values)


def describe(text: str) -> dict[str, Any]:
    """What `run` shows of a loss, by key: plain values for JSON.

    Args:
        text: a name, a recipe as ``nwd(constant=0.1)``, or the user's own as ``package.module:Name``.

    Raises:
        InputError: as `run`.
    """
    from bboxbench.experiments import resolve
    from bboxbench.experiments.own_loss import AWKWARD, ORDINARY
    from bboxbench.experiments.recipe import Recipe
    from bboxbench.losses import FunctionLoss
    from bboxbench.losses.registry import own_path

    recipe = Recipe.parse(text, "loss")
    found = resolve.examined(recipe)
    if found.fault:
        raise InputError(found.fault)
    made = resolve.make_loss(recipe)
    path, function = own_path(recipe.name), isinstance(made, FunctionLoss)
    factory = made.function if function else type(made)
    module, name = path.split(":") if path else ("bboxbench.losses", type(made).__name__)
    card = getattr(type(made), "card", None)
    names = [name] if path or card is None else [name, type(made).function.__name__]
    imports = [f"from {module} import {', '.join(names)}"]
    arguments = [f"{key}={value!r}" for key, value in recipe.parameters.items()]
    if function:
        given = {key: value for key, value in recipe.parameters.items() if key not in COMMON}
        common = [text for text in arguments if text.partition("=")[0] in COMMON]
        arguments = [name, *([f"parameters={given!r}"] if given else []), *common]
    call = f"{'FunctionLoss' if function else name}({', '.join(arguments)})"
    values: dict[str, Any] = {
        "name": str(recipe),
        "class": None if function else name,
        "function": name if function else (names[1] if len(names) > 1 else None),
        "path": path,
    }
    if card is not None:
        values |= vars(card)
    else:
        values["purpose"] = (inspect.getdoc(factory) or "").partition("\n\n")[0].replace("\n", " ")
    values["parameters"] = [
        {"name": each.name, "shown": each.shown(), "meaning": each.meaning, "value": each.value}
        | ({} if each.default is inspect.Parameter.empty else {"default": each.default})
        for each in losses_card.parameters(factory, recipe.parameters, skip=2 if function else 0)
    ]
    values["properties"] = {} if card is None else losses_card.properties(card)
    values["import"] = imports[0]
    needed = ["from bboxbench.losses import FunctionLoss", *imports] if function else imports
    values["snippet"] = losses_card.snippet(made, call, needed)
    if path:
        tried = len(ORDINARY) + sum(map(len, AWKWARD.values()))
        good = f"nothing to object to, on {tried} pairs of boxes from overlapping to identical"
        values["found"] = [*found.warnings, *found.notes] or [good]
    return values


def _print(out: RichConsole, values: dict[str, Any]) -> None:
    kind = ", ".join(text for text in (values["class"], values["function"]) if text)
    out.print(Text.assemble((values["name"], "bold"), f"  {kind}"))
    origin = "; ".join(values[key] for key in ("family", "source", "path") if values.get(key))
    _rows(out, [("", text) for text in (origin, values.get("formula"), values["purpose"]) if text])
    own = [(each["shown"], each["meaning"]) for each in values["parameters"] if each["name"] not in COMMON]
    common = [each["name"] for each in values["parameters"] if each["name"] in COMMON]
    _section(out, "Parameters", [*own, *([(", ".join(common), "as in every Keras loss")] if common else [])])
    changed = any(each.get("default", each["value"]) != each["value"] for each in values["parameters"])
    title = "Properties at the default parameters, which are not these" if changed else "Properties"
    _section(out, title, list(values["properties"].items()))
    _section(out, "Known wrong or differing elsewhere", [("-", text) for text in values.get("wrong_elsewhere", ())])
    _section(out, "Found when it was tried", [("-", text) for text in values.get("found", ())])
    _section(out, "Use it", [])
    for line in values["snippet"].splitlines():
        out.print(Text(f"  {line}" if line else ""), soft_wrap=True)


def _section(out: RichConsole, title: str, rows: list[tuple[str, str]]) -> None:
    if rows or title == "Use it":
        out.print()
        out.print(Text(title, style="bold"))
    _rows(out, rows)


def _rows(out: RichConsole, rows: list[tuple[str, str]]) -> None:
    """A row a thing: a word, and beside it what is said of it, wrapped by whole words."""
    left = max((len(word) for word, _ in rows), default=0)
    first = " " * (left + 4 if left else 2)
    for word, text in rows:
        lines = textwrap.wrap(text, max(20, min(out.width, 120) - len(first)), break_on_hyphens=False) or [""]
        out.print(Text(f"  {word.ljust(left)}  {lines[0]}".rstrip() if left else f"  {lines[0]}"), soft_wrap=True)
        for line in lines[1:]:
            out.print(Text(first + line), soft_wrap=True)
