"""The data of every run of a sweep: the data set's own splits, or the same pictures dealt by the run's seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from bboxbench.experiments.spec import SweepSpec
from bboxbench.experiments.splits import dealt_indices
from bboxbench.experiments.training import Split, TrainingData

__all__ = ["Dealer", "DealtPictures"]


@dataclass(frozen=True)
class DealtPictures:
    """Rows of several arrays, as if they were one array in another order: nothing is copied but what is asked for."""

    parts: tuple[Any, ...]
    """Arrays of one shape but for the first axis, or what is indexed like them."""
    rows: npt.NDArray[np.int64]
    """Row of all parts together, for each row of this."""

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> npt.NDArray[np.uint8]:
        wanted = self.rows[index]
        ends = list(accumulate(map(len, self.parts)))
        found = np.empty((len(wanted), *self.parts[0].shape[1:]), self.parts[0].dtype)
        for part, end in zip(self.parts, ends, strict=True):
            mine = (wanted >= end - len(part)) & (wanted < end)
            found[mine] = part[wanted[mine] - (end - len(part))]
        return found


class Dealer:
    """Gives every run of a sweep its data.

    Args:
        spec: of the sweep; without ``split`` in its ``vary`` every seed has the data set's own splits.
        data: these, with pictures or without.
    """

    def __init__(self, spec: SweepSpec, data: TrainingData) -> None:
        self._spec, self._data = spec, data
        # The runs of a block follow one another.
        self._dealt = lru_cache(maxsize=2)(self._deal)

    def of(self, seed: int) -> TrainingData:
        """The data of the runs of ``seed``."""
        seed = self._spec.seed_of("split", seed)
        return self._dealt(seed) if seed else self._data

    def _deal(self, seed: int) -> TrainingData:
        data = self._data
        whole = (data.train, data.validation, data.unseen, data.test)
        sizes = [len(split.boxes) for split in whole]
        dealt = dealt_indices(sum(sizes), seed)
        boxes = np.concatenate([split.boxes for split in whole])
        pictures = tuple(split.grey for split in whole)

        def split(rows: npt.NDArray[np.int64]) -> Split:
            return Split(DealtPictures(pictures, rows), boxes[rows])

        seen, unseen = np.split(dealt["validation"], [len(data.validation.boxes)])
        return replace(
            data,
            train=split(dealt["train"]),
            validation=split(seen),
            unseen=split(unseen),
            test=split(dealt["test"]),
        )
