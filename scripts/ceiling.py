"""How accurate a perfect network could be whose edges are off by some pixels: python scripts/ceiling.py > docs/findings/ceiling.csv.

Boxes are those of real letters; each edge of a prediction is the true one plus a normal error of its own. Where small
letters are among them, few pixels cost half of the IoU.
"""

import sys

import numpy as np
import pandas as pd

from bboxbench.boxes import iou
from bboxbench.data_gen import DatasetSpec, draw_sample
from bboxbench.experiments.outcomes import CONVERGED_ACCURACY

LETTERS = 20_000
SEED = 0
ERRORS = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
"""Standard deviation of an edge's error, in pixels."""
KINDS = {
    "default: mono, 48 to 64 px": {},
    "sans, 20 to 64 px": {"fonts": ("DejaVuSans",), "sizes": (20, 64)},
    "mono, 32 to 64 px": {"sizes": (32, 64)},
}

rows = []
for kind, changes in KINDS.items():
    spec = DatasetSpec.letters(n=LETTERS, seed=SEED, **changes)
    boxes = np.array([draw_sample(spec, index).box for index in range(LETTERS)], np.float64)
    noise = np.random.default_rng(SEED).standard_normal(boxes.shape)
    for error in ERRORS:
        overlap = iou(boxes, boxes + error * noise)
        rows.append(
            {
                "letters": kind,
                "edge_error_sd_px": error,
                "edge_error_mean_px": round(float(np.abs(error * noise).mean()), 3),
                "box_accuracy": round(float((overlap >= 0.5).mean()), 4),
                "box_accuracy_75": round(float((overlap >= 0.75).mean()), 4),
                "mean_iou": round(float(overlap.mean()), 4),
                "converges": bool((overlap >= 0.5).mean() >= CONVERGED_ACCURACY),
                "n": LETTERS,
            }
        )
pd.DataFrame(rows).to_csv(sys.stdout, index=False, lineterminator="\n")
