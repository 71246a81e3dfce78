"""Writes docs/findings.md from the tables in docs/findings: python scripts/findings_page.py > docs/findings.md.

The prose is written by hand; every number in it is counted here from a committed table. Whoever trains anew
(`sh scripts/findings.sh .venv`) reads the prose again, too: it says what these tables show.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))
from findings_claims import closing, opening
from findings_rescue import rescue
from findings_tables import (
    FULL,
    GLOROT,
    PAIRS_OF_SPREAD,
    POSTED,
    TWENTY,
    UNIFORM,
    converged,
    everything,
    grid,
    learned,
    markdown,
    outcomes,
    p_words,
    read,
    read_ceiling,
    sizes,
    span,
)

from bboxbench.experiments.learning_rates import TUNED


def as_posted() -> str:
    """The case word for word."""
    runs = read(POSTED, "runs")
    base = read(POSTED, "baselines").set_index("baseline").loc["mean"]
    mse = runs[runs["loss"] == "mse"].iloc[0]
    ok = runs[runs["outcome"] != "diverged"]
    return f"""\
## As posted

`bboxbench sweep --preset as_posted`: Keras's `"adadelta"` (a learning rate of 0.001; the paper's is 1.0), four sigmoids
that start as a box without area at the centre, {sizes(POSTED)}; one seed, two initializers.

{grid(runs)}

No network learned anything. The best has a box accuracy of {runs["box_accuracy"].max():.3f}; one box for every picture, the
mean of the training boxes, has {base["box_accuracy"]:.3f}. At that rate the weights hardly leave their start in 8 epochs:
under `mse` and {mse["initializer"]} predicted sides vary by {mse["spread"]:.2f} of what true ones do, and correlate
{mse["correlation"]:.2f} with them. Meanwhile Keras's `accuracy` reads up to {ok["keras_accuracy"].max():.2f}, which is what
it reads for the mean box ({base["keras_accuracy"]:.2f}). So the loss was not to blame, nor the initializer: with this
optimizer at this rate none of the five losses learned in 8 epochs from either initializer, and comparing losses there
compares nothing. `iou_unguarded`, the bare logarithm, met a box without overlap in its first epoch and was NaN.
"""


def keras_accuracy() -> str:
    """What Keras's accuracy reads, over every run there is."""
    runs = everything()
    runs = runs[runs["status"] == "ok"]
    high = runs[runs["keras_accuracy"] >= 0.8]
    useless = high[high["box_accuracy"] < 0.1]
    trap = high.sort_values(["box_accuracy", "keras_accuracy"]).iloc[0]
    best = runs.sort_values("box_accuracy").iloc[-1]
    worst95 = runs[runs["keras_accuracy"] >= 0.95].sort_values("box_accuracy").iloc[0]
    base = read(FULL, "baselines").set_index("baseline").loc["mean"]
    return f"""\
## Keras accuracy

With `metrics=["accuracy"]` on four outputs, Keras compares which of the four numbers is the largest. Pictures are twice as
wide as high, but boxes are divided by width and height, so in {base["keras_accuracy"]:.0%} of the boxes it is the same one, and
a network that ignores the picture reads {base["keras_accuracy"]:.2f}.

Of all {len(runs):,} runs of this page, {len(high)} read 0.80 or more; {len(useless)} of those have a box accuracy below 0.1.
The worst of them reads {trap["keras_accuracy"]:.2f} at a box accuracy of {trap["box_accuracy"]:.3f} (`{trap["loss"]}`,
{trap["initializer"]}). Above 0.95 it still says little: the lowest box accuracy there is {worst95["box_accuracy"]:.2f}, and the
best run of all, with {best["box_accuracy"]:.3f}, reads {best["keras_accuracy"]:.2f}. `bboxbench.metrics.BoxAccuracy` is what
belongs there.
"""


def which_cells_converge() -> str:
    """The default sweep, at full size and over 20 seeds."""
    full, twenty = read(FULL, "runs"), read(TWENTY, "runs")
    pairs = read(TWENTY, "comparisons")
    pairs = pairs[pairs["by"] == "loss"]
    lines = [
        {
            "initializer": f"`{row['where']}`",
            "comparison": f"`{row['a']}` against `{row['b']}`",
            "wins": f"{row['a_wins']} of {row['seeds']}",
            "probability of improvement": f"{row['probability_of_improvement']:.2f} ({row['probability_of_improvement_low']:.2f} to {row['probability_of_improvement_high']:.2f})",
            "p, Holm": p_words(row["p_value_holm"]),
        }
        for _, row in pairs.iterrows()
        if {row["a"], row["b"]} == {"mse", "giou"}
    ]
    rates = ", ".join(f"`{loss}` {rate:g}" for loss, rate in TUNED["adam"].items())
    return f"""\
## Which cells converge

Adam with a rate for each loss ({rates}; see [learning rates](#learning-rates)), first box wide.

At full size, {sizes(FULL)}; three seeds:

{grid(full)}

{_full_size_words(full)}

Over 20 seeds at a smaller size, {sizes(TWENTY)}. Here no network can converge, {read(TWENTY, "runs").iloc[0]["n_train"]:,} pictures are
too few ([amount of data](#amount-of-data)); what differs is who learns at all:

{grid(twenty)}

{markdown(pd.DataFrame(lines))}

{_twenty_words(twenty)}
"""


def _full_size_words(full: pd.DataFrame) -> str:
    learners = full[full["loss"] != "iou"]
    iou = full[full["loss"] == "iou"]
    best = full.sort_values("box_accuracy").iloc[-1]
    high = full[full["box_accuracy"] >= 0.96]
    return f"""\
With its own rate, {converged(learners)} runs of `mse`, `giou` and `centre_point` converged, and those that did not reach
{span(learners.loc[learners["outcome"] != "converged", "box_accuracy"], 2)}. Of `iou`, {converged(iou)}: -ln(IoU) learns slowly and unsteadily, {span(iou["box_accuracy"])} at
the end. {len(high)} runs passed 0.96, the best reached {best["box_accuracy"]:.3f} (`{best["loss"]}`, {best["initializer"]}, seed {best["seed"]}). Three seeds tell
a loss that learns from one that does not; they do not rank those that do."""


def _twenty_words(twenty: pd.DataFrame) -> str:
    glorot = twenty["initializer"].isin([GLOROT, "glorot_normal"])
    overlap = twenty["loss"].isin(["iou", "giou"])
    others = twenty[~overlap]
    giou = twenty[(twenty["loss"] == "giou") & glorot]
    return f"""\
All {len(others)} runs of `mse` and `centre_point` learn, {(others["outcome"] == "blind").sum()} are blind. The losses of overlap learn in
{learned(twenty[overlap & glorot])} runs from Glorot weights and in {learned(twenty[overlap & ~glorot])} from the wider ones. With these few
pictures and steps `mse` is ahead of `giou` in every seed; at full size `giou` has the best run. A loss of overlap needs more
steps before its boxes meet the letter (`giou` under Glorot weights: median {giou["box_accuracy"].median():.3f} here), and ends well when it gets them."""


def rates_table() -> pd.DataFrame:
    """Mean validation box accuracy of the last three epochs, by loss (rows), initializer and rate."""
    runs, epochs = read("tuning", "runs"), read("tuning", "epochs")
    last = epochs[epochs["epoch"] > epochs["epoch"].max() - 3].groupby("run_id")["val_box_accuracy"].mean()
    return runs.assign(score=runs["run_id"].map(last))


def learning_rates() -> str:
    """How each loss got its rate."""
    runs = rates_table()
    table = []
    for loss in dict.fromkeys(runs["loss"]):
        line = {"loss": f"`{loss}`"}
        best = TUNED["adam"][loss]
        for rate in sorted(runs["learning_rate"].unique()):
            cell = runs[(runs["loss"] == loss) & (runs["learning_rate"] == rate)]
            said = f"{cell['score'].mean():.3f} ({', '.join(f'{score:.2f}' for score in cell['score'])})"
            line[f"{rate:g}"] = f"**{said}**" if rate == best else said
        table.append(line)
    return f"""\
## Learning rates

Each loss got the rate of Adam under which the mean validation box accuracy of the last three epochs was highest, over two
initializers (in brackets: {", ".join(dict.fromkeys(runs["initializer"]))}). Pictures of data seed 1, its whole validation
split, network seed 100: no picture and no seed of any other sweep on this page. {sizes("tuning")}.

{markdown(pd.DataFrame(table))}

`adam:tuned`, the default, takes the bold ones; a loss that is not here takes 0.0003. Only the rate was tuned: not the
decay, the batch, the number of epochs, nor anything for each initializer. One network seed an initializer means that
neighbours in the table can change places: under `mse` three rates lie within {_mse_flat(runs):.3f} of each other.
A rate that is right for one loss pins another: at 0.001 both losses of overlap have a box accuracy of 0.00 under both
initializers, where `centre_point` is at its best.
"""


def _mse_flat(runs: pd.DataFrame) -> float:
    scores = runs[runs["loss"] == "mse"].groupby("learning_rate")["score"].mean().sort_values()
    return float(scores.iloc[-1] - scores.iloc[-3])


def uniform_or_normal() -> str:
    """Initializers of equal spread against each other."""
    table = []
    for sweep in (FULL, TWENTY):
        pairs = read(sweep, "comparisons")
        pairs = pairs[pairs["by"] == "initializer"]
        for _, row in pairs.iterrows():
            if {row["a"], row["b"]} in PAIRS_OF_SPREAD or {row["a"], row["b"]} == {UNIFORM, GLOROT}:
                table.append(
                    {
                        "sweep": sweep.replace("_", " "),
                        "loss": f"`{row['where']}`",
                        "better": f"`{row['a']}` in {row['a_wins']}, `{row['b']}` in {row['b_wins']} of {row['seeds']} seeds",
                        "median difference": f"{row['median_difference']:+.3f}",
                        "p, Holm": p_words(row["p_value_holm"]),
                    }
                )
    return f"""\
## Uniform or normal

The initializers come in pairs of equal spread, so that the shape of a distribution and its scale are not mixed:
`glorot_uniform` with `glorot_normal`, and uniform within ±0.05 with normal of standard deviation 0.0289 (0.05 / √3).

{markdown(pd.DataFrame(table))}

{_uniform_words()}
"""


def _uniform_words() -> str:
    twenty = read(TWENTY, "runs")
    overlap = twenty[twenty["loss"].isin(["iou", "giou"])]
    each = {name: learned(overlap[overlap["initializer"] == name]) for name in dict.fromkeys(overlap["initializer"])}
    pairs = read(TWENTY, "comparisons")
    pairs = pairs[pairs["by"] == "initializer"]
    shape = pairs[pairs.apply(lambda row: {row["a"], row["b"]} in PAIRS_OF_SPREAD, axis=1)]
    return f"""\
**The shape does not matter, the scale does, and for losses of overlap most.** Between uniform and normal of equal spread no
pair can be told apart over 20 seeds (least p after Holm {shape["p_value_holm"].min():.2f}). Between the scales it can: of the small sweep's runs of
`iou` and `giou`, {"; ".join(f"{count} learn from {name}" for name, count in each.items())}. ±0.05 is 2.5 times as wide as
Glorot's weights in the layer of 200 units (15,228 inputs, so ±0.02), so that first boxes lie anywhere and few
overlap their letter; that this is the reason was not tested. With 12,000 pictures `giou` converges from the wider weights,
too. Who saw "uniform" fail and "random" work may have compared two scales."""


def pinned() -> str:
    """Which losses put sides on the border."""
    runs = everything()
    runs = runs[runs["status"] == "ok"]
    sides = ["pinned_left", "pinned_top", "pinned_right", "pinned_bottom"]
    table = []
    for loss in dict.fromkeys(runs["loss"]):
        mine = runs[runs["loss"] == loss]
        hit = mine[mine["symptom"] == "pinned"]
        table.append(
            {
                "loss": f"`{loss}`",
                "runs": len(mine),
                "pinned": len(hit),
                "outcomes of the pinned": outcomes(hit) if len(hit) else "",
                **{side.removeprefix("pinned_"): f"{hit[side].median():.2f}" if len(hit) else "" for side in sides},
            }
        )
    hit = runs[runs["symptom"] == "pinned"]
    return f"""\
## Pinned

A side is pinned where it lies on the picture's edge and the true side does not; a run is, when at least half of its boxes
have such a side. Over all sweeps of this page, {len(hit)} of {len(runs)} runs. The last columns are the median share of
boxes with that side on the edge.

{markdown(pd.DataFrame(table))}

{_pinned_words(runs, hit)}
"""


def _pinned_words(runs: pd.DataFrame, hit: pd.DataFrame) -> str:
    mse = hit[hit["loss"] == "mse"]
    return f"""\
Pinned runs cling with all four sides, the box covers the whole picture: that is where a loss of overlap finds its first
gain when boxes miss the letter, and where sigmoids have next to no gradient left. {(hit["outcome"] == "blind").sum()} of {len(hit)} ignore the picture.
`mse` was pinned {len(mse)} times, {(mse["sweep"] == "white").sum()} of them on white under `he_normal`."""


def ceiling() -> str:
    """What small errors leave."""
    frame = read_ceiling()
    table = []
    for error in (1.0, 2.0, 3.0, 4.0, 5.0):
        line = {"error of each edge, px (sd; mean)": f"{error:g}; {error * (2 / 3.141592653589793) ** 0.5:.1f}"}
        for kind, rows in frame.groupby("letters", sort=False):
            line[kind] = f"{rows.set_index('edge_error_sd_px').loc[error, 'box_accuracy']:.3f}"
        table.append(line)
    best = read(FULL, "runs").sort_values("box_accuracy").iloc[-1]
    two = frame[frame["edge_error_sd_px"] == 2.0].set_index("letters")["box_accuracy"]
    return f"""\
## Ceiling

How accurate could a perfect network be whose edges are off by some pixels? True boxes of {frame["n"].iloc[0]:,} letters, each edge
moved by a normal error of its own:

{markdown(pd.DataFrame(table))}

With 2 px of error the default letters (two mono faces, 48 to 64 px) leave {two.iloc[0]:.1%}; sans letters of 20 to 64 px, where
an l is three pixels wide, end at {two.iloc[1]:.1%}: there no loss could reach 96 %. The best run at full size has a box accuracy of
{best["box_accuracy"]:.3f} with a mean edge error of {best["edge_error_px"]:.1f} px (`{best["loss"]}`, {best["initializer"]}, seed {best["seed"]}); so the data set is not what
holds the others back.
"""


def amount_of_data() -> str:
    """The same network on few and on many pictures."""
    table = []
    for sweep in (TWENTY, FULL):
        runs = read(sweep, "runs")
        mine = runs[(runs["loss"] == "mse") & (runs["initializer"] == GLOROT)]
        row = mine.iloc[0]
        table.append(
            {
                "training pictures": f"{row['n_train']:,}",
                "epochs": row["epochs"],
                "steps": f"{-(-row['n_train'] // row['batch_size']) * row['epochs']:,}",
                "runs": len(mine),
                "box accuracy, median": f"{mine['box_accuracy'].median():.3f}",
                "range": span(mine["box_accuracy"]),
                "training loss, median": f"{mine['train_loss'].median():.4f}",
                "edge error, px": f"{mine['edge_error_px'].median():.1f}",
            }
        )
    return f"""\
## Amount of data

`mse` under `glorot_uniform`, the same network at the same rate:

{markdown(pd.DataFrame(table))}

{_data_words()}
"""


def _data_words() -> str:
    return """\
With a tenth of the pictures the training loss goes down, too, and the boxes of test pictures stay off by twice as much: such
a network needs more pictures, or more steps, before any loss can be judged by it."""


def page() -> str:
    """The whole of docs/findings.md."""
    parts = (
        as_posted,
        keras_accuracy,
        which_cells_converge,
        uniform_or_normal,
        pinned,
        rescue,
        learning_rates,
        ceiling,
    )
    return "\n".join([opening(), *(part() for part in (*parts, amount_of_data)), closing()])


if __name__ == "__main__":
    print(page(), end="")
