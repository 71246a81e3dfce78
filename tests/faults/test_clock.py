"""A wall clock that jumps to and fro under a sweep, as a machine's does that is set anew or wakes from sleep."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from disturbed_sweeps import assert_same, quiet_environment, run

JUMPING = """
import random, time

_real, _random = time.time, random.Random(5)

def jumping():
    '''A day or ten years off, to either side, at every call.'''
    return _real() + _random.choice([-3e8, -86400, 86400, 3e8]) * _random.random()

time.time = jumping
time.time_ns = lambda: int(jumping() * 1e9)
print("jumping", file=open(__file__ + ".seen", "a"))
"""


@pytest.mark.slow
def test_a_wall_clock_that_jumps_changes_nothing(four_runs_apart: list[str], undisturbed: Path, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(JUMPING, encoding="utf-8")
    search = os.pathsep.join(filter(None, [str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")]))
    # A timeout by the wall clock would end the worker in the first jump.
    command = [*four_runs_apart, "--timeout", "100"]
    code, _, err = run(command, tmp_path, env=quiet_environment(PYTHONPATH=search))
    assert code == 0, err
    assert "Warning" not in err
    # The driver and its worker had the clock that jumps, at the least.
    assert len((tmp_path / "site" / "sitecustomize.py.seen").read_text(encoding="utf-8").splitlines()) >= 2
    assert_same(tmp_path / "r", undisturbed)
