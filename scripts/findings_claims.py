"""The opening of docs/findings.md: the answer, each claim of the case with its verdict; and what stays open."""

from __future__ import annotations

import pandas as pd
from findings_tables import FULL, GLOROT, POSTED, UNIFORM, converged, everything, markdown, read


def opening() -> str:
    """What the page is, the answer, and each claim with its verdict."""
    full, posted, tuning = (read(name, "runs") for name in (FULL, POSTED, "tuning"))
    every = everything()
    learners, iou = full[full["loss"] != "iou"], full[full["loss"] == "iou"]
    uniform = learners[learners["initializer"].isin([GLOROT, UNIFORM])]
    normal = learners[~learners["initializer"].isin([GLOROT, UNIFORM])]
    centre = full[full["loss"] == "centre_point"]
    high = full[full["box_accuracy"] >= 0.96]
    hit = every[every["symptom"] == "pinned"]
    fast = tuning[(tuning["learning_rate"] == 0.001) & tuning["loss"].isin(["iou", "giou"])]
    ok = every[every["status"] == "ok"]
    trap = ok[(ok["keras_accuracy"] >= 0.8) & (ok["box_accuracy"] < 0.5)]
    unguarded = posted[posted["loss"] == "iou_unguarded"]
    best = full.sort_values("box_accuracy").iloc[-1]
    claims = [
        (
            "A loss claims 80 % accuracy while the box hardly moves",
            "**confirmed**",
            f"Keras's `accuracy` read 0.80 or more in {len(trap)} runs with a box accuracy below 0.5: [what it compares](#keras-accuracy)",
        ),
        (
            "MSE and many other losses fail equally badly",
            "**conditional**: so under Adadelta at 0.001",
            f"as posted {converged(posted)} runs converged; the same `mse` with Adam {converged(full[full['loss'] == 'mse'])} ([as posted](#as-posted))",
        ),
        (
            "-ln(IoU) written by hand gets stuck at once",
            "**confirmed**",
            f"the bare logarithm diverged in {(unguarded['outcome'] == 'diverged').sum()} of {len(unguarded)} runs; guarded, {converged(iou)} converged at full size",
        ),
        (
            "Uniform initializers do not converge, random ones do",
            "**refuted** for the shape, **conditional** for the scale",
            f"at full size {converged(uniform)} runs from uniform weights converged and {converged(normal)} from normal ones (`iou` left out); wider weights cost losses of overlap dearly ([uniform or normal](#uniform-or-normal))",
        ),
        (
            "The same network reaches 96 to 98 %",
            "**confirmed**",
            f"{len(high)} of {len(full)} runs passed 0.96, the best {best['box_accuracy']:.3f} ([ceiling](#ceiling))",
        ),
        (
            "Some runs pin a side to the border",
            "**confirmed**, for losses of overlap",
            f"{len(hit)} of {len(every)} runs, {(hit['loss'].isin(['iou', 'giou'])).sum()} of them `iou` or `giou` ([pinned](#pinned)); at a rate of 0.001, {(fast['symptom'] == 'pinned').sum()} of {len(fast)}",
        ),
        (
            "Some runs never converge",
            "**confirmed**",
            f"{(full['outcome'] != 'converged').sum()} of {len(full)} at full size, {(iou['outcome'] != 'converged').sum()} of them `iou`",
        ),
        (
            "A centre-point loss helps",
            "**conditional**: as good as `mse`, at twice its rate",
            f"{converged(centre)} converged at 0.001, and {converged(tuning[(tuning['loss'] == 'centre_point') & (tuning['learning_rate'] < 0.001)])} at lower rates ([learning rates](#learning-rates))",
        ),
        (
            "Gradient descent fell into local minima",
            "**not tested**; plateaus were seen",
            "a pinned sigmoid and a box without overlap have next to no gradient; a head of centre and size and a lower rate keep out of them ([rescue](#rescue))",
        ),
    ]
    table = markdown(pd.DataFrame(claims, columns=["claim", "verdict", "what says so"]))
    return f"""\
# Findings

What real sweeps show of the practitioner's case: one small network that should draw a box round one letter, a loss that
falls, Keras's accuracy of 0.95, and a box that hardly moves.

{ANSWER}

![Box accuracy of every run at full size](images/findings.png)

{table}

Every number on this page is counted from a table in [docs/findings](findings), trained by
`sh scripts/findings.sh .venv` on {full["device"].iloc[0]} (TensorFlow {full["tensorflow_version"].iloc[0]}); the page is made by `scripts/findings_page.py`. A run
is *converged* from a box accuracy of 0.9 on, *blind* where its box ignores the picture, *pinned* where half of its boxes
cling to the border: [results.md](results.md). Failed and diverged runs stay in every count. What a seed changes: starting
weights, order of the pictures, dropout masks. The pictures are one data set (data seed 0), so what is said here holds for
it; the rates were tuned on another.
"""


ANSWER = """\
**The optimizer and its learning rate decide first, the loss second, the initializer by its scale and not by its shape.** As
posted, with Keras's `"adadelta"` at 0.001, nothing learns whatever the loss. With Adam at a rate of its own, `mse`, `giou` and
a centre-point loss converge under every initializer in most runs, -ln(IoU) in none, and a rate that suits one loss pins
another to the border."""


def closing() -> str:
    """What these sweeps leave open."""
    return """\
## What this does not say

- One network, one kind of picture, one optimizer but for the case as posted. Natural pictures, pretrained backbones and
  several boxes a picture are other questions.
- Rates were tuned with one seed under two initializers. Nothing else was tuned, and no loss got more epochs than another.
- At full size there are three seeds: enough to see that a cell converges or does not, too few to rank cells that do.
- A head of centre and size has one first box under both names of the first box, so 24 of the 598 runs are counted twice.
- The small sweeps cannot converge for want of pictures. They show who learns at all, not who ends best.
"""
