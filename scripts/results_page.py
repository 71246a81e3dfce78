"""Writes docs/results.md from the modules that know: python scripts/results_page.py > docs/results.md."""

from bboxbench.experiments import columns, outcomes

FILES = {
    "runs.csv": (columns.RUNS, "A row a run."),
    "distribution.csv": (
        columns.DISTRIBUTION,
        "A row a cell, over all its seeds. [statistics.md](statistics.md) explains the rates, intervals and comparisons.",
    ),
    "comparisons.csv": (
        columns.COMPARISONS,
        "A row a pair of cells that differ in one thing: first all that differ in the loss, then all that differ in the initializer.",
    ),
    "baselines.csv": (
        columns.BASELINES,
        "One box for every picture, by scikit-learn's `DummyRegressor`. A network that is no better ignores the picture.",
    ),
    "epochs.csv": (columns.EPOCHS, "A row a run and epoch."),
    "iou_histogram.csv": (columns.IOU_HISTOGRAM, "A row a run and bin of IoU. Failed runs have none."),
}

HEAD = f"""\
# Results

`bboxbench sweep` leaves a folder, by default `results/<preset>-<id>`; the id stands for the settings, so that two
settings never meet in one folder.

| file | what |
| --- | --- |
| `sweep.json` | the spec as it was resolved, its hash, the environment |
| `journal.jsonl` | the truth: one synced line a finished run, appended and never changed |
| `predictions/<run_id>.npz` | the predicted boxes of all test pictures: `boxes`, float16 (n, 4), xyxy divided by width and height |
| `runs.csv`, `distribution.csv`, `comparisons.csv`, `epochs.csv`, `iou_histogram.csv` | made anew from the journal while runs finish |
| `baselines.csv` | made from the data set at the start of every sweep |
| `logs/<run_id>.log` | of a run that failed: its error, where it arose, and what the process that trained it wrote meanwhile |
| `models/<run_id>.keras` | trained networks, where [`--save-models`](training.md) asked for them |
| `progress.json` | how far a running sweep is, renewed every few seconds: what [`bboxbench status`](watching.md) reads |
| `report/index.html` | [the report](report.md), made at the end; `bboxbench report` makes it anew |
| `report/*.png`, `report/*.svg` | [the figures](figures.md), made at the end, `box_accuracy.png` after every block; `bboxbench plot` draws one anew |

The same command goes on where it stopped. More seeds, losses or initializers ([all axes](sweeps.md)) add to the folder; other
settings or other pictures are refused, and the difference is named. A torn last line of the journal, left by a kill or a power cut, is set
aside in a file beside it.

When a sweep ends it prints a summary: a line a cell with its outcomes, its median and their intervals, then which loss is
ahead under each condition, or that the seeds do not tell. `--format markdown` prints it as Markdown for a pull request, alone on stdout.
[statistics.md](statistics.md) says what every figure means.

While it runs a table shows every cell so far, `bboxbench status DIR` says the same elsewhere, and `sweep --json` tells
programs of every run: [watching.md](watching.md). The command ends with 0 when all runs are ok, 1 when some failed, 2 on
bad input, 3 when the folder holds something else, 4 when it cannot write, 130 when it was interrupted.

## The network

One convolution of 4 filters 16x16, LeakyReLU 0.2, max-pool 3x3 with stride 2, dropout 0.2, dense 200 and dense 64
(LeakyReLU 0.2 each), dense 4 with a sigmoid: 3,105,552 parameters on grey pictures of 200x100. A network of your own
takes its place with `--network`: see [networks.md](networks.md). What varies round it:

- `head`: how the four numbers become a box. `corners`: (xmin, ymin, xmax, ymax) as they stand, so it can be inverted;
  `centre_size`: centre, width and height, so it can reach beyond the picture; `ordered`: it can do neither.
- `start`: the bias of the last layer. `zeros` starts from a box without area at the centre, `wide` from the middle half.
- `vary`: what a seed changes: starting weights, order of the pictures, dropout masks, which pictures are for what. See
  [sweeps.md](sweeps.md#what-the-seed-changes).
- `precision`: what the network computes in, `float32` or `bfloat16`. Weights, the optimizer's state and the boxes are
  float32 in both.

## Engines

`lockstep` trains all runs of a seed at once; `fit` is plain Keras, one run at a time. Where an optimizer looks at more than
one weight at a time, or the network is your own, `fit` trains the run though `lockstep` was asked for: the plan says how
many and why, and the column `engine` has what trained the run.

## Outcomes and symptoms

The outcome is the first that holds:

| outcome | when |
| --- | --- |
| `diverged` | a loss, a weight or a predicted coordinate is not finite (or beyond {outcomes.LARGEST:g}) |
| `converged` | box accuracy is at least {outcomes.CONVERGED_ACCURACY:g} |
| `blind` | the mean over the four sides of Pearson's r between predicted and true is below {outcomes.BLIND_CORRELATION:g}, a constant side counting 0: the box ignores the picture |
| `learning` | anything else |

So is the symptom; it may be empty, which pandas reads as NaN:

| symptom | when |
| --- | --- |
| `pinned` | at least half the predictions have a side within half a pixel of the picture's edge, or beyond it, where the true side is not |
| `inverted` | at least half have xmax <= xmin or ymax <= ymin |
| `constant` | the mean over the sides of predicted / true standard deviation is below {outcomes.CONSTANT_SPREAD:g}; said of two boxes or more, and where the true ones differ |

A run whose training raised has the status `failed` and its error; it stays in every count.

Any predictions can be measured so, not only ours:

```python
import numpy as np

from bboxbench.experiments import measure

y_true = np.array([[20, 30, 60, 80], [100, 10, 140, 70], [50, 20, 80, 60]])
y_pred = np.array([[0, 28, 200, 85], [0, 25, 200, 80], [0, 26, 200, 82]])  # xyxy in pixels
measures = measure(y_true, y_pred, width=200, height=100)
print(measures.outcome, measures.symptom, measures.pinned_left)
```

```text
blind pinned 1.0
```

## Columns

Lengths are in pixels, shares and accuracies in [0, 1], times in seconds.
"""


def page() -> str:
    """The page as Markdown."""
    parts = [HEAD]
    for name, (meanings, said) in FILES.items():
        rows = "\n".join(f"| `{column}` | {meaning} |" for column, meaning in meanings.items())
        parts.append(f"### {name}\n\n{said}\n\n| column | what |\n| --- | --- |\n{rows}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    print(page(), end="")
