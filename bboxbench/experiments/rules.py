"""Which cells of a grid are trained: rules as ``loss=iou,initializer=random*``, for ``include`` and ``exclude``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar

from bboxbench.errors import InputError, unknown_name
from bboxbench.experiments.recipe import split_list

__all__ = ["RULES", "Rule", "kept"]

RULES = ("include", "exclude")
"""Fields of a spec that hold rules: which runs there are, not how one is trained, so they may change on resuming."""

AnyCell = TypeVar("AnyCell")


@dataclass(frozen=True)
class Rule:
    """Patterns of axes that must all hold, as a shell's: ``*`` any text, ``?`` one character, ``[ab]`` one of these."""

    parts: tuple[tuple[str, str], ...]
    """Pairs of an axis and a pattern."""

    @classmethod
    def parse(cls, text: str) -> Rule:
        """Read ``axis=pattern,axis=pattern``; commas within brackets part nothing.

        Raises:
            InputError: another form, or an axis that is none.

        >>> str(Rule.parse("loss = iou, head=c*"))
        'loss=iou,head=c*'
        """
        from bboxbench.experiments.cells import CELL  # brings pandas, which the help of a command does not need

        parts: list[tuple[str, str]] = []
        for part in split_list(text):
            axis, equals, pattern = (word.strip() for word in part.partition("="))
            if not (axis and equals and pattern):
                parts = []
                break
            # A person writes learning-rate, as in an option, or learning_rate, as the column.
            if (name := axis.replace("-", "_")) not in CELL:
                raise unknown_name("axis", axis, CELL)
            parts.append((name, pattern))
        if not parts:
            raise InputError(f"Expected a rule as loss=iou,initializer=random*. Received: '{text}'.")
        return cls(tuple(parts))

    def __str__(self) -> str:
        return ",".join(f"{axis}={pattern}" for axis, pattern in self.parts)

    def matches(self, spellings: Mapping[str, Sequence[str]]) -> bool:
        """Whether every part holds for a cell; ``spellings`` has all ways to write its value on each axis."""
        return all(any(_alike(pattern, text) for text in spellings[axis]) for axis, pattern in self.parts)


def _alike(pattern: str, text: str) -> bool:
    with suppress(ValueError):  # 1e-3 is 0.001
        if float(pattern) == float(text):
            return True
    return fnmatchcase(text, pattern)


def kept(
    cells: Mapping[AnyCell, Mapping[str, Sequence[str]]], include: Sequence[str], exclude: Sequence[str]
) -> set[AnyCell]:
    """The cells that some rule of ``include`` matches, or all where there is none, without those of ``exclude``.

    Args:
        cells: each with all ways to write its value on each axis.
        include: rules as `Rule.parse` reads them.
        exclude: the same.

    Raises:
        InputError: a rule matches no cell, or none is left.
    """
    matched = {"include": set[AnyCell](), "exclude": set[AnyCell]()}
    for kind, texts in (("include", include), ("exclude", exclude)):
        for text in texts:
            rule = Rule.parse(text)
            found = {cell for cell, spellings in cells.items() if rule.matches(spellings)}
            if not found:
                raise InputError(
                    f"Expected {kind} to match a cell of the sweep. Received: '{rule}', which matches none."
                )
            matched[kind] |= found
    left = (matched["include"] if include else set(cells)) - matched["exclude"]
    if not left:
        raise InputError("Expected include and exclude to leave a cell to train. Received rules that leave none.")
    return left
