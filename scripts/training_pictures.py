"""Makes what docs/training.md shows: python scripts/training_pictures.py [NAME ...], some 5 minutes on a quiet machine.

Trains each network of `TRAININGS` by the command that stands on the page, in build/training, and copies strip and film
to docs/images/training; what the command printed goes to docs/data/training-NAME.txt.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
IMAGES, SAID, WORK = ROOT / "docs" / "images" / "training", ROOT / "docs" / "data", ROOT / "build" / "training"

TRAININGS = {
    "mse": "train --n 10000 --epochs 10 --loss mse",
    "giou-pinned": "train --preset quick --loss giou",
    "giou-by-heart": "train --overfit 32 --loss giou",
    "as-posted": "train --overfit 32 --preset as_posted",
}
"""The commands, without the name of the program."""
KEPT = {
    "mse": ("film.gif", "strip.png"),
    "giou-pinned": ("film.gif",),
    "giou-by-heart": ("strip.png",),
    "as-posted": (),
}
"""Which pictures of each stand on the page."""


def main(names: list[str]) -> None:
    """Make those named, or all."""
    for folder in (IMAGES, SAID, WORK):
        folder.mkdir(parents=True, exist_ok=True)
    for name in names or TRAININGS:
        out = WORK / name
        shutil.rmtree(out, ignore_errors=True)
        command = [sys.executable, "-m", "bboxbench", *TRAININGS[name].split(), "--out", name]
        done = subprocess.run(command, cwd=WORK, capture_output=True, text=True, check=False)
        print(f"{name}: code {done.returncode}\n{done.stdout}{done.stderr}")
        (SAID / f"training-{name}.txt").write_text(
            done.stdout.replace(f"{name}/", f"results/{name}/"), encoding="utf-8"
        )
        for picture in KEPT[name]:
            shutil.copy(out / picture, IMAGES / f"{name}{Path(picture).suffix}")


if __name__ == "__main__":
    main(sys.argv[1:])
