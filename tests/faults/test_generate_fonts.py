"""A font that is none, given to generate: one line that names it, code 2, and nothing is written."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from disturbed_sweeps import last_error
from PIL import Image

from bboxbench.cli import main
from bboxbench.data_gen.fonts import font_path

RANDOM = 3


def random_bytes(path: Path) -> None:
    path.write_bytes(random.Random(RANDOM).randbytes(50_000))


def random_behind_a_head(path: Path) -> None:
    """It begins as a font does."""
    path.write_bytes(font_path("DejaVuSans").read_bytes()[:400] + random.Random(RANDOM).randbytes(50_000))


def cut_at(share: float) -> Callable[[Path], object]:
    def cut(path: Path) -> None:
        content = font_path("DejaVuSans").read_bytes()
        path.write_bytes(content[: int(len(content) * share)])

    return cut


NO_FONTS: dict[str, Callable[[Path], object]] = {
    "random bytes": random_bytes,
    "random bytes behind the head of a font": random_behind_a_head,
    **{f"a font cut at {share:.0%}": cut_at(share) for share in (0.0005, 0.1, 0.5, 0.9, 0.999)},
    "a text": lambda path: path.write_text("DejaVu Sans\n", encoding="utf-8"),
    "an empty file": lambda path: path.touch(),
    "a picture": lambda path: Image.new("RGB", (40, 30), "red").save(path, "PNG"),
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to nowhere": lambda path: path.symlink_to("nowhere.ttf"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "nothing": lambda path: None,
}


@pytest.mark.parametrize("what", NO_FONTS)
def test_what_is_no_font_is_named_in_one_line_with_code_2_and_nothing_is_written(
    what: str, empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = empty_folder / "My.ttf"
    NO_FONTS[what](path)
    before = sorted(each.name for each in empty_folder.iterdir())
    with pytest.raises(SystemExit) as ended:
        main(["generate", "--n", "5", "--font", "My.ttf", "--out", "d"])
    out, err = capsys.readouterr()
    assert (ended.value.code, out, err.count("\n")) == (2, "", 1), err
    assert "My.ttf" in last_error(err)
    assert sorted(each.name for each in empty_folder.iterdir()) == before
