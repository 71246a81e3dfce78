"""The pictures of a spec: of the folder that it names, or the letters, which are drawn where they are not there yet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bboxbench.data_gen import Dataset, generate, open_dataset
from bboxbench.experiments.spec import SweepSpec

__all__ = ["dataset_folder", "dataset_of"]


def dataset_folder(spec: SweepSpec) -> Path:
    """Where the pictures are or will be."""
    return Path(spec.data) if spec.data else Path("data") / spec.dataset_spec().folder_name


def dataset_of(spec: SweepSpec, drawing: Callable[[int, int], None]) -> Dataset:
    """Open the pictures; letters that are not there are drawn first.

    Args:
        spec: of a sweep.
        drawing: told of it, as ``on_progress`` of `bboxbench.data_gen.generate`.

    Raises:
        InputError: the folder that the spec names is no complete data set.
        FolderConflict: where letters are to be drawn is something else.
        CannotWrite: disk full, no permission.
    """
    if spec.data:
        return open_dataset(spec.data)
    return generate(spec.letters(), dataset_folder(spec), on_progress=drawing)
