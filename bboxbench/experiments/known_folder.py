"""A folder of results is known by one JSON file, written first: read here, for sweeps and simulations alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bboxbench.errors import CannotRead, FolderConflict, InputError, read_errors, write_errors
from bboxbench.files import LOCK_NAME

__all__ = ["read_known"]


def read_known(
    folder: Path, name: str, whose: str, schema: int, parts: Callable[[dict[str, Any]], object]
) -> dict[str, Any] | None:
    """The content of the file by which ``folder`` is known; None where it is missing and so is anything else.

    Args:
        folder: the folder, which need not be there.
        name: of the file.
        whose: what such a folder belongs to, as in "a sweep's".
        schema: the version of the layout that is read.
        parts: raises `KeyError`, `TypeError` or `ValueError` where the content lacks what its reader asks for.

    Raises:
        InputError: the file is damaged, or may not be read.
        FolderConflict: the folder holds something else, or another version's results.
        CannotWrite: the folder may not be looked into.
    """
    manifest = folder / name
    with write_errors(folder):
        names = sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []
    if name not in names:
        # One that a kill left unfinished is nothing yet.
        if foreign := [each for each in names if each != LOCK_NAME and not each.startswith(f".{name}.tmp")]:
            raise FolderConflict(
                f"Expected an empty folder or {whose}. {folder} holds {foreign[0]} and no {name}; "
                "choose another folder with --out."
            )
        return None
    try:
        with read_errors(manifest):
            text = manifest.read_text(encoding="utf-8")
        found = dict(json.loads(text))
        there, _, _ = found["schema"], dict(found["settings"]), parts(found)
    except CannotRead:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{manifest} is damaged. Restore it, or choose another folder with --out.") from error
    if there != schema:
        raise FolderConflict(f"{manifest} has schema {there}, this version reads {schema}. Update bboxbench.")
    return found
