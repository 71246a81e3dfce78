"""Draws and verifies pictures of every preset by the two commands, and keeps what came of it in docs/data/verified.json.

    python scripts/verify_pictures.py                          # 1,200,000 pictures: on two cores some ten minutes
    python scripts/verify_pictures.py --share 0.01             # a hundredth of them
    python scripts/verify_pictures.py --only letters           # a million of the preset letters alone
    python scripts/verify_pictures.py --table                  # draws nothing, writes the table into the page anew

A data set is removed once it is verified: no more than 1 GB is taken at a time, below the folder that --folder names. The
table of docs/datasets.md is made from the file.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bboxbench.cli.console import duration
from bboxbench.data_gen.workers import usable_cores
from bboxbench.files import write_atomically

ROOT = Path(__file__).parent.parent
KEPT = ROOT / "docs" / "data" / "verified.json"
PAGE = ROOT / "docs" / "datasets.md"
START, END = "<!-- verified -->", "<!-- end of verified -->"

PARTS = {"letters": (1_000_000, 1), "varied": (10_000, 10), "hard": (10_000, 10)}
"""Pictures of a data set, and how many data sets, of the seeds from 0 on. Noise does not pack: 50 kB a picture."""


def told(words: list[str]) -> dict[str, Any]:
    """The last event of a command, which may end with 2 for problems that it has counted."""
    command = [sys.executable, "-m", "bboxbench", *words, "--json", "--quiet"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    ended = next((event for event in reversed(events) if event["event"] == "done"), None)
    if ended is None:
        sys.exit(done.returncode or 1)
    return dict(ended)


def verified(preset: str, share: float, place: Path) -> dict[str, Any]:
    """Draw the data sets of a preset one after the other, verify each, and remove it."""
    each, count = PARTS[preset]
    n = max(1, round(each * share))
    row: dict[str, Any] = {"preset": preset, "data_sets": count, "n": 0, "exact": 0, "problems": 0}
    row |= {"drawing_seconds": 0.0, "verifying_seconds": 0.0, "largest_bytes": 0, "versions": {}}
    for seed in range(count):
        with tempfile.TemporaryDirectory(dir=place) as folder:
            pictures = Path(folder) / "data"
            words = ["--preset", preset, "--n", str(n), "--seed", str(seed), "--out", str(pictures)]
            drawn, found = told(["generate", *words]), told(["verify", str(pictures)])
            row["versions"] = json.loads((pictures / "dataset.json").read_text(encoding="utf-8"))["versions"]
        row["n"] += found["total"]
        row["exact"] += found["exact"]
        row["problems"] += found["problems"]
        row["drawing_seconds"] = round(row["drawing_seconds"] + drawn["seconds"], 1)
        row["verifying_seconds"] = round(row["verifying_seconds"] + found["seconds"], 1)
        row["largest_bytes"] = max(row["largest_bytes"], drawn["bytes"])
    row["cores"] = usable_cores()
    return row


def table(rows: list[dict[str, Any]]) -> str:
    """What was found, as the page has it."""
    lines = [
        "| preset | pictures | exact | other problems | drawn in | verified in |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        inexact = row["n"] - row["exact"]
        lines.append(
            f"| `{row['preset']}` | {row['n']:,} | {row['exact']:,} | {max(0, row['problems'] - inexact):,} | "
            f"{duration(row['drawing_seconds'])} | {duration(row['verifying_seconds'])} |"
        )
    made = rows[-1]["versions"]
    cores = sorted({row["cores"] for row in rows})
    lines += [
        "",
        f"On {' or '.join(map(str, cores))} cores; bboxbench {made['bboxbench']}, Python {made['python']}, NumPy "
        f"{made['numpy']}, Pillow {made['pillow']}, FreeType {made['freetype']}.",
    ]
    return "\n".join(lines)


def page(text: str, rows: list[dict[str, Any]]) -> str:
    """The page with the table in its place."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{table(rows)}\n{END}{after}"


def main() -> None:
    """Draw, verify, keep, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--share", type=float, default=1.0, help="of the pictures")
    parser.add_argument("--only", choices=PARTS, nargs="*", default=list(PARTS), help="presets; the others' rows stay")
    parser.add_argument("--folder", type=Path, help="where the pictures lie meanwhile; by default the system's own")
    parser.add_argument("--table", action="store_true", help="only write the table into the page")
    options = parser.parse_args()
    rows = {row["preset"]: row for row in json.loads(KEPT.read_text(encoding="utf-8"))} if KEPT.exists() else {}
    for preset in [] if options.table else options.only:
        rows[preset] = verified(preset, options.share, options.folder)
        print(json.dumps(rows[preset]), flush=True)
        ordered = [rows[name] for name in PARTS if name in rows]
        write_atomically(KEPT, json.dumps(ordered, indent=1) + "\n")
    write_atomically(PAGE, page(PAGE.read_text(encoding="utf-8"), [rows[name] for name in PARTS if name in rows]))


if __name__ == "__main__":
    main()
