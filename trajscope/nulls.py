"""Null walkers: what the same proposals would look like if memory, or habit, played no part."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

from trajscope import stats
from trajscope.fold import Unknown
from trajscope.run import Run

SHUFFLES = 2000
SMALL = 150  # trials up to which shuffling in plain Python is quicker than importing numpy
MAX_SHUFFLED = 5_000  # trials beyond which no shuffling test is run
MAX_LAG = 20
MIN_REPEATS = 8
SIGNIFICANT = 0.01
SEED = 20261121


def windows(run: Run, width: int) -> list[dict[str, Any]]:
    """Tumbling windows of the counted trials: repeats seen, and expected if the same proposals came in random order."""
    seqs, total = run.counted_seqs, len(run.repeats)
    kinds = Counter(p.n for p in run.ground.pairs if p.n)
    out, before = [], 0.0
    for a, rate in zip(range(0, total, width), run.repeat_rates(width), strict=True):
        b = min(a + width, total)
        unique = stats.expected_unique(kinds, total, b)
        out.append(
            {
                "first": seqs[a],
                "last": seqs[b - 1],
                "n": b - a,
                "rate": rate,
                "expected": (b - a - (unique - before)) / (b - a),
            }
        )
        before = unique
    return out


def memory(run: Run) -> dict[str, Any] | Unknown:
    """How far back the proposer seems to look: repeats at short distance against random order.

    Exploratory: the window is the lag at which avoidance is clearest, chosen after looking at all of them.
    """
    n, repeats = len(run.repeats), sum(run.repeats)
    if repeats < MIN_REPEATS:
        return Unknown(f"{repeats} repeats < {MIN_REPEATS}")
    if n > MAX_SHUFFLED:
        return Unknown(f"n={n} > {MAX_SHUFFLED}: the shuffling test is not run")
    counts = [p.n for p in run.ground.pairs if p.n]
    kinds = Counter(counts)
    most = min(MAX_LAG, n - 1)
    observed = [0] * (most + 1)
    expected = [0.0] * (most + 1)
    for lag in range(1, most + 1):
        observed[lag] = observed[lag - 1] + run.tally.lags.get(lag, 0)
        expected[lag] = expected[lag - 1] + stats.expected_gap(kinds, n, lag)
    fewer = _shuffled_at_most(counts, n, observed)
    lags: list[dict[str, Any]] = [
        {"lag": lag, "observed": observed[lag], "expected": expected[lag], "p": (fewer[lag] + 1) / (SHUFFLES + 1)}
        for lag in range(1, most + 1)
    ]
    # The clearest avoidance: the largest shortfall among the lags that chance does not explain.
    clear = [x for x in lags if x["p"] <= SIGNIFICANT]
    window = max(clear, key=lambda x: x["expected"] - x["observed"])["lag"] if clear else None
    leak = observed[window] / repeats if window else Unknown("no lag shows avoidance, so there is no window to leak")
    why = Unknown("no lag shows fewer repeats than random order: no memory is visible")
    return {"window": window or why, "lags": lags, "leak": leak}


def _shuffled_at_most(counts: Sequence[int], n: int, observed: Sequence[int]) -> list[int]:
    """For each lag, how many random orders have at most as many repeats within it as were observed."""
    most = len(observed) - 1
    if n > SMALL:
        return _shuffled_numpy(counts, n, observed)
    labels = [i for i, m in enumerate(counts) for _ in range(m)]
    rng = random.Random(SEED)
    fewer = [0] * (most + 1)
    for _ in range(SHUFFLES):
        rng.shuffle(labels)
        last = [-most - 1] * len(counts)
        found = [0] * (most + 1)
        for i, x in enumerate(labels):
            gap = i - last[x]
            if gap <= most:
                found[gap] += 1
            last[x] = i
        total = 0
        for lag in range(1, most + 1):
            total += found[lag]
            fewer[lag] += total <= observed[lag]
    return fewer


def _shuffled_numpy(counts: Sequence[int], n: int, observed: Sequence[int]) -> list[int]:
    import numpy as np

    most, limits = len(observed) - 1, np.asarray(observed)
    labels = np.repeat(np.arange(len(counts)), counts)
    lanes, same = labels * n, labels[1:] == labels[:-1]
    rng = np.random.default_rng(SEED)
    fewer = np.zeros(most + 1, dtype=np.int64)
    for _ in range(SHUFFLES):
        # Sorted, the places of each label stand together and in order: neighbours are consecutive occurrences.
        gaps = np.diff(np.sort(lanes + rng.permutation(n)))[same]
        fewer += np.bincount(gaps[gaps <= most], minlength=most + 1).cumsum() <= limits
    return [int(x) for x in fewer]
