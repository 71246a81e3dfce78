"""From a trained run to what is kept of it: measures, predictions, its network, and the log of one that failed."""

from __future__ import annotations

from typing import Any

from bboxbench.boxes import to_pixels
from bboxbench.experiments.engines import choose_engine
from bboxbench.experiments.models.kept_models import KeptModels
from bboxbench.experiments.outcomes import measure
from bboxbench.experiments.results import ResultsFolder
from bboxbench.experiments.spec import SweepSpec
from bboxbench.experiments.training import TrainedRun, TrainingData

__all__ = ["keep"]


def keep(
    trained: TrainedRun,
    data: TrainingData,
    spec: SweepSpec,
    facts: dict[str, Any],
    results: ResultsFolder,
    models: KeptModels,
) -> dict[str, Any]:
    """Measure a finished run and put it into the folder; gives its row of runs.csv.

    Args:
        trained: as it came back.
        data: with the true boxes of the test pictures.
        spec: of the sweep.
        facts: the columns that all of its runs share.
        results: where it goes.
        models: where its network goes, if it is kept.

    Raises:
        CannotWrite: disk full, no permission.
    """
    run = trained.run
    row = {"run_id": run.run_id, "seed": run.seed, **run.cell.row(), **facts, "seconds": round(trained.seconds, 3)}
    row |= {"engine": trained.engine or choose_engine(spec, run.cell)[0]}
    row |= {"threads": trained.threads or facts["threads"], "device": trained.device or facts["device"]}
    row |= {"status": "failed" if trained.error else "ok", "error": trained.error}
    row |= {"epochs_trained": len(trained.epochs), "kept_epoch": trained.kept_epoch or None}
    row["train_loss"] = trained.epochs[-1]["train_loss"] if trained.epochs else None
    histogram: tuple[int, ...] = ()
    if trained.predictions is not None:
        boxes = to_pixels(trained.predictions, data.width, data.height)
        measures = measure(
            data.test.boxes,
            boxes,
            data.width,
            data.height,
            iou_threshold=spec.iou_threshold,
            finite=trained.finite,
        )
        row |= measures.row()
        histogram = measures.histogram
    record = {"run_id": run.run_id, "row": row, "epochs": trained.epochs, "histogram": list(histogram)}
    models.write(trained, record)
    results.add(record, trained.predictions, _log(trained))
    models.settle(record)
    return row


def _log(trained: TrainedRun) -> str:
    """What a person needs to find out why a run failed; empty for one that did not."""
    if not trained.error:
        return ""
    parts = [f"{trained.run.run_id}\n\n{trained.error}\n", trained.traceback]
    if trained.log.strip():
        parts.append(f"What the process that trained it wrote meanwhile:\n\n{trained.log}")
    return "\n".join(part for part in parts if part)
