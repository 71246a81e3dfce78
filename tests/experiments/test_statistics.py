from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bboxbench.errors import InputError
from bboxbench.experiments import statistics
from bboxbench.experiments.statistics import (
    Interval,
    expected_restarts,
    holm,
    iqm_interval,
    median_interval,
    paired_sign_flip,
    performance_profile,
    power,
    probability_of_improvement,
    wilson,
)

ACCURACIES = st.lists(st.floats(0, 1), min_size=1, max_size=25)
COUNTS = st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
BOOTSTRAPS = pytest.mark.parametrize("interval", [median_interval, iqm_interval])
IntervalOf = Callable[..., Interval]


def ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


# --- rates ---


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    # R. G. Newcombe, Statist. Med. 17 (1998) 857, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_intervals(successes: int, n: int, low: float, high: float) -> None:
    assert ends(wilson(successes, n)) == pytest.approx((low, high), abs=5e-5)


@given(COUNTS)
def test_wilson_agrees_with_scipy(counts: tuple[int, int]) -> None:
    successes, n = counts
    theirs = stats.binomtest(successes, n).proportion_ci(method="wilson")
    assert ends(wilson(successes, n)) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@given(COUNTS)
def test_a_rate_lies_in_its_interval_which_has_a_width_and_mirrors_that_of_failures(counts: tuple[int, int]) -> None:
    successes, n = counts
    rate, failures = wilson(successes, n), wilson(n - successes, n)
    assert 0 <= rate.low <= rate.value <= rate.high <= 1
    assert rate.high - rate.low > 0.01
    assert ends(failures) == pytest.approx((1 - rate.high, 1 - rate.low), abs=1e-12)


def test_half_a_success_lies_between_its_neighbours() -> None:
    below, half, above = wilson(3, 10), wilson(3.5, 10), wilson(4, 10)
    assert below.low < half.low < above.low
    assert below.high < half.high < above.high


def test_restarts_are_the_rate_turned_over() -> None:
    rate, restarts = wilson(5, 20), expected_restarts(5, 20)
    assert (restarts.value, restarts.low, restarts.high) == pytest.approx((4, 1 / rate.high, 1 / rate.low))


def test_restarts_of_what_never_converged_are_infinite_but_bounded_below() -> None:
    assert expected_restarts(0, 20) == Interval(math.inf, pytest.approx(1 / 0.1611, rel=1e-3), math.inf)
    assert expected_restarts(20, 20).value == expected_restarts(20, 20).low == 1


# --- bootstrap ---


@pytest.mark.parametrize(
    ("interval", "statistic"),
    [(median_interval, np.median), (iqm_interval, lambda x, axis: stats.trim_mean(x, 0.25, axis=axis))],
)
def test_bootstrap_intervals_are_scipys_percentile_ones(interval: IntervalOf, statistic: Any) -> None:
    values = np.random.default_rng(5).uniform(size=20)
    theirs = stats.bootstrap(
        (values,), statistic, n_resamples=statistics.RESAMPLES, method="percentile", rng=np.random.default_rng(7)
    ).confidence_interval
    mine = interval(values, random_state=7)
    assert mine.value == statistic(values, axis=0)
    assert ends(mine) == pytest.approx((theirs.low, theirs.high))


@BOOTSTRAPS
def test_the_same_random_state_gives_the_same_interval_and_another_another(interval: IntervalOf) -> None:
    values = np.random.default_rng(1).uniform(size=20)
    assert interval(values, random_state=3) == interval(values, random_state=3)
    assert interval(values) == interval(values, random_state=0)
    assert len({interval(values, random_state=state) for state in range(8)}) > 1
    assert interval(values, random_state=np.random.default_rng(3)) == interval(values, random_state=3)


@BOOTSTRAPS
@pytest.mark.parametrize("values", [[0.0] * 20, [1.0] * 3, [0.1] * 7, [0.37]])
def test_equal_values_give_an_interval_of_no_width_and_no_nan(interval: IntervalOf, values: list[float]) -> None:
    found = interval(values)
    assert (found.value, *ends(found)) == pytest.approx((values[0],) * 3)


@BOOTSTRAPS
@given(ACCURACIES)
def test_the_value_lies_in_its_interval_and_that_between_the_extremes(
    interval: IntervalOf, values: list[float]
) -> None:
    found = interval(values)
    assert min(values) - 1e-12 <= found.low <= found.value <= found.high <= max(values) + 1e-12


@BOOTSTRAPS
def test_more_runs_give_a_narrower_interval(interval: IntervalOf) -> None:
    rng = np.random.default_rng(2)
    few, many = interval(rng.uniform(size=8)), interval(rng.uniform(size=200))
    assert many.high - many.low < (few.high - few.low) / 2


@pytest.mark.parametrize(
    ("interval", "statistic"), [(median_interval, np.median), (iqm_interval, lambda x: stats.trim_mean(x, 0.25))]
)
def test_an_interval_of_twenty_runs_of_two_kinds_holds_the_truth_nine_times_in_ten(
    interval: IntervalOf, statistic: Any
) -> None:
    rng = np.random.default_rng(0)

    def sweep(runs: int) -> Any:
        return np.where(rng.uniform(size=runs) < 0.8, rng.normal(0.95, 0.01, runs), rng.uniform(0, 0.1, runs))

    truth = statistic(sweep(400_000))
    found = [interval(sweep(20), random_state=each) for each in range(400)]
    assert np.mean([each.low <= truth <= each.high for each in found]) > 0.9


def test_the_interquartile_mean_is_of_the_middle_half() -> None:
    assert iqm_interval([0, 0, 3, 4, 5, 6, 100, 100]).value == 4.5
    assert iqm_interval([1, 2, 6]).value == 3  # fewer than four are averaged whole


def test_strata_keep_their_share_in_every_resample() -> None:
    values, groups = [0.0] * 10 + [1.0] * 10, ["a"] * 10 + ["b"] * 10
    assert iqm_interval(values, strata=groups) == Interval(0.5, 0.5, 0.5)
    assert iqm_interval(values).low < 0.4


def test_a_stratum_of_one_run_is_in_every_resample() -> None:
    values, groups = [0.0, 0.0, 1.0], ["a", "a", "b"]
    assert iqm_interval(values, strata=groups) == Interval(1 / 3, 1 / 3, 1 / 3)
    assert iqm_interval(values, strata=["a", "b", "c"]) == Interval(1 / 3, 1 / 3, 1 / 3)


# --- performance profile ---


def histograms(*runs: list[float]) -> np.ndarray:
    return np.array([np.histogram(run, EDGES)[0] for run in runs])


EDGES = np.linspace(0, 1, 21)


def test_a_profile_is_the_share_of_boxes_that_reach_each_threshold_averaged_over_the_runs() -> None:
    rng = np.random.default_rng(0)
    runs = [rng.beta(2, 1, 500), rng.beta(5, 1, 500), rng.beta(1, 3, 500)]
    profile = performance_profile(histograms(*runs), EDGES)
    expected = [np.mean([np.mean(run >= at) for run in runs]) for at in profile.thresholds]
    assert profile.thresholds == pytest.approx(np.arange(0.05, 0.96, 0.05))
    assert profile.value == pytest.approx(expected)


def test_a_profile_falls_and_lies_in_its_band_which_the_random_state_fixes() -> None:
    runs = histograms(*np.random.default_rng(0).beta(2, 1, (6, 100)))
    profile, again, other = (performance_profile(runs, EDGES, random_state=state) for state in (1, 1, 2))
    assert (np.diff(profile.value) <= 0).all()
    assert ((profile.low <= profile.value) & (profile.value <= profile.high)).all()
    assert (profile.high - profile.low).max() > 0.01
    assert (profile.low == again.low).all()
    assert (profile.low != other.low).any()


def test_a_failed_run_reaches_no_threshold_and_stays_in_the_mean() -> None:
    perfect = [0.999] * 10
    profile = performance_profile(histograms(perfect, perfect, []), EDGES)
    assert profile.value == pytest.approx(2 / 3)
    assert np.isfinite([profile.low, profile.high]).all()


def test_a_profile_of_like_runs_or_of_one_run_has_a_band_of_no_width() -> None:
    for runs in (histograms([0.2, 0.7]), histograms([0.2, 0.7], [0.2, 0.7]), np.zeros((3, 20))):
        profile = performance_profile(runs, EDGES)
        assert profile.low == pytest.approx(profile.value)
        assert profile.high == pytest.approx(profile.value)


def test_strata_of_a_profile_may_hold_one_run() -> None:
    runs = histograms([0.1, 0.9], [0.5, 0.9], [0.7, 0.9])
    profile = performance_profile(runs, EDGES, strata=["a", "a", "b"])
    alone = performance_profile(runs, EDGES, strata=["a", "b", "c"])
    assert (profile.high - profile.low).max() > 0
    assert (alone.high == alone.low).all()


# --- pairs ---


def test_18_wins_of_20_are_a_probability_of_0_90_between_0_70_and_0_97() -> None:
    a = np.arange(20.0)
    b = np.where(a < 2, a + 1, a - 1)
    found = probability_of_improvement(a, b)
    assert (found.value, *ends(found)) == pytest.approx((0.90, 0.70, 0.97), abs=0.005)


def test_ties_count_half() -> None:
    assert probability_of_improvement([1, 0, 0, 0], [0, 0, 0, 1]).value == 0.5
    assert probability_of_improvement([1, 0, 0, 0], [0, 0, 0, 0]).value == 0.625


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=20))
def test_the_chances_of_both_sides_add_up_to_one(pairs: list[tuple[int, int]]) -> None:
    a, b = np.array(pairs, float).T
    one, other = probability_of_improvement(a, b), probability_of_improvement(b, a)
    assert one.value + other.value == pytest.approx(1)
    assert one.low + other.high == pytest.approx(1)
    assert 0 <= one.low <= one.value <= one.high <= 1


@pytest.mark.parametrize("n", [1, 3, 20])
def test_winning_every_seed_is_not_certainty(n: int) -> None:
    found = probability_of_improvement(np.ones(n), np.zeros(n))
    assert found.value == found.high == 1
    assert found.low < 1


def test_the_sign_flip_test_gives_fishers_value_for_darwins_plants() -> None:
    # R. A. Fisher, The Design of Experiments (1935), section 21: 863 of 32,768 sums reach 314 eighths of an inch.
    crossed_less_selfed = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    assert paired_sign_flip(crossed_less_selfed, np.zeros(15)) == 2 * 863 / 2**15


def test_the_sign_flip_test_agrees_with_scipys_exact_permutation_test() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(0.4, 1, 11), rng.normal(0, 1, 11)
    theirs = stats.permutation_test(
        (a, b), lambda x, y, axis: np.mean(x - y, axis=axis), permutation_type="samples", n_resamples=np.inf
    )
    assert paired_sign_flip(a, b) == pytest.approx(theirs.pvalue, rel=1e-12)


@given(st.lists(st.integers(-4, 4), min_size=6, max_size=9))
def test_the_halved_count_is_that_of_all_sign_patterns(differences: list[int]) -> None:
    # Tenths are not exact in binary: sums that are equal must count as equal.
    values = np.array(differences) / 10
    patterns = itertools.product((-1, 1), repeat=len(differences))
    reached = [abs(sum(s * d for s, d in zip(p, differences, strict=True))) >= abs(sum(differences)) for p in patterns]
    assert paired_sign_flip(values, np.zeros(len(values))) == np.mean(reached)


@pytest.mark.parametrize("n", [1, 5])
def test_fewer_than_six_seeds_give_no_p_value(n: int) -> None:
    assert paired_sign_flip(np.ones(n), np.zeros(n)) is None


def test_six_seeds_that_agree_give_the_smallest_p_value_there_is() -> None:
    assert paired_sign_flip(np.arange(1, 7), np.zeros(6)) == 2 / 2**6


@pytest.mark.parametrize("n", [6, 20, 45])
def test_equal_cells_give_a_p_value_of_one(n: int) -> None:
    assert paired_sign_flip(np.full(n, 0.3), np.full(n, 0.3)) == 1


@pytest.mark.parametrize("n", [12, 20, 30, 40])
def test_the_p_value_is_the_same_from_both_sides(n: int) -> None:
    a, b = np.random.default_rng(n).uniform(size=(2, n))
    assert paired_sign_flip(a, b) == paired_sign_flip(b, a)


def test_random_patterns_come_near_the_exact_count_and_obey_the_random_state(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = np.random.default_rng(8).normal(0.3, 1, 20), np.zeros(20)
    exact = paired_sign_flip(a, b)
    monkeypatch.setattr(statistics, "EXACT_PAIRS", 0)
    found = [paired_sign_flip(a, b, random_state=state) for state in (1, 1, 2)]
    assert exact is not None
    assert found == pytest.approx([exact] * 3, abs=5 * math.sqrt(exact * (1 - exact) / statistics.PATTERNS))
    assert found[0] == found[1] != found[2]


def test_a_p_value_from_random_patterns_is_never_zero() -> None:
    assert paired_sign_flip(np.arange(1, 61), np.zeros(60)) == 1 / (statistics.PATTERNS + 1)


# --- many comparisons, and few seeds ---


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        # R: p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm")
        ([0.01, 0.02, 0.03, 0.04, 0.05], [0.05, 0.08, 0.09, 0.09, 0.09]),
        ([0.6, 0.7], [1.0, 1.0]),
        ([None, 0.03, math.nan, 0.01], [math.nan, 0.03, math.nan, 0.02]),
        ([], []),
        ([None], [math.nan]),
    ],
)
def test_holm_gives_known_corrections_and_does_not_count_what_is_missing(
    p_values: list[float | None], adjusted: list[float]
) -> None:
    assert holm(p_values) == pytest.approx(adjusted, nan_ok=True)  # type: ignore[arg-type]  # None stands for NaN


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.randoms())
def test_a_corrected_p_value_is_not_smaller_keeps_its_rank_and_heeds_no_order(values: list[float], random: Any) -> None:
    adjusted = holm(values)
    assert (adjusted >= values).all()
    assert (adjusted <= 1).all()
    assert (np.diff(adjusted[np.argsort(values)]) >= 0).all()
    shuffled = list(range(len(values)))
    random.shuffle(shuffled)
    assert holm([values[i] for i in shuffled]) == pytest.approx(adjusted[shuffled])


@pytest.mark.parametrize(("seeds", "win_rate"), [(3, 0.9), (6, 0.8), (10, 0.9), (20, 0.8), (37, 0.7), (20, 0.2)])
def test_power_is_the_chance_that_scipys_sign_test_falls_below_five_percent(seeds: int, win_rate: float) -> None:
    wins = range(seeds + 1)
    found = sum(stats.binom.pmf(k, seeds, win_rate) for k in wins if stats.binomtest(k, seeds).pvalue <= 0.05)
    assert power(seeds, win_rate=win_rate) == pytest.approx(found)


def test_power_of_the_usual_numbers_of_seeds() -> None:
    assert power(5, win_rate=1.0) == 0  # not even five wins of five would do
    assert power(6, win_rate=1.0) == 1
    assert power(20) == pytest.approx(0.804, abs=0.001)  # 15 of 20 are needed


@pytest.mark.parametrize("seeds", [0, 1, 6, 20, 50])
def test_where_there_is_no_difference_a_false_alarm_is_rare(seeds: int) -> None:
    assert power(seeds, win_rate=0.5) <= 0.05


# --- what cannot be used ---


@pytest.mark.parametrize(
    "call",
    [
        lambda: wilson(1, 0),
        lambda: wilson(3, 2),
        lambda: wilson(-1, 2),
        lambda: expected_restarts(0, 0),
        lambda: median_interval([]),
        lambda: median_interval([0.1, *[math.nan] * 50]),
        lambda: iqm_interval([[0.1, 0.2]]),
        lambda: iqm_interval([0.1, 0.2], strata=["a"]),
        lambda: performance_profile([[1, 2]], [0, 1]),
        lambda: performance_profile(np.zeros((0, 2)), [0, 0.5, 1]),
        lambda: probability_of_improvement([], []),
        lambda: probability_of_improvement([1, 2], [1]),
        lambda: paired_sign_flip([math.inf] * 6, [0] * 6),
        lambda: holm([0.1, *[1.5] * 50]),
        lambda: power(-1),
        lambda: power(5, win_rate=1.5),
    ],
)
def test_what_cannot_be_used_is_named_on_one_line(call: Callable[[], Any]) -> None:
    with pytest.raises(InputError, match=r"^Expected .* Received: [^\n]*$"):
        call()
