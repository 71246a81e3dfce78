"""Holds the estimate of ``sweep --dry-run`` against the time the same sweep takes, and writes docs/data/estimate.json.

Run it as ``python benchmarks/estimate.py [options of sweep]``; without options it is ``--seeds 1 --epochs 2``.
"""

# ruff: noqa: T201  # it is a command

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent


def events(options: list[str]) -> list[tuple[float, dict[str, object]]]:
    """What ``bboxbench sweep --json`` tells, each with the second at which it came."""
    command = [sys.executable, "-m", "bboxbench", "sweep", *options, "--json", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        heard = [(time.perf_counter(), json.loads(line)) for line in process.stdout]
    if process.returncode:
        sys.exit(process.returncode)
    return heard


def main() -> None:
    """Estimate, then train, then compare: from the plan to the last run's row."""
    options = sys.argv[1:] or ["--seeds", "1", "--epochs", "2"]
    ((_, plan),) = events([*options, "--dry-run"])
    with tempfile.TemporaryDirectory() as folder:
        heard = events([*options, "--out", str(Path(folder) / "results")])
    (start,) = (when for when, event in heard if event["event"] == "plan")
    (end,) = (when for when, event in heard if event["event"] == "done")
    found = {
        "command": f"bboxbench sweep {' '.join(options)}",
        "estimated_seconds": plan["estimated_seconds"],
        "real_seconds": round(end - start, 1),
    }
    path = ROOT / "docs" / "data" / "estimate.json"
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
