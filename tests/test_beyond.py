"""Bests beyond noise, kept up trial by trial: whatever the estimate of the noise does, as if walked anew."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from law_strategies import made

from trajscope import stats
from trajscope.beyond import Beyond
from trajscope.run import Run

SCORES = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, None])), max_size=25)
NOISE = st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.4, 0.8, 1.6]), min_size=1, max_size=6)


def walked(run: Run, sd: float) -> int:
    """The same by a plain walk along all trials."""
    scores, tally = run.scores, run.tally
    assert tally.baseline_mean is not None
    incumbent = scores.base.id if scores.base is not None else -2
    n_i, mean_i = len(tally.baseline), scores.sign * tally.baseline_mean
    means = {incumbent: (n_i, mean_i)}
    last = 0
    for e, (score, config) in enumerate(zip(scores.scores, scores.score_configs, strict=True), 1):
        if math.isnan(score):
            continue
        key = config if config >= 0 else -e - 2
        n, mean = means.get(key, (0, 0.0))
        n, mean = n + 1, mean + (score - mean) / (n + 1)
        if config >= 0:
            means[key] = (n, mean)
        if key == incumbent:
            n_i, mean_i = n, mean
        elif mean > mean_i and stats.beyond_noise(mean - mean_i, sd, n_i, n):
            incumbent, n_i, mean_i, last = key, n, mean, e
    return last


@given(SCORES, NOISE, st.booleans())
def test_kept_up_is_walked_anew_after_every_trial_and_every_estimate(
    rows: list[tuple[int, float | None]], noise: list[float], placed: bool
) -> None:
    kept = Beyond()
    for end in range(len(rows) + 1):
        run = made(*[("z", k, "reverted", x) for k, x in rows[:end]], placed=placed)
        sd = noise[end % len(noise)]
        assert kept.last(run.scores, run.tally, sd) == walked(run, sd)


def test_trials_that_change_no_decision_are_not_walked_again() -> None:
    rows = [("z", i % 3, "reverted", 1.0 + i % 2 / 10) for i in range(200)]
    run = made(*rows)
    kept = Beyond()
    kept.last(run.scores, run.tally, 0.5)
    walks = []
    whole = kept._walk

    def counting(scores: object, sd: float) -> None:
        walks.append(len(run.scores.scores) - kept._at)
        whole(run.scores, sd)

    kept._walk = counting  # type: ignore[method-assign]  # to see how far it walks
    kept.last(run.scores, run.tally, 0.51)
    assert walks == [0]
