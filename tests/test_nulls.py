"""Null walkers: two shuffles that agree, a planted memory that is found, and no memory that is not."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import pytest

from trajscope import nulls, stats
from trajscope.fold import Unknown
from trajscope.pair import canon, pair
from trajscope.run import Run
from trajscope.trial import Header, Trial


def walked(values: Iterable[int]) -> Run:
    """A run that proposed these values of one knob, in order."""
    run = Run(Header(run_id="r", metric="loss", goal="minimize"))
    for seq, x in enumerate(values, 1):
        run.push(Trial(seq=seq, at=0, status="reverted", value=1.0, pair=pair((canon("x", x),))))
    return run


def forgetful(seed: int, sees: int, n: int = 120, favourites: int = 12) -> list[int]:
    """Draws with favourites, but never what it still sees: the last `sees` proposals."""
    dice = random.Random(seed)
    out: list[int] = []
    while len(out) < n:
        x = int(favourites * dice.random() ** 2)
        if x not in out[max(0, len(out) - sees) :]:
            out.append(x)
    return out


def test_the_plain_shuffle_and_the_numpy_shuffle_agree() -> None:
    counts, observed = [10, 7, 6, 6, 6, 3, 3, 2, 2, 1, 1, 1, 1, 1], [0, 4, 10, 10, 10, 11, 16, 18, 23, 23, 26]
    plain = nulls._shuffled_at_most(counts, 50, observed)
    fast = nulls._shuffled_numpy(counts, 50, observed)
    for lag, (a, b) in enumerate(zip(plain[1:], fast[1:], strict=True), 1):
        p = (a + b) / 2 / nulls.SHUFFLES
        assert abs(a - b) <= 4.5 * (2 * nulls.SHUFFLES * p * (1 - p)) ** 0.5 + 1, lag


def test_both_shuffles_count_the_repeats_that_the_closed_form_expects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nulls, "SHUFFLES", 400)
    counts = [5, 4, 3, 3, 1]
    kinds = {5: 1, 4: 1, 3: 2, 1: 1}
    for lag in (1, 3, 6):
        expected = sum(stats.expected_gap(kinds, 16, g) for g in range(1, lag + 1))
        for shuffled in (nulls._shuffled_at_most, nulls._shuffled_numpy):
            # The mean of a whole number is the sum of P(more than i) over i.
            mean = sum(1 - shuffled(counts, 16, [0] + [i] * lag)[lag] / 400 for i in range(16))
            assert mean == pytest.approx(expected, abs=0.35)


@pytest.mark.parametrize("sees", [3, 5, 8])
def test_a_window_that_a_proposer_has_is_found(monkeypatch: pytest.MonkeyPatch, sees: int) -> None:
    monkeypatch.setattr(nulls, "SHUFFLES", 300)
    found = [nulls.memory(walked(forgetful(seed, sees))) for seed in range(8)]
    windows = [f["window"] for f in found if isinstance(f, dict)]
    # What was pushed out of sight comes back at once, so the shortfall is largest at the window itself.
    assert sum(w == sees for w in windows) >= 6, windows
    assert all(f["leak"] == 0 for f in found if isinstance(f, dict) and f["window"] == sees)


def test_a_proposer_without_memory_is_suspected_no_more_often_than_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nulls, "SHUFFLES", 400)
    alarms, at_five = 0, 0
    for seed in range(100):
        found = nulls.memory(walked(forgetful(seed, 0, n=50)))
        assert isinstance(found, dict)
        alarms += not isinstance(found["window"], Unknown)
        at_five += found["lags"][4]["p"] <= nulls.SIGNIFICANT
    assert at_five <= 4  # 1 expected of 100 at one lag; five or more would be p < .004
    assert alarms <= 12  # any of 20 lags that move together: 6 of 100 on 300 other seeds


def test_too_few_repeats_and_too_many_trials_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    few: Any = nulls.memory(walked([1] * 8))
    assert few == Unknown("7 repeats < 8")
    monkeypatch.setattr(nulls, "MAX_SHUFFLED", 8)
    assert nulls.memory(walked([1] * 9)) == Unknown("n=9 > 8: the shuffling test is not run")


def test_the_same_run_gives_the_same_memory_twice() -> None:
    assert nulls.memory(walked(forgetful(1, 5, n=40))) == nulls.memory(walked(forgetful(1, 5, n=40)))


def test_windows_are_tens_of_counted_trials_and_the_last_may_be_short() -> None:
    found = nulls.windows(walked([1, 1, 2, 3, 3, 3, 4, 5, 6, 7, 1, 2, 9]), 10)
    assert [(w["first"], w["last"], w["n"]) for w in found] == [(1, 10, 10), (11, 13, 3)]
    assert [w["rate"] for w in found] == [3 / 10, 2 / 3]
    # 13 proposals of 8 pairs hold 5 repeats in any order.
    assert sum(w["n"] * w["expected"] for w in found) == pytest.approx(5)


def test_a_run_without_trials_has_no_windows() -> None:
    assert nulls.windows(walked([]), 10) == []
