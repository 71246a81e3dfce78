"""Trained networks as standard ``.keras`` files: written whole or not at all, read in Keras's safe mode alone.

See docs/training.md.
"""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import numpy.typing as npt

from bboxbench.errors import InputError, one_line, read_errors, write_errors
from bboxbench.experiments.fit import untrained  # which also makes the built-in network's layers known to Keras
from bboxbench.experiments.models.best_of_cells import MODEL_SUFFIX
from bboxbench.files import write_atomically

if TYPE_CHECKING:
    from bboxbench.experiments.plan import Run
    from bboxbench.experiments.spec import SweepSpec

__all__ = ["load_model", "model_bytes", "save_model", "trained_network", "why_not_loadable"]

LAMBDA = "it has a Lambda layer, so code of its own, which is never run. Save it with a registered layer instead."


def trained_network(run: Run, spec: SweepSpec, width: int, height: int, weights: list[npt.NDArray[np.float32]]) -> Any:
    """The network of a run with the weights it was trained to: a `keras.Model`, not compiled.

    Args:
        run: whose network it is.
        spec: of the run's sweep.
        width: of the pictures, in pixels.
        height: the same.
        weights: as `keras.Model.get_weights` gives them.
    """
    model = untrained(run, spec, width, height)
    model.set_weights(weights)
    return model


def model_bytes(model: Any) -> bytes:
    """The content of a ``.keras`` file of ``model``.

    Raises:
        CannotWrite: no room for temporary files.
        InputError: a layer of it cannot say how to make it again.
    """
    with write_errors(tempfile.gettempdir()), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{MODEL_SUFFIX}"
        try:
            keras.saving.save_model(model, path)
        except (NotImplementedError, TypeError, ValueError) as error:
            raise InputError(f"The network cannot be saved: {one_line(error)}") from error
        return path.read_bytes()


def save_model(model: Any, path: Path) -> None:
    """Write ``model`` as a ``.keras`` file, which is there whole or not at all.

    Raises:
        CannotWrite: disk full, no permission.
        InputError: a layer of it cannot say how to make it again.
    """
    write_atomically(path, model_bytes(model))


def load_model(path: Path | str) -> Any:
    """Load a ``.keras`` file as a `keras.Model`, in safe mode: no code that the file brings along is run.

    It is not compiled: to train it further, compile it with a loss and an optimizer.

    Args:
        path: of the file. Layers that are neither Keras's nor bboxbench's must be registered before, by importing the
            module that has them under ``@keras.saving.register_keras_serializable()``.

    Raises:
        CannotRead: it is missing, a folder, or may not be read.
        InputError: it is no ``.keras`` file, is damaged, contains a Lambda layer, or a layer that is not registered.
    """
    path = Path(path)
    with read_errors(path), path.open("rb") as stream:
        whole = zipfile.is_zipfile(stream)
    if path.suffix != MODEL_SUFFIX or not whole:
        raise InputError(f"Expected a model saved by Keras 3, a {MODEL_SUFFIX} file. Received: {path}, which is none.")
    try:
        if _has_code(path):
            raise InputError(f"Cannot load {path}: {LAMBDA}")
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except InputError:
        raise
    except Exception as error:  # whatever a file may contain
        raise InputError(f"Cannot load {path}: {_reason(error)}") from error


def _has_code(path: Path) -> bool:
    """Whether the file brings Python code along.

    Keras's own lock is open in a process that called `keras.config.enable_unsafe_deserialization`, whatever is said
    when loading.
    """
    with zipfile.ZipFile(path) as archive:
        left = [json.loads(archive.read("config.json"))]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            if part.get("class_name") == "__lambda__" or part.get("function_type") == "lambda":
                return True
            left.extend(part.values())
        elif isinstance(part, list):
            left.extend(part)
    return False


def why_not_loadable(model: Any) -> str:
    """Why a file of ``model`` could not be loaded in safe mode, in words; empty where it can."""
    try:
        content = model_bytes(model)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"model{MODEL_SUFFIX}"
            path.write_bytes(content)
            load_model(path)
    except InputError as error:
        return str(error).partition(": ")[2]
    return ""


def _reason(error: BaseException) -> str:
    """In words for who has the file, without Keras's advice to switch the safe mode off."""
    said = one_line(error)
    if "lambda" in said.lower():
        return LAMBDA
    if strange := re.search(r"Could not locate \w+ '([^']+)'", said):
        return (
            f"it has '{strange[1]}', which is not registered. Import the module that has it under "
            "@keras.saving.register_keras_serializable() first."
        )
    return f"it is damaged or no model ({said[:160]})."
