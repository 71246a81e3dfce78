"""Holds the time that a running sweep says is left against the time that was, and writes docs/data/eta.json.

Run it as ``python benchmarks/eta.py [options of sweep]``; without options it trains the demo under 6 seeds, and smaller
sweeps by the other engine and by both. What is said from the first finished block on counts, until less than a tenth of
the time is left.
"""

# ruff: noqa: T201  # it is a command

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from sweep_events import ROOT, sweep_events

SMALL = ["--preset", "quick", "--n", "1000", "--epochs", "4"]
SWEEPS = (
    ["--preset", "quick", "--seeds", "6"],
    [*SMALL, "--seeds", "3", "--engine", "fit"],
    [*SMALL, "--seeds", "4", "--losses", "mse,giou", "--optimizers", "adam:0.0005,lamb:0.001"],
)
"""Trained by lockstep, by fit, and by both in every block."""
LAST = 0.1
"""Share of the time that is left when too little is left to be told apart from what follows training."""


def measured(options: list[str]) -> dict[str, Any]:
    """One sweep: what was said when its first block was done, and the worst that was said from then on."""
    with tempfile.TemporaryDirectory() as folder:
        heard = sweep_events([*options, "--out", str(Path(folder) / "results")])
    start = next(when for when, event in heard if event["event"] == "plan")
    plan = next(event for _, event in heard if event["event"] == "plan")
    end = next(when for when, event in heard if event["event"] == "progress" and event["finished"] == event["runs"])
    block = plan["runs"] // len(plan["spec"]["seeds"])
    said = [
        (when - start, event["eta_seconds"], end - when)
        for when, event in heard
        if event["event"] == "progress" and event["finished"] >= block and end - when > LAST * (end - start)
    ]
    first = said[0]
    worst = max(said, key=lambda each: abs(each[1] / each[2] - 1))
    return {
        "command": f"bboxbench sweep {' '.join(options)}",
        "runs": plan["runs"],
        "seconds": round(end - start, 1),
        "estimated_seconds": plan["estimated_seconds"],
        "first_block": {"after": round(first[0], 1), "said": first[1], "was": round(first[2], 1)},
        "worst": {"after": round(worst[0], 1), "said": worst[1], "was": round(worst[2], 1)},
        "said": len(said),
    }


def main() -> None:
    """Train, listen, compare."""
    found = []
    for options in [sys.argv[1:]] if sys.argv[1:] else SWEEPS:
        found.append(measured(options))
        print(json.dumps(found[-1]), flush=True)
    path = ROOT / "docs" / "data" / "eta.json"
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
