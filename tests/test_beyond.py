"""Bests beyond noise, kept up trial by trial: whatever the estimate of the noise does, as if walked anew."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from law_strategies import made

from trajscope import stats
from trajscope.beyond import Beyond, Incumbent
from trajscope.run import Run
from trajscope.scores import Scores

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


def test_what_was_walked_once_is_not_walked_again_however_the_noise_swings() -> None:
    # Of a hundred steps down by 0.01 the first that clears the baseline by more than noise depends on the noise.
    rows = [("z", i, "reverted", 1.0 - i / 100) for i in range(100)]
    run = made(*rows)
    kept = Beyond()
    lasts = {sd: kept.last(run.scores, run.tally, sd) for sd in (0.05, 0.07)}
    assert len(set(lasts.values())) == 2
    walks = []
    look = kept._look

    def counting(here: Incumbent, scores: Scores, sd: float) -> None:
        before = here.at
        look(here, scores, sd)
        walks.append(here.at - before)

    kept._look = counting  # type: ignore[method-assign]  # to see how far it walks
    for _ in range(3):
        assert {sd: kept.last(run.scores, run.tally, sd) for sd in (0.05, 0.07)} == lasts
    assert sum(walks) == 0
