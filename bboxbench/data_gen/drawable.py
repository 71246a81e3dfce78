"""Can every glyph of a spec be drawn? Tried before anything is, by the mildest of its transforms."""

from __future__ import annotations

from bboxbench.data_gen.fonts import Face, face_name, kept_by_face
from bboxbench.data_gen.glyphs import check_glyphs, ink_mask
from bboxbench.data_gen.transforms import SEEN, Transform, transformed
from bboxbench.errors import InputError

__all__ = ["check_that_all_can_be_drawn", "coverage_needed"]

_CLEARLY_SEEN = 16
"""From so many pixels per em on every face has strokes that cover some pixel by half, wherever they lie."""

_THICK = 96
"""From so many on some pixel is covered in full."""


def coverage_needed(ink_threshold: int, contrast: int, bare: bool) -> int:
    """The coverage, 1..255, that some pixel of a glyph must reach so that it differs by the threshold.

    Args:
        ink_threshold: levels.
        contrast: least difference in luma between ink and background, which some channel has, too.
        bare: whether nothing but a glyph on one colour is drawn.

    Raises:
        InputError: not even a pixel that is covered in full differs so much.
    """
    if ink_threshold > contrast:
        raise InputError(
            f"Expected an ink_threshold that every ink reaches, min_contrast or less, received {ink_threshold} with a "
            f"min_contrast of {contrast}; choose a lower ink_threshold or more min_contrast."
        )
    # A channel that differs by d at full coverage differs by floor((d * coverage + 127) / 255).
    least = -(-(255 * ink_threshold - 127) // contrast)
    return least if bare else max(SEEN, least)


@kept_by_face(64)
def check_that_all_can_be_drawn(
    glyphs: str,
    faces: tuple[Face, ...],
    sizes: tuple[int, int],
    width: int,
    height: int,
    scale: tuple[float, float] | None,
    needed: int,
    loose: bool = False,
) -> None:
    """Make sure that every face has every glyph, with ink that can be seen, and that it fits the picture.

    Args:
        glyphs: characters.
        faces: what they are drawn in.
        sizes: smallest and largest, pixels per em.
        width: of the pictures.
        height: of the pictures.
        scale: least and largest factor; None where glyphs stand as they are rendered.
        needed: coverage that some pixel must reach.
        loose: whether glyphs are turned, slanted or moved off the grid, too, by which a faint one may be seen yet.

    Raises:
        InputError: which cannot be drawn, and why.
    """
    for face in faces:
        check_glyphs(glyphs, face)
        for character in glyphs:
            if scale is None:
                _check_as_rendered(character, face, sizes, width, height, needed)
                continue
            for size in dict.fromkeys(sizes):
                _check_moved(character, face, size, width, height, scale, 1 if loose else needed)


def _check_as_rendered(
    character: str, face: Face, sizes: tuple[int, int], width: int, height: int, needed: int
) -> None:
    if needed > 1 and (peak := int(ink_mask(character, face, sizes[0]).max())) < needed:
        raise _faint(character, face, f"{sizes[0]} px", peak, needed)
    ink_mask(character, face, sizes[0])
    # Hinting can make a smaller size a pixel larger; look down until there is room to spare.
    for size in range(sizes[1], sizes[0] - 1, -1):
        mask = ink_mask(character, face, size)
        if mask.shape[0] > height or mask.shape[1] > width:
            raise InputError(
                f"Expected sizes that fit pictures of {width}x{height}, received {size} px: {character!r} in "
                f"{face_name(face)} is then {mask.shape[1]}x{mask.shape[0]}. Choose a glyph size that fits."
            )
        ink = int((mask > 0).sum())
        if 2 * ink >= width * height:
            raise InputError(
                f"Expected ink on less than half of the picture, so that it can be told from its background; "
                f"received {character!r} in {face_name(face)} at {size} px, {ink} of {width * height} pixels."
            )
        if mask.shape[0] + 4 <= height and mask.shape[1] + 4 <= width and 2.2 * ink < width * height:
            break


def _check_moved(
    character: str, face: Face, size: int, width: int, height: int, scale: tuple[float, float], needed: int
) -> None:
    """Try the factor nearest to 1, then the others; most can be judged by the size of the ink alone."""
    mask = ink_mask(character, face, size)
    rows, columns = mask.shape
    peak = None
    for factor in dict.fromkeys((min(max(1.0, scale[0]), scale[1]), *scale)):
        if (rows - 2) * factor - 2 > height or (columns - 2) * factor - 2 > width:
            continue
        roomy = (rows + 1) * factor + 3 <= height and (columns + 1) * factor + 3 <= width
        roomy = roomy and 2.2 * mask.size * factor**2 < width * height
        if roomy and size * factor >= (_CLEARLY_SEEN if needed <= SEEN else _THICK):
            return
        tried = transformed(character, face, size, Transform(scale=(factor, factor)))
        if tried.shape[0] > height or tried.shape[1] > width or 2 * int((tried > 0).sum()) >= width * height:
            continue
        peak = max(peak or 0, int(tried.max()) if tried.size else 0)
        if peak >= needed:
            return
    under = f"{size} px under a scale of {scale[0]:g}-{scale[1]:g}"
    if peak is not None:
        raise _faint(character, face, under, peak, needed)
    raise InputError(
        f"Expected sizes that fit pictures of {width}x{height} and fill less than half of them, received {under}: "
        f"{character!r} in {face_name(face)} is {columns}x{rows} before it is scaled. Choose a glyph size that fits, "
        "or a smaller scale."
    )


def _faint(character: str, face: Face, size: str, peak: int, needed: int) -> InputError:
    return InputError(
        f"Expected glyphs that can be seen, received {character!r} in {face_name(face)} at {size}: no pixel of it is "
        f"covered by more than {peak} of 255, {needed} are needed. Choose larger sizes or scale, a lower "
        "ink_threshold, or more min_contrast."
    )
