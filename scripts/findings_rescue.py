"""The part of docs/findings.md on what moves a loss of overlap that does not learn."""

from __future__ import annotations

import pandas as pd
from findings_tables import GLOROT, converged, learned, markdown, outcomes, read, sizes, span


def rescue() -> str:
    """What moves a loss of overlap that does not learn."""
    runs, white = read("rescue", "runs"), read("white", "runs")
    # A centre-and-size head starts from the middle half under either bias: its second half is the first again.
    runs = runs[(runs["head"] != "centre_size") | (runs["start"] == "wide")]
    parts = []
    for (head, start), mine in runs.groupby(["head", "start"], sort=False):
        line = {"head": f"`{head}`", "first box": FIRST_BOX[head, start]}
        for loss in ("giou", "iou"):
            for rate in (0.0002, 0.001):
                cell = mine[(mine["loss"] == loss) & (mine["learning_rate"] == rate)]
                pinned_runs = (cell["symptom"] == "pinned").sum()
                line[f"`{loss}` at {rate:g}"] = f"{learned(cell)}" + (f", {pinned_runs} pinned" if pinned_runs else "")
        parts.append(line)
    backgrounds = []
    for (loss, start), mine in white.groupby(["loss", "start"], sort=False):
        backgrounds.append(
            {
                "black on white": f"`{loss}`, first box `{start}`",
                **{
                    f"`{initializer}`": f"{outcomes(cell)}: {span(cell['box_accuracy'])}"
                    for initializer, cell in mine.groupby("initializer", sort=False)
                },
            }
        )
    return f"""\
## Rescue

What moves a loss of overlap that does not learn? Two first boxes, three heads, two rates and two initializers, three seeds
each, {sizes("rescue")}. Runs that learn, of six (two initializers):

{markdown(pd.DataFrame(parts))}

{_rescue_words(runs)}

On black letters on white, where every input is +1 but the glyph, {sizes("white")}, three seeds, Adam 0.0005:

{markdown(pd.DataFrame(backgrounds))}

{_white_words(white)}
"""


def _rescue_words(runs: pd.DataFrame) -> str:
    size, free = runs[runs["head"] == "centre_size"], runs[(runs["head"] == "corners") & (runs["start"] == "wide")]
    giou, others = size[size["loss"] == "giou"], free[free["loss"] == "giou"]
    slow, fast = runs[runs["learning_rate"] == 0.0002], runs[runs["learning_rate"] == 0.001]
    narrow = runs["initializer"] == GLOROT
    ordered = runs[runs["head"] == "ordered"]
    corners = runs[(runs["head"] == "corners") & narrow & (runs["learning_rate"] == 0.0002)]
    wide, zeros = corners[corners["start"] == "wide"], corners[corners["start"] == "zeros"]
    return f"""\
- **The head.** From the same first box, `giou` learns in {learned(giou)} runs when four numbers are read as centre and size, and in
  {learned(others)} when they are free corners. A head that only forbids inverted boxes (`ordered`) does not help: {(ordered["symptom"] == "pinned").sum()} of its
  {len(ordered)} runs are pinned.
- **The rate.** {learned(slow)} runs learn at 0.0002, {learned(fast)} at 0.001.
- **The initializer's scale.** {learned(runs[narrow])} learn from `glorot_uniform`, {learned(runs[~narrow])} from the wider weights.
- **The first box**, where the rest is right: with free corners, Glorot weights and the lower rate, {learned(wide)} runs learn from the
  middle half of the picture and {learned(zeros)} from a box without area."""


FIRST_BOX = {
    ("corners", "zeros"): "a point at the centre",
    ("corners", "wide"): "the middle half",
    ("centre_size", "wide"): "the middle half",
    ("ordered", "zeros"): "a quarter, right below the centre",
    ("ordered", "wide"): "the middle half",
}


def _white_words(white: pd.DataFrame) -> str:
    by = {name: white[white["initializer"] == name] for name in dict.fromkeys(white["initializer"])}
    mse = {name: runs[runs["loss"] == "mse"] for name, runs in by.items()}
    overlap = white[white["loss"] != "mse"]
    return f"""\
A white background does not stop a network by itself: under Glorot weights `mse` converges in {converged(mse[GLOROT])} runs, from a tenth of
the pictures, which is more than on coloured ones. With the larger weights of `he_normal` {(mse["he_normal"]["outcome"] == "blind").sum()} of {len(mse["he_normal"])} are blind. Losses of
overlap learn in {learned(overlap)}, at the rate of `mse`."""
