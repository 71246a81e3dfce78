"""The diagnosis of a run of a sweep: its stored predictions, with the measures that the sweep took itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bboxbench.boxes import relative_boxes
from bboxbench.errors import InputError
from bboxbench.experiments.diagnosis.diagnosis import Diagnosis, diagnose
from bboxbench.experiments.recorded import read_sweep
from bboxbench.experiments.splits import all_boxes

__all__ = ["diagnose_run"]

ROUNDING = 0.005
"""Stored boxes are said to be rounded where Keras's accuracy on them differs by this much."""


def diagnose_run(
    folder: Path | str, run: str, data: Path | str | None = None, iou_threshold: float | None = None
) -> Diagnosis:
    """Diagnose the predictions of a sweep's run on the pictures it was tested with.

    Args:
        folder: of the sweep's results.
        run: its run_id as in runs.csv, or a beginning that no other has.
        data: folder of the pictures; by default they are looked for where the sweep had them.
        iou_threshold: in (0, 1]; by default the sweep's. With another, outcome and box accuracy are measured anew.

    Raises:
        InputError: ``folder`` holds no sweep, no or several runs begin so, the run failed, or the pictures are not
            found or not those of the sweep.
    """
    sweep = read_sweep(folder)
    rows = sweep.runs[[str(name).startswith(run) for name in sweep.runs["run_id"]]]
    if len(rows) != 1:
        raise InputError(
            f"Expected --run as in runs.csv of {folder}, or the beginning of one alone. "
            f"Received '{run}', with which {len(rows)} of {len(sweep.runs)} begin."
        )
    row = rows.iloc[0]
    if row["status"] != "ok":
        raise InputError(f"Expected a run with predictions. Received {row['run_id']}, which failed: {row['error']}.")
    dataset = sweep.dataset(Path(data) if data is not None else None)
    if dataset is None:
        raise InputError(f"Expected the pictures that {folder} was made with. They are not found: give --data DIR.")
    boxes = all_boxes(dataset)[sweep.test_indices(row)]
    width, height = dataset.spec.width, dataset.spec.height
    of_sweep = float(sweep.manifest["spec"]["iou_threshold"])
    found = diagnose(
        relative_boxes(boxes, width, height),
        sweep.predictions(str(row["run_id"])),
        bounding_box_format="rel_xyxy",
        width=width,
        height=height,
        iou_threshold=of_sweep if iou_threshold is None else iou_threshold,
        finite=bool(row["outcome"] != "diverged"),
    )
    return _as_recorded(found, row.to_dict(), iou_threshold in (None, of_sweep))


def _as_recorded(found: Diagnosis, row: Mapping[Any, Any], same_threshold: bool) -> Diagnosis:
    """With the measures of the sweep's own table, which saw the boxes before they were rounded to float16."""
    of_threshold = () if same_threshold else ("outcome", "symptom", "box_accuracy", "iou_threshold")
    kept: dict[str, Any] = {
        name: row[name]
        for name, value in found.network.measures.row().items()
        # What failed or is not known stands as NaN in the table.
        if name not in of_threshold and name in row and type(row[name]) is type(value) and row[name] == row[name]
    }
    accuracy = found.network.keras_accuracy
    network = replace(
        found.network,
        measures=replace(found.network.measures, **kept),
        sides=tuple(replace(side, pinned=kept.get(f"pinned_{side.name}", side.pinned)) for side in found.network.sides),
        keras_accuracy=kept.get("keras_accuracy", accuracy),
    )
    notes = found.notes
    if abs(network.keras_accuracy - accuracy) >= ROUNDING:
        notes = (
            *notes,
            "Measures are the sweep's own. Its boxes are stored in float16, which can exchange the largest of a box's "
            f"four numbers: on them Keras's accuracy would read {accuracy:.2f}.",
        )
    return replace(found, network=network, notes=notes)
