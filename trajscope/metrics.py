"""The metrics that are plain aggregates of rows, each declared once under its path in `analyze --json`.

What must look over all rows again (noise, plateaus beyond it, nulls) is in `review`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from trajscope.expr import Expr, c
from trajscope.fold import COUNT, LAST, LEAST, MOST, SPREAD, SUM, TOTAL, Formula, Metric, Unknown
from trajscope.trial import CODE, STATUSES

MIN_CHAO = 20  # counted trials below which a richness estimate says nothing

_NONE = "no trial was evaluated"
_NO_PAIR = "no evaluated trial names what it changed"
_NO_KEEP = "nothing was kept"


def _count(name: str, doc: str, where: Expr) -> Metric:
    return Metric(name, doc, COUNT, where=where, unit="trials")


def _total(name: str, doc: str, of: Expr, unit: str, none: str, where: Expr | None = None) -> Metric:
    return (
        Metric(name, doc, TOTAL, of, unit=unit, none=none)
        if where is None
        else Metric(name, doc, TOTAL, of, where, unit, none)
    )


trials = Metric("trials", "Trials in the file, whatever became of them.", COUNT, unit="trials")
evaluated = _count(
    "evaluated", "Trials that were scored: kept, reverted or ineligible, or aborted with a value.", c.evaluated
)
statuses = tuple(_count(f"status.{name}", f"Trials with status {name}.", c.status == CODE[name]) for name in STATUSES)
counted = _count("pairs.counted", "Evaluated trials that name a pair and are no declared replicate.", c.counted)
unique = _count("pairs.unique", "Different pairs among counted trials.", c.k == 1)
repeats = _count("pairs.repeats", "Counted trials whose pair had been counted before.", c.k > 1)
twice = _count("pairs.at_least_twice", "Pairs that were counted at least twice.", c.k == 2)
thrice = _count("pairs.at_least_thrice", "Pairs that were counted at least three times.", c.k == 3)
contextual = _count(
    "pairs.contextual_repeats", "Counted trials whose whole configuration had been counted before.", c.context_k > 1
)
near = _count("pairs.near_repeats", "New pairs that lie within 2% of an earlier one on the same base.", c.near)
revisits = _count("pairs.revisits", "Counted trials that try a known pair on a new base.", c.revisit)
replicates = _count("pairs.replicates", "Evaluated trials declared as replicates.", c.replicate)
refused = _total("rail.refused", "Attempts that a rail refused.", c.refused, "attempts", _NONE)
attempts = _total("rail.attempts", "Attempts made, refused ones included.", c.attempts, "attempts", _NONE)
top = Metric(
    "dominance.proposed.n", "How often the most counted pair was counted.", MOST, c.k, c.counted, "trials", _NO_PAIR
)
top_kept = Metric(
    "dominance.kept.n", "How often the most kept pair was kept.", MOST, c.kept_k, c.kept, "trials", _NO_KEEP
)
kept_pairs = _count("pairs.kept_named", "Kept trials that name a pair.", c.kept_k > 0)
pair_spread = Metric("spread.pairs", "Spread of counted pairs.", SPREAD, c.k, c.counted, none=_NO_PAIR)
keep_spread = Metric("spread.keeps", "Spread of kept pairs.", SPREAD, c.kept_k, c.kept_k > 0, none=_NO_KEEP)
knob_spread = Metric("spread.knobs", "Spread of counted knobs.", SPREAD, c.knob_k, c.counted, none=_NO_PAIR)
touched = _total("coverage.knobs_touched", "Menu knobs that an evaluated trial changed.", c.new_knobs, "knobs", _NONE)
touched_kept = _total("coverage.knobs_kept", "Menu knobs that a kept trial changed.", c.new_kept_knobs, "knobs", _NONE)
touched_proposed = _total(
    "coverage.knobs_proposed",
    "Menu knobs that any trial proposed, refused ones included.",
    c.new_proposed_knobs,
    "knobs",
    _NONE,
)
cells = _total(
    "coverage.cells.touched",
    "Menu cells that an evaluated trial fell into, no-ops left out.",
    c.new_cells,
    "cells",
    _NONE,
)
first_keep = Metric(
    "first_keep", "Evaluated trials up to and including the first keep.", LEAST, c.e, c.kept, "trials", _NO_KEEP
)
since_best = Metric(
    "plateau.since_best",
    "Evaluated trials since the last strictly better value.",
    LAST,
    c.since_best,
    c.evaluated,
    "trials",
    _NONE,
)
since_keep = Metric(
    "plateau.since_keep", "Evaluated trials since the last keep.", LAST, c.since_keep, c.evaluated, "trials", _NONE
)
longest = Metric(
    "plateau.longest.length",
    "Longest stretch of evaluated trials without a strictly better value.",
    MOST,
    c.since_best,
    c.evaluated,
    "trials",
    _NONE,
)
wall = _total("cost.wall_s", "Wall-clock time of all trials.", c.wall_s, "s", "no trial records its time")
wall_counted = _total(
    "cost.wall_counted_s",
    "Wall-clock time of counted trials.",
    c.wall_s,
    "s",
    "no counted trial records its time",
    c.counted,
)
wall_repeats = Metric("cost.wall_repeats_s", "Wall-clock time of repeats.", SUM, c.wall_s, c.k > 1, "s")
tokens_in = _total("cost.tokens_in", "Tokens the proposer read.", c.tokens_in, "tokens", "no trial records tokens")
tokens_out = _total("cost.tokens_out", "Tokens the proposer wrote.", c.tokens_out, "tokens", "no trial records tokens")
usd = _total("cost.usd", "Money spent.", c.usd, "USD", "no trial records money")

METRICS: tuple[Metric, ...] = (
    trials,
    evaluated,
    *statuses,
    counted,
    unique,
    repeats,
    twice,
    thrice,
    contextual,
    near,
    revisits,
    replicates,
    refused,
    attempts,
    top,
    top_kept,
    kept_pairs,
    pair_spread,
    keep_spread,
    knob_spread,
    touched,
    touched_kept,
    touched_proposed,
    cells,
    first_keep,
    since_best,
    since_keep,
    longest,
    wall,
    wall_counted,
    wall_repeats,
    tokens_in,
    tokens_out,
    usd,
)
HIDDEN = frozenset(
    m.name
    for m in (counted, twice, thrice, kept_pairs, pair_spread, keep_spread, knob_spread, wall_counted, wall_repeats)
)  # parts of formulas, not figures of their own


def share(n: float, of: float) -> float | Unknown:
    """N of a total; unknown where the total is nothing."""
    return n / of if of else Unknown(_NO_PAIR)


def _time_share(all_s: float, counted_s: float, repeats_s: float) -> float | Unknown:
    return repeats_s / all_s if all_s else Unknown("no time was spent")


def _chao1(s: int, n: int, at_least_two: int, at_least_three: int) -> float | Unknown:
    f1, f2 = s - at_least_two, at_least_two - at_least_three
    if n < MIN_CHAO:
        return Unknown(f"n={n} < {MIN_CHAO}")
    if f1 == n:
        return Unknown("no pair was ever counted twice, so nothing bounds how many there are")
    return s + (n - 1) / n * f1 * (f1 - 1) / (2 * (f2 + 1))


def _spreads(name: str, spread: Metric, what: str) -> tuple[Formula, ...]:
    def shannon(s: tuple[int, float, int]) -> float:
        return max(0.0, math.log(s[0]) - s[1] / s[0])

    def unbiased(s: tuple[int, float, int]) -> float | Unknown:
        n, w = s[0], s[2]
        return 2 * w / (n * (n - 1)) if n > 1 else Unknown(f"n={n} < 2")

    p = f"diversity.{name}"
    return (
        Formula(f"{p}.shannon", f"Shannon entropy of {what}.", shannon, (spread,), "nats"),
        Formula(
            f"{p}.effective",
            f"Effective number of {what}: exp of the entropy.",
            lambda s: math.exp(shannon(s)),
            (spread,),
        ),
        Formula(
            f"{p}.simpson_effective",
            f"1 / sum of squared shares of {what} (biased low).",
            lambda s: s[0] ** 2 / (2 * s[2] + s[0]),
            (spread,),
        ),
        Formula(
            f"{p}.simpson_unbiased",
            f"Chance that two of the {what}, drawn without replacement, are one and the same.",
            unbiased,
            (spread,),
        ),
    )


FORMULAS: tuple[Formula, ...] = (
    Formula("pairs.repeat_rate", "Repeats per counted trial.", share, (repeats, counted)),
    Formula("pairs.singletons", "Pairs that were counted once only.", lambda a, b: a - b, (unique, twice), "pairs"),
    Formula(
        "pairs.good_turing",
        "Good-Turing estimate that the next proposal is a new pair.",
        lambda a, b, n: share(a - b, n),
        (unique, twice, counted),
    ),
    Formula(
        "pairs.chao1",
        "Chao1 lower bound on the pairs this proposer would reach; not the size of the search space.",
        _chao1,
        (unique, counted, twice, thrice),
        "pairs",
    ),
    Formula("dominance.proposed.share", "Its share of counted trials.", share, (top, counted)),
    Formula("dominance.kept.share", "Its share of kept trials that name a pair.", share, (top_kept, kept_pairs)),
    *_spreads("pairs", pair_spread, "counted pairs"),
    *_spreads("keeps", keep_spread, "kept pairs"),
    *_spreads("knobs", knob_spread, "counted knobs"),
    Formula(
        "cost.repeat_wall_s",
        "Wall-clock time that went to repeats.",
        lambda w, r: r,
        (wall_counted, wall_repeats),
        "s",
    ),
    Formula(
        "cost.repeat_share",
        "Share of all trials' time that went to repeats.",
        _time_share,
        (wall, wall_counted, wall_repeats),
    ),
)

best_kept = Metric("best.value", "Best kept value.", LAST, c.best_kept, unit="metric", none=_NO_KEEP)
# What one SQL query can say of many runs at once: plain sums, without what each row would need a logarithm for.
HEADLINE: tuple[Metric, ...] = (
    trials,
    evaluated,
    statuses[CODE["kept"]],
    counted,
    unique,
    repeats,
    top,
    touched,
    first_keep,
    wall,
    wall_counted,
    wall_repeats,
    best_kept,
)


def finish(states: Mapping[str, Any], metrics: Sequence[Metric] = METRICS) -> dict[str, Any]:
    """The value of metrics, and of the formulas that follow from them, from their states."""
    values = {m.name: m.value(states[m.name]) for m in metrics}
    values.update((f.name, f.value(values)) for f in FORMULAS if all(m.name in values for m in f.of))
    return {name: v for name, v in values.items() if name not in HIDDEN}
