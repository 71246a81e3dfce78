"""Which runs train together: all that are left of a block, or the fixed chunks of a deterministic sweep."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from itertools import groupby

from bboxbench.experiments.engines import by_engine
from bboxbench.experiments.plan import Block, Run, blocks
from bboxbench.experiments.spec import SweepSpec

__all__ = ["BlocksLeft", "blocks_to_train", "by_optimizer", "chunks"]


def by_optimizer(runs: Iterable[Run]) -> Iterator[tuple[Run, ...]]:
    """``runs`` parted by their optimizer, in alphabetical order: only runs of one optimizer train together."""
    # Sorting is stable: the order within one optimizer stays that of the plan.
    for _, group in groupby(sorted(runs, key=lambda run: run.cell.optimizer), key=lambda run: run.cell.optimizer):
        yield tuple(group)


def chunks(spec: SweepSpec, runs: Iterable[Run]) -> Iterator[tuple[Run, ...]]:
    """``runs`` of one block as a deterministic sweep trains them together: of one optimizer, ``spec.chunk`` at most."""
    for members in by_optimizer(runs):
        for start in range(0, len(members), spec.chunk):
            yield members[start : start + spec.chunk]


def blocks_to_train(spec: SweepSpec, runs: list[Run], pending: Collection[str]) -> list[Block]:
    """What engines are given, so that every pending run is trained.

    How many networks train at once may change the last bits of each. So a deterministic sweep parts the plan's blocks
    into chunks of ``spec.chunk`` runs, whatever is finished and whatever the memory holds: a chunk with a pending run
    is trained whole, and what was finished before is not kept twice. ``fit`` trains one run at a time and needs none.

    Args:
        spec: of the sweep.
        runs: all of the plan, in its order.
        pending: run_id of each that is not finished.

    Returns:
        Blocks in the order of the plan. Without ``spec.deterministic`` they hold pending runs alone.
    """
    if not spec.deterministic:
        return list(blocks([run for run in runs if run.run_id in pending]))
    found: list[Block] = []
    for block in blocks(runs):
        for engine, part in by_engine(spec, block):
            # One run at a time gives the same bits whatever else is trained.
            parts = [part.runs] if engine == "fit" else chunks(spec, part.runs)
            for chunk in parts:
                left = tuple(run for run in chunk if run.run_id in pending)
                if left:
                    found.append(replace(part, runs=left if engine == "fit" else chunk))
    return found


class BlocksLeft:
    """How many runs of each block are not back yet."""

    def __init__(self, blocks: Iterable[Block]) -> None:
        self._left: list[int] = []
        self._place: dict[str, int] = {}
        for place, block in enumerate(blocks):
            self._left.append(len(block.runs))
            self._place |= dict.fromkeys((run.run_id for run in block.runs), place)

    def ended_by(self, run_id: str) -> bool:
        """Take a run that came back off its block; whether that was the last one."""
        place = self._place.pop(run_id, None)
        if place is None:
            return False
        self._left[place] -= 1
        return not self._left[place]
