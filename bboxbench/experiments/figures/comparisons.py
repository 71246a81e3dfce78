"""Which loss beats which, how often at the same seed, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bboxbench.errors import InputError
from bboxbench.experiments.comparisons import SIGNIFICANT
from bboxbench.experiments.figures.layout import LINE, Words, grid, note, rows_grid, wrapped
from bboxbench.experiments.figures.style import INK, MUTED, PAPER, in_style

__all__ = ["comparisons"]

BETTER, WORSE, EVEN = "#0072B2", "#D55E00", "#f2f2f2"
"""Of the first named against the second; blue and vermilion differ in every kind of colour vision."""
PAIRS = 21
"""More pairs than these (7 losses) become a square of all against all."""
PAIR_WIDTH = 30
"""Characters after which the words of a pair are broken."""
VALUE, LOW, HIGH = (f"probability_of_improvement{end}" for end in ("", "_low", "_high"))


@in_style
def comparisons(table: pd.DataFrame, by: str = "loss") -> Figure:
    """The probability that one loss beats another at the same seed, with 95 % intervals; a panel an initializer.

    Up to seven losses have a row a pair, the one that wins more often over all panels named first. More losses become a
    square: the row against the column.

    Args:
        table: comparisons.csv.
        by: ``loss``, or ``initializer`` to compare those, with a panel a loss.

    Raises:
        InputError: another ``by``.
    """
    if by not in ("loss", "initializer"):
        raise InputError(f"Expected by to be loss or initializer. Received: {by!r}.")
    mine = table[table["by"] == by]
    if not len(mine):
        return note(f"there are no two {'losses' if by == 'loss' else 'initializers'} to compare")
    pairs = mine.groupby(["a", "b"], sort=False)[VALUE].mean()
    return _forest(mine, pairs, by) if len(pairs) <= PAIRS else _squares(mine, by)


def _forest(table: pd.DataFrame, pairs: pd.Series, by: str) -> Figure:
    turned = {pair: bool(mean < 0.5) for pair, mean in pairs.items()}
    order = sorted(pairs.index, key=lambda pair: -abs(pairs[pair] - 0.5))
    names = [f"{b} over {a}" if turned[a, b] else f"{a} over {b}" for a, b in order]
    groups = list(dict.fromkeys(table["where"]))
    tested = bool(table["p_value_holm"].notna().any())
    handles = [_dot(True, "p < 0.05 after Holm's correction"), _dot(False, "p of 0.05 or more")] if tested else []
    ways = {_way(row[VALUE], turned[row["a"], row["b"]]) for _, row in table.iterrows()}
    handles += [
        Line2D([], [], color=colour, linewidth=1.6, label=name)
        for colour, name in ((BETTER, "first ahead"), (WORSE, "second ahead"), (MUTED, "neither"))
        if colour in ways
    ]
    least, most = table["seeds"].min(), table["seeds"].max()
    seeds = f"{least} to {most} seeds" if least < most else f"{most} seeds" if most > 1 else "1 seed"
    untested = "" if tested else "; too few for a test"
    words = Words(f"probability that the first beats the second at the same seed\n({seeds}{untested})", handles=handles)
    made = rows_grid(names, groups, words, row=0.3, label_width=PAIR_WIDTH)
    for group, axis in zip(groups, made.axes.flat, strict=False):
        axis.set(xlim=(0, 1), xticks=[0, 0.5, 1], xticklabels=["0", "0.5", "1"])
        axis.axvline(0.5, color=MUTED, linewidth=0.8, zorder=0.5)
        for y, pair in enumerate(order):
            rows = table[(table["where"] == group) & (table["a"] == pair[0]) & (table["b"] == pair[1])]
            for _, row in rows.iterrows():
                _draw_interval(axis, row, y, turned[pair])
    return made.figure


def _draw_interval(axis: Axes, row: pd.Series, y: int, turned: bool) -> None:
    value, low, high = (1 - row[VALUE], 1 - row[HIGH], 1 - row[LOW]) if turned else (row[VALUE], row[LOW], row[HIGH])
    colour = _way(row[VALUE], turned)
    sure = bool(row["p_value_holm"] < SIGNIFICANT)
    axis.plot([low, high], [y, y], color=colour, linewidth=1.6, solid_capstyle="butt", alpha=0.7, clip_on=False)
    axis.plot(
        [value],
        [y],
        "o",
        color=colour,
        markersize=5.5,
        markerfacecolor=colour if sure else PAPER,
        markeredgewidth=1.3,
        clip_on=False,
        zorder=3,
    )


def _way(value: float, turned: bool) -> str:
    """The colour of who is ahead of whom, the first of a row being the second of the table where it is turned."""
    ahead = value - 0.5 if not turned else 0.5 - value
    return BETTER if ahead > 0 else WORSE if ahead < 0 else MUTED


def _dot(filled: bool, label: str) -> Line2D:
    face = INK if filled else PAPER
    return Line2D([], [], linestyle="", marker="o", markersize=5.5, color=INK, markerfacecolor=face, label=label)


def _squares(table: pd.DataFrame, by: str) -> Figure:
    names = _by_wins(table)
    groups = list(dict.fromkeys(table["where"]))
    side = max(2.6, 0.185 * len(names))
    longest = max(map(len, names))
    columns = min(2, len(groups))
    titles = [wrapped(group, 40) for group in groups]
    tested = bool(table["p_value_holm"].notna().any())
    some = bool((table["p_value_holm"] < SIGNIFICANT).any())
    found = "a dot: p < 0.05" if some else "nowhere p < 0.05"
    mark = f"; {found} after Holm's correction" if tested else "; too few seeds for a test"
    words = Words(f"each row against each column{mark}")
    made = grid(
        (-(-len(groups) // columns), columns),
        (side, side),
        words,
        left=0.3 + 0.062 * longest,
        right=1.0,
        titles=0.35 + 0.062 * longest + LINE * max(title.count("\n") for title in titles),
        gaps=(0.4 + 0.062 * longest, 0.6 + 0.062 * longest),
        share=False,
    )
    image: Any = None
    for axis in made.axes.flat[len(groups) :]:
        axis.set_axis_off()
    for group, title, axis in zip(groups, titles, made.axes.flat, strict=False):
        image = _draw_square(axis, table[table["where"] == group], names)
        axis.set_title(title, pad=8)
    width, height = made.figure.get_size_inches()
    top = made.axes[0, -1].get_position()
    scale = made.figure.add_axes((1 - 0.8 / width, top.y1 - 2.4 / height, 0.13 / width, 2.4 / height))
    bar = made.figure.colorbar(image, cax=scale)
    bar.set_label(f"probability that the row's {by} is better")
    bar.outline.set_visible(False)
    return made.figure


def _by_wins(table: pd.DataFrame) -> list[str]:
    """All names, those that win most often on average first."""
    names = list(dict.fromkeys([*table["a"], *table["b"]]))
    seen = pd.concat([table.set_index("a")[VALUE], 1 - table.set_index("b")[VALUE]])
    mean = seen.groupby(level=0).mean()
    return sorted(names, key=lambda name: -mean[name])


def _draw_square(axis: Axes, table: pd.DataFrame, names: Sequence[str]) -> Any:
    place = {name: k for k, name in enumerate(names)}
    values = np.full((len(names), len(names)), np.nan)
    a, b = table["a"].map(place).to_numpy(int), table["b"].map(place).to_numpy(int)
    values[a, b], values[b, a] = table[VALUE], 1 - table[VALUE]
    colours = LinearSegmentedColormap.from_list("better", [WORSE, EVEN, BETTER]).with_extremes(bad=PAPER)
    image = axis.imshow(values, cmap=colours, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    sure = (table["p_value_holm"] < SIGNIFICANT).to_numpy()
    axis.plot([*b[sure], *a[sure]], [*a[sure], *b[sure]], ".", color=INK, markersize=2.5)
    axis.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    axis.set_yticks(range(len(names)), names, fontsize=7)
    axis.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    for spine in axis.spines.values():
        spine.set_visible(False)
    return image
