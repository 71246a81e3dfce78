"""Draws docs/images/datasets, a page of samples for each preset: python scripts/dataset_pictures.py."""

from __future__ import annotations

import io
from pathlib import Path

from bboxbench.data_gen import draw_sample
from bboxbench.data_gen.gallery import render_gallery
from bboxbench.data_gen.presets import PRESETS
from bboxbench.data_gen.spec_file import spec_of
from bboxbench.files import make_folder, write_atomically

IMAGES = Path(__file__).parent.parent / "docs" / "images" / "datasets"
COUNT, COLUMNS = 9, 3


def page(preset: str) -> bytes:
    """The first samples of a preset, each framed by its box, as a PNG file."""
    spec = spec_of({"preset": preset, "n": 40_000, "seed": 0})
    samples = [draw_sample(spec, index) for index in range(COUNT)]
    stream = io.BytesIO()
    title = f"bboxbench generate --preset {preset}: the first {COUNT} samples"
    render_gallery(samples, title, COLUMNS).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def main() -> None:
    """Write all pages."""
    make_folder(IMAGES)
    for preset in PRESETS:
        write_atomically(IMAGES / f"{preset}.png", page(preset))
        print(IMAGES / f"{preset}.png")


if __name__ == "__main__":
    main()
