"""Holds the estimate of ``sweep --dry-run`` against the time the same sweep takes, and writes docs/data/estimate.json.

Run it as ``python benchmarks/estimate.py [options of sweep]``; without options it is ``--seeds 1 --epochs 2``.
"""

# ruff: noqa: T201  # it is a command

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from sweep_events import ROOT, sweep_events


def main() -> None:
    """Estimate, then train, then compare: from the plan to the last run's row."""
    options = sys.argv[1:] or ["--seeds", "1", "--epochs", "2"]
    ((_, plan),) = sweep_events([*options, "--dry-run"])
    with tempfile.TemporaryDirectory() as folder:
        heard = sweep_events([*options, "--out", str(Path(folder) / "results")])
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
