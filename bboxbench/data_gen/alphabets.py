"""Which characters are drawn: sets of them by name, ranges of Unicode, or the characters themselves, as a person types.

`parse_glyphs` reads a list between commas. Each item is one of:

- a name of `GLYPH_SETS`, as ``latin-upper`` or ``digits``. A word of four or more small ASCII letters is taken for a
  name, so a misspelt one is refused rather than drawn letter by letter;
- a code point or a range, as ``U+0416``, ``U+0410-U+042F``, ``U+0410-042F`` or, between two letters or digits of one
  kind, ``A-F``. What has no picture of its own in a range (unassigned, control, space, combining) is left out;
- ``=`` and all that follows to the end of the text, commas included: these characters themselves;
- anything else: these characters themselves, as ``ABC123``.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterator, Sequence

from bboxbench.errors import InputError, unknown_name

__all__ = ["GLYPH_SETS", "check_characters", "parse_glyphs", "spelled"]


def _between(first: str, last: str) -> str:
    return "".join(map(chr, range(ord(first), ord(last) + 1)))


def _with_both_cases(sets: dict[str, str], name: str, upper: str, lower: str) -> None:
    sets[f"{name}-upper"], sets[f"{name}-lower"], sets[name] = upper, lower, upper + lower


def _glyph_sets() -> dict[str, str]:
    sets: dict[str, str] = {}
    _with_both_cases(sets, "latin", _between("A", "Z"), _between("a", "z"))
    sets["digits"] = _between("0", "9")
    sets["punctuation"] = _between("!", "/") + _between(":", "@") + _between("[", "`") + _between("{", "~")
    sets["ascii"] = sets["latin"] + sets["digits"] + sets["punctuation"]
    # Latin-1's letters; between them stand the signs of multiplication and division.
    accented = (_between("\u00c0", "\u00d6") + _between("\u00d8", "\u00de"), _between("\u00df", "\u00f6"))
    _with_both_cases(sets, "accented", accented[0], accented[1] + _between("\u00f8", "\u00ff"))
    # U+03A2 was left free so that the capitals stand 32 below the small letters, of which sigma has two.
    greek = _between("\u0391", "\u03a1") + _between("\u03a3", "\u03a9")
    _with_both_cases(sets, "greek", greek, _between("\u03b1", "\u03c9"))
    # The Russian alphabet, in its order: Yo, which Unicode has elsewhere, is the seventh letter.
    upper, lower = _between("\u0410", "\u042f"), _between("\u0430", "\u044f")
    _with_both_cases(sets, "cyrillic", f"{upper[:6]}\u0401{upper[6:]}", f"{lower[:6]}\u0451{lower[6:]}")
    _with_both_cases(sets, "armenian", _between("\u0531", "\u0556"), _between("\u0561", "\u0586"))
    sets["georgian"] = _between("\u10d0", "\u10f0")
    sets["hebrew"] = _between("\u05d0", "\u05ea")
    return sets


GLYPH_SETS = _glyph_sets()
"""Characters by the name of their set, each in the order of its alphabet."""

_NAME = re.compile(r"[a-z]{4,}|[a-z]+[-_][a-z_-]+")
_CODE = "([0-9A-F]{1,6})"
# CSS writes the second number of a range bare.
_CODES = re.compile(rf"U\+{_CODE}(?:\s*(?:-|\.\.)\s*(?:U\+)?{_CODE})?", re.ASCII | re.IGNORECASE)

_LAST = 0x10FFFF

_WITHOUT_A_PICTURE = {
    "Cc": "a control character",
    "Cf": "a mark that formats text",
    "Cn": "assigned to no character",
    "Cs": "a half of a surrogate pair",
    "Zl": "a line end",
    "Zp": "a line end",
    "Zs": "a space",
}
_MARKS = ("Mn", "Mc", "Me")


def parse_glyphs(text: str | Sequence[str]) -> str:
    """The characters that a text, as typed on the command line or in TOML, asks for.

    A character that several items ask for is drawn as often as the others.

    Args:
        text: items between commas, as the module says: ``latin-upper,digits``, ``U+0391-U+03A9``, ``A-F,XYZ``, or
            ``=,.;`` for these three characters. A list or tuple holds such texts.

    Returns:
        The characters, each once, in the order they were asked for.

    Raises:
        InputError: an item is empty, no name that exists, or no range; or a character cannot stand alone, or stands
            twice in what is meant literally.
    """
    if isinstance(text, str):
        texts: Sequence[str] = [text]
    elif isinstance(text, list | tuple) and text and all(isinstance(item, str) for item in text):
        texts = text
    else:
        raise InputError(f"Expected glyphs as a text or a list of texts, received {text!r}.")
    found: dict[str, None] = {}
    for each in texts:
        for characters in _items(each):
            found |= dict.fromkeys(characters)
    return "".join(found)


def _items(text: str) -> Iterator[str]:
    """The characters of each item of one text."""
    rest, comma = text, ","
    while comma:
        # What stands behind the first item that begins with = is meant literally, commas and spaces included.
        if rest.lstrip().startswith("="):
            yield _literal(rest.lstrip()[1:], text)
            return
        item, comma, rest = rest.partition(",")
        yield _item(item.strip(), text)


def _item(item: str, text: str) -> str:
    if not item:
        raise InputError(
            f"Expected glyphs between commas, as latin-upper,digits or ABC, received {text!r}. "
            "For a comma itself: '=,'."
        )
    if item in GLYPH_SETS:
        return GLYPH_SETS[item]
    if item.upper().startswith("U+"):
        return _code_points(item)
    if len(item) == 3 and item[1] == "-" and item[0].isalnum() and item[2].isalnum():
        if _kind(item[0]) != _kind(item[2]):
            raise InputError(
                f"Expected a range between two letters or digits of one kind, as A-F, received {item!r}. "
                f"{_as_they_are(item)}"
            )
        return _range(ord(item[0]), ord(item[2]), item)
    words = item.split()
    if len(words) > 1 and all(word in GLYPH_SETS for word in words):
        raise InputError(f"Expected a comma between sets of glyphs, as '{','.join(words)}', received {item!r}.")
    # A name in capitals is as likely a slip as one with a letter wrong.
    if item.isprintable() and (
        _NAME.fullmatch(item) or difflib.get_close_matches(item.lower(), GLYPH_SETS, n=1, cutoff=0.8)
    ):
        raise InputError(f"{unknown_name('set of glyphs', item, GLYPH_SETS)} {_as_they_are(item)}".rstrip())
    return _literal(item, text)


def _as_they_are(item: str) -> str:
    return f"For these characters themselves: '={item}'." if len(set(item)) == len(item) else ""


def _literal(characters: str, text: str) -> str:
    if not characters:
        raise InputError(f"Expected characters behind '=', received {text!r}.")
    _check_alone(characters)
    return characters


def _code_points(item: str) -> str:
    match = _CODES.fullmatch(item)
    if match is None:
        expected = "a code point as U+0416 or a range as U+0410-U+042F"
        raise InputError(f"Expected {expected}, received {item!r}. {_as_they_are(item)}".rstrip())
    first = int(match[1], 16)
    last = int(match[2], 16) if match[2] else first
    if max(first, last) > _LAST:
        raise InputError(f"Expected code points up to U+{_LAST:X}, received {item!r}.")
    if match[2]:
        return _range(first, last, item)
    # A mark by its number is meant as such; among characters it is rather half of one.
    check_characters(chr(first))
    return chr(first)


def _range(first: int, last: int, item: str) -> str:
    if first > last:
        raise InputError(f"Expected a range from a lower to a higher code point, received {item!r}.")
    characters = "".join(character for character in map(chr, range(first, last + 1)) if _stands_alone(character))
    if not characters:
        raise InputError(f"Expected a range with characters that can be drawn, received {item!r}, which has none.")
    return characters


def _kind(character: str) -> str:
    return unicodedata.category(character)


def _stands_alone(character: str) -> bool:
    kind = _kind(character)
    return kind not in _WITHOUT_A_PICTURE and kind not in _MARKS


def check_characters(characters: str) -> None:
    """Make sure that each character may be a glyph, whatever the font.

    Private ones may, since fonts of symbols put theirs there.

    Raises:
        InputError: one is a space, a control character or the like, or stands there twice; it is named.
    """
    seen: set[str] = set()
    for character in characters:
        kind = _kind(character)
        code = f"U+{ord(character):04X}"
        if kind in _WITHOUT_A_PICTURE:
            raise InputError(
                f"Expected glyphs with ink, received {character!a} ({code}), {_WITHOUT_A_PICTURE[kind]}, "
                "which draws nothing."
            )
        if character in seen:
            raise InputError(f"Expected each glyph once, received {character!r} twice.")
        seen.add(character)


def _check_alone(characters: str) -> None:
    check_characters(characters)
    for character in characters:
        if _kind(character) in _MARKS:
            name = unicodedata.name(character, "without a name")
            raise InputError(
                f"Expected glyphs that stand alone, received U+{ord(character):04X} ({name}), a mark on the character "
                "before it; write both as one, if Unicode has that."
            )


def spelled(glyphs: str) -> str:
    """The way back: a short text that `parse_glyphs` reads as these characters in this order.

    Args:
        glyphs: characters, each once, that `check_characters` lets pass.
    """
    items: list[str] = []
    rest = glyphs
    while rest:
        name = max((name for name in GLYPH_SETS if rest.startswith(GLYPH_SETS[name])), key=_length, default="")
        run = GLYPH_SETS.get(name) or _run(rest)
        if not name and len(run) < 4:
            if not any(_kind(each) in _MARKS for each in rest):
                break
            run = rest[0]
        codes = [f"U+{ord(each):04X}" for each in (run[0], run[-1])]
        items.append(name or "-".join(dict.fromkeys(codes)))
        rest = rest[len(run) :]
    return ",".join([*items, f"={rest}"] if rest else items)


def _length(name: str) -> int:
    return len(GLYPH_SETS[name])


def _run(characters: str) -> str:
    """The first characters as far as they are what `_range` would give from the first to the last of them."""
    count, code = 0, ord(characters[0])
    while count < len(characters) and characters[count] == chr(code) and _stands_alone(characters[count]):
        count, code = count + 1, code + 1
        while code <= _LAST and not _stands_alone(chr(code)):
            code += 1
    return characters[:count]
