"""Values and gradients of losses on boxes: as a table, as CSV, as JSON lines."""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from rich.console import Console as RichConsole
from rich.table import Table
from rich.text import Text

from bboxbench.cli.console import Console
from bboxbench.cli.losses_list import wide_console
from bboxbench.errors import InputError, one_line, read_errors, unknown_name

__all__ = ["TELLING", "Pair", "Values", "pairs_of", "run"]

Box: TypeAlias = tuple[float, ...]


class Pair(NamedTuple):
    """A true and a predicted box, in the format of the command."""

    label: str
    true: Box
    pred: Box


class Values(NamedTuple):
    """What one loss gives for one pair."""

    pair: Pair
    loss: str
    value: float
    gradient: Box


_TARGET = (0.0, 0.0, 4.0, 4.0)
TELLING = (
    Pair("overlapping", _TARGET, (2.0, 1.0, 6.0, 5.0)),
    Pair("inside", _TARGET, (1.0, 1.0, 3.0, 2.0)),
    Pair("touching", _TARGET, (4.0, 0.0, 8.0, 4.0)),
    Pair("disjoint", _TARGET, (6.0, 1.0, 9.0, 5.0)),
    Pair("far", _TARGET, (60.0, 40.0, 64.0, 44.0)),
    Pair("inverted", _TARGET, (3.0, 2.0, 1.0, 1.0)),
    Pair("point inside the target", _TARGET, (1.0, 2.0, 1.0, 2.0)),
    Pair("identical", _TARGET, _TARGET),
)
"""What is compared on where no boxes are given: pairs that tell losses apart, xyxy."""

SIDES = {
    "xyxy": ("xmin", "ymin", "xmax", "ymax"),
    "yxyx": ("ymin", "xmin", "ymax", "xmax"),
    "xywh": ("xmin", "ymin", "width", "height"),
    "center_xywh": ("x", "y", "width", "height"),
    "center_yxhw": ("y", "x", "height", "width"),
}
"""What the four numbers of each format are called; the ``rel_`` ones have the same."""


def pairs_of(true: list[str] | None, pred: list[str] | None, path: Path | None) -> list[Pair] | None:
    """The pairs that the options give, None where they give none.

    Raises:
        InputError: something that is no box, or boxes that do not pair.
        CannotRead: the file is missing or may not be read.
    """
    if path is not None:
        if true or pred:
            raise InputError("Expected either --boxes or --true and --pred. Received both.")
        return _read(path)
    if not (true or pred):
        return None
    trues, preds = ([_box(text) for text in texts or ()] for texts in (true, pred))
    if not (trues and preds) or len(trues) not in (1, len(preds)):
        raise InputError(
            f"Expected one --true for all --pred, or one for each. Received: {len(trues)} --true, {len(preds)} --pred."
        )
    trues = trues * len(preds) if len(trues) == 1 else trues
    return [Pair("", *each) for each in zip(trues, preds, strict=True)]


def _box(text: str) -> Box:
    return _numbers(text.split(","), 4, f"a box as four finite numbers, as in 0,0,4,4. Received: '{text}'")


def _numbers(cells: list[str], count: int, wanted: str) -> Box:
    try:
        numbers = tuple(float(cell) for cell in cells)
    except ValueError:
        numbers = ()
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise InputError(f"Expected {wanted}.")
    return numbers


def _read(path: Path) -> list[Pair]:
    """Pairs from a CSV file: a label or none, then eight numbers; a first row without a number is a heading."""
    with read_errors(path), path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        rows = [
            (number, row) for number, row in enumerate(csv.reader(file), start=1) if any(cell.strip() for cell in row)
        ]
    if rows and not any(_is_number(cell) for cell in rows[0][1]):
        rows = rows[1:]
    if not rows:
        raise InputError(f"Expected a pair of boxes a row in {path}. Received: none.")
    found = []
    for number, row in rows:
        label, cells = (row[0].strip(), row[1:]) if len(row) == 9 else ("", row)
        wanted = f"8 finite numbers in line {number} of {path}, true box first, and a label before them or none"
        numbers = _numbers(cells, 8, f"{wanted}. Received: '{','.join(row)}'")
        found.append(Pair(label, numbers[:4], numbers[4:]))
    return found


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def run(console: Console, names: list[str], pairs: list[Pair] | None, box_format: str, as_csv: bool) -> None:
    """Compute, and show on stdout.

    Args:
        console: the streams.
        names: of the losses, recipes with parameters and import paths among them.
        pairs: boxes in ``box_format``; None takes `TELLING`.
        box_format: one of `bboxbench.losses.BOX_FORMATS`.
        as_csv: a CSV table in place of one for people.

    Raises:
        InputError: an unknown name or format, a wrong parameter, or a loss of the user's own that cannot be trained.
    """
    from bboxbench.experiments.recipe import split_list
    from bboxbench.losses import BOX_FORMATS

    if box_format not in BOX_FORMATS:
        raise unknown_name("format", box_format, BOX_FORMATS)
    if pairs is None:
        pairs = [Pair(label, _from_corners(t, box_format), _from_corners(p, box_format)) for label, t, p in TELLING]
    columns = [_compute(console, text, pairs, box_format) for name in names for text in split_list(name)]
    if not columns:
        raise InputError("Expected the name of a loss, as in mse. Received none.")
    found = [column[row] for row in range(len(pairs)) for column in columns]
    sides = SIDES[box_format.removeprefix("rel_")]
    if as_csv:
        _write_csv(found, sides)
    elif not console.as_json:
        _print(wide_console(console), found, sides)
    for pair, loss, value, gradient in found:
        finite = all(map(math.isfinite, (value, *gradient)))
        said = {"loss": loss, "value": value, "gradient": gradient, "finite": finite}
        console.event("value", **pair._asdict(), format=box_format, **said)


def _compute(console: Console, text: str, pairs: list[Pair], box_format: str) -> list[Values]:
    """What one loss gives for all pairs."""
    import numpy as np

    from bboxbench.experiments import resolve
    from bboxbench.experiments.recipe import Recipe
    from bboxbench.gradients import value_and_gradient
    from bboxbench.losses import FunctionLoss

    recipe = Recipe.parse(text, "loss")
    own = recipe.parameters.get("bounding_box_format", box_format)
    if own != box_format:
        raise InputError(
            f"Expected the format of '{recipe}' to be that of the boxes, --format {box_format}. Received: {own!r}."
        )
    for warning in resolve.loss_warnings(recipe):
        console.warn(warning)
    made = resolve.make_loss(recipe)
    if hasattr(made, "bounding_box_format") and not isinstance(made, FunctionLoss):
        told = {**recipe.parameters, "bounding_box_format": box_format}
        call = resolve.make_loss(Recipe(recipe.name, told)).call
    else:
        call = _given_corners(made.call, box_format)
    true, pred = (np.array(boxes, np.float64) for boxes in zip(*(pair[1:] for pair in pairs), strict=True))
    try:
        value, gradient = value_and_gradient(call, true, pred)
    except Exception as error:  # whatever somebody else's loss does
        try:
            value, gradient = value_and_gradient(call, true.astype(np.float32), pred.astype(np.float32))
        except Exception:
            raise InputError(f"The loss '{recipe}' cannot be computed on these boxes: {one_line(error)}.") from error
        console.warn(f"The loss '{recipe}' does not take float64, so it is computed in float32.")
    return [
        Values(pair, str(recipe), float(v), tuple(map(float, g)))
        for pair, v, g in zip(pairs, value, gradient, strict=True)
    ]


def _given_corners(call: Any, box_format: str) -> Any:
    """A loss that knows no format is given corners, as every such loss expects."""
    if box_format.removeprefix("rel_") == "xyxy":
        return call
    from keras import ops

    from bboxbench.losses.geometry import to_corners

    def convert(y_true: Any, y_pred: Any) -> Any:
        return call(*(ops.stack(corners, axis=-1) for corners in to_corners(y_true, y_pred, box_format)))

    return convert


def _from_corners(box: Box, box_format: str) -> Box:
    xmin, ymin, xmax, ymax = box
    known = {
        "xmin": xmin,
        "ymin": ymin,
        "xmax": xmax,
        "ymax": ymax,
        "width": xmax - xmin,
        "height": ymax - ymin,
        "x": (xmin + xmax) / 2,
        "y": (ymin + ymax) / 2,
    }
    return tuple(known[side] for side in SIDES[box_format.removeprefix("rel_")])


def _write_csv(found: list[Values], sides: tuple[str, ...]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    heads = [f"{kind}_{side}" for kind in ("true", "pred", "gradient") for side in sides]
    writer.writerow(["label", *heads[:8], "loss", "value", *heads[8:]])
    for pair, loss, value, gradient in found:
        writer.writerow([pair.label, *pair.true, *pair.pred, loss, value, *gradient])


def _print(out: RichConsole, found: list[Values], sides: tuple[str, ...]) -> None:
    """A heading a pair, a row a loss below it."""
    width = max(len("loss"), *(len(each.loss) for each in found))
    width = min(width, max(20, min(out.width, 120) - 5 * 10 - 1))
    out.print(_table([], width, ("loss", "value", *(f"d/d{side}" for side in sides))))
    last = None
    for each in found:
        if each.pair is not last:
            last = each.pair
            same = [other for other in found if other.pair is last]
            label = f"{last.label}: " if last.label else ""
            out.print()
            out.print(
                Text(f"{label}true {_said(last.true)}, predicted {_said(last.pred)}", style="bold"), soft_wrap=True
            )
            out.print(_table(same, width, ()))


def _table(rows: list[Values], width: int, titles: tuple[str, ...]) -> Table:
    """Tables of the same widths stand one below the other as one."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_header=bool(titles))
    for index in range(6):
        title = titles[index] if titles else ""
        if index == 0:
            table.add_column(title, width=width, overflow="fold")
        else:
            table.add_column(title, width=9, justify="right", no_wrap=True)
    for each in rows:
        table.add_row(each.loss, *(_number(number) for number in (each.value, *each.gradient)))
    return table


def _number(number: float) -> Text:
    """Four digits in nine places, fewer of the very small and the very large; what is not finite stands out."""
    size = abs(number)
    digits = ".4g" if size == 0 or 1e-3 <= size < 1e4 or not math.isfinite(size) else ".0f" if 1 < size < 1e7 else ".2e"
    return Text(f"{number + 0.0:{digits}}", style="" if math.isfinite(number) else "bold red")


def _said(box: Box) -> str:
    return ",".join(f"{number:.6g}" for number in box)
