"""Makes the picture of docs/importing.md: python scripts/importing_pictures.py, some seconds.

Draws a COCO folder of shapes in build/importing, imports it, and copies what `bboxbench preview` makes of that to
docs/images/importing.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
IMAGES, WORK = ROOT / "docs" / "images" / "importing", ROOT / "build" / "importing"

sys.path.insert(0, str(ROOT / "tests" / "shared"))
from coco_folders import write_shapes  # noqa: E402

SHAPES = {"train": (1500, 1), "val": (700, 2)}
"""How many, and the seed, of each split."""

COMMANDS = (
    "import shapes --out data/shapes",
    "preview data/shapes --count 9 --columns 3 --out shapes.png",
)


def main() -> None:
    """Draw, run the commands, copy the picture."""
    shutil.rmtree(WORK, ignore_errors=True)
    IMAGES.mkdir(parents=True, exist_ok=True)
    for split, (n, seed) in SHAPES.items():
        write_shapes(WORK / "shapes", n=n, seed=seed, split=split)
    for command in COMMANDS:
        subprocess.run([sys.executable, "-m", "bboxbench", *command.split()], cwd=WORK, check=True)
    (IMAGES / "shapes.png").write_bytes((WORK / "shapes.png").read_bytes())


if __name__ == "__main__":
    main()
