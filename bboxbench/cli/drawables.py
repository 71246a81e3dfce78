"""What ``bboxbench generate`` can draw: the answer of its ``--list``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bboxbench.cli.console import Console

__all__ = ["BACKGROUNDS_TOLD", "preset_told", "show_drawables"]

BACKGROUNDS_TOLD = {
    "plain": "one random colour a picture",
    "white": "black on white",
    "gradient": "from one colour to another, in any direction",
    "noise": "grains of 1 to 4 pixels between two colours",
    "texture": "clouds of two colours, at four scales",
    "pictures": "parts of the pictures in the folder that --pictures names",
}

_SAMPLE = 36
"""Characters of a set that are shown."""


def show_drawables(console: Console) -> None:
    """Presets, sets of glyphs, faces and backgrounds, on stdout."""
    from bboxbench.data_gen.alphabets import GLYPH_SETS
    from bboxbench.data_gen.fonts import FONT_NAMES, characters
    from bboxbench.data_gen.presets import PRESETS
    from bboxbench.data_gen.spec_checks import BACKGROUNDS

    _table(console, "Presets (--preset)", [(name, preset_told(values)) for name, values in PRESETS.items()])
    for name, values in PRESETS.items():
        console.event("preset", name=name, about=preset_told(values))

    rows = []
    for name, glyphs in GLYPH_SETS.items():
        rows.append((name, str(len(glyphs)), glyphs if len(glyphs) <= _SAMPLE else f"{glyphs[:_SAMPLE]} ..."))
        console.event("glyphs", name=name, count=len(glyphs), glyphs=glyphs)
    _table(console, "Sets of glyphs (--glyphs), to be joined by commas", rows)
    console.show(
        "  Also U+0410-U+042F, A-F, and characters themselves: ABC123, or =abcd,.; for small letters and commas."
    )

    rows = []
    for face in FONT_NAMES:
        there = characters(face)
        lacking = [name for name, glyphs in GLYPH_SETS.items() if not there.issuperset(map(ord, glyphs))]
        # A set of both cases is lacking wherever one of its halves is.
        bases = [name for name in lacking if not name.endswith(("-upper", "-lower"))]
        rows.append((face, f"{len(there):,} characters", f"without {', '.join(bases)}" if bases else "all sets"))
        console.event("face", name=face, characters=len(there), sets=[n for n in GLYPH_SETS if n not in lacking])
    _table(console, "Faces (--font), or the path of a .ttf or .otf file", rows)

    _table(console, "Backgrounds (--background)", [(name, BACKGROUNDS_TOLD[name]) for name in BACKGROUNDS])
    for name in BACKGROUNDS:
        console.event("background", name=name, about=BACKGROUNDS_TOLD[name])


def preset_told(values: Mapping[str, Any]) -> str:
    """A preset in a line: what is drawn in what on what, then the effects it has."""
    from bboxbench.data_gen.alphabets import spelled
    from bboxbench.data_gen.presets import PRESETS

    glyphs = spelled(values["glyphs"]).replace(",", ", ")
    faces, behind = len(values["fonts"]), ", ".join(values["background"])
    told = f"{glyphs} in {faces} faces at {_span(values['sizes'])} px on {behind}"
    effects = ("rotation", "scale", "shear", "shift", "blur", "noise", "ink_threshold")
    plain = PRESETS["letters"]
    used = [f"{name.replace('_', '-')} {_span(values[name])}" for name in effects if values[name] != plain[name]]
    return f"{told}; {', '.join(used)}" if used else told


def _span(value: Any) -> str:
    return "-".join(f"{each:g}" for each in (value if isinstance(value, tuple) else (value,)))


def _table(console: Console, title: str, rows: Sequence[tuple[str, ...]]) -> None:
    console.show(title)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        # Numbers at the right, as in any column of them.
        cells = [
            cell.rjust(width) if cell[0].isdigit() else cell.ljust(width)
            for cell, width in zip(row, widths, strict=False)
        ]
        console.show("  ".join(["", *cells, row[-1]]), fold=True)
    console.show("")
