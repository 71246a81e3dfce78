"""The one style of all figures: sizes, ink, lines that only guide, and how a user's own settings stay out of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

__all__ = ["GRID", "INK", "MUTED", "ON_COLOUR", "PAPER", "STYLE", "in_style", "style"]

INK = "#222222"
"""Text, medians, axes: what must be read."""
MUTED = "#6b6b6b"
"""Secondary text and lines; 5.3 : 1 against white."""
GRID = "#e4e4e4"
"""Lines and areas that only guide the eye."""
PAPER = "#ffffff"
"""The background, and what is cut out of an area."""

ON_COLOUR = "#1b1b1b"
"""Text on a coloured area, which does not change with the page."""

STYLE: dict[Any, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.labelsize": 9.0,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "hatch.linewidth": 0.5,
    "legend.frameon": False,
    "legend.handletextpad": 0.4,
    "legend.columnspacing": 1.2,
    "figure.facecolor": PAPER,
    "figure.dpi": 150,
    # Text stays text: it can be searched and selected, and takes a page's own font.
    "svg.fonttype": "none",
    # Names inside a file come from its content, so that the same figure is the same file.
    "svg.hashsalt": "bboxbench",
}
"""What matplotlib is set to while a figure of this project is drawn and saved."""

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def style() -> Iterator[None]:
    """A context to draw and save in: neither do a user's own settings reach a figure, nor these the user."""
    # Reading a data set needs no figure, and this takes half a second.
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def in_style(function: Callable[P, R]) -> Callable[P, R]:
    """A drawing function that runs under `style`, whatever matplotlib is set to outside."""

    @wraps(function)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> R:
        with style():
            return function(*args, **kwargs)

    return drawn
