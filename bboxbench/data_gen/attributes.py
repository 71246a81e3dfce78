"""How a sample lies in the arrays of a shard and in a line of ``boxes.csv``.

One table has all that there may be; a data set has what its spec uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bboxbench.data_gen.colours import Colour, hexadecimal, luma
from bboxbench.data_gen.draws import STEPS
from bboxbench.data_gen.imported import IMPORTED_COLUMNS, AnySpec, ImportedSpec, imported_arrays, imported_sample
from bboxbench.data_gen.packing import Arrays
from bboxbench.data_gen.samples import Sample
from bboxbench.data_gen.spec import DatasetSpec
from bboxbench.data_gen.splits import split_ranges

__all__ = ["arrays_of", "columns_of", "lines_of", "sample_of", "store"]


@dataclass(frozen=True)
class _Attribute:
    """One array.

    Attributes:
        dtype: of the array.
        axes: shape of one row; "pixels" is (height, width).
        used: whether a spec has it.
        value: what is kept of a sample.
    """

    dtype: str
    axes: tuple[int, ...] | str
    used: Callable[[DatasetSpec], bool]
    value: Callable[[DatasetSpec, Sample], Any]


def _always(spec: DatasetSpec) -> bool:
    return True


_ATTRIBUTES: dict[str, _Attribute] = {
    "images": _Attribute("|u1", "colours", _always, lambda spec, sample: sample.image),
    "boxes": _Attribute("<i2", (4,), _always, lambda spec, sample: sample.box),
    "codepoints": _Attribute("<u4", (), _always, lambda spec, sample: ord(sample.glyph)),
    "fonts": _Attribute("<u2", (), _always, lambda spec, sample: spec.fonts.index(sample.font)),
    "sizes": _Attribute("<u2", (), _always, lambda spec, sample: sample.size),
    "inks": _Attribute("|u1", (3,), _always, lambda spec, sample: sample.ink),
    "backgrounds": _Attribute("|u1", (3,), _always, lambda spec, sample: sample.background),
    # From here on what came later: a spec that does not use it has the same arrays as ever.
    "contrasts": _Attribute("|u1", (), lambda spec: not spec.bare, lambda spec, sample: sample.contrast),
    "kinds": _Attribute(
        "|u1", (), lambda spec: len(spec.background) > 1, lambda spec, sample: spec.background.index(sample.kind)
    ),
    "rotations": _Attribute("<f4", (), lambda spec: bool(spec.rotation), lambda spec, sample: sample.rotation),
    "scales": _Attribute("<f4", (2,), lambda spec: spec.scale != (1.0, 1.0), lambda spec, sample: sample.scale),
    "shears": _Attribute("<f4", (), lambda spec: bool(spec.shear), lambda spec, sample: sample.shear),
    "shifts": _Attribute("<f4", (2,), lambda spec: bool(spec.shift), lambda spec, sample: sample.shift),
    "blurs": _Attribute("<f4", (), lambda spec: bool(spec.blur), lambda spec, sample: sample.blur),
    "noises": _Attribute("<f4", (), lambda spec: bool(spec.noise), lambda spec, sample: sample.noise),
    "masks": _Attribute("|u1", "pixels", lambda spec: spec.masks, lambda spec, sample: sample.mask),
    "class_maps": _Attribute("|u1", "pixels", lambda spec: spec.masks, lambda spec, sample: sample.class_map),
}

_FIRST_COLUMNS = (
    "index",
    "split",
    "xmin",
    "ymin",
    "xmax",
    "ymax",
    "glyph",
    "codepoint",
    "font",
    "size",
    "ink",
    "background",
    "contrast",
)

_LATER_COLUMNS = {
    "kinds": ("kind",),
    "rotations": ("rotation",),
    "scales": ("scale_x", "scale_y"),
    "shears": ("shear",),
    "shifts": ("shift_x", "shift_y"),
    "blurs": ("blur",),
    "noises": ("noise",),
}
"""Columns of ``boxes.csv`` for arrays that not every data set has."""

_LATER_VALUES: dict[str, Callable[[Sample], str]] = {
    "kinds": lambda sample: sample.kind,
    "rotations": lambda sample: f"{sample.rotation:g}",
    "scales": lambda sample: f"{sample.scale[0]:g},{sample.scale[1]:g}",
    "shears": lambda sample: f"{sample.shear:g}",
    "shifts": lambda sample: f"{sample.shift[0]:g},{sample.shift[1]:g}",
    "blurs": lambda sample: f"{sample.blur:g}",
    "noises": lambda sample: f"{sample.noise:g}",
}


def arrays_of(spec: AnySpec) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
    """The arrays of a data set's shards, in order: type, and shape of one sample's row."""
    if isinstance(spec, ImportedSpec):
        return imported_arrays(spec)
    shapes: dict[str, tuple[int, ...]] = {
        "pixels": (spec.height, spec.width),
        "colours": (spec.height, spec.width, 3),
    }
    return {
        name: (np.dtype(one.dtype), shapes[one.axes] if isinstance(one.axes, str) else one.axes)
        for name, one in _ATTRIBUTES.items()
        if one.used(spec)
    }


def store(spec: DatasetSpec, sample: Sample, arrays: Arrays, row: int) -> None:
    """Put a sample into its row of all arrays; its picture is left where it was painted, if that is there."""
    for name, array in arrays.items():
        value = _ATTRIBUTES[name].value(spec, sample)
        if not (name == "images" and np.shares_memory(value, array)):
            array[row] = value


def sample_of(spec: AnySpec, arrays: Arrays, row: int, index: int) -> Sample:
    """The way back from `store`.

    Raises:
        IndexError, OverflowError, ValueError: the arrays hold what no spec has.
    """
    if isinstance(spec, ImportedSpec):
        return imported_sample(spec, arrays, row, index)

    def amount(name: str, otherwise: float) -> float:
        return _amount(arrays[name][row]) if name in arrays else otherwise

    def amounts(name: str, otherwise: float) -> tuple[float, float]:
        return (_amount(arrays[name][row][0]), _amount(arrays[name][row][1])) if name in arrays else (otherwise,) * 2

    ink, background = _colour(arrays["inks"][row]), _colour(arrays["backgrounds"][row])
    between = abs(luma(ink) - luma(background))
    return Sample(
        index,
        arrays["images"][row],
        arrays["boxes"][row],
        chr(arrays["codepoints"][row]),
        spec.fonts[arrays["fonts"][row]],
        int(arrays["sizes"][row]),
        ink,
        background,
        int(arrays["contrasts"][row]) if "contrasts" in arrays else between,
        spec.background[arrays["kinds"][row] if "kinds" in arrays else 0],
        amount("rotations", 0.0),
        amounts("scales", 1.0),
        amount("shears", 0.0),
        amounts("shifts", 0.0),
        amount("blurs", 0.0),
        amount("noises", 0.0),
        arrays["masks"][row] if "masks" in arrays else None,
        arrays["class_maps"][row] if "class_maps" in arrays else None,
    )


def _colour(values: npt.NDArray[np.uint8]) -> Colour:
    red, green, blue = values.tolist()
    return red, green, blue


def _amount(value: np.float32) -> float:
    """An amount as it was drawn, which is a whole number of steps."""
    return round(float(value) * STEPS) / STEPS


def columns_of(spec: AnySpec) -> tuple[str, ...]:
    """Columns of the data set's ``boxes.csv``."""
    if isinstance(spec, ImportedSpec):
        return IMPORTED_COLUMNS
    arrays = arrays_of(spec)
    return _FIRST_COLUMNS + tuple(
        column for name, columns in _LATER_COLUMNS.items() if name in arrays for column in columns
    )


def lines_of(spec: DatasetSpec, samples: Iterable[Sample]) -> Iterator[str]:
    """The lines of ``boxes.csv`` of some samples, without line ends."""
    later = [write for name, write in _LATER_VALUES.items() if name in arrays_of(spec)]
    splits = split_ranges(spec.n)
    for sample in samples:
        split = next(name for name, indices in splits.items() if sample.index in indices)
        box = ",".join(map(str, sample.box.tolist()))
        # Only these two characters need quotes in CSV: no glyph is a line end.
        quoted = {",": '","', '"': '""""'}.get(sample.glyph, sample.glyph)
        assert sample.ink is not None
        assert sample.background is not None
        yield (
            f"{sample.index},{split},{box},{quoted},{ord(sample.glyph)},{sample.font},{sample.size},"
            f"{hexadecimal(sample.ink)},{hexadecimal(sample.background)},{sample.contrast}"
            + "".join(f",{write(sample)}" for write in later)
        )
