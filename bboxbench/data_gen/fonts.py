"""The faces that letters are drawn in: DejaVu and STIX, which come with matplotlib, and fonts of the user's own.

matplotlib is never imported for them, only found. Its folder also holds fonts that must not be drawn from (some without
letters, one that claims every character), so the files are named here one by one.

A *face* is what the functions here and in `bboxbench.data_gen.glyphs` take: a name of `FONT_NAMES`, the absolute path
of a font file, or a `FontFile`, which stands for one content of a file and never for another that took its place.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from PIL import ImageFont
from PIL.Image import DecompressionBombError

from bboxbench.data_gen.font_tables import check_font, read_characters
from bboxbench.errors import CannotRead, InputError, read_errors, unknown_name
from bboxbench.files import file_sha256

__all__ = [
    "FONT_NAMES",
    "Face",
    "FontFile",
    "characters",
    "face_name",
    "font_file",
    "font_path",
    "font_sha256",
    "forgotten_with_faces",
    "is_font_path",
    "kept_by_face",
    "named_fonts",
    "open_font",
]

FONT_NAMES = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-BoldOblique",
    "DejaVuSans-Oblique",
    "DejaVuSansMono",
    "DejaVuSansMono-Bold",
    "DejaVuSansMono-BoldOblique",
    "DejaVuSansMono-Oblique",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSerif-BoldItalic",
    "DejaVuSerif-Italic",
    "STIXGeneral",
    "STIXGeneralBol",
    "STIXGeneralBolIta",
    "STIXGeneralItalic",
)
"""Every face that needs no file of one's own. They drew the same pixels in Pillow 9.5 to 13."""

_SUFFIXES = (".ttf", ".otf", ".ttc", ".otc", ".woff", ".woff2", ".pfb", ".pfa", ".bdf", ".pcf")
"""What marks a text as the name of a file, also where no folder stands before it."""

_MOST_FONT_NAME = 100

_WHERE_IT_IS = "A font that lies elsewhere now: bboxbench generate --resume DIR --font FILE."

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class FontFile:
    """A font of the user's own; `font_file` makes one. Two are equal if their names and contents are.

    Attributes:
        name: what a spec calls it, the name of its file without the ending.
        sha256: of the file's bytes, hexadecimal.
        path: where it is, absolute; where it lies decides no pixel.
    """

    name: str
    sha256: str
    path: str = field(compare=False)

    def to_dict(self) -> dict[str, str]:
        """The font in JSON's own types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FontFile:
        """The way back from `to_dict`, in form only: see `check`.

        Raises:
            InputError: the values are not those that `to_dict` gives.
        """
        names = ("name", "sha256", "path")
        good = isinstance(values, Mapping) and sorted(values) == sorted(names)
        if not good or not all(isinstance(values[name], str) for name in names):
            raise InputError(f"Expected a font as its name, sha256 and path, received {values!r}.")
        return cls(*(values[name] for name in names))

    def check(self) -> None:
        """Make sure that the file is still the one it was.

        Raises:
            InputError: it is missing, may not be read, is no font, or has another content.
        """
        _as_it_was(self)
        font_file(self.path)


Face = str | FontFile


def _as_it_was(face: Face) -> None:
    """Refuse the file of a `FontFile` that is gone or has another content; of other faces nothing is known."""
    if isinstance(face, str):
        return
    try:
        found = file_sha256(Path(face.path))
    except CannotRead as error:
        raise CannotRead(f"{error} {_WHERE_IT_IS}") from error
    if found != face.sha256:
        raise InputError(
            f"Expected the font file {face.path} as it was, with SHA-256 {face.sha256[:12]}..., received one with "
            f"{found[:12]}... Bring the old file back, or draw into another folder. {_WHERE_IT_IS}"
        )


_CACHES: list[Callable[[], None]] = []
_CONTENTS: dict[str, str] = {}
"""SHA-256 of the user's own fonts, by path, as they were when last looked at."""


def forgotten_with_faces(forget: Callable[[], None]) -> None:
    """Have a cache's ``forget`` called when the file of a face has changed."""
    _CACHES.append(forget)


def kept_by_face(most: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """A cache of up to ``most`` results that depend on a face's file; they are forgotten when a file has changed."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        kept = lru_cache(maxsize=most)(function)
        forgotten_with_faces(kept.cache_clear)
        return cast(Callable[P, T], kept)

    return decorate


@lru_cache(maxsize=1)
def _font_folder() -> Path:
    found = importlib.util.find_spec("matplotlib")
    if found is None or found.origin is None:
        raise InputError(
            "Expected matplotlib, whose fonts the letters are drawn in; install it: pip install matplotlib."
        )
    return Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"


def font_path(face: Face) -> Path:
    """The file of a face.

    Raises:
        InputError: the face is neither in `FONT_NAMES` nor an absolute path, or this installation of matplotlib lacks
            the file.
    """
    if isinstance(face, FontFile):
        return Path(face.path)
    if face not in FONT_NAMES:
        if Path(face).is_absolute():
            return Path(face)
        raise unknown_name("font", face, FONT_NAMES)
    path = _font_folder() / f"{face}.ttf"
    with read_errors(path):
        there = path.is_file()
    if not there:
        raise InputError(f"Expected the font file {path}, which is missing; install matplotlib again.")
    return path


def face_name(face: Face) -> str:
    """What a person calls a face: its name, or that of its file without the ending."""
    if isinstance(face, FontFile):
        return face.name
    return face if face in FONT_NAMES else Path(face).stem


def font_file(path: Path | str) -> FontFile:
    """Take a font of the user's own, once it is known to be one.

    Args:
        path: a TrueType or OpenType file with outlines; ``~`` is the home folder.

    Raises:
        InputError: it is missing, may not be read, is no such font, is cut or damaged, or has a name that cannot stand
            for it.
    """
    place = Path(path).expanduser().absolute()
    name = place.stem
    if name in FONT_NAMES:
        raise InputError(
            f"Expected another name than that of the built-in font {name}, received {place}; take that font by its "
            "name alone, or rename the file."
        )
    if not str(place).isprintable() or any(each in name for each in ',"') or len(name) > _MOST_FONT_NAME:
        raise InputError(
            f"Expected a font file with a name of up to {_MOST_FONT_NAME} letters, without commas and quotes, received "
            f"{str(place)!r}; rename the file."
        )
    check_font(place)
    sha256 = file_sha256(place)
    if _CONTENTS.setdefault(str(place), sha256) != sha256:
        _CONTENTS[str(place)] = sha256
        for forget in _CACHES:
            forget()
    font = open_font(str(place), 64)
    try:
        # The mark for a missing glyph, which every font has.
        font.getmask("\U0010ffff")
    except (OSError, DecompressionBombError) as error:
        raise _damaged(place, error, "choose another") from error
    return FontFile(name, sha256, str(place))


def is_font_path(text: str) -> bool:
    """Whether a person who writes this means a file: a folder stands before it, or the ending of a font behind."""
    return Path(text).name != text or text.lower().endswith(_SUFFIXES)


def named_fonts(
    fonts: Iterable[str | Path], known: Iterable[FontFile] = ()
) -> tuple[tuple[str, ...], tuple[FontFile, ...]]:
    """Names for all fonts, of which some may be given as the paths of files.

    Args:
        fonts: names of `FONT_NAMES` or of ``known``, and paths: see `is_font_path`.
        known: fonts that were read before, by `font_file`.

    Returns:
        The names in the given order, and the files of those that are not in `FONT_NAMES`.

    Raises:
        InputError: there is no such name, two files have one name, or a file is no font: see `font_file`.
    """
    files = {file.name: file for file in known}
    names: list[str] = []
    for font in fonts:
        if font in FONT_NAMES or font in files:
            names.append(str(font))
            continue
        if isinstance(font, str) and "," in font and all(name.strip() in FONT_NAMES for name in font.split(",")):
            raise InputError(
                f"Expected fonts one by one, received {font!r} as one; give --font once for each (in Python "
                'fonts=("A", "B")).'
            )
        if not isinstance(font, Path) and not is_font_path(font):
            raise InputError(
                f"{unknown_name('font', font, (*FONT_NAMES, *files))} A font of your own is given by the path of its "
                "file, as ./My.ttf."
            )
        file = font_file(Path(font).expanduser())
        if (other := files.get(file.name)) is not None and other.path != file.path:
            raise InputError(
                f"Expected fonts with a name each, received {other.path} and {file.path}; rename one of the files."
            )
        files[file.name] = file
        names.append(file.name)
    return tuple(names), tuple(files[name] for name in dict.fromkeys(names) if name in files)


@kept_by_face(256)
def font_sha256(face: Face) -> str:
    """Hexadecimal SHA-256 of a face's file, for the manifest."""
    return face.sha256 if isinstance(face, FontFile) else file_sha256(font_path(face))


@kept_by_face(256)
def characters(face: Face) -> frozenset[int]:
    """The code points that a face has, by its own table.

    Raises:
        InputError: the face's file is missing, may not be read, is no font or a damaged one, or is not as it was.
    """
    _as_it_was(face)
    return read_characters(font_path(face))


@kept_by_face(1024)
def open_font(face: Face, size: int) -> ImageFont.FreeTypeFont:
    """A face at ``size`` pixels per em. Kept open: opening it for every picture costs three quarters of the speed.

    Raises:
        InputError: there is no such face, or its file is missing, may not be read, is damaged or is not as it was.
    """
    _as_it_was(face)
    path = font_path(face)
    # FreeType does not say why it cannot open a file.
    with read_errors(path):
        path.open("rb").close()
    try:
        # The other layout engine depends on what else is installed; this one is always there.
        return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        raise _damaged(path, error, "install matplotlib again" if face in FONT_NAMES else "choose another") from error


def _damaged(path: Path, error: Exception, what_to_do: str) -> InputError:
    return InputError(f"The font file {path} is damaged ({error}); {what_to_do}.")
