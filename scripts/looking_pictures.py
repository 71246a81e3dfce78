"""Makes the pictures of docs/looking.md, and the README's first: python scripts/looking_pictures.py, half a minute.

Draws the data sets that the page draws, in build/looking, and copies what `bboxbench preview` makes of them to
docs/images/looking, and the README's one beside that.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
IMAGES, WORK = ROOT / "docs" / "images" / "looking", ROOT / "build" / "looking"

COMMANDS = (
    "generate --n 4000 --out letters-n4000-seed0",
    "generate --preset varied --n 1000 --masks --out varied",
    "preview letters-n4000-seed0 --out preview.png",
    "preview letters-n4000-seed0 --worst-contrast --count 6 --columns 3 --histograms --out worst-contrast.png",
    "preview varied --masks --index 0,5,7,10,13,14 --columns 3 --histograms --out masks.png",
)
PICTURES = {
    "preview.png": "../preview.png",
    "worst-contrast.png": "worst-contrast.png",
    "worst-contrast-histograms.png": "histograms-letters.png",
    "masks.png": "masks.png",
    "masks-histograms.png": "histograms-varied.png",
}
"""What is kept, and its name on the page."""


def main() -> None:
    """Run the commands and copy the pictures."""
    WORK.mkdir(parents=True, exist_ok=True)
    IMAGES.mkdir(parents=True, exist_ok=True)
    for command in COMMANDS:
        subprocess.run([sys.executable, "-m", "bboxbench", *command.split(), "--quiet"], cwd=WORK, check=True)
    for made, name in PICTURES.items():
        (IMAGES / name).write_bytes((WORK / made).read_bytes())


if __name__ == "__main__":
    main()
