"""A diagnosis in words: one verdict, tables with small block histograms, what to try."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from bboxbench.experiments.diagnosis.advice import ADVICE, CLINGING, TRAP_GAP, dead, exploded
from bboxbench.experiments.diagnosis.mistakes import KINDS

if TYPE_CHECKING:
    from bboxbench.experiments.diagnosis.diagnosis import Diagnosis

__all__ = ["brief", "cited", "defined", "few", "headline", "reading", "report", "rounded", "trap", "verdict"]

BLOCKS = " ▁▂▃▄▅▆▇█"
NARROWEST = 60
FEW = 20
"""Boxes below which nothing is said for certain: the correlation of so few is mostly chance."""
LARGE = 1e5
"""From here on numbers are written with a power of ten: they would burst their column."""
HARDLY = 0.2
"""Correlation from which a blind network is not said to ignore the picture."""
NUMBERS = {
    "xyxy": ("xmin", "ymin", "xmax", "ymax"),
    "yxyx": ("ymin", "xmin", "ymax", "xmax"),
    "xywh": ("xmin", "ymin", "width", "height"),
    "center_xywh": ("x", "y", "width", "height"),
    "center_yxhw": ("y", "x", "height", "width"),
}
"""What the four numbers of each format are called; the ``rel_`` ones have the same."""


def rounded(value: float, decimals: int = 2) -> str:
    """Some decimals, and no minus before a zero; ``2.5e+32`` where that is large, ``-`` where there is no number."""
    if np.isnan(value):
        return "-"
    return f"{value:.1e}" if abs(value) >= LARGE else f"{round(value, decimals) + 0.0:.{decimals}f}"


def cited(source: str) -> str:
    """An advice's source as a person finds it: an address, or ``findings.md "Rescue" (bboxbench docs)``."""
    page, _, anchor = source.removeprefix("docs/").partition("#")
    return (
        f'{page} "{anchor.replace("-", " ").capitalize()}" (bboxbench docs)' if source.startswith("docs/") else source
    )


def few(d: Diagnosis) -> bool:
    """Whether the boxes are too few to judge a network by."""
    return d.n < FEW


def defined(d: Diagnosis) -> bool:
    """Whether the true boxes differ, so that a correlation with them means something."""
    return any(side.moves for side in d.network.sides)


def headline(d: Diagnosis) -> str:
    """Two or three words: 'blind, pinned', 'converged', 'a slip in the format'."""
    if d.mistake is not None:
        what = KINDS[d.mistake.kind]
        return what if d.mistake.certain else f"{what}, it seems"
    if few(d):
        return "too few boxes to judge"
    if not defined(d):
        return "all true boxes alike"
    return ", ".join(word for word in (d.outcome, d.symptom) if word)


def verdict(d: Diagnosis) -> str:
    """One to three sentences: what became of the network, or which slip hides it."""
    said = []
    if few(d):
        said.append(f"Only {_boxes(d.n)}: too few to judge a network by, give all you have.")
    if d.n > 1 and not defined(d):
        said.append("All true boxes are alike, so that correlation is undefined: nothing shows if it sees the picture.")
    return " ".join([*said, *_what(d)])


def _what(d: Diagnosis) -> list[str]:
    """The verdict without what restricts it."""
    m = d.network.measures
    if d.mistake is not None:
        said = [d.mistake.text]
        if d.mistake.mean_iou is not None and d.mistake.box_accuracy is not None:
            said.append(
                f"That raises the mean IoU from {m.mean_iou:.2f} to {d.mistake.mean_iou:.2f} "
                f"and box accuracy from {m.box_accuracy:.2f} to {d.mistake.box_accuracy:.2f}: "
                "look at this before you look at the network."
            )
        else:
            said.append(f"As they stand, the predictions are {', '.join(filter(None, (m.outcome, m.symptom)))}.")
        return said
    if m.outcome != "diverged" and _beyond(d):
        return [_beyond(d)]
    share = f"only {m.box_accuracy:.0%} of the boxes have" if m.box_accuracy >= 0.01 else "hardly a box has"
    if few(d):
        right = round(m.box_accuracy * d.n)
        share = f"{right} of {_boxes(d.n)} {'has' if right == 1 else 'have'}"
    overlap = f"an IoU of {m.iou_threshold:g} or more"
    if m.outcome == "blind" and not defined(d):
        return [f"{share.capitalize()} {overlap}."]
    said = [
        {
            "diverged": _not_finite(d),
            "converged": f"{m.box_accuracy:.1%} of the boxes have {overlap}.",
            "learning": (
                f"The box follows the picture (correlation {rounded(m.correlation)}), but {share} {overlap}; "
                f"the median IoU is {m.iou_p50:.2f}."
            ),
            "blind": (
                f"The predicted box {'hardly follows' if m.correlation >= HARDLY else 'ignores'} the picture: "
                f"the correlation of its sides with the true ones is {rounded(m.correlation)}."
            ),
        }[m.outcome]
    ]
    if m.symptom and (defined(d) or m.symptom != "constant"):
        said.append(_symptom(d))
    elif m.outcome != "converged" and any((side.pinned or 0.0) >= CLINGING for side in d.network.sides):
        said.append(_clinging(d))
    if m.outcome == "learning" and not m.symptom:
        said.append(_error(d))
    return said


def _boxes(n: int) -> str:
    return f"{n:,} box{'es' if n != 1 else ''}"


def _not_finite(d: Diagnosis) -> str:
    """How many boxes are not finite, and what that says of the weights."""
    rows = np.flatnonzero(~np.isfinite(d.predicted).all(axis=1))
    lost = "A loss or a weight was not finite in training."
    if not rows.size:
        return lost
    if rows.size == d.n:
        return "No predicted box is finite."
    said = (
        f"{rows.size:,} of {_boxes(d.n)} {'is' if rows.size == 1 else 'are'} not finite, first in row {rows[0] + 1:,}."
    )
    if ADVICE["those inputs"] not in d.advice:
        return f"{said} {lost}"
    which = "that input" if rows.size == 1 else "those inputs"
    return f"{said} The other boxes show that the weights are finite: look at {which}."


def _beyond(d: Diagnosis) -> str:
    """Of predictions that are all 0, or that lie beyond all reason; else empty."""
    if dead(d.network):
        return "All predictions are 0: the output is dead, or the array was never filled."
    if not exploded(d.network):
        return ""
    reach, true = float(np.nanmax(np.abs(d.predicted))), float(d.true.max())
    return (
        f"The predictions reach {rounded(reach, 0)} px where the true boxes reach {true:.3g}: the output has exploded."
    )


def _symptom(d: Diagnosis) -> str:
    m = d.network.measures
    if m.symptom == "pinned":
        return _clinging(d)
    if m.symptom == "inverted":
        return f"{m.inverted:.0%} of the boxes have their second corner before the first, so no area."
    moves = np.mean([side.predicted_std for side in d.network.sides])
    true = np.mean([side.true_std for side in d.network.sides])
    kind = "It hardly moves" if m.outcome == "learning" else "It is one box for every picture"
    return f"{kind}: its sides spread by {moves:.2g} px where the true ones spread by {true:.3g}."


def _clinging(d: Diagnosis) -> str:
    """Which sides cling to the picture's edge."""
    clinging = [(side.name, side.pinned) for side in d.network.sides if side.pinned is not None]
    clinging = [(name, share) for name, share in clinging if share >= CLINGING]
    if len(clinging) == 4 and d.symptom:
        least = min(share for _, share in clinging)
        share = "all predictions" if least >= 0.995 else f"{least:.0%} or more"
        return f"It covers the whole picture: each side clings to the picture's edge in {share}."
    if not clinging:
        return "In half of the predictions one side or another clings to the picture's edge."
    *most, last = [f"the {name} side in {share:.0%}" for name, share in clinging]
    sides = f"{', '.join(most)} and {last}" if most else last
    return f"The picture's edge holds {sides} of the predictions, where the true sides are elsewhere."


def _error(d: Diagnosis) -> str:
    """Where the error lies: the place or the size."""
    m = d.network.measures
    where = ""
    if m.centre_error_px > 1.5 * m.size_error_px:
        where = ", more in the place than in the size"
    elif m.size_error_px > 1.5 * m.centre_error_px:
        where = ", more in the size than in the place"
    usable = np.isfinite(d.predicted).all(axis=1)
    wide, high = (d.predicted[usable, 2:] - d.predicted[usable, :2]).mean(axis=0) / (
        d.true[:, 2:] - d.true[:, :2]
    ).mean(axis=0)
    said = f"Edges are off by {rounded(m.edge_error_px, 1)} px{where}"
    if max(wide, high) >= 1.5:
        said += (
            f": the boxes are {rounded(wide, 1)} times as wide and {rounded(high, 1)} times as high as the true ones"
        )
    return f"{said}."


def brief(d: Diagnosis) -> str:
    """One line of an epoch: name, box accuracy and mean IoU beside those of the mean box, the symptom in words."""
    m, mean = d.network.measures, d.mean_box.measures
    lost = m.outcome == "diverged"
    if d.network.not_finite == 1:
        return f"{m.outcome}. {_not_finite(d)}"
    said = (
        f"{m.outcome if lost else headline(d)}. Box accuracy {m.box_accuracy:.2f} (mean box {mean.box_accuracy:.2f}), "
        f"mean IoU {m.mean_iou:.2f} ({mean.mean_iou:.2f}), correlation {rounded(m.correlation)}."
    )
    if d.mistake is not None:
        return f"{said} {d.mistake.text}"
    if lost or not m.symptom or not defined(d):
        return said
    return f"{said} {_beyond(d) or _symptom(d)}"


def reading(d: Diagnosis) -> str:
    """How the boxes were read: number, format, size."""
    size = f"{d.width:g} x {d.height:g} px" if d.width is not None and d.height is not None else "size unknown"
    return f"{_boxes(d.n)}, {d.box_format}{' (guessed)' if d.guessed else ''}, {size}"


def trap(d: Diagnosis) -> str:
    """What Keras's accuracy reads on these boxes, and why that says nothing about them."""
    place = int(np.argmax(d.largest))
    name = NUMBERS[d.box_format.removeprefix("rel_")][place]
    read, mean = d.network.keras_accuracy, d.mean_box.keras_accuracy
    said = (
        f'Keras\'s metrics=["accuracy"] reads {read:.2f} on these predictions. It compares which of the four numbers '
        f"is the largest: in {d.largest[place]:.0%} of the true boxes that is {name}, so the mean box, which looks at "
        f"no picture, reads {mean:.2f}."
    )
    if read - d.network.measures.box_accuracy >= TRAP_GAP:
        said += f" Box accuracy is {d.network.measures.box_accuracy:.2f}."
    return said


def report(d: Diagnosis, width: int = 80) -> str:
    """The whole diagnosis as text; see `Diagnosis.text`."""
    width = max(width, NARROWEST)
    head, read = headline(d).upper(), reading(d)
    fits = len(head) + len(read) + 2 <= width
    lines = [f"{head}{read:>{width - len(head)}}"] if fits else [head, read]
    lines += ["", *_wrapped(verdict(d), width), "", *_table(d, width), "", *_sides(d, width), ""]
    if d.network.not_finite < 1:
        lines += [*_wrapped(trap(d), width), ""]
    if d.outcome == "learning" and d.mistake is None:
        thought = f"For scale: with every edge off by 2 px, box accuracy would be {d.ceiling:.2f} on these boxes."
        lines += [*_wrapped(thought, width), ""]
    lines += ["What to try"]
    for number, advice in enumerate(d.advice, start=1):
        lines += _wrapped(f"{number}. {advice.do}", width, "   ", first="")
        if advice.why != (d.mistake.text if d.mistake else ""):
            lines += _wrapped(advice.why, width, "   ")
        lines += [f"   {cited(advice.source)}"]
    for note in d.notes:
        lines += ["", *_wrapped(f"Note: {note}", width)]
    return "\n".join(line.rstrip() for line in lines)


def _wrapped(text: str, width: int, indent: str = "", first: str | None = None) -> list[str]:
    start = indent if first is None else first
    return textwrap.wrap(
        text, width, initial_indent=start, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _table(d: Diagnosis, width: int) -> list[str]:
    """Network and mean box side by side."""
    one, other = d.network, d.mean_box
    rows = [
        (
            "box accuracy",
            one.measures.box_accuracy,
            other.measures.box_accuracy,
            f"IoU >= {one.measures.iou_threshold:g}",
        ),
        ("mean IoU", one.measures.mean_iou, other.measures.mean_iou, ""),
        ("without overlap", one.no_overlap, other.no_overlap, "share with IoU 0"),
        ("correlation", one.measures.correlation, other.measures.correlation, "mean over the sides; blind below 0.5"),
        ("spread", one.measures.spread, other.measures.spread, "predicted / true standard deviation"),
        ("Keras 'accuracy'", one.keras_accuracy, other.keras_accuracy, "not an accuracy of boxes"),
    ]
    room = width - 44
    lines = [f"{'':18}{'network':>12}{'mean box':>12}"]
    for name, mine, mean, said in rows:
        none = not defined(d) and name in ("correlation", "spread")
        network = "-" if none or one.not_finite == 1 else rounded(mine, 3)
        baseline = "-" if none else rounded(mean, 3)
        lines.append(f"{name:18}{network:>12}{baseline:>12}" + (f"  {said}" if len(said) <= room else ""))
    return lines


def _sides(d: Diagnosis, width: int) -> list[str]:
    """A row a side: how it follows, and both histograms on one scale."""
    bars = 40 if width >= 118 else 20 if width >= 78 else 10
    lines = [f"{'side':6}{'r':>6}{'spread':>8}{'pinned':>7}{'off by':>10}  {'true':{bars}} predicted"]
    for side in d.network.sides:
        none = np.isnan(side.predicted_mean)
        pinned = "-" if none else "?" if side.pinned is None else f"{side.pinned:.0%}"
        error = rounded(side.error_px, 1) + ("" if none else "px" if side.error_px >= LARGE else " px")
        moves = not none and side.moves
        r, spread = (rounded(value) if moves else "-" for value in (side.correlation, side.spread))
        lines.append(
            f"{side.name:6}{r:>6}{spread:>8}{pinned:>7}{error:>10}  "
            f"{_strip(side.true, bars)} {_strip(side.predicted, bars)}"
        )
    lines.append(f"{'':39}{_scale(d, bars)} {_scale(d, bars)}")
    return lines


def _strip(counts: tuple[int, ...], bars: int) -> str:
    """A histogram of one line; a bin that holds anything shows."""
    grouped = np.reshape(counts, (bars, -1)).sum(axis=1)
    top = max(1, int(grouped.max()))
    return "".join(BLOCKS[-(-int(count) * (len(BLOCKS) - 1) // top)] for count in grouped)


def _scale(d: Diagnosis, bars: int) -> str:
    """Ends of the histograms: the picture's, where it is known; x and y differ in length, so words stand for them."""
    ends = ("left or top", "right or bottom") if bars >= 40 else ("0", "edge")
    if None in (d.width, d.height):
        ends = ("0", "max")
    return ends[0] + ends[1].rjust(bars - len(ends[0]))
