"""The gate's statistics against scipy.stats and sums worked out by hand; its false keeps and its power, simulated.

Planted and seen to fail: a two-sided p, alpha doubled, a variance divided by n, the baseline counted twice in the pool.
"""

from __future__ import annotations

import math
import random
import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keepcase import BASE, HASHES, SCORE, World, ran
from scipy import stats as reference

from trajscope import keep
from trajscope.keep import evidence
from trajscope.keep.evidence import Pool

values = st.lists(st.floats(-10, 10).map(lambda x: round(x, 3)), min_size=3, max_size=8).filter(lambda x: len({*x}) > 1)


@given(values, values)
def test_welch_is_scipys(new: list[float], old: list[float]) -> None:
    ours = evidence.welch(new, old, 0.005)
    theirs = reference.ttest_ind(new, old, equal_var=False, alternative="greater")
    assert ours is not None
    assert (ours.t, ours.p, ours.df) == pytest.approx((theirs.statistic, theirs.pvalue, theirs.df), rel=1e-6, abs=1e-9)
    low = theirs.confidence_interval(0.995).low
    assert ours.lower == pytest.approx(low, rel=1e-6, abs=1e-6)


@given(values, values)
def test_moderated_without_a_prior_is_students(new: list[float], old: list[float]) -> None:
    ours = evidence.moderated(new, old, 0.005, Pool(0.0, 0))
    if ours is not None:
        theirs = reference.ttest_ind(new, old, equal_var=True, alternative="greater")
        assert (ours.t, ours.p) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-6, abs=1e-9)


@given(values)
def test_paired_without_a_prior_is_scipys(differences: list[float]) -> None:
    ours = evidence.paired(differences, 0.005, Pool(0.0, 0))
    if ours is not None:
        theirs = reference.ttest_1samp(differences, 0, alternative="greater")
        assert (ours.t, ours.p) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-6, abs=1e-9)


def test_the_shrunk_variance_by_hand() -> None:
    # s0^2 = 8/4 = 2 on 4 df; both arms -1 0 1: ss 2 + 2 on 4 df; (4*2 + 4) / 8 = 1.5; se = sqrt(1.5 * 2/3) = 1
    found = evidence.moderated([2, 3, 4], [-1, 0, 1], 0.05, Pool(8, 4))
    assert found is not None
    assert (found.delta, found.se, found.t, found.df) == (3, 1, 3, 8)
    assert found.p == pytest.approx(reference.t.sf(3, 8))


def test_the_weight_of_the_replicates_is_capped_at_20() -> None:
    # 100 df of variance 1 count as 20: (20*1 + 4) / 24 = 1
    found = evidence.moderated([2, 3, 4], [-1, 0, 1], 0.05, Pool(100, 100))
    assert found is not None
    assert found.df == 24
    assert found.se == pytest.approx(math.sqrt(2 / 3))


def test_hedges_correction_at_five_seeds_is_9032() -> None:
    # sd 1 in both arms of five: -sqrt(2), 0, 0, 0, sqrt(2) has ss 4 on 4 df; J = 1 - 3/(4*8 - 1) = .9032
    arm = [-math.sqrt(2), 0, 0, 0, math.sqrt(2)]
    assert evidence.hedges_g([x + 1 for x in arm], arm) == pytest.approx(0.9032, abs=5e-5)
    assert evidence.hedges_g(arm, [x + 1 for x in arm]) == pytest.approx(-0.9032, abs=5e-5)  # signed
    assert evidence.hedges_g([1, 1, 1], [0, 0, 0]) is None


@pytest.mark.parametrize(("n", "d"), [(3, 1.74), (5, 1.18), (10, 0.775)])
def test_p_below_05_implies_a_d_that_makes_point_3_vacuous(n: int, d: float) -> None:
    assert evidence.least_d(n, n, 0.05) == pytest.approx(d, abs=0.005)


@pytest.mark.parametrize(("ratio", "p"), [(0.2, 0.003), (0.33, 0.02)])
def test_the_collapse_of_five_seeds_beside_many_replicates(ratio: float, p: float) -> None:
    arm = [-math.sqrt(2) * ratio, 0, 0, 0, math.sqrt(2) * ratio]
    assert evidence.collapse_p(arm, Pool(100_000, 100_000)) == pytest.approx(p, abs=0.0012)
    exact = reference.f.cdf(ratio**2, 4, 100_000)
    assert evidence.collapse_p(arm, Pool(100_000, 100_000)) == pytest.approx(exact)


def test_values_that_agree_but_for_rounding_do_not_vary() -> None:
    assert evidence.welch([0.1 + 0.2] * 3, [0.3, 0.3, 0.3 + 5e-17], 0.05) is None
    assert evidence.hedges_g([0.1 + 0.2, 0.3, 0.3], [0.2, 0.2, 0.2]) is None


def test_tiny_and_huge_values_neither_overflow_nor_divide_by_zero() -> None:
    tiny, huge = [1e-170, 2e-170, 3e-170], [-1e100, 0.0, 1e100]
    for new, old in ((tiny, tiny), (huge, huge), (tiny, huge), ([5e-324, 0, 0], [0, 0, 0])):
        for found in (evidence.welch(new, old, 0.005), evidence.moderated(new, old, 0.005, Pool(0.0, 0))):
            assert found is None or not found.p < 0.005


def test_the_correlation_is_statistics() -> None:
    rng = random.Random(3)
    a, b = ([rng.random() for _ in range(12)] for _ in range(2))
    assert evidence.correlation(a, b) == pytest.approx(statistics.correlation(a, b))
    assert evidence.correlation([1, 1, 1], [1, 2, 3]) == 0


# Simulated campaigns: a gate with nothing but the tests, so that a decision costs little.
GONE: Any = dict.fromkeys(("guards", "margins", "holdout", "integrity", "fingerprints"), "simulated")
BARE = keep.GateSettings(primary=keep.Metric("score", "maximize", (-100, 100)), without=GONE)


def _arm(rng: random.Random, seeds: tuple[int, ...] | range, mean: float = 0.0) -> dict[int, float]:
    return {s: rng.gauss(mean, 1) for s in seeds}


def _decided(rng: random.Random, gain: float, settings: keep.GateSettings = BARE, **start: Any) -> keep.Decision:
    gate = keep.Gate(settings)
    gate.start(baseline=_arm(rng, range(5)), **start)
    return gate.decide(
        _arm(rng, range(5, 10), gain),
        measure=lambda need: _arm(rng, need.seeds, gain if need.what == "confirm" else 0.0),
    )


def _interval(k: int, n: int) -> tuple[float, float]:
    """The exact 99.9% interval of a share."""
    found = reference.binomtest(k, n).proportion_ci(0.999, "exact")
    return found.low, found.high


def test_two_thousand_proposals_that_change_nothing_pass_no_oftener_than_alpha() -> None:
    rng = random.Random(20)
    found = [_decided(rng, 0.0) for _ in range(2000)]
    screened = sum(any(v.rule == "keep.confirm" for v in d.verdicts) for d in found)
    kept = sum(d.kept for d in found)
    low, _ = _interval(screened, 2000)
    assert low <= 0.005, f"{screened} of 2000 passed the first test"
    low, high = _interval(kept, 2000)
    assert low <= 0.005 * 0.05 <= high, f"{kept} of 2000 were kept"


def test_the_first_test_finds_2_74_standard_deviations_four_times_in_five() -> None:
    # Student's t with 8 df, one-sided .005: power .7985 at d = 2.74. Replicates add df, Welch has fewer: .743.
    rng = random.Random(21)
    cases: list[tuple[dict[str, Any], float]] = [
        ({}, 0.743),
        ({"replicates": {"other": _arm(rng, range(100, 130))}}, 0.7985),
    ]
    for start, least in cases:
        n = 600
        found = sum(_decided(rng, 2.74, **start).numbers["p"] < 0.005 for _ in range(n))
        assert _interval(found, n)[1] >= least, f"{found} of {n}"


def test_most_of_what_the_first_test_finds_is_confirmed() -> None:
    # Confirmation at one-sided .05 with 8 df has power .99 at d = 2.74.
    rng = random.Random(22)
    found = [d for d in (_decided(rng, 2.74) for _ in range(400)) if d.numbers["p"] < 0.005]
    assert sum(d.kept for d in found) >= 0.93 * len(found)


def test_the_published_triple_keeps_two_or_three_of_a_hundred_that_change_nothing() -> None:
    rng = random.Random(23)
    settings = keep.published(BARE.primary, without={k: v for k, v in GONE.items() if k != "holdout"})
    n = 3000
    kept = sum(_decided(rng, 0.0, settings).kept for _ in range(n))
    low, high = _interval(kept, n)
    assert low <= 0.023 <= high, f"{kept} of {n}"


def test_the_published_triple_keeps_steps_far_below_the_noise_once_the_seeds_agree() -> None:
    # .005 is a quarter of the sd at the start and five times that of seeds that agree: d is about 5, p about 1e-4.
    world = World(7)
    gate = keep.Gate(keep.published(SCORE, without={k: v for k, v in GONE.items() if k != "holdout"}))
    gate.start(baseline=world.arm(), config=BASE, hashes=HASHES)
    first, then = {"lr": 0.2}, {"lr": 0.3}
    assert gate.decide(world.arm(gate.seeds, score=0.7, sd=0.001), ran(first)).kept
    assert gate.decide(world.arm(gate.seeds, score=0.705, sd=0.001), ran(then, first)).kept


def test_the_published_bound_on_d_says_that_it_binds_nothing() -> None:
    world = World(5)
    settings = keep.published(
        SCORE,
        guards=(keep.Guard("direction", (0, 1), floor=0.7),),
        margins=(keep.Margin("response", 0.2, within=(0, 10)),),
    )
    gate = keep.Gate(settings)
    gate.start(
        baseline=world.arm(),
        degenerates={"mean shift": {"response": 0.0, "direction": 0.6}},
        config=BASE,
        hashes=HASHES,
    )
    decision = gate.decide(world.arm(gate.seeds, score=0.7), ran())
    assert decision.kept
    said = next(v.reason for v in decision.verdicts if v.rule == "keep.effect")
    assert said.endswith("> 0.3 says nothing: at 5 seeds p < 0.025 implies 1.46")


def _of(mean: float, sd: float, seeds: range) -> dict[int, float]:
    """Five seeds with exactly this mean and standard deviation: steps of one, two of them, have sd sqrt 2.5."""
    return {s: mean + sd * (i - 2) / math.sqrt(2.5) for i, s in enumerate(seeds)}


@pytest.mark.parametrize(("t", "word"), [(3.3, "REVERT"), (3.4, "ABORT")])
def test_the_bound_is_one_sided_at_alpha(t: float, word: str) -> None:
    # t(.995, 8 df) = 3.355; two arms of sd 1 have se sqrt(2/5) and Welch's df are 8
    gate = keep.Gate(BARE)
    gate.start(baseline=_of(0, 1, range(5)))
    decision = gate.decide(_of(t * math.sqrt(0.4), 1, range(5, 10)))
    assert decision.numbers["t"] == pytest.approx(t)
    assert decision.numbers["df"] == pytest.approx(8)
    assert decision.word == word
    assert decision.reason.startswith("test: " if word == "REVERT" else "undecided: ")


def test_the_least_effect_is_never_below_the_standard_error_of_the_starts_noise() -> None:
    # Noise 1 at the start gives sqrt(2/5) = .632; a calmer candidate and incumbent are significant at .5.
    gate = keep.Gate(keep.GateSettings(primary=BARE.primary, without={**GONE, "variance": "tried here"}))
    gate.start(baseline=_of(0, 1, range(5)))
    plain = gate.state()
    for row, value in zip(plain["incumbent"]["arm"], _of(0, 0.01, range(5)).values(), strict=True):
        row["metrics"]["score"] = value
    decision = keep.Gate.resume(gate.settings, plain).decide(_of(0.5, 0.01, range(5, 10)))
    assert decision.word == "REVERT"
    assert decision.reason == "effect: a gain of 0.5, and 0.6325 is the least that counts"


def test_a_collapsed_spread_is_taken_for_the_starts() -> None:
    gate = keep.Gate(BARE)
    gate.start(baseline=_of(0, 1, range(5)))
    decision = gate.decide(_of(5, 1e-6, range(5, 10)))
    assert decision.numbers["se"] == pytest.approx(math.sqrt(2 / 5))  # and not sqrt(1/5)
    assert decision.numbers["sd"] == pytest.approx(1e-6)


def test_the_pool_does_not_count_an_arm_twice() -> None:
    rng = random.Random(24)
    replicates = {"other": _arm(rng, range(100, 106))}
    gate = keep.Gate(BARE)
    gate.start(baseline=_arm(rng, range(5)), replicates=replicates)
    measure = lambda need: _arm(rng, need.seeds, 9.0 if need.what == "confirm" else 0.0)  # noqa: E731  # two lines of one thing
    first = gate.decide(_arm(rng, range(5, 10), 9.0), measure=measure)
    assert first.kept
    assert first.numbers["df"] == 5 + 8  # the baseline is one of the two arms
    second = gate.decide(_arm(rng, range(5, 10), 9.0))
    assert second.numbers["df"] == 5 + 4 + 8  # now it is a replicate like the others
