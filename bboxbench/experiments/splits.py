"""Which samples a run learns from and is tested on: the data set's own splits, or the same pictures dealt by the seed.

A deal is a pure function of the seed, and seed 0 keeps the data set's own splits. Sizes stay as they are.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bboxbench.data_gen import Dataset
from bboxbench.data_gen.splits import split_ranges
from bboxbench.experiments.seeds import deal

__all__ = ["all_boxes", "dealt_indices"]


def dealt_indices(n: int, seed: int) -> dict[str, npt.NDArray[np.int64]]:
    """Indices of the samples in each split of a data set of ``n``, in the order in which runs of ``seed`` have them.

    Args:
        n: samples.
        seed: 0 gives the data set's own splits.
    """
    order = deal(seed, n)
    return {name: order[rows.start : rows.stop] for name, rows in split_ranges(n).items()}


def all_boxes(dataset: Dataset) -> npt.NDArray[np.int16]:
    """The boxes of every sample by its index: xyxy in pixels, shape (n, 4).

    Raises:
        InputError: a shard is missing, cut or altered.
    """
    return np.concatenate([dataset.boxes(name) for name in split_ranges(dataset.n)])
