"""Every figure of a sweep by its name: the files of a report, and what ``bboxbench plot`` draws."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from bboxbench.data_gen import Dataset
from bboxbench.errors import unknown_name
from bboxbench.experiments.figures.comparisons import comparisons
from bboxbench.experiments.figures.curves import iou_histograms, learning_curves, pinned_sides
from bboxbench.experiments.figures.distributions import box_accuracy, last_epochs, outcomes
from bboxbench.experiments.figures.files import FORMATS, save
from bboxbench.experiments.figures.profiles import performance_profiles
from bboxbench.experiments.figures.trap import accuracy_trap
from bboxbench.experiments.recorded import RecordedSweep, sides_table
from bboxbench.files import make_folder

__all__ = ["FIGURES", "FigureEntry", "figure_of", "telling_figures", "write_figures"]


@dataclass(frozen=True)
class FigureEntry:
    """A figure that can be asked for by name."""

    name: str
    """Of the file, without its suffix."""
    title: str
    explanation: str
    """One line: what is to be seen, and how to read it."""
    draw: Callable[[RecordedSweep, Dataset | None], Figure]
    """From a recorded sweep and its pictures, which may be missing."""
    shows: Callable[[RecordedSweep], bool] = lambda sweep: True
    """Whether this sweep has what it is about; if not, it is a few words that say so."""


def _has_pairs(sweep: RecordedSweep, by: str) -> bool:
    return bool((sweep.comparisons["by"] == by).any())


def _pinned_sides(sweep: RecordedSweep, dataset: Dataset | None) -> Figure:
    return pinned_sides(sides_table(sweep, dataset), sweep.latest)


FIGURES: dict[str, FigureEntry] = {
    entry.name: entry
    for entry in (
        FigureEntry(
            "box_accuracy",
            "Box accuracy",
            "Every run a dot in the colour of its outcome, the cell's box plot behind it; right of the dashed line a "
            "run counts as converged.",
            lambda sweep, _: box_accuracy(sweep.latest),
        ),
        FigureEntry(
            "outcomes",
            "Outcomes and symptoms",
            "What became of each cell's runs, what failing ones look like, and the 95 % interval of the share that "
            "converges.",
            lambda sweep, _: outcomes(sweep.distribution),
        ),
        FigureEntry(
            "accuracy_trap",
            "The accuracy trap",
            "Keras's accuracy against the share of boxes that are right, every run a dot: it reads high where no box "
            "is right.",
            lambda sweep, _: accuracy_trap(sweep.latest, sweep.baselines),
        ),
        FigureEntry(
            "learning_curves",
            "Learning curves",
            "Validation box accuracy after every epoch, a panel a cell and a line a seed.",
            lambda sweep, _: learning_curves(sweep.epochs, sweep.latest),
        ),
        FigureEntry(
            "last_epochs",
            "How steady the last epochs are",
            "How far each run wanders over its last three epochs: a difference between cells that is smaller says "
            "little.",
            lambda sweep, _: last_epochs(sweep.epochs, sweep.latest),
        ),
        FigureEntry(
            "iou_histograms",
            "How the IoU is spread",
            "Share of the test boxes in each bin of IoU, every run a line and their mean an area.",
            lambda sweep, _: iou_histograms(sweep.iou_histogram, sweep.latest),
        ),
        FigureEntry(
            "performance_profiles",
            "Performance profiles",
            "Share of the test boxes that reach each IoU, a line a loss with its 95 % band: higher is better, at every "
            "threshold.",
            lambda sweep, _: performance_profiles(sweep.iou_histogram, sweep.latest),
        ),
        FigureEntry(
            "comparisons",
            "Losses against each other",
            "How likely one loss beats another at the same seed, with its 95 % interval; at 0.5 neither does.",
            lambda sweep, _: comparisons(sweep.comparisons),
            lambda sweep: _has_pairs(sweep, "loss"),
        ),
        FigureEntry(
            "initializer_comparisons",
            "Initializers against each other",
            "How likely one initializer beats another at the same seed under the same loss, with its 95 % interval.",
            lambda sweep, _: comparisons(sweep.comparisons, by="initializer"),
            lambda sweep: _has_pairs(sweep, "initializer"),
        ),
        FigureEntry(
            "pinned_sides",
            "Where the sides lie",
            "Place of predicted and true sides across the picture: a spike at 0 or 1 is a side pinned to the border.",
            _pinned_sides,
        ),
    )
}
"""In the order in which a report shows them."""


def figure_of(name: str, sweep: RecordedSweep, data: Path | None = None) -> Figure:
    """Draw the figure of that name.

    Args:
        name: a key of `FIGURES`.
        sweep: as `bboxbench.experiments.recorded.read_sweep` gives it.
        data: folder of its pictures, where they are not at their place.

    Raises:
        InputError: there is no such figure, or ``data`` holds other pictures.
    """
    if name not in FIGURES:
        raise unknown_name("figure", name, FIGURES)
    return FIGURES[name].draw(sweep, sweep.dataset(data))


def telling_figures(sweep: RecordedSweep) -> list[str]:
    """The names of all figures that have something to show of this sweep."""
    return [name for name, entry in FIGURES.items() if entry.shows(sweep)]


def write_figures(
    sweep: RecordedSweep,
    folder: Path,
    names: Iterable[str] | None = None,
    formats: Iterable[str] = FORMATS,
    dataset: Dataset | None = None,
) -> Iterator[Path]:
    """Draw figures into a folder, each as ``NAME.png`` and ``NAME.svg``; gives each file's path when it is there.

    Args:
        sweep: as `bboxbench.experiments.recorded.read_sweep` gives it.
        folder: made if need be.
        names: keys of `FIGURES`; by default `telling_figures`.
        formats: of `FORMATS`; by default all.
        dataset: the sweep's pictures, where they were found.

    Raises:
        InputError: there is no such figure or format; nothing of it is written.
        CannotWrite: disk full, no permission.
    """
    wanted, kinds = telling_figures(sweep) if names is None else list(names), list(formats)
    for name in wanted:
        if name not in FIGURES:
            raise unknown_name("figure", name, FIGURES)
    for kind in kinds:
        if kind not in FORMATS:
            raise unknown_name("format", kind, FORMATS)
    make_folder(folder)
    for name in wanted:
        figure = FIGURES[name].draw(sweep, dataset)
        for kind in kinds:
            save(figure, folder / f"{name}.{kind}")
            yield folder / f"{name}.{kind}"
