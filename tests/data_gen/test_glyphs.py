"""Traps of drawing text, each of which some generator has fallen into."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from bboxbench.boxes import mask_to_box
from bboxbench.data_gen import DatasetSpec, fonts, glyphs
from bboxbench.data_gen.fonts import FONT_NAMES, font_path, open_font
from bboxbench.data_gen.glyphs import check_glyphs, ink_mask
from bboxbench.errors import InputError


def drawn_with_room(character: str, font: str, size: int) -> np.ndarray:
    """The ink as it comes out in the middle of a picture far too large, where nothing can be cut off."""
    picture = Image.new("L", (6 * size, 6 * size))
    ImageDraw.Draw(picture).text((2 * size, 2 * size), character, 255, open_font(font, size), anchor="la")
    coverage = np.asarray(picture)
    box = mask_to_box(coverage > 0)
    assert box is not None
    return coverage[box[1] : box[3], box[0] : box[2]]


@pytest.mark.parametrize("font", FONT_NAMES)
def test_no_ink_is_cut_off_even_where_it_overhangs_the_advance_box(font: str) -> None:
    for character in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0159@%_'\u00c5\u0151":
        for size in (8, 33, 64):
            np.testing.assert_array_equal(ink_mask(character, font, size), drawn_with_room(character, font, size))


def test_measuring_text_would_not_have_given_the_ink() -> None:
    # The reason for rendering: were this to pass as exact, the masks could be had more cheaply.
    measured = 0
    for character in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz":
        xmin, ymin, xmax, ymax = open_font("DejaVuSans", 48).getbbox(character, anchor="la")
        measured += (ymax - ymin, xmax - xmin) == ink_mask(character, "DejaVuSans", 48).shape
    assert measured < 26


@pytest.mark.parametrize("least", [1, 2, 64, 128])
def test_every_outer_row_and_column_reaches_the_least_coverage(least: int) -> None:
    for character in "QWjf":
        ink = ink_mask(character, "DejaVuSerif", 41, least) >= least
        assert ink[0].any()
        assert ink[-1].any()
        assert ink[:, 0].any()
        assert ink[:, -1].any()


def test_the_threshold_moves_edges_so_it_has_to_be_part_of_the_rule() -> None:
    moved = [
        ink_mask(character, "DejaVuSerif", size).shape != ink_mask(character, "DejaVuSerif", size, 128).shape
        for character in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        for size in range(40, 50)
    ]
    assert np.mean(moved) > 0.3


@pytest.mark.parametrize("character", ["\u4e2d", "\ue123", "\U0001f9ff"])
def test_a_character_that_the_font_lacks_is_refused_not_drawn_as_a_box(character: str) -> None:
    with pytest.raises(InputError, match=f"U\\+{ord(character):04X}.*DejaVuSerif lacks"):
        check_glyphs(character, "DejaVuSerif")
    with pytest.raises(InputError):
        DatasetSpec.letters(glyphs=f"A{character}")


@pytest.mark.parametrize("character", [" ", "\u00a0", "\u2003", "\t", "\n"])
def test_a_character_without_ink_is_refused(character: str) -> None:
    with pytest.raises(InputError, match="with ink"):
        DatasetSpec.letters(glyphs=f"A{character}")


def test_masks_cannot_be_changed_by_those_who_share_them() -> None:
    with pytest.raises(ValueError, match="read-only"):
        ink_mask("A", "DejaVuSans", 20)[0, 0] = 1


def test_fonts_are_opened_once_and_with_the_engine_that_is_always_there() -> None:
    font = open_font("DejaVuSans", 31)
    assert font is open_font("DejaVuSans", 31)
    assert font.layout_engine == ImageFont.Layout.BASIC


@pytest.mark.parametrize(
    ("content", "said"), [(None, "Cannot read .*: it does not exist"), (b"no font", "is damaged.*install matplotlib")]
)
def test_a_font_that_cannot_be_read_is_bad_input(
    content: bytes | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "face.ttf"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(fonts, "font_path", lambda name: path)
    with pytest.raises(InputError, match=said):
        open_font.__wrapped__("DejaVuSans", 20)


def test_finding_the_fonts_does_not_import_matplotlib() -> None:
    assert importlib.util.find_spec("matplotlib") is not None
    code = (
        "import sys; from bboxbench.data_gen.fonts import font_path; font_path('DejaVuSans');"
        "print('matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    assert font_path("DejaVuSans").name == "DejaVuSans.ttf"


def test_what_is_kept_of_large_glyphs_is_bounded_by_its_bytes() -> None:
    kept = glyphs._KeptByBytes(1_500_000)
    held = [kept(character, "DejaVuSansMono-Bold", 1024, 1) for character in "ABCDEFGHIJ"]
    assert sum(mask.nbytes for mask in held) > 2 * kept.most
    assert 0 < kept.bytes <= kept.most
    assert kept("J", "DejaVuSansMono-Bold", 1024, 1) is held[-1]
    again = kept("A", "DejaVuSansMono-Bold", 1024, 1)
    assert again is not held[0]
    np.testing.assert_array_equal(again, held[0])
    assert not again.flags.writeable
    # One that is larger than all the room is drawn and not kept.
    assert glyphs._KeptByBytes(1000)("A", "DejaVuSans", 400, 1).nbytes > 1000
    kept.forget()
    assert kept.bytes == 0


@pytest.mark.parametrize(
    ("characters", "said"),
    [
        ("\u2603", "DejaVuSans has it: choose that font alone, or leave it out"),
        ("\u4e2d\u6587", r"No built-in font has all of them: give a font file that does \(--font FILE\)"),
    ],
)
def test_a_glyph_that_a_font_lacks_is_said_to_be_in_another_or_in_none(characters: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_glyphs(characters, "STIXGeneral")
