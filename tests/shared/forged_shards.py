"""Shards that were changed with every hash that could tell it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bboxbench.data_gen.attributes import columns_of
from bboxbench.data_gen.manifest import Manifest, read_manifest
from bboxbench.data_gen.packing import array_sha256, pack
from bboxbench.data_gen.shards import csv_rows, read_arrays, shard_file

__all__ = ["forge", "forge_table"]


def forge(folder: Path, change: Callable[[dict[str, npt.NDArray[Any]]], object], number: int = 1) -> None:
    """Change a shard's arrays and all hashes with them, as whoever wrote a wrong box would have."""
    path = folder / shard_file(number)
    with np.load(path) as shard:
        arrays = dict(shard)
    change(arrays)
    path.write_bytes(pack(arrays))
    spec = read_manifest(folder).spec
    content = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    content["shards"][number]["arrays"] = {name: array_sha256(array) for name, array in arrays.items()}
    content["sha256"] = Manifest(spec, content["shards"], "").sha256
    (folder / "dataset.json").write_text(json.dumps(content), encoding="utf-8")


def forge_table(folder: Path) -> None:
    """Write ``boxes.csv`` anew from the shards, and its hash with it."""
    manifest = read_manifest(folder)
    lines = [",".join(columns_of(manifest.spec))]
    for number in range(len(manifest.shards)):
        arrays = read_arrays(folder / shard_file(number), manifest.spec, number)
        lines += csv_rows(manifest.spec, number, arrays)
    table = "".join(f"{line}\n" for line in lines).encode()
    (folder / "boxes.csv").write_bytes(table)
    content = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    content["boxes_csv"]["sha256"] = hashlib.sha256(table).hexdigest()
    (folder / "dataset.json").write_text(json.dumps(content), encoding="utf-8")
