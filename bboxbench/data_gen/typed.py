"""What to type so that a data set is drawn: its spec as a command line."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from bboxbench.data_gen.alphabets import spelled
from bboxbench.data_gen.imported import AnySpec, ImportedSpec
from bboxbench.data_gen.presets import PRESETS
from bboxbench.data_gen.spec import DatasetSpec
from bboxbench.data_gen.spec_file import FOUND

__all__ = ["draw_command"]


def draw_command(spec: AnySpec, folder: Path | str) -> str:
    """What to type to draw or import ``spec`` in a folder that need not exist.

    Fonts and pictures of one's own stand by path, where it is known.
    """
    if isinstance(spec, ImportedSpec):
        return spec.command(folder)
    words = ["bboxbench", "generate", "--n", str(spec.n), "--seed", str(spec.seed)]
    if spec.preset != DatasetSpec.preset:
        words += ["--preset", spec.preset]
    for name, usual in PRESETS[spec.preset].items():
        value = getattr(spec, name)
        if name not in (*FOUND, "n", "seed") and value != usual:
            words += _option(spec, name, value)
    return shlex.join([*words, "--out", str(folder)])


def _option(spec: DatasetSpec, name: str, value: Any) -> list[str]:
    """A field as the option of the same name."""
    option = f"--{name.replace('_', '-')}"
    if name == "fonts":
        paths = {file.name: file.path for file in spec.font_files}
        return [word for font in value for word in ("--font", paths.get(font) or font)]
    if isinstance(value, bool):
        return [option if value else f"--no-{name}"]
    if name == "glyphs":
        return [option, spelled(value)]
    if isinstance(value, tuple):
        between = "," if isinstance(value[0], str) else "-"
        return [option, between.join(map(_plain, value))]
    return [option, _plain(value)]


def _plain(value: Any) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)
