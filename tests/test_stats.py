"""Tests and estimates, against scipy, against brute force over every order, and by hand."""

from __future__ import annotations

import math
from collections import Counter
from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom, binom, binomtest, combine_pvalues, f, kendalltau, norm, theilslopes

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


# --- trends, spreads, runs ------------------------------------------------------------------------------------------

FEW = st.lists(st.integers(0, 4).map(float), min_size=2, max_size=6)


@given(st.permutations(range(7)))
def test_a_trend_without_ties_has_the_exact_p_of_kendall(order: list[int]) -> None:
    values = [float(x) for x in order]
    want = kendalltau(range(7), values, alternative="greater", method="exact").pvalue
    assert stats.mann_kendall(values) == pytest.approx(want, abs=1e-12)


@given(FEW)
def test_a_trend_with_ties_is_near_the_share_of_orders_that_rise_as_much(values: list[float]) -> None:
    def rises(order: tuple[float, ...]) -> int:
        return sum((b > a) - (b < a) for i, a in enumerate(order) for b in order[i + 1 :])

    every = list(permutations(values))
    share = sum(rises(o) >= rises(tuple(values)) for o in every) / len(every)
    assert stats.mann_kendall(values) == pytest.approx(share, abs=0.16)  # the normal is rough for so few


def test_a_long_trend_is_nearly_that_of_kendalls_normal() -> None:
    values = [math.sin(12.9 * i) + 0.02 * i for i in range(40)]
    want = kendalltau(range(40), values, alternative="greater", method="asymptotic").pvalue
    assert stats.mann_kendall(values) == pytest.approx(want, rel=0.05)
    assert stats.mann_kendall([1.0] * 30) == 1.0


@given(FEW)
def test_the_middle_slope_is_that_of_theil_and_sen(values: list[float]) -> None:
    assert stats.theil_sen(values) == pytest.approx(theilslopes(values).slope, abs=1e-12)


@given(st.floats(1e-6, 9), st.integers(1, 8), st.floats(1e-6, 9), st.integers(1, 40))
def test_a_smaller_variance_has_the_p_of_the_f_distribution(v: float, df: int, pool: float, pool_df: int) -> None:
    want = f.cdf(v / pool, df, pool_df)
    assert stats.smaller_variance(v, df, pool, pool_df) == pytest.approx(want, rel=1e-6, abs=1e-12)


def test_no_spread_at_all_is_as_small_as_can_be_and_a_pool_without_any_says_nothing() -> None:
    assert stats.smaller_variance(0.0, 4, 1.0, 20) == 0.0
    assert stats.smaller_variance(0.0, 4, 0.0, 20) == 1.0


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=6))
def test_p_values_combine_as_fisher_combined_them(ps: list[float]) -> None:
    assert stats.fisher(ps) == pytest.approx(combine_pvalues(ps).pvalue, rel=1e-9, abs=1e-15)


@given(st.integers(0, 12), st.integers(0, 12), st.floats(0.01, 0.99))
def test_a_binomial_tail_is_that_of_the_distribution(k: int, n: int, p: float) -> None:
    assert stats.binomial_tail(k, n, p) == pytest.approx(binom.sf(k - 1, n, p), abs=1e-12)


@given(st.integers(0, 20), st.integers(1, 20), st.floats(0.5, 60), st.floats(0.5, 60))
def test_a_tail_with_an_estimated_probability_is_that_of_the_distribution(
    k: int, n: int, hits: float, misses: float
) -> None:
    found = stats.beta_binomial_tail(k, n, hits, misses)
    assert found == pytest.approx(betabinom.sf(k - 1, n, hits, misses), abs=1e-9)


def test_runs_expected_in_a_hundred_at_a_fifth_follow_from_the_formula() -> None:
    # 96 * .8 * .2**4 + .2**4 = .1245, 95 * .8 * .2**5 + .2**5 = .0246, 94 * .8 * .2**6 + .2**6 = .0049.
    found = [round(stats.expected_runs(100, r, 0.2), 3) for r in (4, 5, 6)]
    assert found == [0.124, 0.025, 0.005]
    assert stats.expected_runs(5, 6, 0.2) == 0.0


@pytest.mark.parametrize(("n", "length"), [(4, 2), (6, 3), (8, 2)])
def test_runs_expected_are_the_mean_over_every_sequence(n: int, length: int) -> None:
    p, mean = 0.3, 0.0
    for bits in product((0, 1), repeat=n):
        runs = sum(len(run) >= length for run in "".join(map(str, bits)).split("0"))
        mean += runs * p ** sum(bits) * (1 - p) ** (n - sum(bits))
    assert stats.expected_runs(n, length, p) == pytest.approx(mean, abs=1e-12)


def test_any_number_of_looks_spends_no_more_than_the_whole_alpha() -> None:
    assert sum(stats.spent(0.01, k) for k in range(1, 2000)) < 0.01
    assert stats.spent(0.01, 1) == 0.005


def test_a_robust_spread_is_not_moved_by_one_wild_number() -> None:
    pool = [1.0, 2.0, 3.0, 4.0, 1000.0]
    assert stats.robust(pool, 0.01) == pytest.approx((3.0, stats.MAD_SD))  # deviations 0 1 1 2 997
    assert stats.robust([1.0] * 9, 0.25) == (1.0, 0.25)


STEPS = st.lists(st.tuples(st.integers(1, 4), st.floats(0, 3)), max_size=8)


@given(STEPS, st.sampled_from([1, 3, 6]))
def test_the_fastest_rise_is_the_best_over_every_window(steps: list[tuple[int, float]], window: int) -> None:
    at, best, sparse = 0, 0.0, [(0, 0.0)]
    dense = [0.0]
    for wait, rise in steps:
        dense += [best] * (wait - 1)
        at, best = at + wait, best + rise
        dense.append(best)
        sparse.append((at, best))
    want = max((dense[t] - dense[max(0, t - window)] for t in range(len(dense))), default=0.0)
    assert stats.fastest(sparse, 2.0, (window,))[0] == pytest.approx(want / 2, abs=1e-9)


def test_a_straight_line_has_no_roughness_and_noise_has_its_own() -> None:
    assert stats.roughness([1.0, 2.0, 3.0, 4.0]) == 0.0
    noise = norm.rvs(size=4000, random_state=1)
    assert stats.roughness([3 * x + i for i, x in enumerate(noise)]) == pytest.approx(3, rel=0.05)


@given(st.integers(1, 60), st.integers(0, 60), st.sampled_from([0.05, 0.2, 0.5, 0.9]))
def test_the_quick_bound_of_a_binomial_tail_is_never_below_it(n: int, k: int, p: float) -> None:
    assert stats.binomial_bound(min(k, n), n, p) >= stats.binomial_tail(min(k, n), n, p) - 1e-12


@pytest.mark.parametrize(
    ("k", "n", "p", "bound"), [(0, 0, 0.5, 1.0), (5, 10, 0.5, 1.0), (3, 3, 0.5, 0.125), (1, 9, 0, 0.0)]
)
def test_the_quick_bound_of_a_binomial_tail_at_its_ends(k: int, n: int, p: float, bound: float) -> None:
    assert stats.binomial_bound(k, n, p) == pytest.approx(bound)


def _met(cells: int, drawn: int) -> list[float]:
    """P of so many different cells met, by adding one draw after the other."""
    chances = [1.0] + [0.0] * cells
    for _ in range(drawn):
        chances = [
            chances[k] * k / cells + (chances[k - 1] * (cells - k + 1) / cells if k else 0.0) for k in range(cells + 1)
        ]
    return chances


@given(st.integers(1, 30), st.integers(1, 60), st.integers(1, 30))
def test_a_blind_walker_meets_so_few_cells_at_most_as_often_as_is_said(cells: int, drawn: int, met: int) -> None:
    exact = math.fsum(_met(cells, drawn)[: met + 1])
    said = stats.few_met(cells, drawn, met)
    assert exact - 1e-12 <= said <= 1.0
    if met < min(cells, drawn) and exact < 1e-3:  # and it is no bound that never speaks
        assert said < max(1e-2, 100 * exact)


@pytest.mark.parametrize(("n", "wins", "losses"), [(0, 2, 8), (1, 2, 8), (30, 2, 8), (45, 3, 8), (5, 2.5, 9.5)])
def test_a_drought_is_the_mean_over_all_rates(n: int, wins: float, losses: float) -> None:
    from scipy import integrate
    from scipy.stats import beta

    mean, _ = integrate.quad(lambda rate: (1 - rate) ** n * beta.pdf(rate, wins, losses), 0, 1)
    assert stats.drought(n, wins, losses) == pytest.approx(mean, rel=1e-6)


# --- distributions --------------------------------------------------------------------------------------------------
# Planted: the tails swapped, half a degree of freedom, the fraction cut off after ten terms.


@settings(max_examples=300)
@given(st.floats(0.5, 3e5), st.floats(0.5, 3e5), st.floats(-4, 4))
def test_a_beta_share_is_scipys(a: float, b: float, away: float) -> None:
    from scipy.special import betainc

    sd = math.sqrt(a * b / ((a + b) ** 2 * (a + b + 1)))
    x = min(1.0, max(0.0, a / (a + b) + away * sd))
    assert stats.beta_share(a, b, x) == pytest.approx(betainc(a, b, x), rel=1e-8, abs=1e-200)


@pytest.mark.parametrize("df", [1, 2, 3, 7, 37, 12.5, 999, 1e5, 1e7])
def test_students_quantile_and_tail_are_scipys(df: float) -> None:
    from scipy.special import stdtr, stdtrit

    for p in (0.55, 0.9, 0.975, 0.9999):
        assert stats.student_quantile(p, df) == pytest.approx(stdtrit(df, p), rel=1e-8)
    for t in (-40, -2.5, 0, 0.1, 1.9, 12):
        assert stats.student_tail(t, df) == pytest.approx(stdtr(df, -t), rel=1e-8, abs=1e-200)


@pytest.mark.parametrize(("k", "n"), [(1, 1), (1, 50), (23, 50), (50, 50), (3, 10_000), (4_999, 5_000)])
def test_the_ends_of_a_share_are_scipys(k: int, n: int) -> None:
    from scipy.special import betaincinv

    for p in (0.025, 0.5, 0.975):
        assert stats.beta_quantile(k, n - k + 1, p) == pytest.approx(betaincinv(k, n - k + 1, p), rel=1e-9)
