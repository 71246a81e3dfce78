"""How a sweep was made: the commands that make it again, its settings, versions and time."""

from __future__ import annotations

import shlex
from typing import Any

from bboxbench.data_gen.imported import AnySpec, ImportedSpec
from bboxbench.data_gen.typed import draw_command
from bboxbench.durations import duration
from bboxbench.errors import InputError
from bboxbench.experiments.recorded import RecordedSweep
from bboxbench.experiments.report.words import count, listed
from bboxbench.experiments.rules import RULES
from bboxbench.experiments.spec import SweepSpec

__all__ = ["commands", "environment", "place", "settings", "where_typed"]

NAMED = 6
"""So many classes are named, not more."""


def commands(sweep: RecordedSweep, pictures: AnySpec | None = None) -> list[str]:
    """What to type, in a folder of one's own, to have this sweep again, then its report.

    Args:
        sweep: which one.
        pictures: the spec in the folder of its pictures, if that is at hand: it knows where fonts and sources lay.
    """
    spec = sweep.manifest["spec"]
    words = ["bboxbench", "sweep", "--preset", str(spec["preset"])]
    try:
        usual = SweepSpec.from_preset(spec["preset"]).to_dict()
    except InputError:
        usual = {}
    for name, value in spec.items():
        # Pictures of a data folder come from the folder; a number of threads belongs to the machine.
        skipped = name in ("preset", "threads") or (name in ("n", "data_seed") and spec.get("data"))
        if skipped or (name in usual and usual[name] == value):
            continue
        for text in value if name in RULES else [_option(name, value)]:
            words += [f"--{name.replace('_', '-')}", text]
    words += ["--out", place(sweep)]
    typed = [shlex.join(words), shlex.join(["bboxbench", "report", place(sweep)])]
    if spec.get("data"):
        typed.insert(0, draw_command(pictures or sweep.pictures, spec["data"]))
    return typed


def place(sweep: RecordedSweep) -> str:
    """Where the commands put the results, with a slash on every system."""
    return f"results/{sweep.folder.resolve().name}"


def where_typed(sweep: RecordedSweep, pictures: AnySpec | None = None) -> str:
    """Where the `commands` work: what they need beside bboxbench is code of one's own, and what pictures came from.

    Args:
        sweep: which one.
        pictures: as for `commands`.
    """
    spec, needed = sweep.manifest["spec"], []
    if code := [str(name) for name in (*spec["losses"], *spec["initializers"], spec["network"]) if ":" in str(name)]:
        needed.append(f"the code of {listed(code)}")
    drawn = pictures or sweep.pictures
    if isinstance(drawn, ImportedSpec):
        source = f"in {drawn.source[0]}" if drawn.source else "that were imported"
        needed.append(f"the pictures and annotations {source}")
    return f"a folder with {listed(needed)}" if needed else "an empty folder"


def _option(name: str, value: Any) -> str:
    if name != "seeds":
        return ",".join(map(str, value)) if isinstance(value, list) else str(value)
    seeds = sorted(value)
    if len(seeds) > 1 and seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]}-{seeds[-1]}"
    # A lone number would be a count of seeds.
    return ",".join(map(str, seeds)) if len(seeds) > 1 else f"{seeds[0]}-{seeds[0]}"


def settings(sweep: RecordedSweep) -> list[tuple[str, str]]:
    """What was asked for, as pairs of a name and words; axes first."""
    spec, runs, drawn = sweep.manifest["spec"], sweep.runs, sweep.pictures
    rows = [(name, ", ".join(map(str, spec[name]))) for name in ("losses", "initializers", "optimizers")]
    rows += [(name.replace("_", " "), ", ".join(map(str, spec[name]))) for name in ("heads", "starts", "batch_sizes")]
    rows.append(("seeds", _option("seeds", spec["seeds"])))
    rows += [(name, "; ".join(spec[name])) for name in RULES if spec[name]]
    if not runs.empty:
        rates = runs.groupby("loss", sort=False)["learning_rate"].unique()
        told = [f"{loss} {', '.join(f'{rate:g}' for rate in sorted(values))}" for loss, values in rates.items()]
        same = runs["learning_rate"].nunique() == 1
        rows.append(("learning rate", f"{runs['learning_rate'].iloc[0]:g}" if same else "; ".join(told)))
        sizes = runs.iloc[0]
        rows.append(
            (
                "pictures",
                f"{int(sizes['n_train']):,} to train, {int(sizes['n_validation']):,} looked at after each epoch, "
                f"{int(sizes['n_test']):,} to test, once, after the last epoch",
            )
        )
        rows.append(("a seed changes", str(sizes["vary"]).replace(",", ", ")))
    rows.append(("network", str(spec["network"])))
    patience = (
        f", or {count(spec['patience'], 'epoch')} without a new best; the best is kept" if spec["patience"] else ""
    )
    rows.append(("epochs", f"{spec['epochs']}{patience}"))
    rows.append(("dropout", f"{spec['dropout']:g}"))
    rows.append(("a box is right", f"from an IoU of {spec['iou_threshold']:g} with the true box"))
    rows.append(("computed", f"in {spec['precision']} by the engine {spec['engine']}"))
    size = f"{count(drawn.n, 'picture')} of {drawn.width} x {drawn.height} px"
    rows.append(("data set", f"{drawn.folder_name}: {size}, {_shown(drawn)}"))
    rows.append(("SHA-256 of the data", sweep.dataset_sha256))
    rows.append(("SHA-256 of the settings", str(sweep.manifest["spec_sha256"])))
    return rows


def _shown(pictures: AnySpec) -> str:
    """What is to be seen in the pictures of a data set."""
    if isinstance(pictures, ImportedSpec):
        how = {"pad": "padded", "stretch": "stretched"}[pictures.fit]
        classes = pictures.classes
        names = ", ".join(classes[:NAMED]) + (f" and {len(classes) - NAMED} more" if len(classes) > NAMED else "")
        return f"imported and {how} to this size, {count(len(classes), 'class', 'classes')}: {names}"
    return (
        f"{count(len(pictures.glyphs), 'letter')}, {', '.join(pictures.fonts)} at {pictures.sizes[0]} to "
        f"{pictures.sizes[1]} px, background {', '.join(pictures.background)}"
    )


def environment(sweep: RecordedSweep) -> list[tuple[str, str]]:
    """Machine, versions and time, as pairs of a name and words."""
    found = sweep.manifest.get("environment", {})
    rows = []
    if not sweep.runs.empty:
        total = float(sweep.runs["seconds"].astype(float).sum())
        each = float(sweep.runs["seconds"].astype(float).median())
        rows.append(("time", f"{duration(total)} of training in all, {duration(each)} a run in the median"))
    rows += [(name, str(found[name])) for name in ("device", "cores", "platform", "python") if name in found]
    rows += [(name, str(version)) for name, version in found.get("packages", {}).items()]
    return rows
