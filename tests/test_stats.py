"""Tests and estimates, against scipy, against brute force over every order, and by hand."""

from __future__ import annotations

import math
from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from trajscope import stats

BAGS = ["a", "ab", "aa", "aabb", "aaab", "aabbc", "abcde", "aaaaaa", "aaabbc", "aabbcc"]


def orders(bag: str) -> list[tuple[str, ...]]:
    return list(permutations(bag))


@pytest.mark.parametrize("bag", BAGS)
def test_unique_kinds_expected_are_the_mean_over_every_order(bag: str) -> None:
    kinds = Counter(Counter(bag).values())
    for drawn in range(len(bag) + 1):
        mean = sum(len(set(o[:drawn])) for o in orders(bag)) / math.factorial(len(bag))
        assert stats.expected_unique(kinds, len(bag), drawn) == pytest.approx(mean, abs=1e-9)


@pytest.mark.parametrize("bag", BAGS)
def test_repeats_expected_at_a_distance_are_the_mean_over_every_order(bag: str) -> None:
    kinds = Counter(Counter(bag).values())
    for gap in range(1, len(bag) + 2):
        found = sum(
            o[i] == o[i - gap] and o[i] not in o[i - gap + 1 : i] for o in orders(bag) for i in range(gap, len(o))
        )
        assert stats.expected_gap(kinds, len(bag), gap) == pytest.approx(found / math.factorial(len(bag)), abs=1e-9)


def test_all_repeats_are_at_some_distance() -> None:
    kinds = Counter([10, 7, 6, 6, 6, 3, 3, 2, 2, 1, 1, 1, 1, 1])  # the amnesiac's 14 pairs
    assert sum(stats.expected_gap(kinds, 50, gap) for gap in range(1, 50)) == pytest.approx(36)


def test_the_amnesiacs_repeats_within_five_trials_are_the_published_expectation() -> None:
    kinds = Counter([10, 7, 6, 6, 6, 3, 3, 2, 2, 1, 1, 1, 1, 1])
    # 18.3 +- 2.3 over shuffles of the 50 proposals; 11 were observed.
    assert sum(stats.expected_gap(kinds, 50, gap) for gap in range(1, 6)) == pytest.approx(18.3, abs=0.1)


@pytest.mark.parametrize("n", [1, 2, 7, 50, 51, 300])
def test_a_fair_coin_is_judged_as_scipy_judges_it(n: int) -> None:
    for k in range(0, n + 1, max(1, n // 25)):
        assert stats.binomial_two_sided(k, n) == pytest.approx(binomtest(k, n).pvalue, rel=1e-9)


def test_a_long_run_of_coins_is_judged_to_a_tenth_of_its_p() -> None:
    for k in (900, 950, 1000, 1050, 1080):
        assert stats.binomial_two_sided(k, 2000) == pytest.approx(binomtest(k, 2000).pvalue, rel=0.1)


def test_thirty_seven_of_fifty_is_p_nine_in_ten_thousand() -> None:
    assert stats.binomial_two_sided(37, 50) == pytest.approx(9.36e-4, rel=1e-3)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(0, 60))
def test_cells_met_by_a_uniform_walker_are_the_mean_of_their_exact_distribution(cells: int, drawn: int) -> None:
    p = [1.0] + [0.0] * cells  # p[k]: k different cells so far
    for _ in range(drawn):
        p = [p[k] * k / cells + (p[k - 1] * (cells - k + 1) / cells if k else 0.0) for k in range(cells + 1)]
    assert stats.uniform_distinct(cells, drawn) == pytest.approx(sum(k * x for k, x in enumerate(p)), abs=1e-9)


def test_thirteen_knobs_in_fifty_draws_are_the_published_expectation() -> None:
    assert stats.uniform_distinct(13, 50) == pytest.approx(12.762, abs=5e-4)


def test_no_cells_are_none_met() -> None:
    assert stats.uniform_distinct(0, 50) == 0
    assert stats.uniform_distinct(1, 0) == 0


def test_the_bounds_are_the_normal_quantiles() -> None:
    assert pytest.approx(norm.ppf(0.95), abs=1e-12) == stats.Z95
    assert pytest.approx(norm.ppf(0.80), abs=1e-12) == stats.Z80


def test_a_gain_of_exactly_the_bound_is_still_noise() -> None:
    bound = stats.Z95 * 2.0 * math.sqrt(1 / 4 + 1 / 9)
    assert not stats.beyond_noise(bound, 2.0, 4, 9)
    assert stats.beyond_noise(bound * 1.000001, 2.0, 4, 9)
    assert stats.beyond_noise(1e-9, 0.0, 1, 1), "without noise any gain is one"
    assert not stats.beyond_noise(0.0, 0.0, 1, 1)


def test_the_smallest_gain_that_shows_has_eighty_percent_power() -> None:
    gain, sd = stats.min_detectable(0.0198), 0.0198
    z = (gain - stats.Z95 * sd * math.sqrt(2)) / (sd * math.sqrt(2))
    assert norm.cdf(z) == pytest.approx(0.8)


def test_a_gain_is_shrunk_by_the_share_that_luck_explains() -> None:
    assert stats.shrink(0.10, 0.05) == pytest.approx(0.10 * (1 - 0.25))
    assert stats.shrink(-0.10, 0.05) == pytest.approx(-0.075)
    assert stats.shrink(0.05, 0.10) == 0.0
    assert stats.shrink(0.0, 0.1) == 0.0
