"""What the simulation moves: points round a target, the anchors that start there, and the steps they take.

Source: the simulation experiment of Distance-IoU loss, arXiv:1911.08287. Boxes are ``(x, y, w, h)``, centre and size,
in a unit of which a target covers one square.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bboxbench.errors import InputError
from bboxbench.experiments.recipe import split_list

__all__ = [
    "CASES_PER_POINT",
    "CENTRE",
    "CONVERGED_IOU",
    "DEFAULT_LOSSES",
    "RADIUS",
    "RATES",
    "RATIOS",
    "Floats",
    "SimulationSpec",
    "case_sizes",
    "draw_points",
    "learning_rates",
]

DEFAULT_LOSSES = ("iou_linear", "giou", "diou", "ciou", "eiou", "siou")
"""The paper's four, and two that came after."""

CENTRE = 10.0
"""x and y of every target's centre."""
RADIUS = 3.0
"""Of the disc round it on which the points lie."""
AREAS = (0.5, 0.67, 0.75, 1.0, 1.33, 1.5, 2.0)
"""Of the anchors; a target's is 1."""
RATIOS = (1 / 4, 1 / 3, 1 / 2, 1.0, 2.0, 3.0, 4.0)
"""Width / height of anchors and targets."""
CASES_PER_POINT = len(AREAS) * len(RATIOS) ** 2
"""343: every anchor of a point with every target."""
RATES = ((8, 0.1), (9, 0.01), (10, 0.001))
"""Learning rates: 0.1 up to 8/10 of the steps, 0.01 up to 9/10, then 0.001."""
CONVERGED_IOU = 0.9
"""Final IoU from which a case counts as converged."""
MOST_POINTS, MOST_STEPS, MOST_SEED = 100_000, 10_000, 2**63 - 1

Floats: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True)
class SimulationSpec:
    """What is simulated.

    Raises:
        InputError: a value out of its range, no loss at all, or one twice.
    """

    losses: tuple[str, ...] = DEFAULT_LOSSES
    """As on the command line: names, names with parameters, ``package.module:Name``."""
    points: int = 5000
    """At each of which 343 cases start, 1 to 100,000."""
    steps: int = 200
    """1 to 10,000."""
    seed: int = 0
    """Of the points, 0 to 2**63 - 1."""

    def __post_init__(self) -> None:
        if not self.losses:
            raise InputError("Expected at least one name in losses. Received none.")
        if twice := next((name for name in self.losses if self.losses.count(name) > 1), None):
            raise InputError(f"Expected each of losses once. Received '{twice}' more than once.")
        for name, low, high in (("points", 1, MOST_POINTS), ("steps", 1, MOST_STEPS), ("seed", 0, MOST_SEED)):
            if not low <= (value := getattr(self, name)) <= high:
                raise InputError(f"Expected {name} from {low:,} to {high:,}. Received: {value:,}.")

    @classmethod
    def of(cls, losses: str | None = None, **numbers: int) -> SimulationSpec:
        """The spec of losses in one text, separated by commas; None takes the default ones."""
        return cls(DEFAULT_LOSSES if losses is None else tuple(split_list(losses)), **numbers)

    @property
    def cases(self) -> int:
        """Boxes that each loss moves."""
        return self.points * CASES_PER_POINT

    def settings(self) -> dict[str, Any]:
        """All but the losses, which may grow: what decides a loss's results, as plain JSON values."""
        values = {name: value for name, value in self.to_dict().items() if name != "losses"}
        design = {
            "centre": CENTRE,
            "radius": RADIUS,
            "areas": list(AREAS),
            "ratios": list(RATIOS),
            "rates": [list(each) for each in RATES],
            "converged_iou": CONVERGED_IOU,
        }
        return {**values, **design}

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return {**dataclasses.asdict(self), "losses": list(self.losses)}

    def folder(self) -> Path:
        """Where the results go by default: one place for one setting, whatever the losses."""
        digest = hashlib.sha256(json.dumps(self.settings(), sort_keys=True).encode()).hexdigest()
        return Path("results") / f"simulation-{digest[:8]}"


def draw_points(n: int, seed: int) -> Floats:
    """Points on the disc, uniform by area, shape (n, 2); fewer points of a seed are the first of more.

    Two raw words of Philox a point, which NumPy keeps the same from version to version.
    """
    key = np.frombuffer(hashlib.sha256(f"bboxbench/simulation/{seed}".encode()).digest()[:16], np.uint64)
    u, v = (np.random.Philox(key=key).random_raw(2 * n).reshape(n, 2) >> np.uint64(11)).T * 2.0**-53
    # A ring's area grows with its radius, so that the radius itself would crowd the points at the centre.
    radius, angle = RADIUS * np.sqrt(u), 2 * np.pi * v
    offset = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.asarray(CENTRE + offset, np.float32)


def case_sizes() -> tuple[Floats, Floats]:
    """Widths and heights of a point's cases: of its anchors and of their targets, each of shape (343, 2).

    Areas turn slowest, then the anchor's ratio, then the target's.
    """
    area, anchor, target = (grid.ravel() for grid in np.meshgrid(AREAS, RATIOS, RATIOS, indexing="ij"))
    sizes = (
        np.stack([np.sqrt(area * anchor), np.sqrt(area / anchor)], 1),
        np.stack([target**0.5, target**-0.5], 1),
    )
    return sizes[0].astype(np.float32), sizes[1].astype(np.float32)


def learning_rates(steps: int) -> Floats:
    """The rate of each step, shape (steps,), the first step being step 1."""
    return np.array(
        [next(rate for tenths, rate in RATES if 10 * t <= tenths * steps) for t in range(1, steps + 1)], "f4"
    )
