"""One HTML file that explains a sweep to somebody who was not there: everything is inside, nothing is loaded."""

from __future__ import annotations

import base64
import hashlib
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from bboxbench import __version__
from bboxbench.data_gen import Dataset
from bboxbench.data_gen.imported import ImportedSpec
from bboxbench.durations import duration
from bboxbench.errors import InputError
from bboxbench.experiments.cells import conditions, other_axes
from bboxbench.experiments.columns import COMPARISONS
from bboxbench.experiments.figures.style import OUTCOME_STYLE, SYMPTOM_STYLE
from bboxbench.experiments.names import short
from bboxbench.experiments.outcomes import CONVERGED_ACCURACY, SYMPTOMS
from bboxbench.experiments.recorded import RecordedSweep, read_sweep, sides_table
from bboxbench.experiments.report import answers, drawings, provenance, rows, words
from bboxbench.experiments.report.cautions import cautions
from bboxbench.experiments.report.cells import STATES, Cell, cells_of
from bboxbench.experiments.report.pictures import Overlay, Picture, overlays, preview_pictures, test_pictures
from bboxbench.experiments.report.ranking import comparison_summary, rankings
from bboxbench.files import make_folder, write_atomically

__all__ = ["PAGE", "render", "write_page", "write_report"]

PAGE = Path("report") / "index.html"
"""The page, within a folder of results."""
MOST_COLUMNS = 5
"""With more conditions than these the answer is laid out as cards: its columns would be too narrow."""
TALL_ROWS = 40
"""A table of more rows scrolls below its heads, in place of being as long as it is."""
MOST_PAIRS = 500
"""Rows of the table of pairs; a page of thousands would be slow, and comparisons.csv has them all."""
OPEN_CASES = 6
"""Failing cells that are shown at once; the others are folded away below them."""


def write_report(folder: Path | str, data: Path | str | None = None) -> Path:
    """Write ``report/index.html`` into a folder of results, of what is finished so far.

    Args:
        folder: of the sweep's results.
        data: folder of its pictures; by default they are looked for where the sweep had them. Where they are not
            found, the page says so and goes without.

    Returns:
        The path of the page.

    Raises:
        InputError: ``folder`` holds no sweep, or ``data`` is not the data set it was trained on.
        CannotWrite: disk full, no permission.
    """
    sweep = read_sweep(folder)
    return write_page(sweep, sweep.dataset(Path(data) if data is not None else None))


def write_page(sweep: RecordedSweep, dataset: Dataset | None) -> Path:
    """The same for a sweep that was read, with its pictures or without.

    Raises:
        CannotWrite: disk full, no permission.
    """
    path = sweep.folder / PAGE
    page = render(sweep, dataset)
    make_folder(path.parent)
    write_atomically(path, page)
    return path


def render(sweep: RecordedSweep, dataset: Dataset | None = None) -> str:
    """The page's HTML.

    Args:
        sweep: what to show.
        dataset: its pictures, where they are at hand.
    """
    cells = cells_of(sweep)
    notes: list[str] = []
    pictures, previews, dataset = _pictures(sweep, cells, dataset, notes)
    context = {
        "version": __version__,
        "thing": "object" if isinstance(sweep.pictures, ImportedSpec) else "letter",
        "name": sweep.folder.resolve().name,
        "results": shlex.quote(provenance.place(sweep)),
        "tall_rows": TALL_ROWS,
        "headline": answers.headline(cells, sweep.planned - len(sweep.runs) + len(sweep.latest)),
        "tables": [name for name in VIEWS if (sweep.folder / name).is_file()],
        "lead": answers.lead(cells),
        "cells": [_View(cell) for cell in cells],
        "pictures": pictures,
        "previews": previews,
        "notes": notes,
        "facts": _facts(sweep, cells),
        "commands": provenance.commands(sweep, dataset.spec if dataset else None),
        "where_typed": provenance.where_typed(sweep, dataset.spec if dataset else None),
        "settings": provenance.settings(sweep),
        "environment": provenance.environment(sweep),
        "contents": CONTENTS if cells else CONTENTS[-1:],
    }
    if cells:
        context |= _overview(sweep, cells)
        context |= _happened(sweep, cells, pictures, dataset)
        context |= _measured(sweep, cells)
        context |= _ranked(sweep, cells)
    script = _asset("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    style = f"{_colours()}\n{_asset('page.css')}"
    return str(_template().render(**context, script=Markup(script), script_sha256=digest, style=Markup(style)))


VIEWS = ("runs.csv", "distribution.csv", "comparisons.csv", "epochs.csv", "iou_histogram.csv", "baselines.csv")
"""Tables that a sweep leaves beside its page."""
CONTENTS = (
    ("answer", "Answer"),
    ("happened", "What happened"),
    ("trap", "Accuracy trap"),
    ("curves", "Learning"),
    ("spread", "Boxes"),
    ("ranking", "Ranking"),
    ("runs", "Runs"),
    ("made", "How it was made"),
)
"""Sections of the page: id and name in the contents."""


class _View:
    """A cell with its words for the template."""

    def __init__(self, cell: Cell) -> None:
        self.loss, self.group, self.n, self.row = cell.loss, cell.group, cell.n, cell.row
        self.states, self.symptoms = cell.states, cell.symptoms
        self.dominant = max(cell.states, key=lambda name: cell.states[name])
        self.rate = words.interval(cell.row, "converged_rate")
        self.median = words.number(cell.row["box_accuracy_median"])
        self.strip = Markup("")


@dataclass(frozen=True)
class _Case:
    """The run in the middle of a cell."""

    cell: _View
    outcome: str
    words: str
    overlays: list[Overlay]
    sides: Markup
    missing: str
    """What is said where no boxes can be shown."""


def _facts(sweep: RecordedSweep, cells: Sequence[Cell]) -> list[tuple[str, str]]:
    runs, planned = sweep.runs, sweep.planned
    done = f"{len(runs):,}" if len(runs) >= planned else f"{len(runs):,} of {planned:,}"
    facts = [(done, "run" if len(runs) == 1 else "runs")]
    if not cells:
        return facts
    facts.append((f"{len(cells):,}", "combinations" if len(cells) > 1 else "combination"))
    seeds = sorted({cell.n for cell in cells})
    each = f"{seeds[0]}" if seeds[0] == seeds[-1] else f"{seeds[0]} to {seeds[-1]}"
    facts.append((each, "seeds each" if seeds[-1] > 1 else "seed each"))
    facts.append((f"{int(runs['n_train'].iloc[0]):,}", "training pictures"))
    facts.append((f"{int(runs['n_test'].iloc[0]):,}", "test pictures"))
    facts.append((str(sweep.manifest["spec"]["epochs"]), "epochs" if sweep.manifest["spec"]["epochs"] > 1 else "epoch"))
    facts.append((duration(float(runs["seconds"].astype(float).sum())), "of training"))
    return facts


def _pictures(
    sweep: RecordedSweep, cells: Sequence[Cell], dataset: Dataset | None, notes: list[str]
) -> tuple[list[Picture], list[Picture], Dataset | None]:
    """Test pictures and previews, and the data set if it can be read; what is missing goes into ``notes``."""
    if dataset is None:
        notes.append(
            f"The pictures ({sweep.pictures.folder_name}) were not found, so this page shows none, nor where true "
            "sides lie. With them in place, or named by --data, bboxbench report makes it whole."
        )
        return [], [], None
    tested = {int(cell.middle["seed"]): sweep.test_indices(cell.middle) for cell in _shown(cells)}
    try:
        pictures = test_pictures(dataset, list(tested.values())) if tested else []
        if tested and not pictures:
            notes.append("No picture was a test picture of all the runs that are shown, so none is drawn.")
        return pictures, preview_pictures(dataset), dataset
    except InputError as error:
        notes.append(f"The pictures could not be read, so this page shows none. {error}")
        return [], [], None


def _overview(sweep: RecordedSweep, cells: Sequence[Cell]) -> dict[str, Any]:
    views = [_View(cell) for cell in cells]
    for view, svg in zip(views, drawings.strips(cells), strict=True):
        view.strip = Markup(svg)
    losses, groups = list(dict.fromkeys(c.loss for c in cells)), list(dict.fromkeys(c.group for c in cells))
    seeds = sorted({cell.n for cell in cells})
    state_counts = {name: k for name in STATES if (k := sum(cell.states.get(name, 0) for cell in cells))}
    return {
        "total": sum(cell.n for cell in cells),
        "states": state_counts,
        "state_names": list(state_counts),
        "state_verbs": {name: "failed" if name == "failed" else f"is {name}" for name in STATES}
        | {"converged": "converged", "diverged": "diverged"},
        "symptom_names": [name for name in SYMPTOMS if any(cell.symptoms.get(name) for cell in cells)],
        "cells": views,
        "by_place": {(view.loss, view.group): view for view in views},
        "losses": losses,
        "groups": groups,
        "group_word": "conditions" if other_axes(sweep.runs) else "initializer",
        "loss_rates": {
            # Means: in a sweep under way some losses have more cells. The median tells equal rates apart.
            loss: round(fmean(c.row["converged_rate"] + c.row["box_accuracy_median"] / 1000 for c in mine), 6)
            for loss in losses
            if (mine := [cell for cell in cells if cell.loss == loss])
        },
        "most_columns": MOST_COLUMNS,
        "loss_notes": _loss_notes(sweep.runs),
        "seeds_words": f"with {words.count(seeds[0], 'seed')}"
        if seeds[0] == seeds[-1]
        else f"with {seeds[0]} to {seeds[-1]} seeds",
        "threshold": f"{float(sweep.manifest['spec']['iou_threshold']):g}",
        "converged_at": f"{CONVERGED_ACCURACY:g}",
        "distribution": rows.distribution_rows(cells),
    }


def _loss_notes(runs: pd.DataFrame) -> dict[str, str]:
    """The learning rate beside each loss, where losses differ in it."""
    if runs["learning_rate"].nunique() == 1 or "learning_rate" in other_axes(runs):
        return dict.fromkeys(runs["loss"], "")
    by_loss = runs.groupby("loss")["learning_rate"].unique()
    return {str(loss): f"at {' and '.join(f'{r:g}' for r in sorted(rates))}" for loss, rates in by_loss.items()}


def _shown(cells: Sequence[Cell]) -> list[Cell]:
    """The cells of which a run is shown: those that fail, in the order of the grid, then the best of the others."""
    good = [cell for cell in cells if not cell.fails]
    best = max(good, key=lambda cell: cell.strength, default=None)
    return [cell for cell in cells if cell.fails] + ([best] if best is not None else [])


def _happened(
    sweep: RecordedSweep, cells: Sequence[Cell], pictures: Sequence[Picture], dataset: Dataset | None
) -> dict[str, Any]:
    shown = _shown(cells)
    failing = [cell for cell in shown if cell.fails]
    best = next((cell for cell in shown if not cell.fails), None)
    sides = drawings.sides(sweep, shown, sides_table(sweep, dataset)) if failing else {}

    def case(cell: Cell) -> _Case:
        middle = cell.middle
        state = "failed" if middle["status"] != "ok" else str(middle["outcome"])
        boxes = overlays(sweep, middle, pictures) if state != "failed" else []
        missing = ""
        if state == "failed":
            missing = f"The run in the middle failed, so it gave no boxes: {middle['error']}"
        elif pictures and not boxes:
            missing = "The predictions of this run are missing or altered."
        elif boxes and all(box.predicted is None for box in boxes):
            boxes, missing = [], "No box of the run in the middle is finite, so none can be drawn."
        counts = words.listed(f"{k} {name}" for name, k in cell.states.items())
        if symptoms := words.listed(f"{k} {name}" for name, k in cell.symptoms.items()):
            counts += f" ({symptoms})"
        drawn = Markup(sides.get(cell.number, ""))
        return _Case(_View(cell), f"{counts} of {cell.n}", _case_words(middle, state), boxes, drawn, missing)

    n, total = len(failing), len(cells)
    return {
        "cases": [case(cell) for cell in failing],
        "cases_words": f"In {n} of {total:,} combinations the median run did not converge."
        if total > 1
        else "The median run did not converge.",
        "reference": case(best) if best is not None and failing and pictures else None,
        "open_cases": OPEN_CASES,
    }


def _case_words(run: Any, state: str) -> str:
    """The numbers of the run that is shown, in a sentence."""
    said = f"The run shown: seed {int(run['seed'])}, {state}"
    if state == "failed":
        return f"{said}."
    if isinstance(run["symptom"], str) and run["symptom"]:
        said += f", {run['symptom']}"
    said += (
        f"; box accuracy {words.number(run['box_accuracy'])}, mean IoU {words.number(run['mean_iou'])}, "
        f"correlation with the true sides {words.number(run['correlation'])}, "
        f"spread {words.number(run['spread'])} of the true one"
    )
    pinned = {side: float(run[f"pinned_{side}"]) for side in ("left", "top", "right", "bottom")}
    if at_border := [f"{words.percent(share)} {side}" for side, share in pinned.items() if share >= 0.01]:
        said += f"; within half a pixel of the border, of its boxes alone: {words.listed(at_border)}"
    if float(run["inverted"]) >= 0.01:
        said += f"; {words.percent(float(run['inverted']))} of the boxes inverted"
    return f"{said}; Keras's accuracy reads {words.number(run['keras_accuracy'])}."


def _measured(sweep: RecordedSweep, cells: Sequence[Cell]) -> dict[str, Any]:
    views = [_View(cell) for cell in cells]
    labels = conditions(sweep.runs)

    def panels(svgs: Sequence[str]) -> list[dict[str, Any]]:
        return [{"cell": view, "svg": Markup(svg)} for view, svg in zip(views, svgs, strict=True)]

    return {
        "trap": Markup(drawings.trap(sweep)),
        "trap_words": answers.trap(sweep.runs, sweep.baselines, labels),
        "trap_table": rows.trap_rows(sweep.runs, labels),
        "curves": panels(drawings.curves(cells, sweep.epochs)),
        "epochs_words": answers.last_epochs(sweep.runs, sweep.epochs),
        "last_epochs": rows.last_epochs_rows(cells, sweep.epochs),
        "histograms": panels(drawings.histograms(cells, sweep.iou_histogram)),
        "profiles": [(group, Markup(svg)) for group, svg in drawings.profiles(sweep)],
        "profile_table": rows.profile_rows(cells),
    }


def _ranked(sweep: RecordedSweep, cells: Sequence[Cell]) -> dict[str, Any]:
    labels = conditions(sweep.runs)
    any_error = bool((sweep.runs["status"] != "ok").any())
    return {
        "rankings": rankings(cells, sweep.comparisons),
        "comparison_summary": comparison_summary(sweep.comparisons),
        "comparisons": rows.pair_rows(sweep.comparisons.head(MOST_PAIRS)),
        "pairs": len(sweep.comparisons),
        "power_words": COMPARISONS["power"],
        "cautions": cautions(cells, sweep.runs, sweep.epochs, sweep.planned),
        "run_columns": rows.run_columns("initializer", any_error),
        "run_rows": rows.run_rows(sweep, labels),
        "any_error": any_error,
    }


def _colours() -> str:
    """The outcomes' and symptoms' colours as CSS, from the style of the figures."""
    lines = []
    for kind, style in (("state", OUTCOME_STYLE), ("mark", OUTCOME_STYLE), ("symptom", SYMPTOM_STYLE)):
        lines += [f".{kind}.is-{name}{{--c:{colour}}}" for name, (colour, _) in style.items() if name != "failed"]
    lines += [f".of-{name}{{--c:{colour}}}" for name, (colour, _) in OUTCOME_STYLE.items() if name != "failed"]
    return "\n".join([*lines, ".state.is-failed,.mark.is-failed,.of-failed{--c:var(--ink)}"])


def _asset(name: str) -> str:
    return files("bboxbench.experiments.report").joinpath(name).read_text(encoding="utf-8")


@cache
def _template() -> Any:
    surroundings = Environment(
        loader=FunctionLoader(_asset), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    surroundings.filters |= {"soft": _soft, "short": short}
    return surroundings.get_template("page.html.j2")


def _soft(name: str) -> Markup:
    """A name, short, that may be broken where a person would: behind brackets, commas, equals signs and underscores."""
    shown = short(name)
    broken = Markup(re.sub(r"([(,=_:])", r"\1<wbr>", str(escape(shown))))
    return broken if shown == name else Markup('<abbr title="{}">{}</abbr>').format(name, broken)
