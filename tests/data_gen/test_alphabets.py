from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bboxbench.data_gen.alphabets import GLYPH_SETS, check_characters, parse_glyphs, spelled
from bboxbench.data_gen.presets import LETTERS
from bboxbench.errors import InputError

ALONE = st.characters(exclude_categories=("Cs", "Cc", "Cf", "Cn", "Zs", "Zl", "Zp", "Mn", "Mc", "Me"))


@pytest.mark.parametrize(
    ("text", "glyphs"),
    [
        ("latin-upper,digits", "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"),
        (" digits , XYZ ", "0123456789XYZ"),
        ("ABC123", "ABC123"),
        ("abc", "abc"),
        ("=ABC", "ABC"),
        ("=lower", "lower"),
        ("digits,=,.;", "0123456789,.;"),
        ("=a=c,", "a=c,"),
        ("A-F,XYZ", "ABCDEFXYZ"),
        ("\u0391-\u03a9", GLYPH_SETS["greek-upper"]),
        ("U+0391-U+03A9", GLYPH_SETS["greek-upper"]),
        ("u+41..U+0044", "ABCD"),
        ("U+41-44", "ABCD"),
        ("U+0416", "\u0416"),
        ("U+0301", "\u0301"),
        ("U+1D400-U+1D403", "\U0001d400\U0001d401\U0001d402\U0001d403"),
        ("U+E000-U+E001", "\ue000\ue001"),
        ("+-*", "+-*"),
        ("x=y", "x=y"),
        ("latin-upper,CAB,A", GLYPH_SETS["latin-upper"]),
    ],
)
def test_glyphs_are_read_as_a_person_types_them(text: str, glyphs: str) -> None:
    assert parse_glyphs(text) == glyphs


def test_a_list_holds_texts_of_its_own() -> None:
    assert parse_glyphs(["=,", "digits", "U+0041"]) == ",0123456789A"


def test_the_set_latin_is_the_presets_letters_in_their_order() -> None:
    assert parse_glyphs("latin") == LETTERS


def test_sets_hold_each_character_once_and_both_cases_are_their_halves() -> None:
    for name, glyphs in GLYPH_SETS.items():
        check_characters(glyphs)
        if name.endswith("-upper"):
            base = name.removesuffix("-upper")
            assert GLYPH_SETS[base] == glyphs + GLYPH_SETS[f"{base}-lower"]
            assert all(unicodedata.category(each) == "Lu" for each in glyphs)
            assert {each.lower() for each in glyphs} <= set(GLYPH_SETS[f"{base}-lower"])


def test_what_cannot_stand_alone_in_a_range_is_left_out() -> None:
    assert parse_glyphs("U+001E-U+0022") == '!"'
    assert parse_glyphs("U+02FF-U+0372") == "\u02ff\u0370\u0371\u0372"
    assert len(parse_glyphs("U+0000-U+10FFFF")) > 250_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("latin-uper", "Did you mean 'latin-upper'"),
        ("LATIN", r"Did you mean 'latin'\?.*themselves: '=LATIN'"),
        ("latin_upper", "Did you mean 'latin-upper'"),
        ("thai", "Unknown set of glyphs 'thai'.*themselves: '=thai'"),
        ("digits,lower", "Unknown set of glyphs 'lower'"),
        ("A-z", "of one kind, as A-F, received 'A-z'.*'=A-z'"),
        ("Z-A", "from a lower to a higher code point, received 'Z-A'"),
        ("U+0042-U+0041", "from a lower to a higher"),
        ("U+", r"as U\+0416 .*received 'U\+'"),
        ("U+04G1", r"as U\+0416 .*received 'U\+04G1'"),
        ("U+110000", r"up to U\+10FFFF"),
        ("U+D800", r"U\+D800\), a half of a surrogate pair"),
        ("U+D800-U+DFFF", "which has none"),
        ("U+00A0", r"U\+00A0\), a space"),
        ("U+0378", r"U\+0378\), assigned to no character"),
        ("A\u200dB", r"U\+200D\), a mark that formats text"),
        ("e\u0301", r"U\+0301 \(COMBINING ACUTE ACCENT\), a mark on the character before it"),
        ("=A B", r"U\+0020\), a space"),
        ("=A\n", r"'\\n' \(U\+000A\), a control character"),
        ("\ud800", "a half of a surrogate pair"),
        ("ABA", "each glyph once, received 'A' twice"),
        ("", "between commas.*received ''"),
        ("a,,b", "between commas.*received 'a,,b'"),
        ("latin,", "between commas"),
        ("=", "characters behind '='"),
        ([], "a text or a list of texts"),
        (7, "a text or a list of texts, received 7"),
        (["A", 7], "a text or a list of texts"),
    ],
)
def test_what_is_no_glyph_or_could_mean_two_things_is_refused_in_one_line(text: object, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        parse_glyphs(text)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@given(st.text(max_size=12))
def test_any_text_gives_glyphs_that_stand_alone_or_one_line(text: str) -> None:
    said = ""
    try:
        check_characters(parse_glyphs(text) or " ")
    except InputError as error:
        said = str(error)
    assert "\n" not in said
    said.encode()


@given(
    st.lists(
        st.one_of(
            ALONE,
            st.sampled_from(sorted(GLYPH_SETS.values())),
            st.tuples(st.integers(0x21, 0x3000), st.integers(0, 40)).map(
                lambda pair: "".join(map(chr, range(pair[0], pair[0] + pair[1])))
            ),
            st.just("=,"),
        ),
        min_size=1,
        max_size=6,
    ).map(lambda parts: "".join(dict.fromkeys("".join(parts))))
)
def test_glyphs_are_spelled_in_a_way_that_is_read_as_the_same_glyphs(glyphs: str) -> None:
    try:
        check_characters(glyphs)
    except InputError:
        return
    if glyphs:
        assert parse_glyphs(spelled(glyphs)) == glyphs


def test_what_has_a_name_is_spelled_by_it() -> None:
    assert spelled(LETTERS) == "latin"
    assert spelled(GLYPH_SETS["greek"] + "0123456789") == "greek,digits"
    assert spelled("0123456789ABC,") == "digits,=ABC,"
    assert spelled("ABCDEFG") == "U+0041-U+0047"
    assert spelled("A\u0301B") == "U+0041,U+0301,=B"
