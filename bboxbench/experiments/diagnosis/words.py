"""A diagnosis in words: one verdict, tables with small block histograms, what to try."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from bboxbench.experiments.diagnosis.advice import CLINGING, TRAP_GAP
from bboxbench.experiments.diagnosis.mistakes import KINDS

if TYPE_CHECKING:
    from bboxbench.experiments.diagnosis.diagnosis import Diagnosis

__all__ = ["brief", "headline", "reading", "report", "rounded", "trap", "verdict"]

BLOCKS = " ▁▂▃▄▅▆▇█"
NARROWEST = 60
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


def rounded(value: float) -> str:
    """Two decimals, and no minus before a zero."""
    return f"{round(value, 2) + 0.0:.2f}"


def headline(d: Diagnosis) -> str:
    """Two or three words: 'blind, pinned', 'converged', 'a slip in the format'."""
    if d.mistake is not None:
        what = KINDS[d.mistake.kind]
        return what if d.mistake.certain else f"{what}, it seems"
    return ", ".join(word for word in (d.outcome, d.symptom) if word)


def verdict(d: Diagnosis) -> str:
    """One to three sentences: what became of the network, or which slip hides it."""
    m, network = d.network.measures, d.network
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
        return " ".join(said)
    share = f"only {m.box_accuracy:.0%} of the boxes have" if m.box_accuracy >= 0.005 else "hardly a box has"
    said = [
        {
            "diverged": (
                f"{network.not_finite:.0%} of the predicted boxes are not finite."
                if network.not_finite
                else "A loss or a weight was not finite in training."
            ),
            "converged": f"{m.box_accuracy:.1%} of the boxes have an IoU of {m.iou_threshold:g} or more.",
            "learning": (
                f"The box follows the picture (correlation {rounded(m.correlation)}), but {share} an IoU of "
                f"{m.iou_threshold:g} or more; the median IoU is {m.iou_p50:.2f}."
            ),
            "blind": (
                f"The predicted box {'hardly follows' if m.correlation >= HARDLY else 'ignores'} the picture: "
                f"the correlation of its sides with the true ones is {rounded(m.correlation)}."
            ),
        }[m.outcome]
    ]
    if m.symptom:
        said.append(_symptom(d))
    elif m.outcome != "converged" and any((side.pinned or 0.0) >= CLINGING for side in network.sides):
        said.append(_clinging(d))
    if m.outcome == "learning" and not m.symptom:
        said.append(_error(d))
    return " ".join(said)


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
        return f"It covers the whole picture: each side clings to the picture's edge in {least:.0%} or more."
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
    said = f"Edges are off by {m.edge_error_px:.1f} px{where}"
    if max(wide, high) >= 1.5:
        said += f": the boxes are {wide:.1f} times as wide and {high:.1f} times as high as the true ones"
    return f"{said}."


def brief(d: Diagnosis) -> str:
    """One line of an epoch: name, box accuracy and mean IoU beside those of the mean box, the symptom in words."""
    m, mean = d.network.measures, d.mean_box.measures
    said = (
        f"{headline(d)}. Box accuracy {m.box_accuracy:.2f} (mean box {mean.box_accuracy:.2f}), "
        f"mean IoU {m.mean_iou:.2f} ({mean.mean_iou:.2f}), correlation {rounded(m.correlation)}."
    )
    if d.mistake is not None:
        return f"{said} {d.mistake.text}"
    return f"{said} {_symptom(d)}" if m.symptom else said


def reading(d: Diagnosis) -> str:
    """How the boxes were read: number, format, size."""
    size = f"{d.width:g} x {d.height:g} px" if d.width is not None and d.height is not None else "size unknown"
    return f"{d.n:,} box{'es' if d.n > 1 else ''}, {d.box_format}{' (guessed)' if d.guessed else ''}, {size}"


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
        lines += _wrapped(trap(d), width)
    if d.outcome == "learning" and d.mistake is None:
        thought = f"For scale: with every edge off by 2 px, box accuracy would be {d.ceiling:.2f} on these boxes."
        lines += ["", *_wrapped(thought, width)]
    lines += ["", "What to try"]
    for number, advice in enumerate(d.advice, start=1):
        lines += _wrapped(f"{number}. {advice.do}", width, "   ", first="")
        if advice.why != (d.mistake.text if d.mistake else ""):
            lines += _wrapped(advice.why, width, "   ")
        lines += [f"   {advice.source}"]
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
        lines.append(f"{name:18}{mine:12.3f}{mean:12.3f}" + (f"  {said}" if len(said) <= room else ""))
    return lines


def _sides(d: Diagnosis, width: int) -> list[str]:
    """A row a side: how it follows, and both histograms on one scale."""
    bars = 40 if width >= 118 else 20 if width >= 78 else 10
    lines = [f"{'side':6}{'r':>6}{'spread':>8}{'pinned':>8}{'off by':>9}  {'true':{bars}} predicted"]
    for side in d.network.sides:
        pinned = "?" if side.pinned is None else f"{side.pinned:.0%}"
        error = "-" if np.isnan(side.error_px) else f"{side.error_px:.1f} px"
        lines.append(
            f"{side.name:6}{rounded(side.correlation):>6}{side.spread:8.2f}{pinned:>8}{error:>9}  "
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
