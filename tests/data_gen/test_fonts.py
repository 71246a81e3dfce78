"""Faces by name and fonts of the user's own: what is one, what is refused, and how."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTCollection, TTFont, newTable
from PIL import Image, ImageDraw, ImageFont

from bboxbench.boxes import mask_to_box
from bboxbench.data_gen.alphabets import GLYPH_SETS
from bboxbench.data_gen.fonts import (
    FONT_NAMES,
    FontFile,
    characters,
    face_name,
    font_file,
    font_path,
    font_sha256,
    named_fonts,
    open_font,
)
from bboxbench.data_gen.glyphs import check_glyphs, ink_mask
from bboxbench.errors import InputError

CODES = {ord("A"): "A", ord("B"): "B", 0x1F600: "face", ord(" "): "space"}


def rectangle(pen: Any, left: int, bottom: int, right: int, top: int) -> Any:
    pen.moveTo((left, bottom))
    for place in ((left, top), (right, top), (right, bottom)):
        pen.lineTo(place)
    pen.closePath()
    return pen


SHAPES = {
    ".notdef": (100, 0, 500, 700),
    "A": (50, 0, 450, 600),
    "B": (0, -200, 700, 900),
    "face": (20, 20, 900, 800),
    "space": None,
}


def built(outlines: str = "glyf") -> FontBuilder:
    """A font of three rectangles and a space, 1,000 units per em."""
    builder = FontBuilder(1000, isTTF=outlines == "glyf")
    builder.setupGlyphOrder(list(SHAPES))
    builder.setupCharacterMap(CODES)
    if outlines == "glyf":
        pens = {name: TTGlyphPen(None) for name in SHAPES}
        builder.setupGlyf({n: (rectangle(pens[n], *box) if box else pens[n]).glyph() for n, box in SHAPES.items()})
    else:
        drawn = {name: T2CharStringPen(1000, None) for name in SHAPES}
        strings = {n: (rectangle(drawn[n], *box) if box else drawn[n]).getCharString() for n, box in SHAPES.items()}
        builder.setupCFF("Own", {}, strings, {})
    builder.setupHorizontalMetrics({name: (1000, box[0] if box else 0) for name, box in SHAPES.items()})
    builder.setupHorizontalHeader(ascent=900, descent=-200)
    builder.setupNameTable({"familyName": "Own", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    return builder


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "Own.ttf"
    built().save(path)
    return path


def drawn_with_room(character: str, path: Path, size: int) -> np.ndarray:
    picture = Image.new("L", (6 * size, 6 * size))
    font = ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
    ImageDraw.Draw(picture).text((2 * size, 2 * size), character, 255, font, anchor="la")
    coverage = np.asarray(picture)
    box = mask_to_box(coverage > 0)
    assert box is not None
    return coverage[box[1] : box[3], box[0] : box[2]]


def assert_exact(path: Path) -> None:
    """The font is taken, knows its characters, and draws the ink that is drawn where there is room."""
    file = font_file(path)
    assert characters(file.path) == set(CODES)
    check_glyphs("AB\U0001f600", file.path)
    for size in (8, 33, 100):
        for character in "AB\U0001f600":
            np.testing.assert_array_equal(ink_mask(character, file.path, size), drawn_with_room(character, path, size))
    with pytest.raises(InputError, match="Own lacks"):
        check_glyphs("AC", file.path)


@pytest.mark.parametrize("face", FONT_NAMES)
def test_every_glyph_of_every_set_has_ink_of_its_own_in_a_face_or_is_refused(face: str) -> None:
    mark = bytes(open_font(face, 40).getmask("\U0010ffff"))
    for name, glyphs in GLYPH_SETS.items():
        there = "".join(glyph for glyph in glyphs if ord(glyph) in characters(face))
        if there != glyphs:
            with pytest.raises(InputError, match=rf"U\+[0-9A-F]{{4,6}}\), which {face} lacks"):
                check_glyphs(glyphs, face)
        check_glyphs(there, face)
        for glyph in there:
            assert ink_mask(glyph, face, 40).max() > 128, (name, glyph)
            assert bytes(open_font(face, 40).getmask(glyph)) != mark, (name, glyph)


def test_sets_of_the_wish_are_whole_in_every_face() -> None:
    for face in FONT_NAMES:
        for name in ("ascii", "accented", "greek", "cyrillic"):
            check_glyphs(GLYPH_SETS[name], face)


def test_what_a_font_lacks_is_named_with_its_code_point_and_the_rest_counted() -> None:
    with pytest.raises(InputError, match=r"'\u05d0' \(U\+05D0\), which DejaVuSerif lacks, and 26 more of the 28"):
        check_glyphs("A" + GLYPH_SETS["hebrew"], "DejaVuSerif")
    with pytest.raises(InputError, match=r"'\u4e2d' \(U\+4E2D\), which STIXGeneral lacks\. .*leave it out"):
        check_glyphs("\u4e2d", "STIXGeneral")


def test_mathematical_letters_beyond_the_first_plane_are_drawn() -> None:
    check_glyphs("\U0001d400\U0001d5a0", "STIXGeneral")
    with pytest.raises(InputError, match=r"U\+1D504"):
        check_glyphs("\U0001d504", "DejaVuSansMono-Bold")


def test_a_character_that_the_table_claims_and_the_mark_is_drawn_for_is_refused(tmp_path: Path) -> None:
    builder = built()
    builder.setupCharacterMap({**CODES, ord("C"): ".notdef"})
    builder.save(tmp_path / "Own.ttf")
    with pytest.raises(InputError, match=r"'C' \(U\+0043\), which Own lacks"):
        check_glyphs("AC", font_file(tmp_path / "Own.ttf").path)


@pytest.mark.parametrize("units", [16, 64])
@pytest.mark.parametrize("glyph", ["A", ".notdef"])
def test_an_outline_that_would_fill_the_memory_is_refused_in_one_line(own: Path, units: int, glyph: str) -> None:
    font = TTFont(own)
    font["head"].unitsPerEm = units
    font["glyf"][glyph] = rectangle(TTGlyphPen(None), 0, 0, 32000, 32000).glyph()
    font.save(own)
    with pytest.raises(InputError, match=r"'A' \(U\+0041\) at \d+ px|is damaged") as caught:
        check_glyphs("AB", font_file(own).path)
    assert "\n" not in str(caught.value)


def test_a_space_has_no_ink_in_any_font(own: Path) -> None:
    with pytest.raises(InputError, match="draws nothing in Own"):
        ink_mask(" ", font_file(own).path, 20)


def test_fonts_with_either_kind_of_outlines_are_drawn_exactly(tmp_path: Path, own: Path) -> None:
    assert_exact(own)
    built("CFF ").save(tmp_path / "Own.otf")
    assert_exact(tmp_path / "Own.otf")


def test_of_a_collection_the_first_face_is_drawn(tmp_path: Path, own: Path) -> None:
    collection = TTCollection()
    collection.fonts = [TTFont(own), TTFont(font_path("STIXGeneralItalic"))]
    collection.save(tmp_path / "Own.ttc")
    assert_exact(tmp_path / "Own.ttc")


def test_a_variable_font_is_drawn_as_it_is_by_default(tmp_path: Path) -> None:
    builder = built()
    builder.setupFvar([("wght", 100, 400, 900, "Weight")], [])
    builder.setupGvar({name: [] for name in SHAPES})
    builder.save(tmp_path / "Own.ttf")
    assert_exact(tmp_path / "Own.ttf")


def test_a_colour_font_is_drawn_by_its_outlines(tmp_path: Path) -> None:
    builder = built()
    builder.setupCOLR({"A": [("B", 0), ("face", 1)]})
    builder.setupCPAL([[(1, 0, 0, 1), (0, 1, 0, 1)]])
    builder.save(tmp_path / "Own.ttf")
    assert_exact(tmp_path / "Own.ttf")


def without(*tags: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        font = TTFont(path)
        for tag in tags:
            del font[tag]
        font.save(path)

    return change


def only_pictures(path: Path) -> None:
    font = TTFont(path)
    del font["glyf"], font["loca"]
    for tag in ("CBDT", "CBLC"):
        table = newTable(tag)
        table.compile = lambda _: b"\x00\x03\x00\x00" + bytes(4)
        font[tag] = table
    font.save(path)


def as_woff(path: Path) -> None:
    font = TTFont(path)
    font.flavor = "woff"
    font.save(path)


def for_symbols(path: Path) -> None:
    font = TTFont(path)
    for table in font["cmap"].tables:
        table.platformID, table.platEncID = 3, 0
    font["cmap"].tables = font["cmap"].tables[:1]
    font.save(path)


def claiming_too_much(path: Path) -> None:
    """A table of characters that would take all memory to list."""
    font = TTFont(path)
    table = struct.pack(">HHHHL", 0, 1, 3, 10, 12) + struct.pack(">HHLLL", 12, 0, 28, 0, 1)
    table += struct.pack(">LLL", 0, 0xFFFFFFFF, 1)
    cmap = newTable("cmap")
    cmap.compile = lambda _: table
    font["cmap"] = cmap
    font.save(path)


def cut(share: float) -> Callable[[Path], None]:
    return lambda path: os.truncate(path, int(path.stat().st_size * share))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda path: path.write_bytes(b"no font at all"), "TrueType or OpenType font, received .*, which is none"),
        (lambda path: path.write_bytes(b""), "which is none"),
        (lambda path: path.write_bytes(b"\x80\x01%!PS-AdobeFont-1.0"), "which is none"),
        (lambda path: path.write_bytes(b"STARTFONT 2.1\n"), "which is none"),
        (lambda path: path.write_bytes(b"PK\x03\x04 a zip"), "which is none"),
        (lambda path: path.write_bytes(b"\x80\x04\x95cos\nsystem"), "which is none"),
        (lambda path: path.write_bytes(b"\x00\x01\x00\x00"), "is damaged"),
        (lambda path: path.write_bytes(b"OTTO" + bytes(range(256))), "is damaged|is cut|outlines"),
        (lambda path: path.write_bytes(b"ttcf\x00\x01\x00\x00\xff\xff\xff\xff"), "is damaged"),
        (lambda path: path.write_bytes(b"wOF2" + bytes(100)), "packed as WOFF2; unpack it"),
        (as_woff, "packed as WOFF; unpack it"),
        (cut(0.9), r"is cut: its table '.+' ends behind the file"),
        (cut(0.3), "is cut: its table"),
        (cut(0.05), "is damaged"),
        (only_pictures, "which has only pictures of its characters"),
        (without("glyf", "loca"), "with outlines, received .*, which has none"),
        (without("cmap"), "it has no table 'cmap'"),
        (without("hmtx"), "it has no table 'hmtx'"),
        (for_symbols, "with Unicode characters, received .*, which does not list any"),
        (claiming_too_much, "claims more characters than there are"),
        (lambda path: path.unlink(), "Cannot read .*: it does not exist"),
        (lambda path: (path.unlink(), path.mkdir()), "expected a file, found a folder"),
    ],
)
def test_what_is_no_whole_font_is_refused_by_name_in_one_line(
    own: Path, change: Callable[[Path], Any], said: str
) -> None:
    change(own)
    with pytest.raises(InputError, match=said) as caught:
        font_file(own)
    assert "\n" not in str(caught.value)
    assert str(own) in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "Own.ttf")
    with pytest.raises(InputError, match="which is no regular file"):
        font_file(tmp_path / "Own.ttf")


@pytest.mark.parametrize("seed", range(40))
def test_a_font_with_wrong_bytes_draws_something_or_is_refused_in_one_line(own: Path, seed: int) -> None:
    content = bytearray(own.read_bytes())
    random = np.random.default_rng(seed)
    for place in random.integers(4, len(content), 30):
        content[place] = random.integers(256)
    own.write_bytes(content)
    said = ""
    try:
        face = font_file(own).path
        check_glyphs("AB", face)
        ink_mask("A", face, 30)
    except InputError as error:
        said = str(error)
    assert "\n" not in said


@pytest.mark.parametrize("name", ["DejaVuSans.ttf", "a,b.ttf", 'a"b.ttf', "a\nb.ttf", f"{'x' * 120}.ttf"])
def test_a_file_whose_name_cannot_stand_for_its_font_is_refused(own: Path, name: str) -> None:
    place = Path(shutil.copy(own, own.with_name(name)))
    with pytest.raises(InputError, match="rename the file") as caught:
        font_file(place)
    assert "\n" not in str(caught.value)


def test_a_font_is_its_name_and_content_wherever_it_lies(own: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    moved = shutil.copy(own, tmp_path / "elsewhere")
    file = font_file(own)
    assert file == font_file(moved)
    assert file.path != font_file(moved).path
    assert (file.name, face_name(file.path), face_name("DejaVuSans")) == ("Own", "Own", "DejaVuSans")
    assert file.sha256 == font_sha256(file.path)
    assert FontFile.from_dict(file.to_dict()) == file
    assert FontFile.from_dict(file.to_dict()).path == str(own)


@pytest.mark.parametrize("values", [{}, {"name": "Own"}, {"name": "Own", "sha256": 1, "path": "x"}, ["Own"], None])
def test_what_is_no_font_in_a_manifest_is_refused(values: Any) -> None:
    with pytest.raises(InputError, match="name, sha256 and path"):
        FontFile.from_dict(values)


def test_a_font_file_that_was_changed_since_is_refused_by_name(own: Path) -> None:
    file = font_file(own)
    file.check()
    built("CFF ").save(own)
    with pytest.raises(InputError, match=rf"{own} as it was"):
        file.check()
    own.unlink()
    with pytest.raises(InputError, match=rf"Cannot read {own}"):
        file.check()


def test_a_file_that_was_changed_is_drawn_as_it_is_now(own: Path) -> None:
    before = ink_mask("A", font_file(own).path, 40)
    shutil.copy(font_path("STIXGeneral"), own)
    after = ink_mask("A", font_file(own).path, 40)
    assert before.shape != after.shape
    np.testing.assert_array_equal(after, ink_mask("A", "STIXGeneral", 40))
    check_glyphs("C", str(own))
    assert font_sha256(str(own)) == font_sha256("STIXGeneral")


def test_names_and_paths_may_be_mixed(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names, files = named_fonts(["DejaVuSans", str(own), "STIXGeneral"])
    assert names == ("DejaVuSans", "Own", "STIXGeneral")
    assert files == (font_file(own),)
    assert named_fonts(["Own"], files) == (("Own",), files)
    assert named_fonts(["DejaVuSans"], files) == (("DejaVuSans",), ())
    assert named_fonts([own, str(own)]) == (("Own", "Own"), files)
    monkeypatch.chdir(tmp_path)
    assert named_fonts(["Own.ttf"])[1][0].path == str(own)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert named_fonts(["~/Own.ttf"])[1][0].path == str(own)


def test_an_unknown_font_is_refused_with_the_nearest_name(own: Path) -> None:
    with pytest.raises(InputError, match="Did you mean 'DejaVuSans'"):
        named_fonts(["DejaVuSan"])
    with pytest.raises(InputError, match=r"Unknown font 'OwN'\. Did you mean 'Own'"):
        named_fonts(["OwN"], [font_file(own)])
    with pytest.raises(InputError, match=r"Cannot read .*Nowhere\.ttf: it does not exist"):
        named_fonts(["Nowhere.ttf"])
    with pytest.raises(InputError, match="Unknown font 'relative/DejaVuSans'"):
        open_font("relative/DejaVuSans", 20)


def test_two_files_with_one_name_are_refused(own: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / "Own.otf"
    built("CFF ").save(other)
    with pytest.raises(InputError, match=rf"with a name each, received {own} and {other}"):
        named_fonts([own, other])


def test_no_font_is_read_by_fonttools_before_its_characters_are_asked_for() -> None:
    code = "import sys, bboxbench.data_gen; print([m for m in sys.modules if m.startswith('fontTools')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
