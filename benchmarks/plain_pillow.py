"""What one writes without a generator: a loop with ImageDraw that saves PNG files, and one that reads them back.

    python benchmarks/plain_pillow.py draw FOLDER N PROCESSES FONT...
    python benchmarks/plain_pillow.py read FOLDER N PROCESSES          # prints the seconds it took

The pictures are like those of ``bboxbench generate``, but the boxes are what `textbbox` says. Nothing is synced.
"""

# ruff: noqa: T201  # it is a command

from __future__ import annotations

import functools
import multiprocessing
import random
import string
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT, SIZES, CONTRAST = 200, 100, (48, 64), 64

open_font = functools.lru_cache(maxsize=None)(ImageFont.truetype)
"""Opening a font for every picture would take most of the time."""


def contrasting(rng: random.Random) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two colours that differ enough."""
    while True:
        one, other = (tuple(rng.randrange(256) for _ in range(3)) for _ in range(2))
        difference = sum(w * (a - b) for w, a, b in zip((0.299, 0.587, 0.114), one, other, strict=True))
        if abs(difference) >= CONTRAST:
            return one, other


def draw(folder: Path, fonts: list[str], indices: range) -> list[str]:
    """Draw and save; the rows of the table."""
    rng = random.Random(indices.start)
    rows = []
    for index in indices:
        letter = rng.choice(string.ascii_letters)
        font = open_font(rng.choice(fonts), rng.randint(*SIZES))
        background, ink = contrasting(rng)
        image = Image.new("RGB", (WIDTH, HEIGHT), background)
        pen = ImageDraw.Draw(image)
        left, top, right, bottom = map(int, pen.textbbox((0, 0), letter, font=font))
        x, y = rng.randint(0, WIDTH - right + left) - left, rng.randint(0, max(0, HEIGHT - bottom + top)) - top
        pen.text((x, y), letter, fill=ink, font=font)
        image.save(folder / f"{index:07d}.png")
        rows.append(f"{index},{x + left},{y + top},{x + right},{y + bottom},{letter}\n")
    return rows


def read(folder: Path, n: int, threads: int) -> float:
    """Seconds of reading all pictures as grey levels into one array."""
    start = time.perf_counter()
    grey = np.empty((n, HEIGHT, WIDTH), np.uint8)

    def fill(index: int) -> None:
        with Image.open(folder / f"{index:07d}.png") as image:
            grey[index] = image.convert("L")

    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(fill, range(n)):
            pass
    return time.perf_counter() - start


def main() -> None:
    """Draw or read."""
    what, folder, n, processes = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    if what == "read":
        print(read(folder, n, processes))
        return
    folder.mkdir(parents=True)
    parts = [range(n * part // processes, n * (part + 1) // processes) for part in range(processes)]
    task = functools.partial(draw, folder, sys.argv[5:])
    if processes == 1:
        written = [task(parts[0])]
    else:
        with multiprocessing.Pool(processes) as pool:
            written = pool.map(task, parts)
    (folder / "boxes.csv").write_text("".join(row for rows in written for row in rows))


if __name__ == "__main__":
    main()
