"""Every claim on a loss's card, proven by hypothesis; and every denial, proven by a counterexample.

The boxes are those that the claims are about: sides from 1/2 to 2, up to 10 apart, default parameters, float64.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bboxbench.gradients import value_and_gradient
from bboxbench.losses import CatalogueLoss, LossCard, get, names

NAMES = [name for name in names() if type(get(name)).__module__.startswith("bboxbench.")]
CARDS = {name: type(get(name)).card for name in NAMES}
PULL = 1e-6
"""A pull weaker than this has faded: float32 and an optimizer see nothing of it."""

UNIT = st.floats(0, 1, width=32)
# Each row draws one pair: four sides, the place of the true box, direction and distance of the other.
ROWS = hnp.arrays("float64", (32, 8), elements=UNIT, fill=UNIT)
RANDOM = np.random.default_rng(17).random((4000, 8))


def pairs(rows, farthest=10.0):
    """True and predicted boxes, each (n, 4), and the direction from one centre to the other, (n, 2)."""
    sides = 0.5 + 1.5 * rows[:, :4]
    centre = 6 * rows[:, 4:6] - 3
    angle = 2 * np.pi * rows[:, 6]
    # Straight along an axis and along the diagonal as well: there sides coincide.
    angle = np.where(rows[:, 7] < 0.2, np.round(angle / (np.pi / 4)) * np.pi / 4, angle)
    way = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    moved = centre + way * farthest * rows[:, 7:8]
    true = np.concatenate([centre - sides[:, :2] / 2, centre + sides[:, :2] / 2], axis=1)
    pred = np.concatenate([moved - sides[:, 2:] / 2, moved + sides[:, 2:] / 2], axis=1)
    return true, pred, way


def gap(true, pred):
    """How far the boxes are apart, 0 where they touch or overlap."""
    beside = np.maximum(pred[:, :2] - true[:, 2:], true[:, :2] - pred[:, 2:])
    return np.hypot(*np.maximum(beside, 0).T)


def values(name, true, pred):
    return np.asarray(get(name, dtype="float64", reduction="none")(true, pred))


def pulls(name, true, pred, way):
    """The loss's slope against moving the whole predicted box away from the true one's centre."""
    _, gradient = value_and_gradient(get(name), true, pred)
    return ((gradient[:, :2] + gradient[:, 2:]) * way).sum(axis=1)


def close(a, b):
    return np.isclose(a, b, rtol=1e-7, atol=1e-10) | (a == b)


def is_zero_iff_equal(name, rows):
    true, pred, _ = pairs(rows)
    differs = np.abs(true - pred).max(axis=1) > 1e-3
    nearly = true + np.array([0.005, 0.0, 0.005, 0.0])
    return (
        (values(name, true, true) <= 1e-12)
        & (~differs | (values(name, true, pred) > 1e-12))
        & (values(name, true, nearly) > 1e-12)
    )


def is_bounded(name, rows):
    true, pred, _ = pairs(rows)
    result = values(name, true, pred)
    return (result >= -1e-12) & (result <= CARDS[name].upper_bound + 1e-6)


def is_monotone(name, rows):
    true, pred, way = pairs(rows, farthest=0.0)
    path = np.stack(
        [values(name, true, pred + np.tile(way, 2) * distance) for distance in np.linspace(0, 10, 41)], axis=0
    )
    before, after = path[:-1], path[1:]
    # An infinite loss stays infinite, and their difference is no number.
    return ((after >= before - 1e-9) | (after == before)).all(axis=0)


def is_scale_invariant(name, rows):
    true, pred, _ = pairs(rows)
    return close(values(name, true * 64, pred * 64), values(name, true, pred))


def is_translation_invariant(name, rows):
    true, pred, _ = pairs(rows)
    return close(values(name, true + 7.25, pred + 7.25), values(name, true, pred))


def is_symmetric(name, rows):
    true, pred, _ = pairs(rows)
    return close(values(name, pred, true), values(name, true, pred))


CLAIMS = {
    "zero_iff_equal": is_zero_iff_equal,
    "monotone": is_monotone,
    "scale_invariant": is_scale_invariant,
    "translation_invariant": is_translation_invariant,
    "symmetric": is_symmetric,
}


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=5)
@given(rows=ROWS)
def test_what_a_card_claims_holds(name, claim, rows):
    if getattr(CARDS[name], claim):
        assert CLAIMS[claim](name, rows).all()


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("name", NAMES)
def test_what_a_card_denies_has_a_counterexample_and_what_it_claims_has_none_among_thousands(name, claim):
    rows = RANDOM[:400] if claim == "monotone" else RANDOM
    assert CLAIMS[claim](name, rows).all() == getattr(CARDS[name], claim)


@pytest.mark.parametrize("name", [name for name in NAMES if CARDS[name].upper_bound is not None])
@settings(max_examples=5)
@given(rows=ROWS)
def test_no_value_passes_the_bound(name, rows):
    assert is_bounded(name, rows).all()


@pytest.mark.parametrize("name", [name for name in NAMES if CARDS[name].upper_bound is None])
def test_without_a_bound_values_pass_the_largest_bound_of_the_others(name):
    true = np.array([[0.0, 0.0, 1.0, 1.0]])
    assert values(name, true, true + 1e4)[0] > max(card.upper_bound or 0 for card in CARDS.values())


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=5)
@given(rows=ROWS)
def test_the_pull_of_disjoint_boxes_is_as_the_card_says(name, rows):
    true, pred, way = pairs(rows)
    apart = gap(true, pred) > 1e-9
    if CARDS[name].disjoint == "no" or not apart.any():
        return
    pull = pulls(name, true[apart], pred[apart], way[apart])
    if CARDS[name].disjoint == "yes":
        assert (pull > PULL).all()
    else:
        assert (pull >= 0).all()
        assert (pull[gap(true, pred)[apart] < 0.1] > PULL).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_pull_that_fades_or_is_missing_is_seen_to(name):
    true, pred, way = pairs(RANDOM)
    apart = gap(true, pred) > 1e-9
    pull = pulls(name, true[apart], pred[apart], way[apart])
    near = gap(true, pred)[apart] < 0.1
    assert near.sum() > 30
    assert {
        "yes": (pull > PULL).all(),
        "fades": (pull[near] > PULL).all() and (pull >= 0).all() and not (pull > PULL).all(),
        "no": not (pull > PULL).all() and not ((pull[near] > PULL).all() and (pull >= 0).all()),
    }[CARDS[name].disjoint]


TARGET = [0.2, 0.2, 0.6, 0.6]


def inside(rows):
    """Two points a row within the target, away from its edges, each (n, 2)."""
    corners = 0.2 + 0.4 * (0.02 + 0.96 * rows[:, :4])
    return corners[:, :2], corners[:, 2:]


def inverted_boxes(rows):
    """Boxes inside the target that are inverted in x, in y or in both, by a hundredth of its side or more."""
    one, other = inside(rows)
    low, high = np.minimum(one, other), np.maximum(one, other)
    high = np.maximum(high, low + 0.004)
    kind = (rows[:, 4:5] * 3).astype(int)
    swap = np.concatenate([kind != 1, kind != 0], axis=1)
    return np.concatenate([np.where(swap, high, low), np.where(swap, low, high)], axis=1)


def points(rows):
    """Boxes inside the target that have neither width nor height."""
    return np.tile(inside(rows)[0], 2)


# The middle as well, where a gradient may vanish by symmetry.
INVERTED = np.concatenate([[[0.5, 0.5, 0.3, 0.3], [0.59, 0.59, 0.21, 0.21]], inverted_boxes(RANDOM[:1000])])
POINTS = np.concatenate([[[0.4] * 4], points(RANDOM[:1000])])


def step(name, boxes):
    """The gradient, and how each side's signed length changes with a step against it, shape (n, 4) and (n, 2)."""
    _, gradient = value_and_gradient(get(name), np.array([TARGET] * len(boxes)), boxes)
    return gradient, gradient[:, :2] - gradient[:, 2:]


@pytest.mark.parametrize("name", NAMES)
def test_an_inverted_box_inside_its_target_does_what_the_card_says(name):
    gradient, growth = step(name, INVERTED)
    inverted = INVERTED[:, 2:] < INVERTED[:, :2]
    turns = (growth[inverted] > 0).all()
    assert {"stays": not gradient.any(), "turns": turns, "moves": gradient.any() and not turns}[CARDS[name].inverted]


@pytest.mark.parametrize("name", NAMES)
def test_a_point_inside_its_target_does_what_the_card_says(name):
    gradient, growth = step(name, POINTS)
    breaks, grows = np.isnan(gradient).all(), (growth > 0).all()
    assert {
        "stays": not gradient.any(),
        "grows": grows,
        "moves": gradient.any() and not grows and np.isfinite(gradient).all(),
        "breaks": breaks,
    }[CARDS[name].point]


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_that_is_not_scale_invariant_says_what_units_it_needs(name):
    card = CARDS[name]
    # Powers of the coordinates need no unit: another one is another learning rate.
    homogeneous = name in ("mse", "l1", "centre_point")
    assert bool(card.units) == (not card.scale_invariant and not homogeneous)
    assert set(card.unit_parameters) <= set(type(get(name))._own)
    assert bool(card.unit_parameters) <= bool(card.units)


def test_these_tests_can_fail(monkeypatch):
    class Wrong(CatalogueLoss):
        """MSE with the claims of another loss."""

        function = staticmethod(type(get("mse")).function)
        card = LossCard(**{**vars(CARDS["giou"])})

    monkeypatch.setitem(globals(), "get", lambda name, **parameters: Wrong(**parameters))
    monkeypatch.setitem(globals(), "CARDS", {"wrong": SimpleNamespace(**vars(Wrong.card))})
    assert not is_bounded("wrong", RANDOM).all()
    assert not is_scale_invariant("wrong", RANDOM).all()
    gradient, _ = step("wrong", INVERTED)
    assert gradient.any()
