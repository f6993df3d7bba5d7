"""Is it exploring? Plateaus, repeats, dominance, coverage."""

from __future__ import annotations

from trajscope.fold import Unknown
from trajscope.rules.wording import Answer, Values, are, count, percent
from trajscope.run import Run
from trajscope.verdict import Level

MIN_TRIALS = 8  # counted trials below which nothing is said of exploration
DRY, DRY_SHARE = 15, 0.3  # a plateau beyond noise this long, and this share of the run, is dry
NEW_SHARE = 0.2  # fewer new pairs than this is going in circles
REPEATS_FAIL, REPEATS_WARN, REPEATS_FROM = 0.8, 0.5, 20  # of the last ten, from this many trials on
TOP_FAIL, TOP_WARN = 0.5, 0.3  # one pair's share of counted trials
EXHAUSTED = "; the menu is exhausted: every cell of it was tried, so widen it or stop"
COVERED_FAIL, COVERED_FROM = 0.25, 3.0  # share of knobs touched after this many trials per knob


def flailing(run: Run, v: Values) -> Answer:
    """No best beyond noise for long, and hardly anything new is tried."""
    new, dry, n = v["pairs.good_turing"], v["plateau.beyond_noise"], run.tally.c
    if isinstance(new, Unknown) or n < MIN_TRIALS:
        return Level.UNKNOWN, f"{_few(n)} to say whether it explores", []
    bound = max(DRY, DRY_SHARE * run.tally.e)
    circling = new < NEW_SHARE
    if not circling:
        return Level.PASS, f"{percent(new)} of proposals are still new (bound {percent(NEW_SHARE)})", []
    if isinstance(dry, Unknown):
        return (
            Level.UNKNOWN,
            f"only {percent(new)} of proposals are still new, and whether the best still moves is not known: {dry.why}",
            [],
        )
    said = f"no best beyond noise for {dry} of {run.tally.e} trials (bound {bound:g})"
    said += f", and only {percent(new)} of proposals are still new"
    if dry < bound:
        return Level.PASS, f"{dry} trials since the last best beyond noise (bound {bound:g})", []
    return (Level.WARN, said + EXHAUSTED, []) if exhausted(v) else (Level.FAIL, said, [])


def exhausted(v: Values) -> bool:
    """Whether every cell of the menu was tried, so that nobody could do otherwise than repeat."""
    touched, total = v["coverage.cells.touched"], v["coverage.cells.total"]
    return not isinstance(touched, Unknown) and not isinstance(total, Unknown) and touched >= total > 0


def repeats(run: Run, v: Values) -> Answer:
    """Most of the latest proposals were tried before."""
    rate, n = v["pairs.trailing_rate"], run.tally.c
    if isinstance(rate, Unknown):
        return Level.UNKNOWN, f"repeats cannot be judged: {rate.why}", []
    said = f"{round(rate * 10)} of the last 10 proposals had been tried before"
    recent = [s for s, f in zip(run.counted_seqs[-10:], run.repeats[-10:], strict=True) if f]
    if rate >= REPEATS_FAIL and n >= REPEATS_FROM:
        if exhausted(v):
            return Level.WARN, f"{said}{EXHAUSTED}", recent
        return Level.FAIL, f"{said} (bound {percent(REPEATS_FAIL)})", recent
    if rate >= REPEATS_WARN:
        return Level.WARN, f"{said} (bound {percent(REPEATS_WARN)})", recent
    return Level.PASS, f"{said} (bound {percent(REPEATS_WARN)})", []


def dominance(run: Run, v: Values) -> Answer:
    """One pair takes most proposals."""
    share, n = v["dominance.proposed.share"], run.tally.c
    if isinstance(share, Unknown) or n < MIN_TRIALS:
        return Level.UNKNOWN, f"{_few(n)} to judge dominance", []
    said = f"{v['dominance.proposed.pair']} took {v['dominance.proposed.n']} of {n} proposals"
    level = Level.FAIL if share >= TOP_FAIL and n >= REPEATS_FROM else Level.WARN if share >= TOP_WARN else Level.PASS
    return level, f"{said} (bound {percent(TOP_FAIL if level is Level.FAIL else TOP_WARN)})", []


def coverage(run: Run, v: Values) -> Answer:
    """Knobs stay untouched though there was time for all of them."""
    total, touched = v["coverage.knobs_total"], v["coverage.knobs_touched"]
    if isinstance(total, Unknown) or isinstance(touched, Unknown):
        why = "no menu is known" if isinstance(total, Unknown) else touched.why
        return Level.UNKNOWN, f"coverage cannot be judged: {why}", []
    left = ", ".join(v["coverage.untouched"][:8])
    said = f"{touched} of {total} knobs were touched" + (f"; never: {left}" if left else "")
    enough = run.tally.c >= COVERED_FROM * total
    if enough and touched / total < COVERED_FAIL:
        return Level.FAIL, f"{said} (bound {percent(COVERED_FAIL)} of them)", []
    return (Level.WARN if enough and touched < total else Level.PASS), said, []


def _few(n: int) -> str:
    return f"{count(n, 'counted trial')} {are(n)} too few (< {MIN_TRIALS})"
