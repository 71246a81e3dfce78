"""What there is to tell apart in a data set's pictures, numbered: what a detector calls its classes."""

from __future__ import annotations

from bboxbench.data_gen.imported import AnySpec, ImportedSpec

__all__ = ["class_names"]


def class_names(spec: AnySpec) -> tuple[str, ...]:
    """The names of all classes, each once; a sample's class is the place of its ``glyph`` among them, from 0.

    Args:
        spec: of a data set, drawn (its classes are its glyphs, in the spec's order) or imported (it has ``classes``).
    """
    return spec.classes if isinstance(spec, ImportedSpec) else tuple(spec.glyphs)
