"""What rounding left of imported boxes is what the import itself found."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from coco_folders import write_shapes

from bboxbench.boxes import iou
from bboxbench.data_gen import Dataset, open_dataset
from bboxbench.data_gen.choosing import choose
from bboxbench.data_gen.fitting import Fitting
from bboxbench.data_gen.importing import plan_import, write_import
from bboxbench.data_gen.rounding import with_rounding
from bboxbench.errors import InputError


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


@pytest.mark.parametrize(("column", "value"), [("source_width", "0"), ("source_height", "-3"), ("source_ymax", "nan")])
def test_a_table_of_pictures_that_cannot_have_come_is_refused(tmp_path: Path, column: str, value: str) -> None:
    planned = plan_import(write_shapes(tmp_path / "shapes", n=5), workers=1)
    path = write_import(planned, tmp_path / "data", workers=1).folder / "boxes.csv"
    lines = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]
    lines[3][lines[0].index(column)] = value
    path.write_text("".join(",".join(line) + "\n" for line in lines), encoding="utf-8")
    manifest = tmp_path / "data" / "dataset.json"
    content = json.loads(manifest.read_text(encoding="utf-8"))
    content["boxes_csv"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError, match=r"boxes\.csv holds .*\(sample 2: it came with "):
        open_dataset(tmp_path / "data").table()
