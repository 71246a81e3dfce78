"""The losses belong in other people's projects: they bring Keras along and nothing else."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import bboxbench.losses

SOURCES = sorted(Path(bboxbench.losses.__path__[0]).glob("*.py"))
# What Keras itself brings along is loaded first, and not counted.
PROGRAM = """
import sys, keras
before = set(sys.modules)
import bboxbench.losses
print(sorted(set(sys.modules) - before))
"""


def imported_by(source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module if not node.level else "a relative import"


def foreign(source):
    allowed = ("keras", "bboxbench.losses", *sys.stdlib_module_names)
    return [name for name in imported_by(source) if not any(name == a or name.startswith(f"{a}.") for a in allowed)]


def test_the_losses_import_keras_and_nothing_else_of_bboxbench():
    assert len(SOURCES) >= 8
    for path in SOURCES:
        assert foreign(path.read_text(encoding="utf-8")) == [], path.name


def test_this_test_can_fail():
    assert foreign("import tensorflow as tf") == ["tensorflow"]
    assert foreign("from bboxbench.errors import InputError") == ["bboxbench.errors"]
    assert foreign("from bboxbench import boxes") == ["bboxbench"]
    assert foreign("def late():\n    import numpy") == ["numpy"]
    assert foreign("from . import geometry") == ["a relative import"]


def test_beside_keras_only_the_losses_are_loaded():
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=120)
    loaded = set(ast.literal_eval(run.stdout.strip().splitlines()[-1]))
    ours = {name for name in loaded if name.partition(".")[0] == "bboxbench"}
    assert "bboxbench.losses.registry" in ours
    assert all(name == "bboxbench" or name.startswith("bboxbench.losses") for name in ours)
    assert {name.partition(".")[0] for name in loaded - ours} <= set(sys.stdlib_module_names)
