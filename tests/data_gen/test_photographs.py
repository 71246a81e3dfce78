"""Folders of pictures to draw on, whatever their files are called."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bboxbench.data_gen import DatasetSpec, generate, verify
from bboxbench.data_gen.photographs import listed, pictures_sha256
from bboxbench.errors import InputError
from bboxbench.files import file_sha256

NO_TEXT = pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse names that are no text")


def write_picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # By its content: Pillow does not take every name.
    with path.open("wb") as file:
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)).save(file, "PNG")


def test_a_folder_is_known_by_its_names_in_utf8_and_contents(tmp_path: Path) -> None:
    names = ("a.png", "größe μ.png", "more/日本.png")
    for name in names:
        write_picture(tmp_path / name)
    lines = [f"{name}\n{file_sha256(tmp_path / name)}\n" for name in names]
    assert pictures_sha256(str(tmp_path)) == hashlib.sha256("".join(lines).encode()).hexdigest()


@NO_TEXT
def test_a_picture_whose_name_is_no_text_is_drawn_on_and_told_from_others(tmp_path: Path) -> None:
    found = set()
    for name in (b"\xff.png", b"\xfe.png", b"\xc3.png"):
        folder = tmp_path / name.hex()
        write_picture(folder / os.fsdecode(name))
        found.add(pictures_sha256(str(folder)))
    assert len(found) == 3
    spec = DatasetSpec.letters(n=4, background="pictures", pictures=str(folder), width=60, height=50, sizes=(16, 20))
    data = generate(spec, tmp_path / "data", workers=1)
    assert verify(data.folder, workers=1).problems == []


@NO_TEXT
def test_a_folder_whose_own_name_is_no_text_is_refused_before_anything_is_drawn(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"\xff")
    write_picture(folder / "a.png")
    for look in (listed, lambda place: DatasetSpec.letters(n=4, background="pictures", pictures=place)):
        with pytest.raises(InputError, match=r"^Expected a path that is UTF-8, .* received '.*udcff'"):
            look(str(folder))
    # A link is a name, too.
    (tmp_path / "link").symlink_to(folder)
    assert pictures_sha256(str(tmp_path / "link"))
