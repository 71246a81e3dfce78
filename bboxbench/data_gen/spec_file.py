"""A data set's spec in a TOML file: the keys are the fields of `DatasetSpec`, in the words a person would use.

::

    preset = "varied"
    n = 10_000
    glyphs = "latin-upper,digits"
    fonts = ["DejaVuSans", "fonts/My.ttf"]
    sizes = "24-64"
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from bboxbench.data_gen.alphabets import parse_glyphs, spelled
from bboxbench.data_gen.fonts import is_font_path
from bboxbench.data_gen.spec import DatasetSpec
from bboxbench.data_gen.spec_checks import parse_sizes
from bboxbench.errors import InputError, read_errors, unknown_name

__all__ = ["FOUND", "parse_names", "parse_scale", "read_spec", "read_values", "spec_of", "spec_toml"]

FOUND = ("font_files", "pictures_sha256")
"""Fields that are found from others, and that nobody writes."""


def read_spec(path: Path | str, **changes: Any) -> DatasetSpec:
    """The spec that a TOML file describes; what it does not say is as in its preset.

    Paths in the file are relative to its folder.

    Args:
        path: the file.
        **changes: fields that overrule the file's, as `spec_of` takes them.

    Raises:
        InputError: the file is missing or not TOML, has a key that is no field (the nearest one is named), or a value
            cannot be used; the message names file and key.
    """
    path = Path(path)
    try:
        with read_errors(path):
            content = path.read_bytes()
        # A byte-order mark, which some editors write, is no fault of the person's.
        values = tomllib.loads(content.decode("utf-8-sig"))
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        said = " ".join(str(error).split())
        raise InputError(f"Expected TOML in {path}, received something else: {said}.") from error
    # A person writes min-contrast, as on the command line, or min_contrast, as in Python.
    by_name: dict[str, Any] = {}
    for key, value in values.items():
        name = key.replace("-", "_")
        if name in by_name:
            raise InputError(f"In {path}: Expected each key once, received {name} twice, with - and with _.")
        by_name[name] = value
    try:
        read = read_values(by_name, path.absolute().parent)
    except InputError as error:
        raise InputError(f"In {path}: {error}") from None
    try:
        return spec_of({**read, **changes})
    except InputError as error:
        try:
            spec_of(read)
        except InputError as own:
            raise InputError(f"In {path}: {own}") from error
        # The file by itself is good: the fault lies in what overrules it, and is told in its words.
        raise


def spec_of(values: dict[str, Any]) -> DatasetSpec:
    """A spec from its preset and the fields that differ from it.

    Raises:
        InputError: a field is unknown, or a value cannot be used.
    """
    return DatasetSpec.from_dict(values)


def read_values(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The fields of a spec as a person writes them, in TOML or as options, to what `spec_of` takes.

    Args:
        values: by the names of the fields; ``glyphs`` as in `parse_glyphs`, ``fonts`` as names and paths, ``sizes`` as
            ``"16-64"``, ``scale`` as ``"0.8-1.25"``, ``background`` as ``"plain,noise"``; or as Python has them.
        folder: what relative paths start from.

    Raises:
        InputError: a name is no field (the nearest one is named), or a value is not written in any of these ways.
    """
    known = [field.name for field in fields(DatasetSpec) if field.name not in FOUND]
    read = {}
    for key, value in values.items():
        if key not in known:
            raise unknown_name("key", key, known)
        read[key] = _READERS[key](value, folder) if key in _READERS else value
    return read


def _glyphs(value: Any, _: Path) -> str:
    return parse_glyphs(value)


def _fonts(value: Any, folder: Path) -> tuple[str, ...]:
    names = _texts("fonts", value, "a list of names and paths")
    return tuple(str(folder / Path(name).expanduser()) if is_font_path(name) else name for name in names)


def _background(value: Any, _: Path) -> tuple[str, ...]:
    return parse_names(value) if isinstance(value, str) else _texts("background", value, "a name or a list of names")


def _pictures(value: Any, folder: Path) -> str:
    if not isinstance(value, str):
        raise InputError(f"Expected pictures as the path of a folder, received {value!r}.")
    return str(folder / Path(value).expanduser()) if value else ""


def _sizes(value: Any, _: Path) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return value, value
    return parse_sizes(value) if isinstance(value, str) else value


def _scale(value: Any, _: Path) -> Any:
    return parse_scale(value) if isinstance(value, str) else value


_READERS: dict[str, Callable[[Any, Path], Any]] = {
    "glyphs": _glyphs,
    "fonts": _fonts,
    "background": _background,
    "pictures": _pictures,
    "sizes": _sizes,
    "scale": _scale,
}
"""How a key is read whose values a person writes in other ways than Python has them."""


def _texts(name: str, value: Any, wanted: str) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise InputError(f"Expected {name} as {wanted}, received {value!r}.")
    return tuple(texts)


def spec_toml(spec: DatasetSpec) -> str:
    """The way back: a TOML file of all fields, whose paths are absolute."""
    lines = []
    for field in fields(spec):
        value = getattr(spec, field.name)
        if field.name in FOUND:
            continue
        if field.name == "glyphs":
            value = spelled(value)
        if field.name == "fonts":
            paths = {file.name: file.path for file in spec.font_files}
            value = [paths.get(name, name) for name in value]
        # Texts, numbers, lists of them, true and false are written in TOML as in JSON.
        lines.append(f"{field.name} = {json.dumps(value, ensure_ascii=False)}\n")
    return "".join(lines)


def parse_names(text: str) -> tuple[str, ...]:
    """Names as typed between commas."""
    return tuple(name.strip() for name in text.split(","))


def parse_scale(text: str) -> tuple[float, float]:
    """Factors as typed, '0.8-1.25' or '2' for one only, to (least, most).

    Raises:
        InputError: they are not written like that.
    """
    number = r"(\d{1,6}(?:\.\d{1,20})?|\.\d{1,20})"
    match = re.fullmatch(rf"\s*{number}\s*(?:-\s*{number}\s*)?", text, re.ASCII)
    if match is None:
        raise InputError(f"Expected scale as two factors, as 0.8-1.25, received {text!r}.")
    return float(match[1]), float(match[2] or match[1])
