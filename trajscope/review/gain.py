"""Whether the gain is real: the best and how much of it is luck, plateaus beyond noise, the noise itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from trajscope import stats
from trajscope.fold import Unknown
from trajscope.review import Part, Review
from trajscope.run import Run

MIN_DF = 3  # degrees of freedom below which no noise estimate is given
NO_GOAL = Unknown("whether higher or lower is better is not known; give --goal")
NO_VALUE = Unknown("no trial has a finite value")
NO_KEEP = Unknown("nothing was kept")
NO_BASELINE = Unknown("no baseline is recorded")
_UNPLACED = Unknown("which configuration each trial ran is not recorded")


def baseline(run: Run, v: Mapping[str, Any]) -> dict[str, Any] | Unknown:
    """What gains are measured from."""
    values = run.tally.baseline
    if not values:
        return NO_BASELINE
    return {"value": run.tally.baseline_mean, "n": len(values), "source": run.tally.baseline_source}


def noise(run: Run, v: Mapping[str, Any]) -> dict[str, Any] | Unknown:
    """The spread of repeated evaluations of one configuration, pooled over all of them."""
    t = run.tally
    df = sum(t.noise_df.values())
    if df >= MIN_DF:
        return {"sd": math.sqrt(t.noise_ss / df), "df": df, "sources": dict(t.noise_df)}
    if t.seed_df >= MIN_DF:
        # The pool holds squared deviations of seeds already divided by the number of seeds of their mean.
        return {"sd": math.sqrt(t.seed_ss / t.seed_df), "df": t.seed_df, "sources": {"seeds": t.seed_df}}
    if not t.placed and t.e:
        return Unknown("which configuration each trial ran is not recorded, so none is known to be repeated")
    return Unknown(f"too few repeated evaluations: {max(df, t.seed_df)}, and {MIN_DF} are needed")


def best(run: Run, v: Mapping[str, Any]) -> dict[str, Any] | Unknown:
    """The best kept trial, or the best evaluated one where a format has no keeps."""
    t = run.tally
    if not run.scores.sign:
        return NO_GOAL
    if t.best_kept is None:
        return NO_KEEP if run.header.has_keeps and t.best is not None else NO_VALUE
    value = t.best_kept * run.scores.sign
    base = t.baseline_mean
    gain = (value - base) * run.scores.sign if base is not None else NO_BASELINE
    fraction = (
        gain / abs(base)
        if base and not isinstance(gain, Unknown)
        else Unknown("the baseline is zero")
        if base == 0
        else NO_BASELINE
    )
    return {
        "seq": t.best_kept_seq,
        "iter": t.best_kept_iter if t.best_kept_iter is not None else Unknown("the trial has no iter"),
        "value": value,
        "gain": gain,
        "gain_fraction": fraction,
        **_shrunk(run, v, value, base, gain),
    }


def _shrunk(run: Run, v: Mapping[str, Any], value: float, base: float | None, gain: float | Unknown) -> dict[str, Any]:
    t = run.tally
    config = run.scores.configs[t.best_kept_config] if t.best_kept_config >= 0 else None
    if config is not None and config.n > 1:
        gained = (config.mean - base) * run.scores.sign if base is not None else NO_BASELINE
        return {"shrunk": config.mean, "shrunk_gain": gained, "shrunk_method": f"mean of its {config.n} evaluations"}
    sd = v["noise.sd"]
    if isinstance(sd, Unknown) or isinstance(gain, Unknown) or base is None or run.scores.base is None:
        why = sd if isinstance(sd, Unknown) else NO_BASELINE
        return {"shrunk": why, "shrunk_gain": why, "shrunk_method": why}
    shrunk = stats.shrink(gain, sd * math.sqrt(1 + 1 / max(1, run.scores.base.n)))
    return {
        "shrunk": base + run.scores.sign * shrunk,
        "shrunk_gain": shrunk,
        "shrunk_method": "difference shrunk by its standard error",
    }


def contributions(run: Run, v: Mapping[str, Any]) -> list[dict[str, Any]] | Unknown:
    """What each keep added."""
    if not run.scores.sign and run.tally.keeps:
        return NO_GOAL
    bare = Unknown("it has no value, or nothing to be measured from")
    return [{"seq": k.seq, "gain": bare if k.gain is None else k.gain, "also": k.also} for k in run.tally.keeps]


def plateau(run: Run, v: Mapping[str, Any]) -> dict[str, Any]:
    """How long ago the last real improvement was."""
    t = run.tally
    since = since_beyond_noise(run, v["noise.sd"])
    longest = (
        NO_GOAL
        if not run.scores.sign
        else Unknown("no trial went without a better value")
        if t.longest[0] == 0
        else None
    )
    return {
        "length": since,
        "beyond_noise": since,
        "longest.first": longest or t.longest[1],
        "longest.last": longest or t.longest[2],
    }


def since_beyond_noise(run: Run, sd: float | Unknown) -> int | Unknown:
    """Evaluated trials since a configuration's mean last beat the incumbent's by more than noise."""
    if not run.scores.sign:
        return NO_GOAL
    if isinstance(sd, Unknown):
        return Unknown(f"the noise is not known: {sd.why}")
    if run.tally.baseline_mean is None:
        return NO_BASELINE
    return run.tally.e - run.beyond.last(run.scores, run.tally, sd)


def doubts(run: Run, v: Mapping[str, Any]) -> dict[str, Any]:
    """What the noise says of the verdicts: flips, keeps that nothing confirms, the smallest gain one trial can show."""
    sd = v["noise.sd"]
    known = None if isinstance(sd, Unknown) else sd
    unplaced = None if run.tally.placed or not run.tally.e else _UNPLACED
    run.doubts.look(run.scores, run.tally, run.ground.pairs)
    return {
        "flip_flops": unplaced or run.doubts.flips(),
        "unconfirmed_keeps": unplaced or run.doubts.unconfirmed(known),
        "min_detectable": sd if isinstance(sd, Unknown) else stats.min_detectable(sd),
    }


REVIEWS = (
    Review(
        "baseline",
        "What gains are measured from.",
        baseline,
        parts=(
            Part("value", "Mean of the declared or measured baseline.", "metric"),
            Part("n", "Evaluations behind it."),
            Part("source", "header or measured."),
        ),
    ),
    Review(
        "noise",
        "The spread of repeated evaluations of one configuration.",
        noise,
        parts=(
            Part(
                "sd",
                "Pooled standard deviation of repeated evaluations; from seeds where nothing was repeated.",
                "metric",
            ),
            Part("df", "Its degrees of freedom."),
            Part("sources", "Degrees of freedom by where they come from."),
        ),
    ),
    Review(
        "best",
        "The best kept trial, or the best evaluated one where a format has no keeps.",
        best,
        parts=(
            Part("seq", "Its line."),
            Part("iter", "Its label."),
            Part("value", "Its value.", "metric"),
            Part("gain", "Improvement over the baseline, positive is better.", "metric"),
            Part("gain_fraction", "The gain as a share of the baseline."),
            Part("shrunk", "What it would likely score if it were measured again.", "metric"),
            Part("shrunk_gain", "Improvement over the baseline after shrinking.", "metric"),
            Part("shrunk_method", "How it was shrunk."),
        ),
    ),
    Review(
        "contributions",
        "What each keep added over its base: seq, gain, and the change of every other metric.",
        contributions,
        walks=True,
    ),
    Review(
        "plateau",
        "How long ago the last real improvement was.",
        plateau,
        parts=(
            Part("length", "The headline: evaluated trials since the last best beyond noise.", "trials"),
            Part("beyond_noise", "The same by its own name.", "trials"),
            Part("longest.first", "First trial (seq) of the longest stretch without a strictly better value."),
            Part("longest.last", "Its last trial (seq)."),
        ),
    ),
    Review(
        "noise",
        "What the noise says of the verdicts.",
        doubts,
        parts=(
            Part("flip_flops", "Configurations that were kept once and reverted once: pair, kept, reverted."),
            Part("unconfirmed_keeps", "Keeps (seq) that no other evaluation of theirs confirms beyond noise."),
            Part(
                "min_detectable", "True gain that one trial shows against one other, 80% power, one-sided 5%.", "metric"
            ),
        ),
    ),
)
