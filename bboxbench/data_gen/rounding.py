"""How much of an annotated box is left when it is rounded to whole pixels, for every imported sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bboxbench.boxes import iou
from bboxbench.data_gen.fitting import Fitting
from bboxbench.data_gen.imported import AnySpec, ImportedSpec

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["with_rounding"]


def with_rounding(table: pd.DataFrame, spec: AnySpec) -> pd.DataFrame:
    """A table with one more column, ``rounding``: IoU of each box with itself before it was rounded, 0 to 1.

    Args:
        table: as `bboxbench.data_gen.Dataset.table` gives it, or a part of it.
        spec: of the data set. The table of one that was drawn, whose boxes are exact, comes back as it is.
    """
    if not isinstance(spec, ImportedSpec):
        return table
    sizes, which = np.unique(table[["source_width", "source_height"]].to_numpy(), axis=0, return_inverse=True)
    fittings = [Fitting.of((width, height), (spec.width, spec.height), spec.fit) for width, height in sizes.tolist()]
    places = np.array([(one.across, one.down, one.left, one.top) for one in fittings])[which.reshape(-1)]
    source = table[["source_xmin", "source_ymin", "source_xmax", "source_ymax"]].to_numpy(np.float64)
    # As `Fitting.exact` has it, for all at once.
    exact = source * places[:, [0, 1, 0, 1]] + places[:, [2, 3, 2, 3]]
    return table.assign(rounding=iou(exact, table[["xmin", "ymin", "xmax", "ymax"]].to_numpy(np.float64)))
