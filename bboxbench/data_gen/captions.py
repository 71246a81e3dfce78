"""What stands below a picture on a page, and texts brought to the room that they have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PIL import ImageDraw

from bboxbench.data_gen.fonts import open_font
from bboxbench.data_gen.glyph_names import glyph_name
from bboxbench.data_gen.samples import Sample
from bboxbench.figure_style import INK, MUTED

__all__ = ["LINE", "Caption", "fitting", "middle_out", "wrapped"]

LINE, SPACE = 17, 10
"""Height of a line, and what lies between its parts, in pixels."""


@dataclass(frozen=True)
class Caption:
    """What stands below a picture.

    Attributes:
        head: index and class.
        reason: why the sample is there; "" where there is nothing to say.
        origin: the face it was drawn in, or the file it came from.
        box: its corners.
    """

    head: str
    reason: str
    origin: str
    box: str

    @classmethod
    def of(cls, sample: Sample, labels: Mapping[str, str], reason: str, name: str) -> Caption:
        """A sample's, by what its classes are called, why it is there, and the name of its file."""
        label = labels.get(sample.glyph) or glyph_name(sample.glyph, "DejaVuSans-Bold")
        # Of a drawn sample the reason says more than its face.
        face = f"{sample.font} {sample.size} px" if sample.font and not reason else ""
        written_name = glyph_name(name) if name else ""
        return cls(f"{sample.index}  {label}", reason, written_name or face, str(tuple(sample.box.tolist())))

    def fits(self, width: int) -> bool:
        """Whether all of it has room in one line."""
        plain = open_font("DejaVuSans", 12)
        parts = [plain.getlength(part) + SPACE for part in (self.reason, self.origin) if part]
        return (
            open_font("DejaVuSans-Bold", 13).getlength(self.head) + sum(parts) + SPACE + plain.getlength(self.box)
            <= width
        )

    def draw(self, pen: ImageDraw.ImageDraw, left: int, top: int, width: int, lines: int) -> None:
        """Index and class at the left, the box at the right end; between them or in a second line the rest."""
        bold, plain = open_font("DejaVuSans-Bold", 13), open_font("DejaVuSans", 12)
        middle, room = top + LINE // 2, plain.getlength(self.box) + SPACE
        head = fitting(self.head, bold.getlength, width - room)
        pen.text((left, middle), head, fill=INK, font=bold, anchor="lm")
        pen.text((left + width, middle), self.box, fill=MUTED, font=plain, anchor="rm")
        start, end = left + bold.getlength(head) + SPACE, left + width - room
        if lines == 2:
            start, end, middle = float(left), left + width, middle + LINE
        if self.reason:
            reason = fitting(self.reason, plain.getlength, end - start)
            pen.text((start, middle), reason, fill=INK, font=plain, anchor="lm")
            start += plain.getlength(reason) + SPACE
        pen.text(
            (start, middle),
            middle_out(self.origin, plain.getlength, end - start),
            fill=MUTED,
            font=plain,
            anchor="lm",
        )


def fitting(text: str, length: Callable[[str], float], room: float) -> str:
    """``text``, cut with an ellipsis where it is longer than ``room`` pixels."""
    if length(text) <= room:
        return text
    while text and length(f"{text}…") > room:
        text = text[:-1]
    return f"{text.rstrip()}…"


def middle_out(text: str, length: Callable[[str], float], room: float) -> str:
    """``text`` without its middle where it is longer than ``room`` pixels; "" where no room is left for any of it."""
    if length(text) <= room:
        return text
    for kept in range(len(text) - 1, 1, -1):
        shorter = f"{text[: kept // 2]}…{text[len(text) - (kept - kept // 2) :]}"
        if length(shorter) <= room:
            return shorter
    return ""


def wrapped(text: str, length: Callable[[str], float], room: float) -> list[str]:
    """``text`` in lines of at most ``room`` pixels, of whole words as far as they are no longer than that."""
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if length(joined) <= room:
            lines[-1] = joined
            continue
        lines += [""] if lines[-1] else []
        for character in word:
            if length(lines[-1] + character) > room:
                lines.append("")
            lines[-1] += character
    return lines
