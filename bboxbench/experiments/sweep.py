"""A whole sweep: data, plan, training, journal, tables, figure. What the command ``bboxbench sweep`` calls."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import pandas as pd
import tensorflow as tf

from bboxbench import __version__
from bboxbench.data_gen import Dataset, open_dataset
from bboxbench.data_gen.manifest import MANIFEST
from bboxbench.data_gen.splits import split_ranges
from bboxbench.errors import CannotWrite, TooManyFailures, one_line
from bboxbench.experiments.asked import asked_for
from bboxbench.experiments.baselines import baselines_table
from bboxbench.experiments.dealt_pictures import Dealer
from bboxbench.experiments.engines import fallbacks
from bboxbench.experiments.environment import environment
from bboxbench.experiments.estimate import Estimate, estimate
from bboxbench.experiments.execution.chunks import BlocksLeft, blocks_to_train
from bboxbench.experiments.execution.executor import Execution, make_executor
from bboxbench.experiments.figures import write_figures
from bboxbench.experiments.forecast import Forecast
from bboxbench.experiments.keeping import keep
from bboxbench.experiments.listener import Listener
from bboxbench.experiments.memory import available_bytes
from bboxbench.experiments.models.kept_models import KeptModels, check_savable
from bboxbench.experiments.own_network import own_network
from bboxbench.experiments.pictures import dataset_folder, dataset_of
from bboxbench.experiments.plan import Run, plan
from bboxbench.experiments.progress import ProgressFile
from bboxbench.experiments.recorded import read_sweep
from bboxbench.experiments.report import write_page
from bboxbench.experiments.results import LOGS, ResultsFolder, check_folder, finished_runs, open_results
from bboxbench.experiments.runtime import start_tensorflow
from bboxbench.experiments.spec import NETWORK, SweepSpec
from bboxbench.experiments.tables import comparisons_table, distribution_table, histogram_table, runs_table
from bboxbench.experiments.training import EpochListener, TrainingData, check_every_split, load_boxes
from bboxbench.experiments.views import Views
from bboxbench.files import refuse_claimed, write_atomically

__all__ = ["Listener", "Plan", "SweepResult", "plan_sweep", "run_sweep"]

REPORT_RUNS = 5000
"""More runs than that get their tables, and a report only when it is asked for."""


@dataclass(frozen=True)
class Plan:
    """What a sweep is about to do."""

    spec: SweepSpec
    runs: int
    finished: int
    """Runs that are in the journal already."""
    n_train: int
    n_validation: int
    n_test: int
    threads: int
    estimate: Estimate
    """What the runs that are left will take."""
    rates: tuple[tuple[str, str, float], ...]
    """Optimizer, loss and learning rate, each once."""
    fallbacks: tuple[tuple[str, int], ...]
    """Why runs of the plan are not trained by the engine asked for, and how many they are."""
    all_runs: tuple[Run, ...] = ()
    """Every run, finished or not."""
    kept: tuple[dict[str, Any], ...] = ()
    """The rows, as in runs.csv, of those that are finished."""


@dataclass(frozen=True)
class SweepResult:
    """What a finished sweep leaves."""

    folder: Path
    runs: pd.DataFrame
    """A row a run: the content of runs.csv."""
    distribution: pd.DataFrame
    """A row a cell: the content of distribution.csv."""
    comparisons: pd.DataFrame
    """A row a pair of cells that differ in one thing: the content of comparisons.csv."""
    baselines: pd.DataFrame
    """The content of baselines.csv."""
    failed: tuple[str, ...]
    """run_id of each failed run of this plan."""
    of_this_plan: int
    """How many runs of this plan are in the journal, the failed ones among them."""
    written: tuple[Path, ...]
    """What a person may want to open."""


def plan_sweep(spec: SweepSpec, folder: Path | None = None) -> Plan:
    """Check every name of ``spec``, calibrate, and say what there is to do; nothing is drawn, trained or written.

    Args:
        spec: what would be done.
        folder: of the results; by default `SweepSpec.folder`.

    Raises:
        InputError: an unknown name or wrong parameter, or a data set that cannot be used.
        FolderConflict: the folder holds something else.
    """
    threads = start_tensorflow(spec.threads, spec.deterministic)
    _check(spec)
    pictures, sha256 = spec.dataset_spec(), ""
    place = dataset_folder(spec)
    if spec.data or (place / MANIFEST).exists():
        sha256 = open_dataset(place).sha256
    check_every_split(pictures.n)
    ranges = split_ranges(pictures.n)
    train, validation, test = (len(ranges[name]) for name in ("train", "validation", "test"))
    sizes = (train, min(validation, spec.validation), test)
    runs = plan(spec, sha256)
    done = finished_runs(folder or spec.folder(), spec, sha256)
    pending = [run for run in runs if run.run_id not in done]
    # The pictures will take their part of the memory when they are read.
    memory = available_bytes() - pictures.n * pictures.width * pictures.height
    return _plan(spec, runs, pending, sizes, threads, estimate(spec, pending, sizes, memory))


def _plan(
    spec: SweepSpec, runs: list[Run], pending: list[Run], sizes: tuple[int, int, int], threads: int, left: Estimate
) -> Plan:
    """Put the plan together."""
    return Plan(
        spec,
        len(runs),
        len(runs) - len(pending),
        *sizes,
        threads=threads,
        estimate=left,
        rates=tuple(dict.fromkeys((run.cell.optimizer, run.cell.loss, run.cell.learning_rate) for run in runs)),
        fallbacks=fallbacks(spec, runs),
        all_runs=tuple(runs),
    )


def _check(spec: SweepSpec, save_models: str = "none") -> None:
    """Find a typing error before anything is drawn."""
    runs, pictures = plan(spec, ""), spec.dataset_spec()
    if spec.network != NETWORK:
        own_network(spec.network).try_out(spec, pictures.width, pictures.height)
    check_savable(runs[0], spec, save_models, pictures.width, pictures.height)


def run_sweep(
    spec: SweepSpec,
    folder: Path | None = None,
    listener: Listener | None = None,
    *,
    retry_failed: bool = False,
    execution: Execution | None = None,
) -> SweepResult:
    """Run every run of ``spec`` that the folder's journal does not have yet, and write the tables.

    Args:
        spec: what to do.
        folder: of the results; by default `SweepSpec.folder`.
        listener: told of progress.
        retry_failed: whether runs that failed before are trained again.
        execution: where blocks train and what ends them; by default `Execution` as it is.

    Raises:
        InputError: a name, a parameter or a data set that cannot be used; nothing is written.
        FolderConflict: the folder holds something else.
        CannotWrite: disk full, no permission; every finished run is kept.
        TooManyFailures: as many runs failed as ``execution.max_failures`` says; the tables are written.
        KeyboardInterrupt: passed on; every finished run is kept.
    """
    listener, execution = listener or Listener(), execution or Execution()
    folder = folder or spec.folder()
    threads = start_tensorflow(spec.threads, spec.deterministic)
    _check(spec, execution.save_models)
    check_folder(folder, spec)
    dataset = dataset_of(spec, listener.drawing)
    runs = plan(spec, dataset.sha256)
    data = load_boxes(dataset, spec.validation)
    kept = finished_runs(folder, spec, dataset.sha256)
    done, pending = _parted(runs, kept, retry_failed)
    machine = environment(threads, spec.deterministic)
    asked = asked_for(runs)
    # Two that time their blocks at once would time each other, and on a cluster the second would wait for the first.
    refuse_claimed(folder)
    with make_executor(execution, spec, dataset, data, listener.warning) as executor:
        what = _plan(spec, runs, pending, data.sizes, threads, executor.estimate(pending))
        with open_results(folder, spec, dataset.sha256, machine, listener.warning, asked) as results:
            if any(kept.get(r["run_id"]) != r["row"]["status"] for r in results.journal.records):
                # Before the folder was claimed another driver may have finished runs.
                kept = finished_runs(folder, spec, dataset.sha256)
                done, pending = _parted(runs, kept, retry_failed)
                what = replace(what, finished=len(runs) - len(pending))
            wanted = {run.run_id for run in pending}
            if lost := [r["run_id"] for r in results.journal.records if r["run_id"] not in kept]:
                which = ", ".join(lost)
                listener.warning(
                    f"Predictions are missing or altered; this plan trains its own of them again: {which}."
                )
            finished = {run.run_id for run in runs} - wanted
            rows = (record["row"] for record in results.journal.records if record["run_id"] in finished)
            listener.planned(replace(what, kept=tuple(rows)))
            baselines = baselines_table(data, spec.iou_threshold)
            write_atomically(folder / "baselines.csv", baselines.to_csv(index=False, lineterminator="\n"))
            dealer = Dealer(spec, data)
            facts = _shared_columns(spec, data, threads, machine["device"])
            size, records = (data.width, data.height), results.journal.records
            models = KeptModels(folder, execution.save_models, spec, size, records, listener.warning)
            parts = blocks_to_train(spec, runs, wanted)
            with (
                _progress(folder, runs, {run_id: kept[run_id] for run_id in done}, what) as progress,
                Views(folder, results.journal) as views,
                _listener_errors(listener, progress, wanted) as tell,
            ):
                blocks_left = BlocksLeft(parts)
                failures, left = 0, len(wanted)
                for trained in executor.run(parts, tell):
                    # What was finished before trained for the sake of its chunk alone.
                    if trained.run.run_id in wanted:
                        row = keep(trained, dealer.of(trained.run.seed), spec, facts, results, models)
                        views.run_came()
                        progress.finished(row["run_id"], row["status"])
                        listener.finished(row)
                        failures += row["status"] == "failed"
                        left -= 1
                    if blocks_left.ended_by(trained.run.run_id):
                        views.block_ended()
                    if execution.max_failures and failures >= execution.max_failures:
                        break
            report = _report(folder, dataset, len(results.journal.records), listener)
            result = _conclude(results, runs, baselines, report)
    if left:
        stopped = TooManyFailures(_why_stopped(result, failures, left, len(runs)))
        stopped.result = result
        raise stopped
    return result


def _parted(runs: list[Run], kept: dict[str, str], retry_failed: bool) -> tuple[set[str], list[Run]]:
    """The run_ids of the folder that are done with, and the runs of the plan that are not."""
    done = {run_id for run_id, status in kept.items() if status == "ok" or not retry_failed}
    return done, [run for run in runs if run.run_id not in done]


def _progress(folder: Path, runs: list[Run], finished: dict[str, str], what: Plan) -> ProgressFile:
    costs = what.estimate.runs or {run.run_id: 1.0 for run in runs if run.run_id not in finished}
    forecast = Forecast(costs, what.spec.epochs, estimated=bool(what.estimate.runs))
    return ProgressFile(folder, [run.run_id for run in runs], finished, forecast)


def _why_stopped(result: SweepResult, failures: int, left: int, planned: int) -> str:
    count = "1 failed run" if failures == 1 else f"{failures} failed runs"
    return (
        f"Stopped after {count}, as it was told to, with {left} of {planned} runs to go; the errors stand in "
        f"{result.folder / 'runs.csv'}, all that is known of them in {result.folder / LOGS}. The same command goes on, "
        "and with --retry-failed trains them again."
    )


class _ListenerError(BaseException):
    """Carries a listener's error past an engine, which would take any `Exception` for a run that failed."""


@contextmanager
def _listener_errors(listener: Listener, progress: ProgressFile, wanted: Collection[str]) -> Iterator[EpochListener]:
    """What an engine tells of the epochs of wanted runs; an error of the listener's ends the sweep as it is."""
    told: dict[str, float] = {}

    def tell(run: Run, epoch: float) -> None:
        if run.run_id not in wanted:
            return
        progress.epoch(run, epoch)
        if told.get(run.run_id) == epoch:
            return  # A sign of life, no news.
        told[run.run_id] = epoch
        try:
            listener.epoch(run, epoch)
        except Exception as error:
            raise _ListenerError from error

    try:
        yield tell
    except _ListenerError as error:
        raise (error.__cause__ or error) from None


def _shared_columns(spec: SweepSpec, data: TrainingData, threads: int, device: str) -> dict[str, Any]:
    """The columns of runs.csv that every run of this sweep has in common."""
    return {
        "epochs": spec.epochs,
        "vary": ",".join(spec.vary),
        "precision": spec.precision,
        "threads": threads,
        "deterministic": spec.deterministic,
        "network": spec.network,
        **dict(zip(("n_train", "n_validation", "n_test"), data.sizes, strict=True)),
        "dataset_sha256": data.sha256,
        "spec_sha256": spec.sha256(),
        "device": device,
        "bboxbench_version": __version__,
        "tensorflow_version": tf.__version__,
        "keras_version": keras.__version__,
    }


def _report(folder: Path, dataset: Dataset, runs: int, listener: Listener) -> tuple[Path, ...]:
    """The page and all figures; where that fails the sweep stands all the same, and a warning says how to try again.

    Raises:
        CannotWrite: disk full, no permission: that is no fault of the drawing, and the next file would not fit, either.
    """
    made: list[Path] = []
    place = shlex.quote(str(folder))
    if runs > REPORT_RUNS:
        listener.warning(
            f"The report was not made: {runs:,} runs are more than a page is of use for, and take long. "
            f"bboxbench report {place} makes it all the same."
        )
        return ()
    try:
        sweep = read_sweep(folder)
        made.append(write_page(sweep, dataset))
        made.extend(write_figures(sweep, folder / "report", dataset=dataset))
    except CannotWrite:
        raise
    except Exception as error:
        listener.warning(
            f"The report was not made whole ({one_line(error)}). Try again: bboxbench report {place} makes the page, "
            f"bboxbench plot {place} all the figures."
        )
    return tuple(made)


def _conclude(
    results: ResultsFolder, planned: list[Run], baselines: pd.DataFrame, report: tuple[Path, ...]
) -> SweepResult:
    """Name what became of the runs and what was written."""
    records = results.journal.records
    runs = runs_table(records)
    comparisons = comparisons_table(runs)
    mine = {run.run_id for run in planned}
    return SweepResult(
        folder=results.path,
        runs=runs,
        distribution=distribution_table(runs, histogram_table(records), comparisons),
        comparisons=comparisons,
        baselines=baselines,
        of_this_plan=sum(r["run_id"] in mine for r in records),
        failed=tuple(r["run_id"] for r in records if r["run_id"] in mine and r["row"]["status"] == "failed"),
        written=(results.path / "runs.csv", results.path / "distribution.csv", *report),
    )
