"""Figures as files and as parts of a page."""

from __future__ import annotations

import html
import io
import re
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from bboxbench.errors import InputError
from bboxbench.experiments.figures.style import GRID, INK, MUTED, PAPER, style
from bboxbench.files import write_atomically

__all__ = ["FORMATS", "save", "svg_text"]

FORMATS = ("png", "svg")

THEME = {INK: "--ink", MUTED: "--muted", GRID: "--grid", PAPER: "--paper"}
"""The CSS variable of each colour that must change on a dark page; the colours of outcomes read on both."""

FONTS = "var(--figure-font, 'DejaVu Sans', Verdana, sans-serif)"
"""Of a figure in a page: widths are laid out for DejaVu Sans, so a narrow font is safe and a wider one is not."""

# No date and no version: the same figure is the same file.
_METADATA: dict[str, dict[str, Any]] = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}


def save(figure: Figure, path: Path, *, transparent: bool = False) -> None:
    """Write a figure as PNG (150 dots an inch) or SVG, by the suffix of ``path``; the file is replaced whole.

    Args:
        figure: as the functions of this package give it.
        path: ending in ``.png`` or ``.svg``; its folder must exist.
        transparent: whether the background is left out.

    Raises:
        InputError: another suffix.
        CannotWrite: disk full, no permission, no such folder.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise InputError(f"Expected a file that ends in .png or .svg. Received: {path}.")
    write_atomically(path, _content(figure, kind, transparent))


def svg_text(figure: Figure, *, label: str, prefix: str, themed: bool = True) -> str:
    """A figure as one ``<svg>`` element to stand inside an HTML page.

    Its background is transparent, and it grows with what it stands in. Ids are used only where something refers to
    them, and begin with ``prefix``: several figures can stand in one page. Coordinates have two decimals, a hundredth
    of a point. Text is text, in the font that the page names in ``--figure-font``.

    Args:
        figure: as the functions of this package give it.
        label: what a screen reader says in its place.
        prefix: letters, digits and hyphens, another one for each figure of the page; may not begin with a digit.
        themed: whether ink, muted ink, grid and paper are the CSS variables ``--ink``, ``--muted``, ``--grid`` and
            ``--paper``, each with this style's own colour where the page sets none.

    Raises:
        InputError: a prefix that cannot begin an id.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", prefix):
        raise InputError(f"Expected a prefix of letters, digits and hyphens. Received: {prefix!r}.")
    text = _content(figure, "svg", transparent=True).decode("utf-8")
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', text))
    text = re.sub(r"<[^>]+>", lambda tag: _for_a_page(tag[0], used, prefix, themed), text)
    text = re.sub(r"\s*\n\s*", "\n", text)
    width, height = (72 * inches for inches in figure.get_size_inches())
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{html.escape(label)}" '
        f'viewBox="0 0 {width:g} {height:g}" style="width: 100%; max-width: {width:.0f}pt; height: auto; '
        f'stroke-linejoin: round; stroke-linecap: butt; font-family: {FONTS}">'
    )
    return re.sub(r"<svg[^>]*>", lambda _: opening, text, count=1)


def _for_a_page(tag: str, used: set[str], prefix: str, themed: bool) -> str:
    """A tag of matplotlib's as it can stand in a page; what stands between tags is left alone."""
    tag = re.sub(r' id="([^"]+)"', lambda m: f' id="{prefix}-{m[1]}"' if m[1] in used else "", tag)
    tag = re.sub(r'(href="|url\()#', rf"\g<1>#{prefix}-", tag).replace("xlink:href", "href")
    tag = re.sub(r"-?\d+\.\d{3,}", lambda m: f"{float(m[0]):.2f}".rstrip("0").rstrip("."), tag)
    # The element at the top says it once.
    tag = re.sub(r"font-family: [^;\"]*(; )?", "", tag)
    if themed:
        for colour, name in THEME.items():
            tag = tag.replace(f": {colour}", f": var({name}, {colour})")
    return tag


def _content(figure: Figure, kind: str, transparent: bool) -> bytes:
    content = io.BytesIO()
    with style():
        figure.savefig(content, format=kind, transparent=transparent, metadata=_METADATA[kind])
    return content.getvalue()
