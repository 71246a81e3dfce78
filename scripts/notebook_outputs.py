"""Runs the example notebook and keeps what it shows: python scripts/notebook_outputs.py.

What a run adds that says nothing of the tables, as times and the version of Python, is left out: the same tables give the
same file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "docs" / "examples" / "figures.ipynb"


def executed(path: Path = NOTEBOOK) -> Any:
    """The notebook with its outputs, and with no more metadata than it was written with."""
    notebook = nbformat.read(path, as_version=4)
    metadata = dict(notebook.metadata)
    where = {"metadata": {"path": str(path.parent)}}
    done = NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where, record_timing=False).execute()
    done.metadata = nbformat.from_dict(metadata)
    return done


if __name__ == "__main__":
    nbformat.write(executed(), NOTEBOOK)
    print(f"{NOTEBOOK}: {NOTEBOOK.stat().st_size / 1000:.0f} kB")
