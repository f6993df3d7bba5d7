"""Does it go on as it should? Trials without a keep, crashes, and what may be spent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from trajscope import stats
from trajscope.fold import Unknown
from trajscope.rules.wording import Answer, Values, count, lacking, percent
from trajscope.run import Run
from trajscope.tally import LATELY
from trajscope.verdict import Level

# An honest campaign of which nothing is known keeps a fifth, and that is believed as much as so many trials of its own:
# a beta distribution, so that a campaign that keeps little is not held to the fifth for long.
KEEP_RATE, KEEP_TRIALS = 0.2, 10
# Where nothing was ever kept; and where something was, and then no more. The second never fails: one honest campaign in
# five found what there was to find, and then kept nothing for longer than its own rate explains.
NO_KEEP_FAIL, NO_KEEP_WARN, NO_MORE_WARN = 0.001, 0.05, 0.01
CRASHES, ODD = 5, 0.02  # in a row, and how often so long a row may be expected before it says nothing
CRASH_RATE, CRASH_TRIALS = 0.1, 10  # what a loop of which nothing is known crashes, and how much that is believed
CRASHED_FAIL, CRASHED_WARN = 0.5, 0.25  # of the latest trials that ran
NEARLY = 0.8  # of a budget

_UNITS = {"trials": "trials", "hours": "hours", "tokens": "tokens", "usd": "USD"}


def zero_keeps(run: Run, v: Values) -> Answer:
    """No keep for longer than the run's own rate, or that of an honest one, explains."""
    t, most = run.tally, run.alarms.zero_keeps
    if not run.header.has_keeps:
        return lacking("the format has no keeps")
    if not t.e:
        return lacking("no trial was evaluated")
    since, kept = t.since_keep, t.keep_count
    last = [t.latest[-1].seq] if t.latest else []
    before = f"after {count(kept, 'keep')} in {count(t.e - since, 'trial')}" if kept else "and nothing was kept before"
    said = f"no keep in the last {count(since, 'trial')}, {before}"
    if most is not None:
        return (Level.FAIL if since >= most else Level.PASS), f"{said} (bound {most:,})", last
    p = stats.drought(since, kept + KEEP_RATE * KEEP_TRIALS, t.e - since - kept + (1 - KEEP_RATE) * KEEP_TRIALS)
    warn = stats.spent(NO_MORE_WARN, kept) if kept else NO_KEEP_WARN  # one look for every keep that might be the last
    level = Level.FAIL if p < NO_KEEP_FAIL and not kept else Level.WARN if p < warn else Level.PASS
    return level, f"{said} (p={p:.2g}, bound {NO_KEEP_FAIL if level is Level.FAIL else warn:.2g})", last


def crashes(run: Run, v: Values) -> Answer:
    """Trials crash one after the other, or every second one does."""
    t = run.tally
    if not t.ran:
        return lacking("no trial ran")
    row, most = t.crash_row, run.alarms.crash_streak
    bits = min(t.ran, LATELY)
    lately = t.crashes_lately.bit_count()
    share = lately / bits
    of_late = f"{lately} of the last {count(bits, 'trial')} crashed"
    bound = CRASHES if most is None else most
    said = ""
    if row >= bound:
        said = f"{count(row, 'trial')} in a row crashed (bound {bound:,})"
        if most is not None:
            return Level.FAIL, said, t.crash_seqs
        rate = (t.ran - t.e - row + CRASH_RATE * CRASH_TRIALS) / (t.ran - row + CRASH_TRIALS)  # of those before
        chance = stats.expected_runs(t.ran, row, rate)
        said += f"; {chance:.2g} such rows are expected at a crash rate of {percent(rate)} (bound {ODD:g})"
        if chance < ODD:
            return Level.FAIL, said, t.crash_seqs
    if bits == LATELY and share >= CRASHED_FAIL:
        return Level.FAIL, f"{of_late} (bound {percent(CRASHED_FAIL)})", t.crash_seqs
    if said:
        return Level.WARN, said, t.crash_seqs
    if bits == LATELY and share >= CRASHED_WARN:
        return Level.WARN, f"{of_late} (bound {percent(CRASHED_WARN)})", t.crash_seqs
    return Level.PASS, f"{of_late} (bound {percent(CRASHED_WARN)}), {row} of them in a row (bound {bound:,})", []


class _Spent(NamedTuple):
    """One thing of which only so much may be spent."""

    name: str
    most: float
    used: float | Unknown
    bare: int  # trials that ran and do not say what they took


def budget(run: Run, v: Values) -> Answer:
    """What was declared that all trials together may take."""
    limits = list(_spent(run, v))
    if not limits:
        return lacking("no budget is declared, in the header's rails or in [alarms.budget]")
    known = [(x, x.used) for x in limits if not isinstance(x.used, Unknown)]
    said, level, worst = [], Level.PASS, 0.0
    for x, used in sorted(known, key=lambda pair: -pair[1] / pair[0].most):
        said.append(f"{used:,.4g} of {x.most:,g} {_UNITS[x.name]}")
        worst = max(worst, used / x.most)
    if worst > 1:
        level = Level.FAIL
    elif blind := next((x for x in limits if x.bare or isinstance(x.used, Unknown)), None):
        # What is known to be spent is the least that was: it can be too much, and cannot be little enough.
        of = count(run.tally.ran, "trial")
        return lacking(f"{blind.bare:,} of {of} that ran do not say what they took of {blind.most:,g} {blind.name}")
    elif worst >= NEARLY:
        level = Level.WARN
    bound = percent(1.0 if level is Level.FAIL else NEARLY)
    return level, f"{' and '.join(said)} are spent: {percent(worst)} (bound {bound})", []


def _spent(run: Run, v: Values) -> Iterator[_Spent]:
    """Each thing that is limited; of two limits the tighter one holds."""
    t, own = run.tally, run.alarms.budget
    bare = {"trials": 0, "hours": t.ran - t.timed, "tokens": t.ran - t.metered, "usd": t.ran - t.priced}
    for name in _UNITS:
        limits = [x for x in (getattr(own, name), run.header.budget.get(name)) if x is not None]
        if limits:
            yield _Spent(name, min(limits), _used(run, v, name), bare[name])


def _used(run: Run, v: Values, name: str) -> float | Unknown:
    if name == "trials":
        return float(run.tally.ran)
    if name == "hours":
        wall = v["cost.wall_s"]
        return wall if isinstance(wall, Unknown) else wall / 3600
    if name == "usd":
        return v["cost.usd"]  # type: ignore[no-any-return]  # a number or Unknown
    tokens = [x for x in (v["cost.tokens_in"], v["cost.tokens_out"]) if not isinstance(x, Unknown)]
    return sum(tokens) if tokens else v["cost.tokens_in"]  # type: ignore[no-any-return]  # as above
