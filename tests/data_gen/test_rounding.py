"""What rounding left of imported boxes is what the import itself found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from coco_folders import write_shapes

from bboxbench.boxes import iou
from bboxbench.data_gen import Dataset
from bboxbench.data_gen.choosing import choose
from bboxbench.data_gen.fitting import Fitting
from bboxbench.data_gen.importing import plan_import, write_import
from bboxbench.data_gen.rounding import with_rounding


@pytest.mark.parametrize("fit", ["pad", "stretch"])
def test_the_mean_and_the_worst_are_those_that_the_import_tells(tmp_path: Path, fit: str) -> None:
    planned = plan_import(write_shapes(tmp_path / "shapes", n=11), workers=1, fit=fit, width=64, height=48)
    data = write_import(planned, tmp_path / "data", workers=1)
    table = with_rounding(data.table(), data.spec)
    assert (table["rounding"].mean(), table["rounding"].min()) == pytest.approx(planned.rounding, rel=1e-12)
    worst = choose(table, "worst_rounding", 1)
    assert table["file"][worst.indices[0]] == planned.worst
    assert worst.reasons == (f"rounding IoU {planned.rounding[1]:.3f}",)
    row = table.iloc[3]
    place = Fitting.of((row.source_width, row.source_height), (64, 48), fit)
    source = [row[f"source_{edge}"] for edge in ("xmin", "ymin", "xmax", "ymax")]
    assert row.rounding == pytest.approx(float(iou(place.exact(source), np.array(place.rounded(source)))), rel=1e-12)


def test_a_table_of_drawn_samples_comes_back_as_it_is(tiny: Dataset) -> None:
    table = tiny.table()
    assert with_rounding(table, tiny.spec) is table
