"""Performance profiles: how many boxes reach an IoU, over all thresholds at once."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bboxbench.experiments.figures.distributions import NO_RUNS, threshold_of
from bboxbench.experiments.figures.layout import Words, cells_of, grid, note, wrapped
from bboxbench.experiments.figures.lines import loss_styles
from bboxbench.experiments.figures.style import MUTED, in_style
from bboxbench.experiments.statistics import performance_profile

__all__ = ["performance_profiles"]

BANDS = 8
"""With more losses than these the bands would cover each other, and are left out."""
COLUMNS = 2
THRESHOLDS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Marked along x: profiles are known from the first to the last."""
ENTRY = 0.175
"""Height of an entry in the legend of many losses, in inches."""


@in_style
def performance_profiles(histogram: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    """The share of test boxes that reach each IoU, a panel an initializer and a line a loss, with 95 % bands.

    A loss that lies above another everywhere is better at every threshold. The lines are means over the runs, a failed
    run reaching nothing; the bands come from resampling the runs.

    Args:
        histogram: iou_histogram.csv.
        runs: runs.csv.
    """
    if not len(histogram):
        return note("no predictions" if len(runs) else NO_RUNS)
    labels, losses, groups = cells_of(runs)
    counts = histogram.pivot_table(index="run_id", columns="iou_from", values="count", aggfunc="sum")
    edges = [*counts.columns, float(histogram["iou_to"].max())]
    styles = loss_styles(losses)
    handles = [Line2D([], [], **styles[loss], markersize=4, linewidth=1.5, label=loss) for loss in losses]
    titles = [wrapped(group, 40) for group in groups]
    columns = min(COLUMNS, len(groups))
    many = len(losses) > BANDS
    height = 4.2 if many else 2.6
    deep = int(height / ENTRY)
    names = 0.55 + 0.06 * max(map(len, losses))
    made = grid(
        (-(-len(groups) // columns), columns),
        (4.2 if many else 3.4, height),
        Words("IoU with the true box, at least", "share of the test boxes", () if many else handles),
        left=0.75,
        right=0.15 + names * -(-len(losses) // deep) if many else 0.25,
        titles=0.1 + 0.15 * max(title.count("\n") + 1 for title in titles),
        gaps=(0.55, 0.5),
    )
    for axis in made.axes.flat[len(groups) :]:
        axis.set_axis_off()
    for group, title, axis in zip(groups, titles, made.axes.flat, strict=False):
        axis.set_title(title)
        axis.set(xlim=(THRESHOLDS[0], THRESHOLDS[-1]), ylim=(0, 1))
        axis.grid(axis="y")
        axis.axvline(threshold_of(runs), color=MUTED, linewidth=0.6, linestyle=(0, (2, 2)), zorder=0.6)
        for k, loss in enumerate(losses):
            mine = runs.loc[(labels["group"] == group) & (labels["loss"] == loss), "run_id"]
            if not len(mine):
                continue
            profile = performance_profile(counts.reindex(mine).fillna(0).to_numpy(), edges)
            # Markers stand at different thresholds, so that lines that coincide are told apart.
            marks = slice(1 + k % 4, None, 4)
            axis.plot(profile.thresholds, profile.value, **styles[loss], markersize=4, linewidth=1.4, markevery=marks)
            if not many and len(mine) > 1:
                colour = styles[loss]["color"]
                axis.fill_between(profile.thresholds, profile.low, profile.high, color=colour, alpha=0.14, linewidth=0)
    for axis in made.axes.flat[max(0, len(groups) - columns) : len(groups)]:
        axis.tick_params(labelbottom=True)
    made.axes[0, 0].set_xticks(THRESHOLDS, [f"{at:g}" for at in THRESHOLDS])
    if many:
        corner = made.axes[0, -1]
        columns = -(-len(losses) // deep)
        corner.legend(
            handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1), ncols=columns, fontsize=7.5, borderaxespad=0
        )
    return made.figure
