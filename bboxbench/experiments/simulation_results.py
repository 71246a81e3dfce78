"""The folder of a simulation: what it holds, the tables' columns, and how a finished loss gets into it.

A finished loss is one file, written whole, and is not computed again. The CSV files are views of all of those, the
figures of the ones asked for. Points, steps and seed belong to the folder; losses may be added to it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bboxbench.errors import FolderConflict, InputError, read_errors
from bboxbench.experiments.environment import environment
from bboxbench.experiments.known_folder import read_known
from bboxbench.experiments.simulation import Simulated, SimulatedLoss, resolve_loss, simulate
from bboxbench.experiments.simulation_cases import CASES_PER_POINT, SimulationSpec
from bboxbench.experiments.simulation_figures import curves_figure, surface_figure
from bboxbench.experiments.simulation_listener import SimulationListener
from bboxbench.files import claim_folder, make_folder, write_atomically

__all__ = ["CURVES", "SUMMARY", "SURFACE", "SimulationResult", "run_simulation"]

SCHEMA = 1
"""Version of the folder's layout; another one is refused."""

MANIFEST, LOSSES = "simulation.json", "losses"
TEMPORARY = f".{MANIFEST}.tmp"
"""How the name of a simulation.json begins that was not finished."""

CURVES = {
    "loss": "as on the command line, with its parameters",
    "step": "0 is before the first",
    "mean_error": "mean over the finite cases of |dx| + |dy| + |dw| + |dh| against the target",
    "sum_error": "its sum over them, as the paper plots it",
    "mean_iou": "mean IoU over all cases; one that is not finite counts 0",
    "non_finite": "share of cases whose error is not finite",
}
"""``curves.csv``: a row a loss and step."""

SURFACE = {
    "loss": CURVES["loss"],
    "x": "of the point where the cases start; targets lie at 10",
    "y": "likewise",
    "mean_error": "mean final error of the point's finite cases; empty where none is",
    "mean_iou": "mean final IoU of all of them",
    "converged": "share that ends with IoU >= 0.9",
    "unmoved": "share that ends exactly where it started",
    "non_finite": "share whose final error is not finite",
}
"""``surface.csv``: a row a loss and point, over its 343 cases."""

SUMMARY = {
    "loss": CURVES["loss"],
    "cases": "boxes that were moved",
    "start_error": "mean error before the first step",
    "mean_error": "mean final error of the finite cases",
    "median_error": "median of the same",
    "p95_error": "95th percentile of the same",
    "mean_iou": CURVES["mean_iou"].replace("mean IoU", "mean final IoU"),
    "converged": "share of all cases that ends with IoU >= 0.9",
    "unmoved": "share of all cases that ends exactly where it started",
    "non_finite": CURVES["non_finite"].replace("error", "final error"),
    "seconds": "of the computation, compilation included",
}
"""``summary.csv``: a row a loss."""


@dataclass(frozen=True)
class SimulationResult:
    """What a finished simulation leaves."""

    folder: Path
    summary: pd.DataFrame
    """Rows of summary.csv, of the losses that were asked for, in that order."""
    written: tuple[Path, ...]
    """What a person may want to open."""


def run_simulation(
    spec: SimulationSpec, folder: Path | None = None, listener: SimulationListener | None = None, threads: int = 1
) -> SimulationResult:
    """Simulate every loss of ``spec`` that the folder does not have yet, and write tables and figures.

    Args:
        spec: what to do.
        folder: of the results; by default `SimulationSpec.folder`.
        listener: told of progress.
        threads: chunks computed at the same time; they change no result.

    Raises:
        InputError: a loss that cannot be used, or one loss in two spellings.
        FolderConflict: the folder holds something else.
        CannotWrite: disk full, no permission; every finished loss is kept.
        KeyboardInterrupt: passed on; every finished loss is kept.
    """
    folder, listener = folder or spec.folder(), listener or SimulationListener()
    losses = [resolve_loss(text) for text in spec.losses]
    names = [loss.name for loss in losses]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"Expected every loss once. Received twice: {twice}.")
    with _open(folder, spec, names) as order:
        kept = {loss.name: found for loss in losses if (found := _read(folder, loss, listener)) is not None}
        listener.planned(spec, folder, tuple(kept))
        for loss in losses:
            if loss.name in kept:
                continue
            listener.progress(loss.name, 0)
            kept[loss.name] = simulate(loss, spec, threads, partial(listener.progress, loss.name))
            _keep(folder, loss, kept[loss.name])
            listener.finished(_summary_row(loss.name, kept[loss.name]))
        # Losses that were not asked for now stay in the tables, in the order in which they came.
        others = {name: found for name in order if name not in kept and (found := _read_file(folder, name))}
        known = {name: each for name in order if (each := {**others, **kept}.get(name))}
        _write_tables(folder, known)
        asked = {name: kept[name] for name in names}
        figures = (folder / "curves.png", folder / "surface.png")
        curves_figure(_curves(asked), figures[0])
        surface_figure(_surface(asked), figures[1])
    tables = tuple(folder / f"{name}.csv" for name in ("summary", "curves", "surface"))
    return SimulationResult(folder, _summary(asked), (*tables, *figures))


@contextmanager
def _open(folder: Path, spec: SimulationSpec, names: list[str]) -> Iterator[list[str]]:
    """Claim a new folder, or one of the same settings; gives all its losses in the order in which they came."""
    _found(folder, spec)
    make_folder(folder)
    with claim_folder(folder):
        found = _found(folder, spec) or {"losses": []}
        for left in folder.glob(f"{TEMPORARY}*"):
            left.unlink(missing_ok=True)
        order = [*found["losses"], *(name for name in names if name not in found["losses"])]
        content = {
            "kind": "bboxbench simulation",
            "schema": SCHEMA,
            "settings": spec.settings(),
            "losses": order,
            "environment": environment(),
        }
        # The first thing that is written says whose folder this is: whatever happens next, it can be gone on with.
        write_atomically(folder / MANIFEST, json.dumps(content, indent=2) + "\n")
        make_folder(folder / LOSSES)
        yield order


def _found(folder: Path, spec: SimulationSpec) -> dict[str, Any] | None:
    """The content of the folder's simulation.json, None where there is none; raises unless it has these settings."""
    found = read_known(folder, MANIFEST, "a simulation's", SCHEMA, lambda content: list(content["losses"]))
    if found is None:
        return None
    there = dict(found["settings"])
    here = spec.settings()
    differing = [name for name in sorted({*there, *here}) if there.get(name) != here.get(name)]
    if differing:
        changes = ", ".join(f"{name} {there.get(name)} (now {here.get(name)})" for name in differing)
        raise FolderConflict(
            f"{folder} holds a simulation with {changes}. Use the same settings, or another folder with --out."
        )
    return found


def _file(folder: Path, name: str) -> Path:
    """Where a loss is kept: a readable part, and what tells two spellings apart."""
    readable = name.partition("(")[0].rpartition(":")[2]
    return folder / LOSSES / f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:10]}.npz"


def _keep(folder: Path, loss: SimulatedLoss, found: Simulated) -> None:
    """An edited loss takes the place of what it was before."""
    content = io.BytesIO()
    np.savez_compressed(content, identity=np.array(loss.identity), **dataclasses.asdict(found))
    write_atomically(_file(folder, loss.name), content.getvalue())


def _read(folder: Path, loss: SimulatedLoss, listener: SimulationListener) -> Simulated | None:
    """What the folder has of this very loss, None where it must be computed."""
    path = _file(folder, loss.name)
    found = _read_file(folder, loss.name, loss.identity)
    if found is None and path.exists():
        listener.warning(f"{path} is damaged, or of another {loss.name}; it is computed again.")
    return found


def _read_file(folder: Path, name: str, identity: str = "") -> Simulated | None:
    path = _file(folder, name)
    if not path.exists():
        return None
    with read_errors(path):
        content = path.read_bytes()
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            if identity and str(arrays["identity"]) != identity:
                return None
            values = {field.name: arrays[field.name] for field in dataclasses.fields(Simulated)}
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    return Simulated(**{**values, "seconds": float(values["seconds"])})


def _curves(kept: dict[str, Simulated]) -> pd.DataFrame:
    """A row a loss and step, with the columns `CURVES`."""
    return _joined([_curve_rows(name, found) for name, found in kept.items()], CURVES)


def _curve_rows(name: str, found: Simulated) -> dict[str, Any]:
    cases = len(found.points) * CASES_PER_POINT
    mean = np.divide(found.error_sum, found.finite, out=np.full(found.finite.shape, np.nan), where=found.finite > 0)
    return {
        "loss": name,
        "step": np.arange(len(found.finite)),
        "mean_error": mean,
        "sum_error": found.error_sum,
        "mean_iou": found.iou_sum / cases,
        "non_finite": 1 - found.finite / cases,
    }


def _surface(kept: dict[str, Simulated]) -> pd.DataFrame:
    """A row a loss and point, with the columns `SURFACE`."""
    rows = [
        {
            "loss": name,
            "x": found.points[:, 0],
            "y": found.points[:, 1],
            "mean_error": found.point_error,
            "mean_iou": found.point_iou,
            "converged": found.point_converged / CASES_PER_POINT,
            "unmoved": found.point_unmoved / CASES_PER_POINT,
            "non_finite": 1 - found.point_finite / CASES_PER_POINT,
        }
        for name, found in kept.items()
    ]
    return _joined(rows, SURFACE)


def _summary(kept: dict[str, Simulated]) -> pd.DataFrame:
    """A row a loss, with the columns `SUMMARY`."""
    return pd.DataFrame([_summary_row(name, found) for name, found in kept.items()], columns=list(SUMMARY))


def _summary_row(name: str, found: Simulated) -> dict[str, Any]:
    cases, curve = len(found.points) * CASES_PER_POINT, _curve_rows(name, found)
    return {
        "loss": name,
        "cases": cases,
        "start_error": float(curve["mean_error"][0]),
        "mean_error": float(curve["mean_error"][-1]),
        "median_error": float(found.quantiles[0]),
        "p95_error": float(found.quantiles[1]),
        "mean_iou": float(curve["mean_iou"][-1]),
        "converged": float(found.point_converged.sum() / cases),
        "unmoved": float(found.point_unmoved.sum() / cases),
        "non_finite": float(curve["non_finite"][-1]),
        "seconds": round(found.seconds, 3),
    }


def _joined(parts: list[dict[str, Any]], columns: dict[str, str]) -> pd.DataFrame:
    return pd.concat([pd.DataFrame(part, columns=list(columns)) for part in parts], ignore_index=True)


def _write_tables(folder: Path, kept: dict[str, Simulated]) -> None:
    for name, table in (("summary", _summary(kept)), ("curves", _curves(kept)), ("surface", _surface(kept))):
        write_atomically(folder / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))
