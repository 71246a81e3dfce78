"""What a folder holds, byte for byte."""

from __future__ import annotations

from pathlib import Path

__all__ = ["content"]


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but the lock."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
