"""Writes docs/losses.md from the losses and their cards: python scripts/losses_page.py > docs/losses.md."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterable
from typing import Any

import losses_prose as prose

from bboxbench.losses import BoxLoss, LossCard, registry
from bboxbench.losses.composition import ComposableLoss, WrapperLoss

Cards = dict[str, LossCard]


def built_in() -> dict[str, Any]:
    """The classes of this package's own losses by name, whatever else is registered."""
    found = {name: registry.loss_class(name) for name in registry.names()}
    return {name: cls for name, cls in found.items() if cls.__module__.startswith("bboxbench.losses.")}


def by_family() -> dict[str, list[str]]:
    """The names of each family, in the order of the page."""
    found: dict[str, list[str]] = {family: [] for family in prose.FAMILIES}
    for name, cls in built_in().items():
        found.setdefault(cls.card.family, []).append(name)
    return {family: names for family, names in found.items() if names}


def page() -> str:
    """The page as Markdown."""
    cards = {name: cls.card for name, cls in built_in().items()}
    bases = [name for name, cls in built_in().items() if issubclass(cls, ComposableLoss)]
    possible = _fill(f"`bboxbench.losses.bases()` lists what can be a base: {_names(bases)}.")
    composing = f"{prose.COMPOSING}\n{possible}\n"
    parts = [
        prose.HEAD,
        _which(cards),
        _contents(),
        prose.EXAMPLE,
        prose.CONTRACTS,
        _table(cards),
        composing,
        _units(cards),
        prose.WISE,
        prose.OWN,
        prose.LETTERS,
    ]
    for family, names in by_family().items():
        said = prose.FAMILIES.get(family, "")
        parts.append(f"## {family}\n" + (f"\n{_fill(said)}\n" if said else ""))
        parts += [_section(name, built_in()[name]) for name in names]
    return "\n".join(parts)


def _fill(text: str, indent: str = "") -> str:
    """Prose in lines of at most 120 characters, those after the first indented."""
    # A sign that begins a line would begin a list there, so it stays behind the word before it.
    held = re.sub(r" (?=(?:[-+*>#]|\d+[.)]) )", "\0", text)
    lines = textwrap.fill(held, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return lines.replace("\0", " ")


def heading(name: str) -> str:
    """The heading of a loss."""
    return f"`{name}`: `{built_in()[name].__name__}`"


def anchor(title: str) -> str:
    """What GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _link(name: str) -> str:
    return f"[`{name}`](#{anchor(heading(name))})"


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _which(cards: Cards) -> str:
    """Advice that rests on the cards alone."""

    def those(wanted: Callable[[LossCard], bool]) -> str:
        return _names(name for name, card in cards.items() if wanted(card))

    def sound(card: LossCard) -> bool:
        return card.zero_iff_equal and card.monotone

    def recovers(card: LossCard) -> bool:
        return sound(card) and card.disjoint == "yes" and card.inverted == "turns" and card.point == "grows"

    broken = "iou_unguarded"
    lines = [
        "**Nothing known of the boxes**: a loss that pulls without overlap, turns an inverted box round and lets a point grow. "
        f"The same in any unit: {those(lambda c: recovers(c) and c.scale_invariant)}. In the unit of the coordinates, so that "
        f"large boxes count more: {those(lambda c: recovers(c) and not c.scale_invariant)}.",
        "**The head cannot invert a box** (centre and size, the size positive), or a detector matches predictions to targets "
        f"first: also {those(lambda c: sound(c) and not recovers(c) and c.disjoint == 'yes')}; and with a pull that fades "
        f"after some sizes {those(lambda c: sound(c) and c.disjoint == 'fades')}.",
        "**Boxes begin on their targets**: also those without any pull beside it, "
        f"{_names(n for n, c in cards.items() if sound(c) and c.disjoint == 'no' and n != broken)}.",
        "**With care**: these can score a wrong box as a match, "
        f"{those(lambda c: not c.zero_iff_equal)}, and these can fall as a box moves away, "
        f"{those(lambda c: c.zero_iff_equal and not c.monotone)}. Read what they are for.",
        f"**Never to train**: `{broken}`.",
    ]
    said = (
        "These lists follow from the [properties](#properties), which are facts about formulas. Which loss trains *your* "
        "network best no formula says: `bboxbench sweep --losses` measures it over many seeds."
    )
    return "\n".join(
        ["## Which one should I use", "", _fill(said), "", *(_fill(f"- {line}", "  ") for line in lines), ""]
    )


def _contents() -> str:
    lines = [", ".join(f"[{title}](#{anchor(title)})" for title in prose.TITLES)]
    for family, names in by_family().items():
        lines.append(f"[{family}](#{anchor(family)}): {', '.join(map(_link, names))}")
    return "\n".join(["## Contents", "", *(_fill(f"- {line}", "  ") for line in lines), ""])


def _table(cards: Cards) -> str:
    head = [
        "loss",
        "zero iff equal",
        "at most",
        "monotone",
        "pull without overlap",
        "any unit",
        "any place",
        "symmetric",
    ]
    head += ["unit", "inverted", "point"]
    rows = [head, ["---"] * len(head)]
    for names in by_family().values():
        for card, name in ((cards[name], name) for name in names):
            claims = (card.scale_invariant, card.translation_invariant, card.symmetric)
            rows.append(
                [
                    _link(name),
                    _yes(card.zero_iff_equal),
                    _bound(card),
                    _yes(card.monotone),
                    "**no**" if card.disjoint == "no" else card.disjoint,
                    *map(_yes, claims),
                    f"[{re.split('[:,;]', card.units)[0]}](#units)" if card.units else "",
                    *(f"**{word}**" if word in ("stays", "breaks") else word for word in (card.inverted, card.point)),
                ]
            )
    return prose.COLUMNS + "\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def _yes(claim: bool) -> str:
    return "yes" if claim else "**no**"


def _bound(card: LossCard) -> str:
    return "none" if card.upper_bound is None else f"{card.upper_bound:.4g}"


def _units(cards: Cards) -> str:
    """What the losses with a unit want, and how to give it."""
    needing = [f"| {_link(name)} | {card.units} |" for name, card in cards.items() if card.units]
    free = [name for name, card in cards.items() if not card.scale_invariant and not card.units]
    without = (
        f"{_names(free)} are powers of the coordinates: another unit multiplies them by a number, and is another learning "
        "rate. All others are the same in any unit, as long as areas exceed eps."
    )
    return f"""\
## Units

These change their shape with the unit of the boxes, not only their size:

| loss | its defaults are for |
| --- | --- |
{chr(10).join(needing)}

```python
from bboxbench.losses import NWDLoss

pixels = NWDLoss()([[0.0, 0.0, 32.0, 32.0]], [[8.0, 0.0, 40.0, 32.0]])
divided = NWDLoss(constant=12.8 / 64)([[0.0, 0.0, 0.5, 0.5]], [[0.125, 0.0, 0.625, 0.5]])
print(f"{{float(pixels):.3f}} {{float(divided):.3f}}")
```

```text
0.465 0.465
```

{_fill(without)}
"""


def _section(name: str, cls: Any) -> str:
    """All that is known of one loss."""
    card = cls.card
    lines = [
        f"### {heading(name)}",
        "",
        _fill(card.purpose),
        "",
        f"![{name}: loss and gradient of a box that slides and of one that grows](images/losses/{name}.png)",
        "",
        f"- **Function**: `{cls.function.__name__}`",
        _fill(f"- **Value**: `{card.formula}`", "  "),
        f"- **Source**: {_linked(card.source)}",
        _fill(f"- **Properties**: {_properties(card)}.", "  "),
    ]
    if card.units:
        lines.append(_fill(f"- **Unit**: {card.units}.", "  "))
    if issubclass(cls, WrapperLoss):
        lines.append("- **Base**: takes any, and can be one itself; see [composing](#composing).")
    elif issubclass(cls, ComposableLoss):
        lines.append("- **Base**: can be one; see [composing](#composing).")
    parameters = [_fill(f"  - {line}", "    ") for line in _parameters(cls)]
    lines += ["- **Parameters**:", *parameters] if parameters else ["- **Parameters**: none of its own."]
    if card.wrong_elsewhere:
        lines += ["- **Elsewhere**:", *(_fill(f"  - {line}", "    ") for line in card.wrong_elsewhere)]
    return "\n".join(lines) + "\n"


def _linked(source: str) -> str:
    """A source whose arXiv ids lead there."""
    return re.sub(r"arXiv:(\d+\.\d+)", r"[arXiv:\1](https://arxiv.org/abs/\1)", source)


def _properties(card: LossCard) -> str:
    said = [
        "0 for equal boxes alone" if card.zero_iff_equal else "not 0 for equal boxes alone",
        "no bound" if card.upper_bound is None else f"at most {_bound(card)}",
        "never falls as a box moves away" if card.monotone else "can fall as a box moves away",
        {"yes": "pulls", "fades": "pulls with a force that fades", "no": "no sure pull"}[card.disjoint]
        + " without overlap",
        "the same in any unit" if card.scale_invariant else "depends on the unit",
        "symmetric" if card.symmetric else "not symmetric",
        f"an inverted box {card.inverted}" + (" round" if card.inverted == "turns" else ""),
        f"a point {card.point}",
    ]
    if not card.translation_invariant:
        said.insert(5, "depends on the place")
    return ", ".join(said)


def _parameters(cls: Any) -> list[str]:
    """Each parameter that is not every loss's, with its default and what its class says of it."""
    common = inspect.signature(BoxLoss.__init__).parameters
    docstring = inspect.cleandoc(cls.__doc__ or "")
    arguments = docstring.partition("Args:\n")[2].partition("\n\n")[0]
    said = dict(re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", arguments, re.MULTILINE))
    lines = []
    for parameter in inspect.signature(cls).parameters.values():
        if parameter.name not in common:
            meaning = " ".join(said[parameter.name].split()).replace("``", "`")
            default = re.sub(r"e-0(\d)", r"e-\1", repr(parameter.default)).replace("'", '"')
            lines.append(f"`{parameter.name}={default}`: {meaning}")
    return lines


if __name__ == "__main__":
    print(page(), end="")
