"""A data set in numbers: how many, how large, where, how faint; from its table alone, without reading a shard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bboxbench.data_gen.glyph_names import class_labels, shortened

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "MEASURES",
    "class_counts",
    "covered_share",
    "fact_rows",
    "measure_rows",
    "measured",
    "summarise",
    "value_counts",
    "written",
]

MEASURES = {
    "box_width": "box width, px",
    "box_height": "box height, px",
    "box_area": "box area, px²",
    "source_width": "source width, px",
    "source_height": "source height, px",
    "rounding": "rounding, IoU",
    "size": "glyph size, px",
    "contrast": "contrast",
    "rotation": "rotation, degrees",
    "scale_x": "scale across",
    "scale_y": "scale down",
    "shear": "shear, degrees",
    "shift_x": "shift across, px",
    "shift_y": "shift down, px",
    "blur": "blur, px",
    "noise": "noise, levels",
}
"""What is measured of each sample, and the words for it. A data set has the first three and any of the others."""

_NAMED = 4
"""So many kinds or faces are named, not more."""


def measured(table: pd.DataFrame) -> dict[str, pd.Series]:
    """By the names of `MEASURES`: the values of all samples, where the table has them.

    Args:
        table: as `bboxbench.data_gen.Dataset.table` gives it, with what
            `bboxbench.data_gen.rounding.with_rounding` adds where that is wanted.
    """
    import pandas as pd

    width, height = table["xmax"] - table["xmin"], table["ymax"] - table["ymin"]
    area = width.astype("int64") * height.astype("int64")
    found = {"box_width": width, "box_height": height, "box_area": area}
    for name in MEASURES:
        if name in table:
            values = pd.to_numeric(table[name], errors="coerce").dropna()
            # A size of 0 is that of a picture that was not drawn here.
            if len(values) and not (name == "size" and (values == 0).all()):
                found[name] = values
    return found


def covered_share(table: pd.DataFrame, width: int, height: int) -> float:
    """Share of a picture's pixels that lie in the box of some sample, 0 to 1."""
    # Each box adds 1 from its corner on and takes it away behind its sides; two running sums spread that.
    steps = np.zeros((height + 1, width + 1), np.int64)
    for x, y, step in (("xmin", "ymin", 1), ("xmax", "ymax", 1), ("xmin", "ymax", -1), ("xmax", "ymin", -1)):
        np.add.at(steps, (table[y].to_numpy(), table[x].to_numpy()), step)
    return float((steps.cumsum(axis=0).cumsum(axis=1)[:height, :width] > 0).mean())


def summarise(table: pd.DataFrame, width: int, height: int, classes: Sequence[str]) -> dict[str, Any]:
    """A data set in numbers, in JSON's own types.

    Args:
        table: as `measured` takes it, a row or more.
        width: of the pictures, in pixels.
        height: of the pictures, in pixels.
        classes: all that there are, in order.

    Returns:
        ``n``, ``width``, ``height``; ``splits``: samples in each; ``classes``: samples of each, 0 for those without;
        ``fonts``, ``kinds``: samples of each, most first; ``measures``: for each of `MEASURES` that there is ``least``,
        ``median`` and ``largest``; ``covered``: share of the picture's pixels that lie in some box.
    """
    measures = {
        name: {
            "least": _number(values.min()),
            "median": _number(values.median()),
            "largest": _number(values.max()),
        }
        for name, values in measured(table).items()
    }
    return {
        "n": len(table),
        "width": width,
        "height": height,
        "splits": {str(name): int(count) for name, count in table["split"].value_counts(sort=False).items()},
        "classes": class_counts(table, classes),
        "fonts": value_counts(table, "font"),
        "kinds": value_counts(table, "kind"),
        "measures": measures,
        "covered": covered_share(table, width, height),
    }


def fact_rows(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The part of `summarise` that is no measure, as rows for people: a word and what is to be said of it."""
    n = summary["n"]
    splits = ", ".join(f"{count:,} {name}" for name, count in summary["splits"].items())
    rows = [("pictures", f"{n:,} of {summary['width']} x {summary['height']} px"), ("splits", splits)]
    rows.append(("classes", _classes_in_words(summary["classes"])))
    if summary["fonts"]:
        rows.append(("fonts", _shares(summary["fonts"], n)))
    if summary["kinds"]:
        rows.append(("backgrounds", _shares(summary["kinds"], n)))
    rows.append(("positions", f"boxes reach {_percent(summary['covered'])} of the picture's pixels"))
    return rows


def measure_rows(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The measures of `summarise` as rows for people: words, least, median, largest."""
    return [
        (MEASURES[name], *written(values["least"], values["median"], values["largest"]))
        for name, values in summary["measures"].items()
    ]


def class_counts(table: pd.DataFrame, classes: Sequence[str]) -> dict[str, int]:
    """How many samples each class has, in the order of ``classes``; 0 for those without."""
    counts = table["glyph"].value_counts()
    return {name: int(counts.get(name, 0)) for name in classes}


def value_counts(table: pd.DataFrame, column: str) -> dict[str, int]:
    """How often each value of a column of texts occurs, most often first; empty where there is no such column."""
    if column not in table:
        return {}
    counts = {str(name): int(count) for name, count in table[column].value_counts().items() if name != ""}
    # Those alike by name, so that the same table gives the same order everywhere.
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _classes_in_words(classes: Mapping[str, int]) -> str:
    labels = class_labels(classes)
    if len(classes) == 1:
        return f"1: {_class_name(next(iter(classes)), labels)}"
    # Which of the two a digit is, a class or a count, is told by its quotes.
    fewest, most = (f"'{_class_name(rank(classes, key=classes.__getitem__), labels)}'" for rank in (min, max))
    least, largest = min(classes.values()), max(classes.values())
    if least == largest:
        return f"{len(classes):,}, {_pictures(largest)} each"
    without = sum(not count for count in classes.values())
    if without:
        return f"{len(classes):,}, {without:,} without a picture; most {most}, {_pictures(largest)}"
    return f"{len(classes):,}, {least:,} to {_pictures(largest)} each; fewest {fewest}, most {most}"


def _pictures(count: int) -> str:
    return f"{count:,} picture{'' if count == 1 else 's'}"


def _shares(counts: Mapping[str, int], n: int) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    named = ", ".join(f"{shortened(name, 24)} {_percent(count / n)}" for name, count in list(counts.items())[:_NAMED])
    more = f" and {len(counts) - _NAMED} more" if len(counts) > _NAMED else ""
    return f"{named}{more}"


def _class_name(name: str, labels: Mapping[str, str]) -> str:
    return shortened(labels[name], 16)


def _percent(share: float) -> str:
    """A share in percent: 100 % and 0 % only where they are meant."""
    if share in (0.0, 1.0):
        return f"{share:.0%}"
    return f"{min(max(100 * share, 0.1), 99.9):.1f}%" if not 0.01 <= share <= 0.99 else f"{share:.0%}"


def _number(value: Any) -> int | float:
    """A plain number, whole where it is."""
    number = float(value)
    return int(number) if number.is_integer() else number


def written(*numbers: float) -> tuple[str, ...]:
    """Measures of one kind as people read them: all whole, or all with as many decimals as the largest of them needs.

    From 10 on that is one, above 1 two, up to 1 three.
    """
    largest = max(map(abs, numbers))
    if all(float(number).is_integer() for number in numbers):
        digits = 0
    else:
        digits = 1 if largest >= 10 else 2 if largest > 1 else 3
    # Adding 0 takes the sign from what was rounded to -0.
    return tuple(f"{round(float(number), digits) + 0.0:,.{digits}f}" for number in numbers)
