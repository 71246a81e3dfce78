"""Makes what docs/training.md shows: python scripts/training_pictures.py [NAME ...], some 5 minutes on a quiet machine.

Trains each network of `TRAININGS` by the command that stands on the page, in build/training, and copies strips and
films to docs/images/training; what a command printed goes to docs/data/training-NAME.txt and into the page. The last name, ``predict``,
asks the network of ``mse`` about test pictures that were enlarged and saved as JPEG.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image

from bboxbench.data_gen import open_dataset

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "training.md"
IMAGES, SAID, WORK = ROOT / "docs" / "images" / "training", ROOT / "docs" / "data", ROOT / "build" / "training"

TRAININGS = {
    "mse": "train --n 10000 --epochs 10 --loss mse --out mse",
    "giou-pinned": "train --preset quick --loss giou --out giou-pinned",
    "giou-by-heart": "train --overfit 32 --loss giou --out giou-by-heart",
    "as-posted": "train --overfit 32 --preset as_posted --out as-posted",
}
"""The commands, without the name of the program."""
KEPT = {
    "mse": ("film.gif", "strip.png"),
    "giou-pinned": ("film.gif",),
    "giou-by-heart": ("strip.png",),
    "as-posted": (),
}
"""Which pictures of each stand on the page."""
LETTERS = {"letter-a.jpg": (0, (800, 400)), "letter-b.jpg": (7, (400, 400))}
"""Pictures to predict: the row in the test split, and the size they are stretched to."""


def train(name: str) -> None:
    """Train one of `TRAININGS`."""
    out = WORK / name
    shutil.rmtree(out, ignore_errors=True)
    (SAID / f"training-{name}.txt").write_text(run(*TRAININGS[name].split()), encoding="utf-8")
    for picture in KEPT[name]:
        shutil.copy(out / picture, IMAGES / f"{name}{Path(picture).suffix}")


def predict() -> None:
    """Ask the trained network about `LETTERS`."""
    pictures = open_dataset(WORK / "data" / "letters-n10000-seed0").images("test")
    for name, (row, size) in LETTERS.items():
        Image.fromarray(pictures[row]).resize(size, Image.Resampling.LANCZOS).save(WORK / name, quality=90)
    said = run("predict", "mse/model.keras", *LETTERS, "--out", "drawn")
    (SAID / "training-predict.txt").write_text(said, encoding="utf-8")
    drawn = [Image.open(WORK / "drawn" / f"{Path(name).stem}-box.png") for name in LETTERS]
    page = Image.new("RGB", (sum(p.width for p in drawn) + 20, max(p.height for p in drawn)), "white")
    page.paste(drawn[0], (0, 0))
    page.paste(drawn[1], (drawn[0].width + 20, 0))
    page.quantize(256, dither=Image.Dither.NONE).save(IMAGES / "predicted.png", optimize=True)


def run(*words: str) -> str:
    """What the command prints on stdout."""
    command = [sys.executable, "-m", "bboxbench", *words]
    done = subprocess.run(command, cwd=WORK, capture_output=True, text=True, check=False)
    print(f"{' '.join(words)}: code {done.returncode}\n{done.stdout}{done.stderr}", flush=True)
    return done.stdout


def main(names: list[str]) -> None:
    """Make those named, or all."""
    for folder in (IMAGES, SAID, WORK):
        folder.mkdir(parents=True, exist_ok=True)
    for name in names or (*TRAININGS, "predict"):
        predict() if name == "predict" else train(name)
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def filled(page: str) -> str:
    """The page with what every command printed, as docs/data has it."""

    def block(match: re.Match[str]) -> str:
        said = (SAID / f"training-{match[1]}.txt").read_text(encoding="utf-8")
        return f"<!-- printed: {match[1]} -->\n```text\n{said}```"

    return re.sub(r"<!-- printed: (\S+) -->\n```text\n.*?```", block, page, flags=re.DOTALL)


if __name__ == "__main__":
    main(sys.argv[1:])
