"""Predictions as people keep them: a CSV file with a column a number, or an .npz file with two arrays."""

from __future__ import annotations

import csv
import io
import re
import sys
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bboxbench.boxes import Array, from_xyxy, to_xyxy
from bboxbench.errors import InputError, read_errors
from bboxbench.experiments.diagnosis.truth import guess_format

__all__ = ["EXAMPLE", "Pairs", "read_pairs"]

EXAMPLE = """\
true_xmin,true_ymin,true_xmax,true_ymax,pred_xmin,pred_ymin,pred_xmax,pred_ymax
82,39,112,84,79.2,41.0,115.8,83.1
155,16,184,59,150.1,20.3,181.7,61.9
20,8,47,31,35.5,12.2,70.4,40.6
"""
"""A file as it may be."""

_TRUE = "y_?true|ground_?truth|truth|true|gt|target|label|actual|expected"
_PRED = "y_?pred|y_?hat|predicted|predictions?|pred|outputs?|estimated?|detected|hat|p"
_ROLES = {
    "xmin": "xmin x_min left x0 minx",
    "ymin": "ymin y_min top y0 miny",
    "xmax": "xmax x_max right x2 maxx",
    "ymax": "ymax y_max bottom y2 maxy",
    "w": "w width",
    "h": "h height",
    "cx": "cx xc xcenter x_center xcentre x_centre center_x centre_x",
    "cy": "cy yc ycenter y_center ycentre y_centre center_y centre_y",
    "x": "x",
    "y": "y",
    "x1": "x1",
    "y1": "y1",
}
_ROLE_OF = {word: role for role, words in _ROLES.items() for word in words.split()}
_CORNERS, _SIZED, _CENTRED = ("xmin", "ymin", "xmax", "ymax"), ("xmin", "ymin", "w", "h"), ("cx", "cy", "w", "h")
_ORDER = {_CORNERS: "xyxy", _SIZED: "xywh", _CENTRED: "center_xywh"}
_SAME_COLUMNS = {
    "xyxy": ("xyxy", "yxyx"),
    "xywh": ("xywh", "center_xywh", "center_yxhw"),
    "center_xywh": ("center_xywh", "center_yxhw"),
}
"""The formats that columns with these names can be meant by."""
_COMMA_HINT = " Write decimals with a point, not a comma."
_EMPTY = ("", "na", "n/a", "<na>", "null", "none")
"""What stands for no number, in small letters; ``nan`` is one."""
WANTED = "8 columns a row: 4 of the true box and 4 of the predicted one, as true_xmin, ..., pred_ymax"


class Pairs(NamedTuple):
    """True and predicted boxes of one format, each (n, 4); whether the format was guessed; what is to be said."""

    y_true: Array
    y_pred: Array
    box_format: str
    guessed: bool
    notes: tuple[str, ...] = ()


class _Group(NamedTuple):
    """The four columns of one box: where they stand, and in which order that is, None where nothing says it."""

    columns: tuple[int, ...]
    order: str | None


def read_pairs(path: Path, box_format: str | None = None) -> Pairs:
    """Read true and predicted boxes.

    A CSV file (comma, semicolon, tab or spaces) has a heading that tells the columns, such as ``true_xmin`` and
    ``pred_xmin``, ``y_true_0`` and ``y_pred_0``, ``xmin`` and ``pred_xmin``; or eight numbers a row, true box first.
    Other columns are left alone. A cell of a predicted box may be empty: NaN. An .npz file has the arrays ``y_true``
    and ``y_pred``.

    Args:
        path: of the file; ``-`` is stdin.
        box_format: one of `bboxbench.boxes.BOX_FORMATS`; by default as the heading says, else ``xyxy``, and relative
            where no true number is above 1. Where the heading says another one, this one holds, and a note says so.

    Raises:
        InputError: columns that are not found, a cell that is no number, a file of another kind.
        CannotRead: the file is missing or may not be read.
    """
    if str(path) == "-":
        path, content = Path("stdin"), sys.stdin.buffer.read()
    else:
        with read_errors(path):
            content = path.read_bytes()
    if content[:2] == b"PK" or path.suffix == ".npz":
        return _read_arrays(path, content, box_format)
    text = _text(path, content)
    first = text.lstrip("\r\n").partition("\n")[0]
    # With a semicolon or tab between numbers a comma stands within them.
    delimiter = next((mark for mark in ";\t" if first.count(mark) >= 7), max(",;\t", key=first.count))
    lines = text.splitlines()
    # Left to itself numpy.savetxt writes spaces between numbers, and a mark before the heading.
    cells = csv.reader(lines, delimiter=delimiter) if delimiter in first else (s.lstrip("#").split() for s in lines)
    rows = [(n, row) for n, row in enumerate(cells, 1) if any(map(str.strip, row))]
    if not rows:
        raise InputError(f"Expected {WANTED}, in {path}. Received an empty file.")
    line, cells_of_first = rows[0]
    if _with_comma(cells_of_first[0].strip()):
        raise InputError(f"Expected numbers in line {line} of {path}. Received '{cells_of_first[0]}'.{_COMMA_HINT}")
    heading, rows = _split_heading(rows)
    if not rows:
        raise InputError(f"Expected a row a picture below the heading of {path}. Received none.")
    true, pred = _groups(path, heading, rows[0][1])
    asked = box_format.removeprefix("rel_") if box_format else None
    columns, order = _as_asked(true, asked, force=True)
    pred_columns, pred_order = _as_asked(pred, asked, force=pred.order == true.order)
    y_true = _numbers(path, heading, rows, columns, may_lack=False)
    y_pred = _numbers(path, heading, rows, pred_columns, may_lack=True)
    if pred_order != order:
        y_pred = from_xyxy(to_xyxy(y_pred, pred_order), order)
    found = guess_format(y_true, order)
    if box_format:
        found = f"rel_{order}" if box_format.startswith("rel_") else order
    notes = []
    if asked and true.order and asked not in _SAME_COLUMNS[true.order]:
        notes.append(f"The columns are named as {true.order}, and read as {box_format}, as asked for.")
    return Pairs(y_true, y_pred, found, box_format is None and true.order is None, tuple(notes))


def _text(path: Path, content: bytes) -> str:
    """The text of a file in UTF-8; other kinds of files are named."""
    kind = ""
    if content.startswith(b"\x93NUMPY"):
        kind = "an .npy file of one array: numpy.savez writes y_true and y_pred into one .npz"
    elif content.startswith((b"\xff\xfe", b"\xfe\xff")):
        kind = "text in UTF-16: save it as UTF-8"
    elif b"\0" in content:
        kind = "a binary file"
    if kind:
        raise InputError(f"Expected a CSV or .npz file. Received {path}, {kind}.")
    return content.decode("utf-8-sig", errors="replace")


def _read_arrays(path: Path, data: bytes, box_format: str | None) -> Pairs:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as content:
            names = list(content.files)
            if not {"y_true", "y_pred"} <= set(names):
                raise InputError(f"Expected the arrays y_true and y_pred in {path}. Received: {', '.join(names)}.")
            y_true, y_pred = (np.asarray(content[name], np.float64) for name in ("y_true", "y_pred"))
    except InputError:
        raise
    except (ValueError, TypeError, zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"Expected {path} to hold arrays of numbers, as numpy.savez writes. It does not.") from error
    return Pairs(y_true, y_pred, box_format or guess_format(y_true), box_format is None)


def _split_heading(rows: list[tuple[int, list[str]]]) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The names of the columns, none where there are none, and the rows below."""
    first = [cell.strip() for cell in rows[0][1]]
    if [cell for cell in first if cell] == [str(i) for i in range(len([cell for cell in first if cell]))]:
        return [], rows[1:]  # pandas counts columns without names
    return ([], rows) if any(_is_number(cell) for cell in first) else (first, rows[1:])


def _groups(path: Path, heading: list[str], row: list[str]) -> tuple[_Group, _Group]:
    """Which columns hold the true box, and which the predicted one."""
    if not heading:
        places = [i for i, cell in enumerate(row) if _is_number(cell)]
        if len(places) < 8:  # cells of a predicted box may be empty
            places = [i for i, cell in enumerate(row) if _is_number(cell) or cell.strip().lower() in _EMPTY]
        if len(places) == 9 and row[places[0]].strip() in ("0", "1"):
            places = places[1:]  # the rows are numbered
        if len(places) == 8:
            return _Group(tuple(places[:4]), None), _Group(tuple(places[4:]), None)
        raise InputError(f"Expected {WANTED}, in {path}. Received {len(places)} numbers in the first row, no heading.")
    named: dict[str, dict[str, int]] = {"true": {}, "pred": {}, "": {}}
    twice: dict[str, int] = {}
    for place, name in enumerate(heading):
        kind, role = _meaning(name)
        if role is not None and role in named[kind]:
            twice[role] = place
        elif role is not None:
            named[kind][role] = place
    pairs = [(named["true"], named["pred"]), (named[""], named["pred"]), (named["true"], named[""]), (named[""], twice)]
    for one, other in pairs:
        true, pred = _group(one), _group(other)
        if true and pred:
            return true, pred
    lacks = _lacks("true", named["true"]) + _lacks("predicted", named["pred"])
    raise InputError(f"Expected {WANTED}, in {path}. {lacks}Received: {', '.join(heading)}.")


def _meaning(name: str) -> tuple[str, str | None]:
    """Whose number a column holds, 'true', 'pred' or '' where it does not say, and which; None where it is none."""
    word = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()).strip("_")
    kind = ""
    for candidate, marks in (("true", _TRUE), ("pred", _PRED)):
        found = re.fullmatch(rf"(?:{marks})_?(?:bbox_|box_)?(\w+)", word) or re.fullmatch(rf"(\w+?)_(?:{marks})", word)
        if found and (found[1] in _ROLE_OF or found[1].isdecimal()):
            kind, word = candidate, found[1]
            break
    word = re.sub(r"^(?:bbox|box)_?", "", word)
    return kind, word if word.isdecimal() else _ROLE_OF.get(word)


def _group(found: dict[str, int]) -> _Group | None:
    """Four columns that make a box."""
    roles = _roles(found)
    for names in (_CORNERS, _CENTRED, _SIZED):
        if all(name in roles for name in names):
            return _Group(tuple(roles[name] for name in names), _ORDER[names])
    counted = sorted((int(name), place) for name, place in roles.items() if name.isdecimal())
    if len(counted) == 4:
        return _Group(tuple(place for _, place in counted), None)
    return None


def _lacks(whose: str, found: dict[str, int]) -> str:
    """Which one or two columns a box lacks that has the others, as a sentence with a space behind; else empty."""
    roles = _roles(found)
    lacking = min(([name for name in names if name not in roles] for names in _ORDER), key=len)
    return f"The {whose} box has no {' and no '.join(lacking)}. " if 1 <= len(lacking) <= 2 else ""


def _roles(found: dict[str, int]) -> dict[str, int]:
    """The roles of the columns, also of those whose meaning depends on what stands beside them."""
    roles = dict(found)
    for axis in ("x", "y"):
        # x1 is the smaller one beside x2, the larger one beside x0.
        if f"{axis}1" in roles:
            roles.setdefault(f"{axis}max" if f"{axis}min" in roles else f"{axis}min", roles[f"{axis}1"])
        if axis in roles and "w" in roles:
            roles.setdefault(f"{axis}min", roles[axis])
    return roles


def _as_asked(group: _Group, asked: str | None, force: bool) -> tuple[tuple[int, ...], str]:
    """The columns of a box in order, and the format they make; what is asked for beats the heading by ``force``."""
    if group.order is None:
        return group.columns, asked or "xyxy"
    if asked is None or asked == group.order:
        return group.columns, group.order
    if asked in _SAME_COLUMNS[group.order]:
        # Columns are taken by name, so what stands first in the file does not matter; x, y may mean the centre.
        return group.columns, "center_xywh" if asked.startswith("center") else group.order
    return (tuple(sorted(group.columns)), asked) if force else (group.columns, group.order)


def _numbers(
    path: Path, heading: list[str], rows: list[tuple[int, list[str]]], columns: tuple[int, ...], *, may_lack: bool
) -> Array:
    wanted = len(heading or rows[0][1])
    found = []
    for line, row in rows:
        if len(row) <= max(columns) or any(cell.strip() for cell in row[wanted:]):
            hint = _COMMA_HINT if len(row) == 2 * wanted else ""
            raise InputError(
                f"Expected {wanted} cells in line {line} of {path}. Received {len(row)} of {wanted}.{hint}"
            )
        numbers = []
        for place in columns:
            cell = row[place].strip()
            if _is_number(cell):
                numbers.append(float(cell))
            elif may_lack and cell.lower() in _EMPTY:
                numbers.append(np.nan)
            else:
                name = heading[place].strip() if heading else f"{place + 1}"
                said = f"'{cell if len(cell) < 60 else cell[:57] + '...'}'" if cell else "an empty cell"
                hint = _COMMA_HINT if _with_comma(cell) else ""
                raise InputError(f"Expected a number in line {line} of {path}, column {name}. Received {said}.{hint}")
        found.append(numbers)
    return np.array(found, np.float64)


def _with_comma(cell: str) -> bool:
    return re.fullmatch(r"[-+]?\d*,\d+", cell) is not None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
