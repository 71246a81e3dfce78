"""How sure a distribution over seeds makes us: rates, intervals, paired comparisons, what a number of seeds can show.

Pure functions on NumPy and SciPy. Every interval is a 95 % interval, and the same ``random_state`` gives the same one.
What each figure means to a reader is on the page ``docs/statistics.md``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from bboxbench.errors import InputError

__all__ = [
    "CONFIDENCE",
    "LEAST_SEEDS",
    "WIN_RATE",
    "Interval",
    "Profile",
    "expected_restarts",
    "holm",
    "iqm_interval",
    "median_interval",
    "paired_sign_flip",
    "performance_profile",
    "power",
    "probability_of_improvement",
    "wilson",
]

CONFIDENCE = 0.95
"""Of every interval."""
LEAST_SEEDS = 6
"""Fewer pairs give no p-value: with 5 the smallest two-sided one is 2 / 2^5 = 0.0625."""
WIN_RATE = 0.8
"""What `power` asks after: a loss that is better in 8 seeds of 10."""
RESAMPLES = 2000
"""Of a bootstrap."""
EXACT_PAIRS = 30
"""Up to so many pairs all 2^n sign patterns are counted, beyond them `PATTERNS` random ones."""
PATTERNS = 9999
ELEMENTS = 4_000_000
"""How many resampled numbers are held in memory at once."""

Floats = npt.NDArray[np.float64]
Statistic = Callable[..., Any]


@dataclass(frozen=True)
class Interval:
    """An estimate and its 95 % interval; ``low <= value <= high``."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Profile:
    """Share of boxes that reach each IoU threshold, averaged over runs, with a pointwise 95 % band; shapes (t,)."""

    thresholds: Floats
    value: Floats
    low: Floats
    high: Floats


def wilson(successes: float, n: int) -> Interval:
    """A rate and its Wilson score interval, which has a width also where none or all succeed.

    Args:
        successes: in [0, n]; halves are allowed, as for ties.
        n: trials, 1 or more.

    Raises:
        InputError: anything else.

    Source: E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209, https://doi.org/10.1080/01621459.1927.10502953; compared
    with others in R. G. Newcombe, Statist. Med. 17 (1998) 857.
    """
    if n < 1 or not 0 <= successes <= n:
        raise InputError(f"Expected successes between 0 and n, and n of 1 or more. Received: {successes} of {n}.")
    z = float(special.ndtri((1 + CONFIDENCE) / 2))
    centre = (successes + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(successes * (n - successes) / n + z * z / 4)
    rate = successes / n
    # At the ends the bound is the rate itself; rounding would put it a hair beyond.
    return Interval(
        rate,
        0.0 if successes == 0 else max(0.0, centre - half),
        1.0 if successes == n else min(1.0, centre + half),
    )


def expected_restarts(successes: int, n: int) -> Interval:
    """How many runs one must start on average until one succeeds, the successful one counted: 1 / rate.

    Args:
        successes: runs that succeeded, in [0, n].
        n: runs, 1 or more.

    Returns:
        The mean of the geometric distribution, with the bounds of `wilson` turned over; infinite where none succeeded
        (``low`` then says how rare success may be at the best).

    Raises:
        InputError: as `wilson`.
    """
    rate = wilson(successes, n)
    turned = [1 / each if each > 0 else math.inf for each in (rate.value, rate.high, rate.low)]
    return Interval(*turned)


def median_interval(
    values: npt.ArrayLike, strata: Sequence[Any] | None = None, random_state: int | np.random.Generator = 0
) -> Interval:
    """The median and its percentile-bootstrap interval.

    With n values the interval reaches at most from the smallest to the largest, which cover the true median in
    1 - 2 / 2^n of cases: 5 values give 94 %, 3 give 75 %. One value, or equal values, give an interval of no width.

    Args:
        values: one a run, shape (n,), n of 1 or more, finite.
        strata: which group each value belongs to, length n: every group is resampled by itself. For pooling over
            initializers; None is one group.
        random_state: seed or generator of the resampling.

    Raises:
        InputError: no values, a value that is not finite, or strata of another length.

    Source: B. Efron, R. J. Tibshirani, An Introduction to the Bootstrap (1993), chapter 13; strata: R. Agarwal et al.,
    https://arxiv.org/abs/2108.13264, section 4.1.
    """
    return _bootstrap_interval(values, np.median, strata, random_state)


def iqm_interval(
    values: npt.ArrayLike, strata: Sequence[Any] | None = None, random_state: int | np.random.Generator = 0
) -> Interval:
    """The interquartile mean (of the middle half of the values) and its percentile-bootstrap interval.

    It heeds more values than the median and fewer outliers than the mean. Fewer than four values are averaged whole.
    Arguments and errors are those of `median_interval`.

    Source: R. Agarwal et al., https://arxiv.org/abs/2108.13264, section 4.3.
    """
    return _bootstrap_interval(values, _iqm, strata, random_state)


def _iqm(values: Floats, axis: int) -> Any:
    return stats.trim_mean(values, 0.25, axis=axis)


def _bootstrap_interval(
    values: npt.ArrayLike, statistic: Statistic, strata: Sequence[Any] | None, random_state: int | np.random.Generator
) -> Interval:
    data = np.asarray(values, np.float64)
    if data.ndim != 1 or not len(data) or not np.isfinite(data).all():
        lost = int((~np.isfinite(data)).sum())
        raise InputError(
            f"Expected finite values of shape (n,), n of 1 or more. Received: shape {data.shape}, {lost} not finite."
        )
    low, high = _bootstrap(data, statistic, strata, random_state)
    value = float(statistic(data, axis=0))
    return Interval(value, min(value, float(low)), max(value, float(high)))


def _bootstrap(
    data: Floats, statistic: Statistic, strata: Sequence[Any] | None, random_state: int | np.random.Generator
) -> tuple[Any, Any]:
    """The percentile interval of ``statistic`` over axis 0 of ``data``, resampled within each stratum."""
    labels = np.zeros(len(data), int) if strata is None else np.unique(np.asarray(strata), return_inverse=True)[1]
    if len(labels) != len(data):
        raise InputError(f"Expected a stratum for each of {len(data)} values. Received: {len(labels)}.")
    groups = [data[labels == each] for each in range(labels.max() + 1)]
    # SciPy refuses to resample one value: there is nothing to draw, so it stays as it is in every resample.
    alone = [group for group in groups if len(group) == 1]
    drawn = [group for group in groups if len(group) > 1]
    if not drawn:
        value = statistic(data, axis=0)
        return value, value

    def of_all(*samples: Floats, axis: int) -> Any:
        # SciPy puts the resamples before the last axis, over which it asks for the statistic.
        shape = (*samples[0].shape[:-1], 1)
        fixed = [np.broadcast_to(np.moveaxis(each, 0, -1)[..., None, :], shape) for each in alone]
        return statistic(np.concatenate([*samples, *fixed], axis=-1), axis=axis)

    found = stats.bootstrap(
        drawn,
        of_all,
        n_resamples=RESAMPLES,
        batch=max(1, ELEMENTS // data.size),
        vectorized=True,
        axis=0,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(random_state),
    ).confidence_interval
    return found.low, found.high


def performance_profile(
    histograms: npt.ArrayLike,
    edges: npt.ArrayLike,
    strata: Sequence[Any] | None = None,
    random_state: int | np.random.Generator = 0,
) -> Profile:
    """The share of boxes with at least each IoU, averaged over runs, with a pointwise percentile-bootstrap band.

    Args:
        histograms: boxes in each bin of IoU, shape (runs, bins); a row of zeros is a run without boxes (a failed one)
            and reaches no threshold.
        edges: of the bins, shape (bins + 1,), rising.
        strata: as in `median_interval`, length runs.
        random_state: seed or generator of the resampling.

    Returns:
        Thresholds are the inner edges, shape (bins - 1,); so is every curve, falling.

    Raises:
        InputError: no runs, or shapes that do not belong together.

    Source: R. Agarwal et al., https://arxiv.org/abs/2108.13264, section 4.2, there over scores of runs.
    """
    counts, borders = np.asarray(histograms, np.float64), np.asarray(edges, np.float64)
    if counts.ndim != 2 or not len(counts) or borders.shape != (counts.shape[1] + 1,):
        raise InputError(
            f"Expected histograms (runs, bins) and bins + 1 edges. Received: {counts.shape} and {borders.shape}."
        )
    reached = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]
    shares = np.divide(reached, reached[:, :1], out=np.zeros_like(reached), where=reached[:, :1] > 0)[:, 1:]
    low, high = _bootstrap(shares, np.mean, strata, random_state)
    value = shares.mean(axis=0)
    return Profile(borders[1:-1], value, np.minimum(value, low), np.maximum(value, high))


def probability_of_improvement(a: npt.ArrayLike, b: npt.ArrayLike) -> Interval:
    """How often ``a`` is better than ``b`` at the same seed, ties counted half, with a Wilson interval over the seeds.

    Resampling the seeds would give 1 to 1 where ``a`` won all of them, however few; Wilson's interval does not. Ties
    make it wider than it need be, never narrower.

    Args:
        a: a value a seed, larger is better, shape (n,), n of 1 or more.
        b: values at the same seeds, shape (n,).

    Raises:
        InputError: other shapes, or values that are not finite.

    Source: R. Agarwal et al., https://arxiv.org/abs/2108.13264, section 4.3, there over all pairs of runs; here the
    runs of a seed share their starting weights and order, so only they are compared.
    """
    difference = _differences(a, b)
    return wilson(float((difference > 0).sum() + (difference == 0).sum() / 2), len(difference))


def paired_sign_flip(a: npt.ArrayLike, b: npt.ArrayLike, random_state: int | np.random.Generator = 0) -> float | None:
    """The two-sided p-value of a paired sign-flip (Fisher-Pitman) test of the mean difference.

    If ``a`` and ``b`` were alike, each seed's difference could as well have had the other sign. The p-value is the
    share of all 2^n sign patterns whose mean is at least as far from 0: exact up to 30 seeds that differ, beyond that
    from 9,999 random patterns, where it is never 0.

    Args:
        a: a value a seed, shape (n,).
        b: values at the same seeds, shape (n,).
        random_state: seed or generator of random patterns.

    Returns:
        In (0, 1]; None below `LEAST_SEEDS` seeds, where no result could reach 0.05.

    Raises:
        InputError: other shapes, or values that are not finite.

    Source: R. A. Fisher, The Design of Experiments (1935), section 21; random patterns: B. Phipson, G. K. Smyth,
    https://arxiv.org/abs/1603.05766.
    """
    difference = _differences(a, b)
    if len(difference) < LEAST_SEEDS:
        return None
    moved = np.abs(difference[difference != 0])  # flipping a zero changes nothing
    # Sums of the same numbers in another order differ in their last bits.
    reach = abs(float(difference.sum())) - 1e-9 * float(moved.sum())
    if len(moved) <= EXACT_PAIRS:
        half = len(moved) // 2
        first, second = _signed_sums(moved[:half]), np.sort(_signed_sums(moved[half:]))
        # All sums are first + second: `reach` or more is counted in the sorted half, -`reach` or less by symmetry.
        above = len(second) - np.searchsorted(second, reach - first, side="left")
        return min(1.0, 2 * int(above.sum()) / 2 ** len(moved)) if reach > 0 else 1.0
    rng = np.random.default_rng(random_state)
    signs = rng.choice([-1.0, 1.0], (PATTERNS, len(moved)))
    return float((np.count_nonzero(np.abs(signs @ moved) >= reach) + 1) / (PATTERNS + 1))


def _signed_sums(values: Floats) -> Floats:
    """All 2^n sums of +-values."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums - value, sums + value])
    return sums


def _differences(a: npt.ArrayLike, b: npt.ArrayLike) -> Floats:
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if x.shape != y.shape or x.ndim != 1 or not len(x) or not np.isfinite([x, y]).all():
        raise InputError(
            f"Expected finite values of one shape (n,), n of 1 or more. Received: {x.shape} and {y.shape}."
        )
    return np.asarray(x - y)


def holm(p_values: npt.ArrayLike) -> Floats:
    """P-values adjusted for their number: below 0.05 all of them hold together with 95 % confidence.

    Args:
        p_values: of one family of comparisons, shape (n,); NaN (or None) is none, stays NaN and is not counted.

    Returns:
        Adjusted ones in the same order, at most 1, shape (n,).

    Raises:
        InputError: a value outside [0, 1], or another shape.

    Source: S. Holm, Scand. J. Statist. 6 (1979) 65, https://www.jstor.org/stable/4615733.
    """
    p = np.asarray(p_values, np.float64)
    known = np.flatnonzero(~np.isnan(p))
    if p.ndim != 1 or (p[known] < 0).any() or (p[known] > 1).any():
        raise InputError(
            f"Expected p-values in [0, 1], shape (n,). Received: shape {p.shape}, {np.nanmin(p)} to {np.nanmax(p)}."
        )
    order = known[np.argsort(p[known], kind="stable")]
    adjusted = np.full(len(p), np.nan)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)))
    return adjusted


@lru_cache(maxsize=256)
def power(seeds: int, win_rate: float = WIN_RATE) -> float:
    """The chance that ``seeds`` paired runs show a difference that is there.

    Put: in truth ``a`` is better than ``b`` at this share of seeds. Then this is the probability that a two-sided sign
    test over so many seeds ends below 0.05. 0 where no number of wins could. A finding of "no difference" at a power of
    0.3 says little. It is about one comparison: a correction for many leaves less.

    Args:
        seeds: pairs, 0 or more.
        win_rate: the supposed truth, in [0, 1]; at 0.5 there is no difference, and the power is that of a false alarm.

    Returns:
        In [0, 1], from the exact binomial distribution.

    Raises:
        InputError: anything else.

    Source: W. J. Conover, Practical Nonparametric Statistics (1999), section 3.4, the sign test.
    """
    if seeds < 0 or not 0 <= win_rate <= 1:
        raise InputError(f"Expected 0 or more seeds and a win rate in [0, 1]. Received: {seeds} and {win_rate}.")
    wins = np.arange(seeds // 2 + 1, seeds + 1)
    enough = wins[2 * stats.binom.sf(wins - 1, seeds, 0.5) <= 1 - CONFIDENCE + 1e-12]
    if not len(enough):
        return 0.0
    least = int(enough[0])
    truth = stats.binom(seeds, win_rate)
    return float(truth.sf(least - 1) + truth.cdf(seeds - least))
