"""What a data set is made of: a small, frozen, JSON-able description that with its seed determines every pixel."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import InitVar, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from bboxbench.data_gen import spec_checks as checks
from bboxbench.data_gen.drawable import check_that_all_can_be_drawn, coverage_needed
from bboxbench.data_gen.draws import MAX_SEED
from bboxbench.data_gen.fonts import Face, FontFile, font_file
from bboxbench.data_gen.photographs import check_pictures_are, check_pictures_open
from bboxbench.data_gen.presets import PRESETS
from bboxbench.errors import InputError, unknown_name

__all__ = ["DatasetSpec"]

MAX_N = 100_000_000

_WHOLE = {
    "n": (1, MAX_N),
    "seed": (0, MAX_SEED),
    "width": (1, checks.MAX_SIDE),
    "height": (1, checks.MAX_SIDE),
    "min_contrast": (1, 160),
    "ink_threshold": (1, 64),
}
"""Fields that are whole numbers, and their bounds."""

_AMOUNTS = {"rotation": 180.0, "shear": 60.0, "shift": 0.5, "blur": 20.0, "noise": 100.0}
"""The most that may be asked for of each effect; the least is 0."""

_CLASSES = 254
"""Numbers of a class map: 0 is the background, 255 what is ignored."""


class _OfPreset:
    """Stands for a field that is not given, and shows as such in a signature."""

    def __repr__(self) -> str:
        return "<of the preset>"


_OF_PRESET: Any = _OfPreset()


@dataclass(frozen=True)
class DatasetSpec:
    """Everything that decides the pixels. Two equal specs give equal data sets, bit by bit.

    A field that is not given is that of the preset.

    Args:
        preset: the named recipe it begins from, one of `PRESETS`.
        n: number of samples, 1 or more.
        seed: 0 to 2**63 - 1.
        width: of the pictures, in pixels.
        height: of the pictures, in pixels.
        glyphs: the characters, each once; all are equally likely.
        fonts: names of faces (`bboxbench.data_gen.fonts.FONT_NAMES`) or paths of font files, each once; all are equally
            likely. A file is known by its name without folder and ending from then on.
        sizes: smallest and largest size in pixels per em, both included; all between are equally likely.
        background: one of `bboxbench.data_gen.spec_checks.BACKGROUNDS`, or several, of which each picture takes one.
        min_contrast: least difference in luma between ink and background, 1 to 160 of 255.
        font_files: the font files among ``fonts``, by name and content. They are found out; a manifest gives them.
        pictures: folder of pictures for the background ``pictures``; where it lies is no part of what the spec is.
        pictures_sha256: what is in it. It is found out; a manifest gives it.
        rotation: a glyph is turned by up to so many degrees either way, 0 to 180.
        scale: smallest and largest factor of a glyph's width and of its height, each of its own, 0.1 to 10.
        shear: a glyph leans by up to so many degrees either way, 0 to 60.
        shift: a glyph is moved off the pixel grid by up to so many pixels either way, in x and y, 0 to 0.5.
        blur: the glyph is out of focus by a Gaussian of up to so many pixels, 0 to 20.
        noise: each channel of each pixel gets normal noise of up to this standard deviation in levels, 0 to 100.
        ink_threshold: how many levels of 0..255 a pixel must differ by, in some channel, from the same picture without
            its glyph to be ink, 1 to 64.
        masks: whether the data set has a mask of the ink and a class map of every picture.
        checked: whether fonts and pictures are looked at, too; else only the form of the values is.

    Raises:
        InputError: a value cannot be used, a font lacks a glyph, or a glyph cannot fit the picture with its whole ink.
    """

    preset: str = "letters"
    n: int = _OF_PRESET
    seed: int = _OF_PRESET
    width: int = _OF_PRESET
    height: int = _OF_PRESET
    glyphs: str = _OF_PRESET
    fonts: tuple[str, ...] = _OF_PRESET
    sizes: tuple[int, int] = _OF_PRESET
    background: tuple[str, ...] = _OF_PRESET
    min_contrast: int = _OF_PRESET
    font_files: tuple[FontFile, ...] = _OF_PRESET
    pictures: str = field(default=_OF_PRESET, compare=False)
    pictures_sha256: str = _OF_PRESET
    rotation: float = _OF_PRESET
    scale: tuple[float, float] = _OF_PRESET
    shear: float = _OF_PRESET
    shift: float = _OF_PRESET
    blur: float = _OF_PRESET
    noise: float = _OF_PRESET
    ink_threshold: int = _OF_PRESET
    masks: bool = _OF_PRESET
    checked: InitVar[bool] = True

    def __post_init__(self, checked: bool) -> None:
        if not isinstance(self.preset, str) or self.preset not in PRESETS:
            raise unknown_name("preset", str(self.preset), PRESETS)
        for name, value in PRESETS[self.preset].items():
            if getattr(self, name) is _OF_PRESET:
                object.__setattr__(self, name, value)
        for name, value in _in_form(self, checked).items():
            object.__setattr__(self, name, value)
        if checked:
            self._check_glyphs()

    def _check_glyphs(self) -> None:
        contrast = 255 if self.background == ("white",) else self.min_contrast
        needed = coverage_needed(self.ink_threshold, contrast, self.bare)
        scale = self.scale if self.moved else None
        loose = bool(self.rotation or self.shear or self.shift)
        check_that_all_can_be_drawn(self.glyphs, self.faces, self.sizes, self.width, self.height, scale, needed, loose)

    @classmethod
    def letters(cls, n: int = 40_000, seed: int = 0, **changes: Any) -> DatasetSpec:
        """The default recipe: A-Z and a-z in two faces, 48 to 64 px, plain colours, pictures of 200 x 100.

        Args:
            n: number of samples.
            seed: 0 to 2**63 - 1.
            **changes: other fields of the spec that should differ from the preset.
        """
        return cls.from_dict({**changes, "preset": "letters", "n": n, "seed": seed})

    @property
    def folder_name(self) -> str:
        """A name that tells what is inside; a short hash stands behind it where the spec departs from its preset."""
        name = f"{self.preset}-n{self.n}-seed{self.seed}"
        if self.as_preset:
            return name
        canonical = json.dumps(self.identity(), sort_keys=True)
        return f"{name}-{hashlib.sha256(canonical.encode()).hexdigest()[:8]}"

    @property
    def as_preset(self) -> bool:
        """Whether nothing but ``n`` and ``seed`` is of its own."""
        return all(getattr(self, name) == value for name, value in PRESETS[self.preset].items() if name not in _COUNTS)

    @cached_property
    def faces(self) -> tuple[Face, ...]:
        """What `bboxbench.data_gen.fonts` knows each of ``fonts`` by: its name, or its file and what is in it."""
        files = {file.name: file for file in self.font_files}
        return tuple(files.get(name, name) for name in self.fonts)

    @cached_property
    def moved(self) -> bool:
        """Whether glyphs are turned, stretched, slanted or moved off the pixel grid."""
        return bool(self.rotation or self.shear or self.shift) or self.scale != (1.0, 1.0)

    @cached_property
    def bare(self) -> bool:
        """Whether a glyph stands straight and sharp on one colour, and nothing else is done to the picture."""
        one = self.background in (("plain",), ("white",))
        return one and not self.moved and not self.blur and not self.noise and self.ink_threshold == 1

    @cached_property
    def one_colour(self) -> bool:
        """Whether all pixels outside a picture's box have one colour."""
        plain = set(self.background) <= {"plain", "white"}
        return plain and not self.noise and self.ink_threshold == 1

    def to_dict(self) -> dict[str, Any]:
        """The spec in JSON's own types; fields that came with a later version only where they say something."""
        values = {name: _plain(getattr(self, name)) for name in _FIELDS}
        values["background"] = self.background[0] if len(self.background) == 1 else list(self.background)
        values["font_files"] = [file.to_dict() for file in self.font_files]
        return {
            name: value
            for name, value in values.items()
            if name in _FIRST or getattr(self, name) != PRESETS["letters"][name] or name in _departures(self.preset)
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> DatasetSpec:
        """The way back from `to_dict`.

        Raises:
            InputError: a key is unknown, or a value cannot be used.
        """
        return cls(**_known(values))

    @classmethod
    def recorded(cls, values: dict[str, Any]) -> DatasetSpec:
        """`from_dict` for what a manifest says: a data set can be read where its fonts and pictures are not.

        Raises:
            InputError: a key is unknown, or a value has not the form it should have.
        """
        return cls(**_known(values), checked=False)

    def check_sources(self) -> None:
        """Make sure that the font files and the pictures are still those that the spec was made with.

        Raises:
            InputError: one is missing, has changed or cannot be opened; it is named.
        """
        for file in self.font_files:
            file.check()
        self.check_pictures()
        if self.pictures:
            check_pictures_open(self.pictures)

    def check_pictures(self) -> None:
        """`check_sources` for the pictures alone, which are all that is behind the glyphs, without opening them.

        Raises:
            InputError: they are missing or have changed.
        """
        if self.pictures:
            check_pictures_are(self.pictures, self.pictures_sha256)

    def elsewhere(self, pictures: str | Path | None = None, fonts: Sequence[str | Path] = ()) -> DatasetSpec:
        """The same spec, whose pictures and font files lie in other places now.

        Args:
            pictures: folder of the pictures.
            fonts: font files, of any name; each takes the place of the one with its content.

        Raises:
            InputError: the spec has none, or a font is another. `check_sources` tells whether pictures are.
        """
        changes: dict[str, Any] = {}
        if pictures is not None:
            if not self.pictures_sha256:
                raise InputError(f"Expected pictures only for what was drawn on some, received {pictures}.")
            changes["pictures"] = str(Path(pictures).expanduser().absolute())
        files = list(self.font_files)
        for font in fonts:
            sha256 = font_file(font).sha256
            if sha256 not in (file.sha256 for file in files):
                known = ", ".join(f"{file.name} with {file.sha256[:12]}..." for file in files) or "none"
                raise InputError(
                    f"Expected a font file that was drawn from ({known}), received {font} with SHA-256 {sha256[:12]}..."
                )
            place = str(Path(font).expanduser().absolute())
            files = [replace(file, path=place) if file.sha256 == sha256 else file for file in files]
        return replace(self, **changes, font_files=tuple(files), checked=False)

    def changed(self, **changes: Any) -> DatasetSpec:
        """A copy with some fields changed, for which what follows from them is found out again."""
        if "fonts" in changes and "font_files" not in changes:
            named = changes["fonts"] if isinstance(changes["fonts"], tuple | list) else ()
            changes["font_files"] = tuple(file for file in self.font_files if file.name in named)
        kinds = changes.get("background", self.background)
        if "pictures" in changes or (isinstance(kinds, str | tuple | list) and "pictures" not in kinds):
            changes = {"pictures": "", "pictures_sha256": "", **changes}
        return replace(self, **changes)

    def differences(self, other: Any) -> list[str]:
        """What sets ``other`` apart, one phrase a field, as 'n 40000 instead of 1000'."""
        mine, theirs = self.identity(), other.identity()
        differing = [name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)]
        return [f"{name} {_told(self, name)} instead of {_told(other, name)}" for name in differing]

    def identity(self) -> dict[str, Any]:
        """`to_dict` without the places that things were read from: what makes two specs equal."""
        values = self.to_dict()
        values.pop("pictures", None)
        for file in values.get("font_files", ()):
            file["path"] = ""
        return values


_FIELDS = tuple(one.name for one in fields(DatasetSpec))

_COUNTS = ("n", "seed")

_FIRST = _FIELDS[: _FIELDS.index("min_contrast") + 1]
"""The fields that every data set has had, from the first version on."""


def _departures(preset: str) -> tuple[str, ...]:
    """Fields that a preset fills otherwise than `letters` does, which a reader would else take from the preset."""
    return tuple(name for name, value in PRESETS[preset].items() if value != PRESETS["letters"][name])


def _told(spec: Any, name: str) -> str:
    """A field for a person's eyes, be it of a drawn data set or of another, which may lack it."""
    if name == "font_files":
        return ", ".join(f"{file.name} {file.sha256[:12]}..." for file in getattr(spec, name, ())) or "none"
    return repr(spec.identity().get(name, _plain(getattr(spec, name, None))))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _known(values: dict[str, Any]) -> dict[str, Any]:
    for key in values:
        if key not in _FIELDS:
            raise unknown_name("field of a data set's spec", str(key), _FIELDS)
    return values


def _in_form(spec: DatasetSpec, looked_at: bool) -> dict[str, Any]:
    """Every field as it is kept, checked as far as that goes without looking at a file that is known already.

    Without ``looked_at`` no file is looked at: a manifest of unknown origin names places that it should not lead to.
    """
    values: dict[str, Any] = {name: checks.whole(name, getattr(spec, name), *ends) for name, ends in _WHOLE.items()}
    for name, most in _AMOUNTS.items():
        values[name] = checks.amount(name, getattr(spec, name), 0, most)
    values["scale"] = checks.scale(spec.scale)
    values["sizes"] = checks.sizes(spec.sizes)
    values["glyphs"] = checks.glyphs(spec.glyphs)
    values["masks"] = checks.truth("masks", spec.masks)
    if spec.masks and len(spec.glyphs) > _CLASSES:
        raise InputError(f"Expected {_CLASSES} glyphs or fewer with masks, received {len(spec.glyphs)}.")
    background = values["background"] = checks.backgrounds(spec.background)
    content = spec.pictures_sha256
    values["pictures"], values["pictures_sha256"] = checks.pictures(spec.pictures, content, background, looked_at)
    values["fonts"], values["font_files"] = checks.fonts(spec.fonts, spec.font_files, looked_at)
    return values
