"""What a sweep tells a program while it runs, and when: what the benchmarks of its estimates listen to."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

__all__ = ["ROOT", "sweep_events"]

ROOT = Path(__file__).parent.parent


def sweep_events(options: list[str]) -> list[tuple[float, dict[str, Any]]]:
    """What ``bboxbench sweep --json`` tells, each with the second at which it came; exits as the sweep where it fails.

    Args:
        options: of the command, as they are typed.
    """
    command = [sys.executable, "-m", "bboxbench", "sweep", *options, "--json", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        heard = [(time.perf_counter(), json.loads(line)) for line in process.stdout]
    if process.returncode:
        sys.exit(process.returncode)
    return heard
