"""What becomes of a block whose process or machine died: tried again in halves, until the one to blame is alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from bboxbench.experiments.plan import Block, Cell, Run

__all__ = ["MACHINES", "Retries"]

MACHINES = 3
"""How many machines may be lost under a run that trains before that counts as a death of its own."""


class Retries:
    """Remembers which runs were in blocks that died, and says what to try again.

    Args:
        whole_first: whether a block is tried once more as it is before it is halved. Runs that train in other company
            may differ in the last bits, so that where bits are promised a process that was killed from outside must
            change none.
    """

    def __init__(self, *, whole_first: bool = False) -> None:
        self._whole_first = whole_first
        self._deaths: Counter[str] = Counter()
        self._losses: Counter[str] = Counter()
        self._to_blame: set[Cell] = set()

    def parted(self, block: Block) -> list[Block]:
        """``block`` as it should be tried: runs of a cell that was given up at another seed are on their own, behind.

        Else every block would find out again, death by death, which of its runs is to blame. Where bits are promised
        it stays whole.
        """
        alone = [run for run in block.runs if run.cell in self._to_blame]
        if self._whole_first or not alone or len(block.runs) == 1:
            return [block]
        rest = tuple(run for run in block.runs if run.cell not in self._to_blame)
        return [replace(block, runs=runs) for runs in (rest, *((run,) for run in alone)) if runs]

    def died(self, block: Block, missing: Sequence[Run]) -> list[Block]:
        """A block ended before all of its runs were back.

        A run that died alone is tried once more if that was its first death and its cell has not been given up before,
        so that whatever killed a process from outside costs no run; else it is given up.

        Args:
            block: as it was tried.
            missing: its runs that are not back.

        Returns:
            Blocks to try, in this order. A missing run that is in none of them is given up: it has failed.
        """
        self._deaths.update(run.run_id for run in missing)
        runs = block.runs if self._whole_first else tuple(missing)
        most = max((self._deaths[run.run_id] for run in missing), default=0)
        if not missing:
            return []
        if len(runs) == 1:
            if most == 1 and runs[0].cell not in self._to_blame:
                return [replace(block, runs=runs)]
            self._to_blame.add(runs[0].cell)
            return []
        if self._whole_first and most == 1:
            return [block]
        middle = len(runs) // 2
        wanted = set(missing)
        halves = (replace(block, runs=part) for part in (runs[:middle], runs[middle:]))
        return [half for half in halves if wanted.intersection(half.runs)]

    def node_lost(self, block: Block, missing: Sequence[Run]) -> list[Block]:
        """The machine is gone, which is hardly the block's fault: the same again, `MACHINES` times.

        After that many it has died, lest one block take down every machine there is.

        Args:
            block: as it was tried.
            missing: its runs that are not back.

        Returns:
            Blocks to try, as `died` does.
        """
        self._losses.update(run.run_id for run in missing)
        if max((self._losses[run.run_id] for run in missing), default=0) <= MACHINES:
            return [block]
        return self.died(block, missing)
